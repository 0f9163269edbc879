"""
Multicast on the simulated network: hosts on one segment hear what one of them says to a group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import MulticastJoinError
from twisted.internet.interfaces import IMulticastTransport
from zope.interface import implementer

from twisted_bt.testing.udp import SimulatedUDP, isGroup

if TYPE_CHECKING:
    from twisted_bt.testing.host import Host


class Segment:
    """
    A local network: multicasts reach all of it, and nobody else.

    @ivar hosts: who is on it, in the order they came.
    """

    def __init__(self) -> None:
        self.hosts: dict[Host, None] = {}

    def join(self, host: Host) -> None:
        """Put C{host} on it, instead of where it was."""
        host.segment.leave(host)
        self.hosts[host] = None
        host.segment = self

    def leave(self, host: Host) -> None:
        """Take C{host} off it: nobody hears its multicasts."""
        if self.hosts.pop(host, host) is None:
            host.segment = Segment()


@implementer(IMulticastTransport)
class SimulatedMulticast(SimulatedUDP):
    """
    A UDP socket that may join groups; see C{IMulticastTransport}.

    Of IPv6 the interfaces of a host are 0, whichever the system likes, and 1.
    """

    def __init__(
        self, host: Host, interface: str, number: int, protocol: Any, maxPacketSize: int, shared: bool
    ) -> None:
        super().__init__(host, interface, number, protocol, maxPacketSize, shared)
        self._outgoing: str | int = 0 if self.ipv6 else "0.0.0.0"

    def joinGroup(self, addr: str, interface: str = "") -> Deferred[None]:
        """See C{IMulticastTransport}; fails with C{MulticastJoinError}."""
        if problem := self._problem(addr, interface):
            return fail(MulticastJoinError(addr, interface, *problem))
        if addr in self.groups:
            return fail(MulticastJoinError(addr, interface, 98, "Address already in use"))
        self.groups[addr] = None
        return succeed(None)

    def leaveGroup(self, addr: str, interface: str = "") -> Deferred[None]:
        """See C{IMulticastTransport}; fails with C{MulticastJoinError}."""
        if addr not in self.groups:
            return fail(MulticastJoinError(addr, interface, 99, "Cannot assign requested address"))
        del self.groups[addr]
        return succeed(None)

    def _problem(self, group: str, interface: str) -> tuple[int, str] | None:
        if not isGroup(group) or (":" in group) != self.ipv6:
            return 22, "Invalid argument"
        host = self._host
        if not self.ipv6 and interface not in ("", "0.0.0.0") and interface not in host.localAddresses:
            return 19, "No such device"
        if not host.sourceFor(group):
            return 19, "No such device"
        return None

    def setOutgoingInterface(self, addr: str | int) -> Deferred[int]:
        """See C{IMulticastTransport}; fails with C{OSError}."""
        if isinstance(addr, int) != self.ipv6:
            return fail(AssertionError("IPv4 interfaces are addresses, IPv6 interfaces are numbers"))
        known = addr in (0, 1) if isinstance(addr, int) else addr in ("0.0.0.0", *self._host.localAddresses)
        if not known:
            return fail(OSError(99, "Cannot assign requested address"))
        self._outgoing = addr
        return succeed(1)

    def getOutgoingInterface(self) -> str | int:
        """See C{IMulticastTransport}."""
        return self._outgoing

    def setLoopbackMode(self, mode: int) -> None:
        """See C{IMulticastTransport}."""
        self.loops = bool(mode)

    def getLoopbackMode(self) -> bool:
        """See C{IMulticastTransport}."""
        return self.loops

    def setTTL(self, ttl: int) -> None:
        """See C{IMulticastTransport}: 0 stays on this host; on a segment any other is the same."""
        self.ttl = ttl

    def getTTL(self) -> int:
        """See C{IMulticastTransport}."""
        return self.ttl

    def groupSource(self, group: str) -> str:
        """Of IPv4 the chosen interface."""
        chosen = self._outgoing
        if isinstance(chosen, str) and chosen != "0.0.0.0":
            return chosen
        return super().groupSource(group)
