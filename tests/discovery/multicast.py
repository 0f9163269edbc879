"""
A local network for tests: what is sent to a group arrives at all who joined it, the sender included.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError, MulticastJoinError
from twisted.internet.task import Clock


class LocalNetwork:
    """
    Some hosts on one clock.

    @ivar sent: every datagram: sender, interface, bytes, target.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.ports: list[FakePort] = []
        self.sent: list[tuple[str, Any, bytes, tuple[str, int]]] = []

    def host(self, four: str, six: str = "fd00::1") -> FakeMulticastReactor:
        """A reactor on a host with these addresses."""
        return FakeMulticastReactor(self, four, six)


class FakeMulticastReactor:
    """
    C{IReactorTime} and C{IReactorMulticast}, as far as it goes.

    @ivar refuse: what raises: C{"listen"}, C{"listen6"}, C{"join"}, C{"write"}, C{"interface"}.
    """

    def __init__(self, network: LocalNetwork, four: str, six: str) -> None:
        self.network = network
        self.addresses = {False: four, True: six}
        self.refuse: set[str] = set()
        self.seconds: Callable[[], float] = network.clock.seconds
        self.callLater = network.clock.callLater

    def listenMulticast(
        self, port: int, protocol: Any, interface: str, maxPacketSize: int, listenMultiple: bool
    ) -> FakePort:
        """See C{IReactorMulticast}."""
        ipv6 = ":" in interface
        if "listen" in self.refuse or (ipv6 and "listen6" in self.refuse):
            raise CannotListenError(interface, port, OSError("no"))
        assert listenMultiple, "others on this host listen too"
        made = FakePort(self, port, protocol, ipv6, maxPacketSize)
        self.network.ports.append(made)
        protocol.makeConnection(made)
        return made


class FakePort:
    """C{IMulticastTransport}."""

    def __init__(self, host: FakeMulticastReactor, port: int, protocol: Any, ipv6: bool, most: int) -> None:
        self.host, self.port, self.protocol, self.ipv6, self.most = host, port, protocol, ipv6, most
        self.joined: set[tuple[str, str]] = set()
        self.outgoing: str | int | None = None
        self.ttl: int | None = None

    def setTTL(self, ttl: int) -> None:
        """See C{IMulticastTransport}."""
        self.ttl = ttl

    def joinGroup(self, addr: str, interface: str = "") -> Deferred[None]:
        """See C{IMulticastTransport}."""
        if "join" in self.host.refuse:
            return fail(MulticastJoinError(addr, interface))
        self.joined.add((addr, interface))
        return succeed(None)

    def setOutgoingInterface(self, addr: str | int) -> Deferred[int]:
        """See C{IMulticastTransport}."""
        if "interface" in self.host.refuse:
            return fail(OSError(99, "Cannot assign requested address"))
        assert isinstance(addr, int) == self.ipv6
        self.outgoing = addr
        return succeed(1)

    def write(self, datagram: bytes, addr: tuple[str, int]) -> None:
        """See C{IUDPTransport}."""
        if "write" in self.host.refuse:
            raise OSError(101, "Network is unreachable")
        assert (":" in addr[0]) == self.ipv6
        network = self.host.network
        network.sent.append((self.host.addresses[self.ipv6], self.outgoing, datagram, addr))
        for port in list(network.ports):
            if addr[1] == port.port and addr[0] in {group for group, _ in port.joined}:
                port.hear(datagram, (self.host.addresses[self.ipv6], self.port))

    def hear(self, datagram: bytes, sender: tuple[str, int]) -> None:
        """A datagram arrives."""
        self.protocol.datagramReceived(datagram[: self.most], sender)

    def stopListening(self) -> Deferred[None]:
        """See C{IListeningPort}."""
        closed: Deferred[None] = Deferred()
        self.host.network.ports.remove(self)
        self.host.network.clock.callLater(0, closed.callback, None)
        return closed
