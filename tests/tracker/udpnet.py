"""
UDP in memory: a clock that opens ports, shows what was sent and delivers what the test likes.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IUDPTransport
from twisted.internet.task import Clock
from zope.interface import implementer

from tests.tracker.names import Names
from twisted_bt.torrent.addresses import PeerAddr, peerAddr


@implementer(IUDPTransport)
class MemoryPort:
    """One open port."""

    def __init__(self, net: MemoryUDP, protocol: Any, interface: str, number: int) -> None:
        self._net = net
        self.protocol = protocol
        self.interface = interface
        self.number = number
        protocol.makeConnection(self)

    def write(self, packet: bytes, addr: tuple[str, int] | None = None) -> None:
        """Note C{packet} as sent, or fail as the system would."""
        assert addr is not None, "no port of ours is connected"
        if self._net.sendError is not None:
            raise self._net.sendError
        if addr[0] in self._net.unreachable:
            raise OSError(101, "Network is unreachable")
        self._net.sent.append((packet, peerAddr(addr[0], addr[1])))

    def stopListening(self) -> Deferred[None]:
        """Close it."""
        self._net.ports.remove(self)
        self.protocol.doStop()
        return succeed(None)

    def getHost(self) -> IPv4Address | IPv6Address:
        """Where it is open."""
        kind = IPv6Address if ":" in self.interface else IPv4Address
        return kind("UDP", self.interface or "0.0.0.0", self.number)

    def connect(self, host: str, port: int) -> None:
        raise NotImplementedError

    def setBroadcastAllowed(self, enabled: bool) -> None:
        raise NotImplementedError

    def getBroadcastAllowed(self) -> bool:
        return False


class MemoryUDP(Clock):
    """
    A reactor of that kind.

    @ivar sent: datagrams that were sent, and to whom; take them with L{take}.
    @ivar unreachable: hosts to which nothing can be sent.
    """

    def __init__(self, hosts: dict[str, list[str] | None] | None = None) -> None:
        super().__init__()
        self.nameResolver = Names(hosts or {})
        self.ports: list[MemoryPort] = []
        self.sent: list[tuple[bytes, PeerAddr]] = []
        self.unreachable: set[str] = set()
        self.sendError: OSError | None = None
        self.noPorts = False

    def listenUDP(
        self, port: int, protocol: Any, interface: str = "", maxPacketSize: int = 8192
    ) -> MemoryPort:
        """Open one more."""
        if self.noPorts:
            raise CannotListenError(interface, port, OSError(97, "Address family not supported"))
        opened = MemoryPort(self, protocol, interface, port or 40000 + len(self.ports))
        self.ports.append(opened)
        return opened

    def take(self) -> tuple[bytes, PeerAddr]:
        """The one datagram that was sent."""
        [sent] = self.sent
        self.sent = []
        return sent

    def deliver(self, datagram: bytes, sender: PeerAddr) -> None:
        """C{datagram} arrives from C{sender} at the port of its family."""
        for port in list(self.ports):
            if (":" in port.interface) == sender.isIPv6:
                port.protocol.datagramReceived(datagram, (sender.host, sender.port))
