"""
To whom something goes on the simulated network: addresses, and the way from one host to another.

The first packet of a connection, and every datagram, is routed by its addresses, from host to host:
L{Host.send<twisted_bt.testing.host.Host.send>} and C{receive}.  NATs on the way see it as others do
after them.  What follows on a connection goes the L{Way} that its first packet went.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from twisted_bt.testing.host import Host

P = TypeVar("P", bound="Packet")


class Endpoint(NamedTuple):
    """An IP literal and a port."""

    host: str
    port: int


class Leg(NamedTuple):
    """From one host straight to another."""

    source: Host
    target: Host


class Gateway(Protocol):
    """What is passed between two legs."""

    def passes(self) -> bool:
        """Whether what comes now gets through, in either direction."""


#: Legs, and what is between them, from who sent the first packet.
Trail = tuple[Leg | Gateway, ...]


@dataclass(frozen=True)
class Packet:
    """
    Something on its way by its addresses.

    @ivar kind: C{"tcp"} or C{"udp"}.
    @ivar source: who sent it, as it is seen where it is now.
    @ivar target: where it goes, likewise.
    @ivar size: bytes on the wire.
    @ivar flow: whose turn on a shared link it takes.
    """

    kind: str
    source: Endpoint
    target: Endpoint
    size: int
    flow: Hashable

    def seenAs(self: P, source: Endpoint | None = None, target: Endpoint | None = None) -> P:
        """The same with another address on it."""
        return replace(self, source=source or self.source, target=target or self.target)

    def arrive(self, host: Host, trail: Trail) -> None:
        """It came to C{host}, which is where it goes."""

    def refused(self, trail: Trail) -> None:
        """Who is at the end of C{trail} does not want it, and says so."""

    def lost(self) -> None:
        """It came nowhere."""


class AddressSpace:
    """
    Who has which address: the whole network, or what is behind a NAT.

    @ivar name: C{""} for the whole network.
    @ivar gateway: who takes what goes elsewhere; C{None}: there is nothing elsewhere.
    @ivar pattern: of addresses for those who name none.
    """

    def __init__(self, name: str = "", pattern: str = "10.{}.{}.{}", gateway: Host | None = None) -> None:
        self.name = name
        self.gateway = gateway
        self._pattern = pattern
        self._owners: dict[str, Host] = {}
        self._made = 0

    def check(self, *addresses: str, but: Host | None = None) -> None:
        """
        May somebody (C{but} for its own) have these?

        @raise ValueError: one is taken.
        """
        for each in addresses:
            if self._owners.get(each, but) is not but:
                raise ValueError(f"{each} is taken")

    def take(self, host: Host, *addresses: str) -> None:
        """C{host} has C{addresses} from now on."""
        self.check(*addresses, but=host)
        for each in addresses:
            self._owners[each] = host

    def give(self, host: Host, *addresses: str) -> None:
        """C{host} has C{addresses} no longer."""
        for each in addresses:
            if self._owners.get(each) is host:
                del self._owners[each]

    def unused(self) -> str:
        """An address that nobody has."""
        while True:
            self._made += 1
            number = self._made
            address = self._pattern.format(number >> 16, number >> 8 & 255, number & 255)
            if address not in self._owners:
                return address

    def hostAt(self, address: str) -> Host | None:
        """Who has C{address}."""
        return self._owners.get(address)

    def hopTo(self, address: str) -> Host | None:
        """To whom goes what is for C{address}."""
        return self._owners.get(address, self.gateway)


def along(
    trail: Trail,
    flow: Hashable,
    size: int,
    arrive: Callable[[], object],
    dropped: Callable[[], object] | None = None,
) -> None:
    """Call C{arrive} once C{size} bytes of C{flow} came to the end of C{trail}, or C{dropped}, or neither."""
    step, rest = trail[0], trail[1:]
    then = (lambda: along(rest, flow, size, arrive, dropped)) if rest else arrive
    if isinstance(step, Leg):
        step.source.hand(step.target, flow, size, then, dropped)
    elif step.passes():
        then()
    elif dropped is not None:
        dropped()


def turned(trail: Trail) -> Trail:
    """The way back."""
    return tuple(Leg(each.target, each.source) if isinstance(each, Leg) else each for each in reversed(trail))


class Way:
    """
    The way of a connection: what its first packet went through, open as long as both ends have their
    addresses and every NAT remembers it.

    @ivar delay: seconds from one end to the other that nothing saves.
    @ivar main: the longest leg.
    """

    def __init__(self, trail: Trail, source: str, target: str) -> None:
        """
        @param source: the address of the first end, as itself knows it.
        @param target: that of the other, likewise.
        """
        first, last = trail[0], trail[-1]
        assert isinstance(first, Leg), "it begins at a host"
        assert isinstance(last, Leg), "it ends at a host"
        self._ends = ((first.source, source), (last.target, target))
        self._there, self._back = trail, turned(trail)
        legs = [each for each in trail if isinstance(each, Leg)]
        self.main = max(legs, key=lambda leg: leg.source.link.latency + leg.target.link.latency)
        self.delay = sum(a.link.latency + b.link.latency for a, b in legs if a is not b)

    @property
    def stands(self) -> bool:
        """Whether both ends have the addresses yet that they had."""
        (one, here), (other, there) = self._ends
        return here in one.localAddresses and there in other.localAddresses

    def send(
        self,
        host: Host,
        flow: Any,
        size: int,
        arrive: Callable[[], object],
        dropped: Callable[[], object] | None = None,
    ) -> None:
        """From C{host}, which is one of the ends, to the other; see L{along}."""
        (one, _), (other, _) = self._ends
        if self.stands and one.network.reachable(one, other):
            along(self._there if host is one else self._back, flow, size, arrive, dropped)
        elif dropped is not None:
            dropped()

    def legsFrom(self, host: Host) -> list[Leg]:
        """The legs from C{host}, which is one of the ends, to the other."""
        return [
            each
            for each in (self._there if host is self._ends[0][0] else self._back)
            if isinstance(each, Leg)
        ]

    def openFrom(self, host: Host) -> bool:
        """Whether something too small to wait for anything would get to the other end now."""
        (one, _), (other, _) = self._ends
        if not self.stands or not one.network.reachable(one, other):
            return False
        for each in self._there if host is one else self._back:
            if isinstance(each, Leg):
                if not each.source.online or not each.target.online:
                    return False
            elif not each.passes():
                return False
        return True
