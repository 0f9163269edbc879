"""
A network in one process, on a virtual clock: hours of a whole swarm in a moment, the same every time.

    >>> network = Network(seed=1)
    >>> host = network.host("10.0.0.1")
    >>> client = ClientSession(host, Settings(), host.plugins(), host.random)

The one seed decides everything, and nothing is global: any number of networks may live in a
process.  What a test waits for, it runs the network to: L{Network.runUntil}.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Sequence
from math import inf
from random import Random
from typing import Any, Literal, NamedTuple, TypeVar

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_bt.testing.clock import VirtualClock
from twisted_bt.testing.disk import Disk
from twisted_bt.testing.firewall import Firewall
from twisted_bt.testing.host import Host
from twisted_bt.testing.link import Link
from twisted_bt.testing.multicast import Segment
from twisted_bt.testing.nat import Nat
from twisted_bt.testing.natkinds import PORT_RESTRICTED, NatKind
from twisted_bt.testing.partition import Partition
from twisted_bt.testing.route import AddressSpace

T = TypeVar("T")
Address = IPv4Address | IPv6Address

#: What hosts take for the time at which the simulation begins: 1 January 2020, UTC.
EPOCH = 1577836800.0


class Traffic(NamedTuple):
    """
    Something that was sent: C{kind} is C{connect}, C{data}, C{end}, C{reset} or C{datagram}.
    """

    time: float
    kind: str
    source: Address
    target: Address
    data: bytes


class NotFired(AssertionError):
    """What a test waited for did not happen in the time it gave."""


class Network:
    """
    @ivar seed: decides everything.
    @ivar mode: how exactly it is simulated.
    @ivar clock: the virtual clock.
    @ivar random: for whoever builds the simulation.
    @ivar hosts: all, in the order they were made.
    @ivar failures: what events raised, although nothing should; each was logged too.
    @ivar afterEvent: called after every event: for what must always hold.
    @ivar watchers: told of all traffic when it is sent.
    @ivar events: how many there were.
    @ivar space: the addresses of all that is behind no NAT.
    @ivar partitions: those that have not healed.
    """

    _log = Logger()

    def __init__(
        self, seed: int | str = 0, epoch: float = EPOCH, mode: Literal["packets", "flow"] = "packets"
    ) -> None:
        """
        @param epoch: seconds since 1970 at which it begins.
        @param mode: C{"packets"}: each packet is an event, or several.  C{"flow"}: for big swarms; see
            L{twisted_bt.testing.flow}.
        """
        self.seed = seed
        self.epoch = epoch
        self.mode = mode
        self.clock = VirtualClock()
        self.random = Random(f"{seed}")
        self.hosts: list[Host] = []
        self.failures: list[Failure] = []
        self.afterEvent: list[Callable[[], object]] = []
        self.watchers: list[Callable[[Traffic], object]] = []
        self.events = 0
        self.space = AddressSpace()
        self.partitions: list[Partition] = []
        self._names: dict[str, tuple[str, ...]] = {}

    # -- building

    def host(
        self,
        *addresses: str,
        link: Link | None = None,
        disk: Disk | None = None,
        firewall: Firewall | None = None,
        segment: Segment | None = None,
    ) -> Host:
        """
        A new host.

        @param addresses: IP literals, the shortest form; none: the next of 10.0.0.0/8.
        @param firewall: left out: everything passes.
        @param segment: who hears its multicasts; left out: nobody does.
        @raise ValueError: somebody has one of them.
        """
        return self.place(self.space, addresses, link, disk, firewall, segment)

    def place(
        self,
        space: AddressSpace,
        addresses: Sequence[str],
        link: Link | None,
        disk: Disk | None,
        firewall: Firewall | None,
        segment: Segment | None,
        behind: Host | None = None,
    ) -> Host:
        """A new host with its addresses in C{space}, C{behind} the outer side of some NAT."""
        space.check(*addresses)
        made = Host(self, addresses or (space.unused(),), link or Link(), disk or Disk(), space)
        made.behind = behind
        if firewall is not None:
            made.firewall = firewall
        if segment is not None:
            segment.join(made)
        self.hosts.append(made)
        return made

    def nat(
        self,
        *addresses: str,
        kind: NatKind = PORT_RESTRICTED,
        link: Link | None = None,
        firewall: Firewall | None = None,
        inside: str = "192.168.0.1",
    ) -> Nat:
        """
        A new NAT: what is behind it is made by its own methods C{host} and C{nat}.

        @param addresses: as for L{host}.
        @param kind: how it behaves; see L{twisted_bt.testing.natkinds}.
        @param link: of all behind it together.
        @param firewall: see L{Nat}.
        @param inside: its own address behind it.
        @raise ValueError: somebody has one of them.
        """
        return Nat(self, self.space, addresses or (self.space.unused(),), kind, link, firewall, inside)

    def segment(self) -> Segment:
        """A new local network, for C{host(segment=...)}; hosts behind a NAT are on one already."""
        return Segment()

    def partition(self, *groups: Collection[Host | Nat]) -> Partition:
        """
        From now on nothing sent from one of C{groups} to another arrives, until the partition is told to
        heal.  Who is behind a NAT is in its group; who is in none reaches everybody.
        """
        made = Partition(self, groups)
        self.partitions.append(made)
        return made

    def reachable(self, one: Host, other: Host) -> bool:
        """Whether no partition is between them."""
        return not self.partitions or not any(each.separates(one, other) for each in self.partitions)

    def name(self, name: str, *addresses: str) -> None:
        """Have resolvers find C{addresses} for C{name}; none: no longer."""
        self._names[name.lower()] = addresses

    def lookUp(self, name: str) -> Sequence[str]:
        """The addresses of C{name}."""
        return self._names.get(name.lower(), ())

    def hostAt(self, address: str) -> Host | None:
        """Who has C{address}; of what is behind a NAT that reaches further, its outer side."""
        return self.space.hostAt(address)

    # -- running

    @property
    def now(self) -> float:
        """Seconds since the simulation began."""
        return self.clock.now

    @property
    def current(self) -> Host | None:
        """
        The host whose event is running, or was the last for those in C{afterEvent}; C{None}: nobody's.
        """
        return self.clock.current

    def advance(self, seconds: float) -> None:
        """Let C{seconds} pass, with all that happens in them."""
        end = self.clock.now + seconds
        while self.step(end):
            pass
        self.clock.now = end

    def runUntil(self, waited: Deferred[T] | Coroutine[Deferred[Any], Any, T], timeout: float = 3600.0) -> T:
        """
        Run until C{waited} has a result, and return it, or raise what it failed with.

        @param timeout: virtual seconds.
        @raise NotFired: it did not come to an end in that time, or nothing happens any more; it is then
            cancelled.
        """
        deferred: Deferred[T] = waited if isinstance(waited, Deferred) else Deferred.fromCoroutine(waited)
        outcome: list[T | Failure] = []
        deferred.addBoth(outcome.append)
        end = self.clock.now + timeout
        while not outcome and self.step(end):
            pass
        if not outcome:
            deferred.addErrback(lambda _: None)
            deferred.cancel()
            raise NotFired(f"not within {timeout} virtual seconds; it is {self.clock.now:.3f}")
        result = outcome[0]
        if isinstance(result, Failure):
            result.raiseException()
        return result

    def runWhile(self, condition: Callable[[], object], timeout: float = 3600.0) -> None:
        """
        Run as long as C{condition()} holds, judged after every event.

        @raise NotFired: it holds still after C{timeout} virtual seconds.
        """
        end = self.clock.now + timeout
        while condition():
            if not self.step(end):
                raise NotFired(f"still so after {timeout} virtual seconds")

    def step(self, until: float = inf) -> bool:
        """One event, if there is one by that time; C{False}: there is none."""
        clock = self.clock
        try:
            if not clock.run(until):
                return False
        except Exception:
            self.failed(Failure())
        self.events += 1
        for each in self.afterEvent:
            each()
        clock.current = None
        return True

    # -- what is seen

    def failed(self, reason: Failure) -> None:
        """An event raised something: like a reactor, note it and go on."""
        self.failures.append(reason)
        self._log.failure("unhandled in the simulation", failure=reason)

    def seen(self, kind: str, source: Address, target: Address, data: bytes) -> None:
        """Tell watchers."""
        for each in self.watchers:
            each(Traffic(self.clock.now, kind, source, target, data))

    def leftovers(self) -> list[str]:
        """What is open or to come on any host; empty when everything was stopped cleanly."""
        return [f"{host.address}: {each}" for host in self.hosts for each in host.leftovers()]
