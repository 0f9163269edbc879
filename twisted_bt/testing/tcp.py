"""
Listening and dialling on the simulated network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
from twisted_bt.testing.route import Endpoint, Packet, Trail, Way, along, turned
from twisted_bt.testing.stream import Stream, StreamAddress

if TYPE_CHECKING:
    from twisted_bt.testing.host import Host

#: Seconds until the first packet of a connection is sent again; twice as many each time after.
_PATIENCE = 1.0


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


@dataclass(frozen=True, eq=False)
class _Knock(Packet):
    """The first packet of C{stream}."""

    stream: _ClientStream

    def arrive(self, host: Host, trail: Trail) -> None:
        """See L{Packet.arrive}."""
        self.stream.knocked(host, self, trail)

    def refused(self, trail: Trail) -> None:
        """See L{Packet.refused}."""
        along(turned(trail), self.stream, wireSize(0), self.stream.refused)

    def lost(self) -> None:
        """See L{Packet.lost}."""
        self.stream.again()


class _ClientStream(Stream):
    """The side that dialled."""

    def __init__(
        self, host: Host, here: StreamAddress, there: StreamAddress, connector: SimulatedConnector
    ) -> None:
        super().__init__(host, here, there)
        self._connector: SimulatedConnector | None = connector
        host.dialling[self] = None
        self._patience = _PATIENCE

    def failIfNotConnected(self, reason: BaseException) -> None:
        """It takes too long, or nobody wants it any more, or it was refused."""
        if self.connected or self.disconnected or self._gone:
            return
        self._leave(reset=True)
        self.host.dialling.pop(self, None)
        connector, self._connector = self._connector, None
        if connector is not None:
            connector.connectionFailed(Failure(reason))

    def lost(self, reason: Failure) -> None:
        """The factory hears it too."""
        connector, self._connector = self._connector, None
        if connector is not None:
            connector.connectionLost(reason)

    # -- the handshake

    def dial(self) -> None:
        """The first packet sets out, unless it is too late."""
        if self._gone or self.other is not None:
            return
        host = self.host
        here, there = (Endpoint(each.host, each.port) for each in (self._here, self._there))
        packet = _Knock("tcp", here, there, wireSize(0), self, self)
        host.network.seen("connect", self._here, self._there, b"")
        if there.host in host.localAddresses or host.gate.letsOut(packet):
            host.send(packet)
        elif host.gate.rules.rejects:
            self.refused()

    def again(self) -> None:
        """Something of the handshake got lost: begin anew, each time after a longer while."""
        self._later(self.dial)

    def _later(self, function: Callable[[], object]) -> None:
        if not self._gone:
            self.host.network.clock.callLater(self._patience, function, host=self.host)
            self._patience *= 2

    def refused(self) -> None:
        """Nobody listens there."""
        self.failIfNotConnected(ConnectionRefusedError("Connection refused"))

    def knocked(self, other: Host, packet: Packet, trail: Trail) -> None:
        """On the other side: who is there?"""
        port = other.tcpPorts.find(*packet.target)
        if not isinstance(port, SimulatedPort):
            packet.refused(trail)
            return
        accepted = Stream(other, port.shown(*packet.target), port.shown(*packet.source))
        accepted.way = Way(trail, self._here.host, packet.target.host)
        accepted.joined(self)
        other.transmit(self.host, accepted, wireSize(0), lambda: self._answered(accepted, port), self.again)

    def _answered(self, accepted: Stream, port: SimulatedPort) -> None:
        if self._gone or self.other is not None:
            return
        self.joined(accepted)
        self.host.dialling.pop(self, None)
        self.way = accepted.way
        connector = self._connector
        assert connector is not None
        protocol = connector.buildProtocol(self.getPeer())
        self._confirm(accepted, port)
        if protocol is None:
            self.decline()
            connector.connectionLost(Failure(ConnectionRefusedError("not wanted")))
        else:
            self.begin(protocol)

    def _confirm(self, accepted: Stream, port: SimulatedPort) -> None:
        def lost() -> None:
            self._later(lambda: self._confirm(accepted, port))

        self.host.transmit(accepted.host, self, wireSize(0), lambda: port.accept(accepted), lost)


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
            clock.callLater(delay, stream.dial)
        return stream
