"""
Listening and dialling on the simulated network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.base import BaseConnector
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectBindError, ConnectionRefusedError, DNSLookupError, NoRouteError
from twisted.internet.interfaces import IAddress, IConnector, IListeningPort
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_bt.testing.link import wireSize
from twisted_bt.testing.resolver import isLiteral
from twisted_bt.testing.stream import Stream, StreamAddress

if TYPE_CHECKING:
    from twisted_bt.testing.host import Host


def streamAddress(host: str, port: int) -> StreamAddress:
    """C{host} and C{port} as Twisted writes them."""
    return IPv6Address("TCP", host, port) if ":" in host else IPv4Address("TCP", host, port)


@implementer(IListeningPort)
class SimulatedPort:
    """
    A TCP port that accepts connections.

    @ivar interface: the address it is bound to; C{""}: all of IPv4; C{"::"}: all.
    """

    def __init__(self, host: Host, interface: str, number: int, factory: Any) -> None:
        self._host = host
        self.interface = interface
        self.number = number
        self._factory = factory
        self.listening = False

    def startListening(self) -> None:
        """See C{IListeningPort}."""
        self._host.tcpPorts.bind(self.interface, self.number, self)
        self.listening = True
        self._factory.doStart()

    def stopListening(self) -> Deferred[None]:
        """See C{IListeningPort}; fires in a later event, as a real one does."""
        done: Deferred[None] = Deferred()

        def stopped() -> None:
            self._factory.doStop()
            done.callback(None)

        if self.listening:
            self.listening = False
            self._host.tcpPorts.free(self)
            self._host.network.clock.callLater(0, stopped)
        else:
            done.callback(None)
        return done

    def getHost(self) -> StreamAddress:
        """See C{IListeningPort}."""
        return streamAddress(self.interface or "0.0.0.0", self.number)

    def accept(self, stream: Stream) -> None:
        """The other side is connected: so are we, if we want."""
        if not self.listening:
            stream.decline()
            return
        try:
            protocol = self._factory.buildProtocol(stream.getPeer())
        except Exception:
            self._host.network.failed(Failure())
            protocol = None
        if protocol is None:
            stream.decline()
        else:
            stream.begin(protocol)

    def shown(self, address: str, number: int) -> StreamAddress:
        """An address as a socket of this kind shows it: IPv4 as part of IPv6 where it listens on both."""
        if self.interface == "::" and ":" not in address:
            address = f"::ffff:{address}"
        return streamAddress(address, number)


class _ClientStream(Stream):
    """The side that dialled."""

    def __init__(
        self, host: Host, here: StreamAddress, there: StreamAddress, connector: SimulatedConnector
    ) -> None:
        super().__init__(host, here, there)
        self._connector: SimulatedConnector | None = connector

    def failIfNotConnected(self, reason: BaseException) -> None:
        """It takes too long, or nobody wants it any more, or it was refused."""
        if self.connected or self.disconnected or self._gone:
            return
        self._leave(reset=True)
        connector, self._connector = self._connector, None
        if connector is not None:
            connector.connectionFailed(Failure(reason))

    def lost(self, reason: Failure) -> None:
        """The factory hears it too."""
        connector, self._connector = self._connector, None
        if connector is not None:
            connector.connectionLost(reason)

    # -- the handshake

    def dial(self, other: Host | None) -> None:
        """The first packet goes to C{other}, or nowhere."""
        if other is not None:
            self.host.network.seen("connect", self._here, self._there, b"")
            self.host.transmit(other, self, wireSize(0), lambda: self._knock(other))

    def _knock(self, other: Host) -> None:
        """On the other side: who is there?"""
        port = other.tcpPorts.find(self._there.host, self._there.port)
        if not isinstance(port, SimulatedPort):
            refused = ConnectionRefusedError("Connection refused")
            other.transmit(self.host, self, wireSize(0), lambda: self.failIfNotConnected(refused))
            return
        here = port.shown(self._there.host, self._there.port)
        there = port.shown(self._here.host, self._here.port)
        accepted = Stream(other, here, there)
        accepted.joined(self)
        other.transmit(self.host, accepted, wireSize(0), lambda: self._answered(accepted, port))

    def _answered(self, accepted: Stream, port: SimulatedPort) -> None:
        if self._gone:
            return
        self.joined(accepted)
        connector = self._connector
        assert connector is not None
        protocol = connector.buildProtocol(self.getPeer())
        self.host.transmit(accepted.host, self, wireSize(0), lambda: port.accept(accepted))
        if protocol is None:
            self.decline()
            connector.connectionLost(Failure(ConnectionRefusedError("not wanted")))
        else:
            self.begin(protocol)


@implementer(IConnector)
class SimulatedConnector(BaseConnector):
    """One attempt to connect; see C{IConnector}."""

    def __init__(
        self, host: Host, name: str, port: int, factory: Any, timeout: float, bind: tuple[str, int] | None
    ) -> None:
        super().__init__(factory, timeout, host)  # type: ignore[arg-type]
        self._host = host
        self._name = name
        self._port = port
        self._bind = bind

    def getDestination(self) -> IAddress:
        """See C{IConnector}."""
        return streamAddress(self._name, self._port)

    def _makeTransport(self) -> Any:
        host = self._host
        literal = isLiteral(self._name)
        address = self._name if literal else (host.network.lookUp(self._name) or ("",))[0]
        wanted, number = self._bind or ("", 0)
        source = wanted or host.sourceFor(address or "0.0.0.0")
        here = streamAddress(source or "0.0.0.0", number or host.tcpPorts.ephemeral())
        stream = _ClientStream(host, here, streamAddress(address, self._port), self)
        clock = host.network.clock
        problem: Exception | None = None
        if not address:
            problem = DNSLookupError(f"no address for {self._name}")
        elif not source:
            problem = NoRouteError(f"no way to {address}")
        elif source not in host.localAddresses:
            problem = ConnectBindError(f"{source} is not an address of this host")
        if problem is not None:
            clock.callLater(0, stream.failIfNotConnected, ((problem,), {}))
        else:
            delay = 0.0 if literal else 2 * host.link.latency
            clock.callLater(delay, stream.dial, ((host.peerAt(address),), {}))
        return stream
