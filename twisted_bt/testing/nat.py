"""
NATs of the simulated network: homes, companies and carriers behind one address.

    >>> home = network.nat("203.0.113.5", kind=PORT_RESTRICTED, link=Link(0.015, up=125e3, down=1e6))
    >>> host = home.host("192.168.1.2")
    >>> home.forward(host, 6881)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from random import Random
from typing import TYPE_CHECKING

from twisted_bt.testing.disk import Disk
from twisted_bt.testing.firewall import Firewall, Gate
from twisted_bt.testing.host import Host
from twisted_bt.testing.link import Link
from twisted_bt.testing.multicast import Segment
from twisted_bt.testing.natkinds import PORT_RESTRICTED, Mappings, NatKind
from twisted_bt.testing.route import AddressSpace, Endpoint, Packet, Trail

if TYPE_CHECKING:
    from twisted_bt.testing.network import Network

#: How hosts hang on the network of a home: a gigabit, and hardly a delay.
LAN = Link(latency=0.0002, up=125e6, down=125e6)

#: What homes let in over IPv6, where nothing is translated (RFC 6092).
_CLOSED = Firewall(incomingTCP=False, incomingUDP=False)


def isPrivate(address: str) -> bool:
    """Whether C{address} is unknown outside of a home: all of IPv4 there, and the local ones of IPv6."""
    return ":" not in address or address.startswith(("fc", "fd", "fe8", "fe9", "fea", "feb"))


class _Door(Host):
    """One side of a NAT: takes what goes elsewhere."""

    def __init__(
        self,
        network: Network,
        addresses: Sequence[str],
        link: Link,
        space: AddressSpace,
        through: Callable[[Packet, Trail], None],
    ) -> None:
        super().__init__(network, addresses, link, Disk(), space)
        self._through = through

    def receive(self, packet: Packet, trail: Trail) -> None:
        """See L{Host.receive}."""
        self._through(packet, trail)


class _HomeSpace(AddressSpace):
    """Addresses behind a NAT; those that are not private ones are reachable from without."""

    def __init__(self, outside: Host, inside: str) -> None:
        super().__init__(f"{outside.space.name}{outside.address}>", "192.168.{1}.{2}")
        self._outside = outside
        self.check(inside)

    def check(self, *addresses: str, but: Host | None = None) -> None:
        """See L{AddressSpace.check}."""
        super().check(*addresses, but=but)
        routed = [each for each in addresses if not isPrivate(each)]
        self._outside.space.check(*routed, but=None if but is None else self._outside)

    def take(self, host: Host, *addresses: str) -> None:
        """See L{AddressSpace.take}."""
        super().take(host, *addresses)
        self._outside.space.take(self._outside, *(each for each in addresses if not isPrivate(each)))

    def give(self, host: Host, *addresses: str) -> None:
        """See L{AddressSpace.give}."""
        super().give(host, *addresses)
        self._outside.space.give(self._outside, *(each for each in addresses if not isPrivate(each)))


class Nat:
    """
    Made by L{Network.nat<twisted_bt.testing.network.Network.nat>}.

    IPv4 and local IPv6 (C{fc00::/7}) are translated, each to the NAT's address of that kind, if it has
    one; other IPv6 addresses are routed as they are, and C{firewall} judges what comes in to them.
    The link of the NAT is shared by all behind it.

    @ivar outside: its side to the network, with its addresses and its link.
    @ivar inside: its side to the hosts behind it.
    @ivar space: the addresses behind it.
    @ivar segment: what is behind it hears each other's multicasts.
    @ivar gate: has the rules of its firewall.
    """

    def __init__(
        self,
        network: Network,
        space: AddressSpace,
        addresses: Sequence[str],
        kind: NatKind = PORT_RESTRICTED,
        link: Link | None = None,
        firewall: Firewall | None = None,
        inside: str = "192.168.0.1",
    ) -> None:
        """
        @param space: where it has its C{addresses}.
        @param firewall: for what is not translated; ports it blocks, and what it lets out, count for all.
        @param inside: its own address behind it.
        """
        self.network = network
        self.outside = _Door(network, addresses, link or Link(), space, self._inward)
        self.space = _HomeSpace(self.outside, inside)
        self.inside = _Door(network, (inside,), Link(0.0, inf, inf), self.space, self._outward)
        self.inside.behind = self.outside
        self.space.gateway = self.inside
        self.segment = Segment()
        self.gate = Gate(firewall or _CLOSED, self.outside.seconds)
        self._mappings = Mappings(
            kind, Random(f"{network.seed}/nat/{space.name}{addresses[0]}"), self.outside.seconds
        )
        self._forwarded: list[tuple[str, Endpoint, int]] = []

    def __repr__(self) -> str:
        return f"<Nat {self.outside.address}>"

    # -- building

    @property
    def kind(self) -> NatKind:
        """How it behaves.  May be set while it is used."""
        return self._mappings.kind

    @kind.setter
    def kind(self, kind: NatKind) -> None:
        self._mappings.kind = kind

    @property
    def address(self) -> str:
        """By which those behind it are seen."""
        return self.outside.address

    def host(
        self,
        *addresses: str,
        link: Link | None = None,
        disk: Disk | None = None,
        firewall: Firewall | None = None,
    ) -> Host:
        """
        A host behind it; see L{Network.host<twisted_bt.testing.network.Network.host>}.

        @param link: its way to the NAT; left out: L{LAN}.
        """
        return self.network.place(
            self.space, addresses, link or LAN, disk, firewall, self.segment, behind=self.outside
        )

    def nat(
        self,
        *addresses: str,
        kind: NatKind = PORT_RESTRICTED,
        link: Link | None = None,
        firewall: Firewall | None = None,
        inside: str = "192.168.0.1",
    ) -> Nat:
        """A NAT behind this one, as homes of carriers have; see L{Network.nat}."""
        made = Nat(
            self.network,
            self.space,
            addresses or (self.space.unused(),),
            kind,
            link or LAN,
            firewall,
            inside,
        )
        made.outside.behind = self.outside
        return made

    def forward(
        self, to: Host | Nat, port: int, outside: int | None = None, kinds: Sequence[str] = ("tcp", "udp")
    ) -> None:
        """
        Let everybody in to C{port} of C{to}, a host or NAT behind this one.  What is sent from there is
        seen under the forwarded port, too.

        @param outside: the port of this NAT; left out: the same.
        """
        for address in to.addresses if isinstance(to, Host) else to.outside.addresses:
            for kind in kinds:
                inner = Endpoint(address, port)
                if isPrivate(address):
                    self._forwarded.append((kind, inner, port if outside is None else outside))
                else:
                    self.gate.open(kind, inner)
        self._renew()

    # -- faults

    @property
    def online(self) -> bool:
        """Whether it has power; C{False}: hosts behind it reach nobody through it."""
        return self.outside.online

    @online.setter
    def online(self, online: bool) -> None:
        self.outside.online = self.inside.online = online

    def reboot(self) -> None:
        """Forget whatever is not set up: connections through it are dead, and nobody is told."""
        self._mappings.forget()
        self._renew()

    def readdress(self, *addresses: str) -> None:
        """
        It has C{addresses} instead; all it remembers is of no use any more.

        @raise ValueError: somebody has one of them.
        """
        self.outside.readdress(*addresses)
        self.reboot()

    def _renew(self) -> None:
        for kind, inner, port in self._forwarded:
            address = self.outside.sourceFor(inner.host)
            if address:
                self._mappings.forward(kind, inner, Endpoint(address, port))

    # -- what passes

    def _outward(self, packet: Packet, trail: Trail) -> None:
        """From behind it."""
        if packet.target.host in self.inside.addresses:
            packet.refused(trail)
        elif not self.gate.letsOut(packet):
            self._stopped(packet, trail)
        elif not isPrivate(packet.source.host):
            self.outside.send(packet, trail)
        else:
            self._translate(packet, trail)

    def _translate(self, packet: Packet, trail: Trail) -> None:
        address = self.outside.sourceFor(packet.target.host)
        session = address and self._mappings.outgoing(packet.kind, packet.source, packet.target, address)
        if not session:
            return  # it has no address of that kind, or no port left
        seen = packet.seenAs(source=session.outer)
        if packet.target.host not in self.outside.addresses:
            self.outside.send(seen, (*trail, session))
        elif self.kind.hairpin:
            self._inward(seen, (*trail, session))
        else:
            self._stopped(packet, trail)

    def _inward(self, packet: Packet, trail: Trail) -> None:
        """From without, or from behind it to its own address."""
        if packet.target.host not in self.outside.addresses:
            if self.gate.letsIn(packet):
                self.inside.send(packet, trail)
            else:
                self._stopped(packet, trail)
            return
        session = None
        if packet.target.port not in self.gate.rules.blockedPorts:
            session = self._mappings.incoming(packet.kind, packet.target, packet.source)
        if session is None:
            self._stopped(packet, trail)
        else:
            self.inside.send(packet.seenAs(target=session.inner), (*trail, session))

    def _stopped(self, packet: Packet, trail: Trail) -> None:
        if self.gate.rules.rejects:
            packet.refused(trail)
