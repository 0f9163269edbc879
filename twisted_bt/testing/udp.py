"""
Datagrams on the simulated network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import InvalidAddressError
from twisted.internet.interfaces import IListeningPort, IUDPTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_bt.testing.resolver import isLiteral
from twisted_bt.testing.route import Endpoint, Packet, Trail, along, turned

if TYPE_CHECKING:
    from twisted_bt.testing.host import Host

DatagramAddress = IPv4Address | IPv6Address

#: Bytes of headers with each datagram; and the longest there is.
_HEADERS, _LONGEST = 28, 65507


def datagramAddress(host: str, port: int) -> DatagramAddress:
    """C{host} and C{port} as Twisted writes them."""
    return IPv6Address("UDP", host, port) if ":" in host else IPv4Address("UDP", host, port)


def isGroup(address: str) -> bool:
    """Whether C{address} is that of a group of hosts."""
    return address.startswith("ff") if ":" in address else 224 <= int(address.partition(".")[0]) < 240


@dataclass(frozen=True, eq=False)
class Datagram(Packet):
    """C{data} on its way from C{socket}."""

    socket: SimulatedUDP
    data: bytes

    def arrive(self, host: Host, trail: Trail) -> None:
        """See L{Packet.arrive}."""
        there = self.target
        if isGroup(there.host):
            for each in host.udpPorts.findAll(there.port):
                if there.host in each.groups:
                    each.received(self.source, self.data)
            return
        socket = host.udpPorts.find(there.host, there.port)
        if socket is None:
            self.refused(trail)
        else:
            socket.received(self.source, self.data)

    def refused(self, trail: Trail) -> None:
        """See L{Packet.refused}: only sockets with one peer are told."""
        if self.socket.isConnected:
            along(turned(trail), self.socket, self.size, self.socket.refused)


@implementer(IUDPTransport, IListeningPort)
class SimulatedUDP:
    """
    A UDP socket; see C{IUDPTransport}.

    @ivar ipv6: of which kind it is; one at C{::} is of both.
    @ivar groups: those it has joined.
    @ivar ttl: how far its multicasts go.
    @ivar loops: whether they come to sockets on this host too.
    """

    def __init__(
        self,
        host: Host,
        interface: str,
        number: int,
        protocol: Any,
        maxPacketSize: int,
        shared: bool = False,
    ) -> None:
        self._host = host
        self._interface = interface
        self._number = number
        self._protocol = protocol
        self._maxPacketSize = maxPacketSize
        self._shared = shared
        self._connectedTo: Endpoint | None = None
        self._broadcast = False
        self.ipv6 = ":" in interface
        self.listening = False
        self.groups: dict[str, None] = {}
        self.ttl = 1
        self.loops = True

    def startListening(self) -> None:
        """See C{IListeningPort}."""
        self._host.udpPorts.bind(self._interface, self._number, self, self._shared)
        self.listening = True
        self._protocol.makeConnection(self)

    def stopListening(self) -> Deferred[None]:
        """See C{IUDPTransport}; fires in a later event, as a real one does."""
        done: Deferred[None] = Deferred()

        def stopped() -> None:
            self._protocol.doStop()
            done.callback(None)

        if self.listening:
            self.listening = False
            self._host.udpPorts.free(self)
            self._host.network.clock.callLater(0, stopped)
        else:
            done.callback(None)
        return done

    def getHost(self) -> DatagramAddress:
        """See C{IUDPTransport}."""
        return datagramAddress(self._interface or "0.0.0.0", self._number)

    def connect(self, host: str, port: int) -> None:
        """See C{IUDPTransport}."""
        if self._connectedTo is not None:
            raise RuntimeError("already connected")
        self._connectedTo = Endpoint(_literal(host), port)

    @property
    def isConnected(self) -> bool:
        """Whether it has one peer alone."""
        return self._connectedTo is not None

    def write(self, packet: bytes, addr: tuple[str, int] | None = None) -> None:
        """See C{IUDPTransport}."""
        target = self._connectedTo or addr
        assert target is not None, "where to?"
        there, port = target
        _literal(there)
        if ":" in there and self._interface in ("", "0.0.0.0"):
            raise InvalidAddressError(there, "IPv6 from a port on IPv4")
        if ":" not in there and self.ipv6:
            raise InvalidAddressError(there, "IPv4 from a port on IPv6")
        if len(packet) > _LONGEST:
            raise OSError(90, "Message too long")
        there = there.removeprefix("::ffff:") if "." in there else there
        host = self._host
        group = isGroup(there)
        here = self.groupSource(there) if group else self._sourceFor(there)
        if not here:
            raise OSError(101, "Network is unreachable")
        sent = Datagram(
            "udp",
            Endpoint(here, self._number),
            Endpoint(there, port),
            len(packet) + _HEADERS,
            self,
            self,
            packet,
        )
        if host.network.watchers:
            source, shown = datagramAddress(*sent.source), datagramAddress(*sent.target)
            host.network.seen("datagram", source, shown, packet)
        if group:
            host.sendToGroup(sent, self.ttl, self.loops)
        elif there in host.localAddresses or host.gate.letsOut(sent):
            host.send(sent)
        elif host.gate.rules.rejects:
            raise PermissionError(1, "Operation not permitted")

    def _sourceFor(self, there: str) -> str:
        anywhere = self._interface in ("", "0.0.0.0", "::")
        return self._host.sourceFor(there) if anywhere else self._interface

    def groupSource(self, group: str) -> str:
        """The address from which it sends to C{group}."""
        return self._sourceFor(group)

    def received(self, source: Endpoint, packet: bytes) -> None:
        """C{packet} came from C{source}."""
        if self._connectedTo not in (None, source):
            return
        mapped = self._interface == "::" and ":" not in source.host
        shown = f"::ffff:{source.host}" if mapped else source.host
        self._guarded(self._protocol.datagramReceived, packet[: self._maxPacketSize], (shown, source.port))

    def refused(self) -> None:
        """Its one peer says that nobody is there."""
        if self.listening:
            self._guarded(self._protocol.connectionRefused)

    def _guarded(self, call: Any, *arguments: Any) -> None:
        try:
            call(*arguments)
        except Exception:  # the socket lives on, as on a real reactor
            self._host.network.failed(Failure())

    def setBroadcastAllowed(self, enabled: bool) -> None:
        """See C{IUDPTransport}."""
        self._broadcast = bool(enabled)

    def getBroadcastAllowed(self) -> bool:
        """See C{IUDPTransport}."""
        return self._broadcast


def _literal(host: str) -> str:
    if not isLiteral(host):
        raise InvalidAddressError(host, "not an address")
    return host
