"""
A network in one process, on a virtual clock: hours of a whole swarm in a moment, the same every time.

    >>> network = Network(seed=1)
    >>> host = network.host("10.0.0.1")
    >>> client = ClientSession(host, Settings(), host.plugins(), host.random)

The one seed decides everything, and nothing is global: any number of networks may live in a
process.  What a test waits for, it runs the network to: L{Network.runUntil}.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from math import inf
from random import Random
from typing import Any, NamedTuple, TypeVar

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_bt.testing.clock import VirtualClock
from twisted_bt.testing.disk import Disk
from twisted_bt.testing.host import Host
from twisted_bt.testing.link import Link

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
    @ivar clock: the virtual clock.
    @ivar random: for whoever builds the simulation.
    @ivar hosts: all, in the order they were made.
    @ivar failures: what events raised, although nothing should; each was logged too.
    @ivar afterEvent: called after every event: for what must always hold.
    @ivar watchers: told of all traffic when it is sent.
    @ivar events: how many there were.
    """

    _log = Logger()

    def __init__(self, seed: int | str = 0, epoch: float = EPOCH) -> None:
        self.seed = seed
        self.epoch = epoch
        self.clock = VirtualClock()
        self.random = Random(f"{seed}")
        self.hosts: list[Host] = []
        self.failures: list[Failure] = []
        self.afterEvent: list[Callable[[], object]] = []
        self.watchers: list[Callable[[Traffic], object]] = []
        self.events = 0
        self._byAddress: dict[str, Host] = {}
        self._names: dict[str, tuple[str, ...]] = {}

    # -- building

    def host(self, *addresses: str, link: Link | None = None, disk: Disk | None = None) -> Host:
        """
        A new host.

        @param addresses: IP literals, the shortest form; none: the next of 10.0.0.0/8.
        @raise ValueError: somebody has one of them.
        """
        for each in addresses:
            if each in self._byAddress:
                raise ValueError(f"{each} is taken")
        made = Host(self, addresses or (self._unusedAddress(),), link or Link(), disk or Disk())
        self.hosts.append(made)
        for each in made.addresses:
            self._byAddress[each] = made
        return made

    def _unusedAddress(self) -> str:
        number = len(self.hosts) + 1
        while (address := f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}") in self._byAddress:
            number += 1
        return address

    def name(self, name: str, *addresses: str) -> None:
        """Have resolvers find C{addresses} for C{name}; none: no longer."""
        self._names[name.lower()] = addresses

    def lookUp(self, name: str) -> Sequence[str]:
        """The addresses of C{name}."""
        return self._names.get(name.lower(), ())

    def hostAt(self, address: str) -> Host | None:
        """Who has C{address}."""
        return self._byAddress.get(address)

    # -- running

    @property
    def now(self) -> float:
        """Seconds since the simulation began."""
        return self.clock.now

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
        call = self.clock.next(until)
        if call is None:
            return False
        self.events += 1
        try:
            call.run()
        except Exception:
            self.failed(Failure())
        for each in self.afterEvent:
            each()
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
