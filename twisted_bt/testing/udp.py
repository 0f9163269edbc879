"""
Datagrams on the simulated network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import InvalidAddressError
from twisted.internet.interfaces import IListeningPort, IUDPTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_bt.testing.resolver import isLiteral

if TYPE_CHECKING:
    from twisted_bt.testing.host import Host

DatagramAddress = IPv4Address | IPv6Address

#: Bytes of headers with each datagram; and the longest there is.
_HEADERS, _LONGEST = 28, 65507


def datagramAddress(host: str, port: int) -> DatagramAddress:
    """C{host} and C{port} as Twisted writes them."""
    return IPv6Address("UDP", host, port) if ":" in host else IPv4Address("UDP", host, port)


@implementer(IUDPTransport, IListeningPort)
class SimulatedUDP:
    """A UDP socket; see C{IUDPTransport}."""

    def __init__(self, host: Host, interface: str, number: int, protocol: Any, maxPacketSize: int) -> None:
        self._host = host
        self._interface = interface
        self._number = number
        self._protocol = protocol
        self._maxPacketSize = maxPacketSize
        self._connectedTo: tuple[str, int] | None = None
        self._broadcast = False
        self.listening = False

    def startListening(self) -> None:
        """See C{IListeningPort}."""
        self._host.udpPorts.bind(self._interface, self._number, self)
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
        self._connectedTo = (_literal(host), port)

    def write(self, packet: bytes, addr: tuple[str, int] | None = None) -> None:
        """See C{IUDPTransport}."""
        target = self._connectedTo or addr
        assert target is not None, "where to?"
        there, port = target
        _literal(there)
        if ":" in there and self._interface in ("", "0.0.0.0"):
            raise InvalidAddressError(there, "IPv6 from a port on IPv4")
        if ":" not in there and ":" in self._interface:
            raise InvalidAddressError(there, "IPv4 from a port on IPv6")
        if len(packet) > _LONGEST:
            raise OSError(90, "Message too long")
        there = there.removeprefix("::ffff:") if "." in there else there
        any_ = self._interface in ("", "0.0.0.0", "::")
        here = self._host.sourceFor(there) if any_ else self._interface
        if not here:
            raise OSError(101, "Network is unreachable")
        host = self._host
        source, target_ = datagramAddress(here, self._number), datagramAddress(there, port)
        host.network.seen("datagram", source, target_, packet)
        other = host.peerAt(there)
        if other is not None:
            host.transmit(
                other, self, len(packet) + _HEADERS, lambda: _arrive(other, source, target_, packet)
            )

    def _received(self, source: DatagramAddress, packet: bytes) -> None:
        if self._connectedTo not in (None, (source.host, source.port)):
            return
        mapped = self._interface == "::" and ":" not in source.host
        shown = f"::ffff:{source.host}" if mapped else source.host
        try:
            self._protocol.datagramReceived(packet[: self._maxPacketSize], (shown, source.port))
        except Exception:  # the socket lives on, as on a real reactor
            self._host.network.failed(Failure())

    def setBroadcastAllowed(self, enabled: bool) -> None:
        """See C{IUDPTransport}."""
        self._broadcast = bool(enabled)

    def getBroadcastAllowed(self) -> bool:
        """See C{IUDPTransport}."""
        return self._broadcast


def _arrive(host: Host, source: DatagramAddress, target: DatagramAddress, packet: bytes) -> None:
    socket = host.udpPorts.find(target.host, target.port)
    if isinstance(socket, SimulatedUDP):
        socket._received(source, packet)


def _literal(host: str) -> str:
    if not isLiteral(host):
        raise InvalidAddressError(host, "not an address")
    return host
