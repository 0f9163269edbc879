"""
A seeder and a crowd of leechers on home-like links, and how well they did.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from twisted_bt.settings import Settings
from twisted_bt.testing.link import Link
from twisted_bt.testing.network import NotFired
from twisted_bt.testing.swarm import Member, SimulatedSwarm

#: As at home: 1 MB/s down, an eighth of it up, 30 ms to everywhere.
HOME = Link(latency=0.015, up=125e3, down=1e6)
#: What the links of a mixed crowd are: an old telephone line, cable, fibre, a mobile far away.
MIXED = (
    Link(latency=0.025, up=64e3, down=512e3),
    HOME,
    Link(latency=0.005, up=1.25e6, down=5e6),
    Link(latency=0.08, up=125e3, down=500e3),
)
#: As the daemon has it: a seeder talks to as many as a leecher does.
CROWD = Settings(maxPeersPerTorrent=50)


@dataclass
class Outcome:
    """
    What became of a scenario.

    @ivar bound: seconds in which the last would be done if data were a fluid.
    @ivar last: seconds after which the last was done.
    @ivar copies: how many copies of the content the seeder sent.
    @ivar wasted: bytes that came for nothing, as a share of the content.
    @ivar notes: what else is worth knowing, for people.
    @ivar faults: what is not as it should be; empty: all is well.
    """

    name: str
    leechers: int
    size: int
    bound: float
    first: float
    middle: float
    last: float
    copies: float
    wasted: float
    events: int
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """How many times as long as the bound it took."""
        return self.last / self.bound

    HEAD = (
        f"{'scenario':24} {'leechers':>8} {'MB':>5} {'bound s':>8} {'first':>7} {'median':>7} {'last':>7}"
        f" {'ratio':>6} {'copies':>6} {'wasted':>6} {'events':>9}"
    )

    def __str__(self) -> str:
        return (
            f"{self.name:24} {self.leechers:8} {self.size / 1e6:5.1f} {self.bound:8.1f} {self.first:7.1f}"
            f" {self.middle:7.1f} {self.last:7.1f} {self.ratio:6.2f} {self.copies:6.2f} {self.wasted:6.1%}"
            f" {self.events:9,}"
        )


class Crowd:
    """
    A swarm that keeps time.

    @ivar leechers: those that shall finish, in the order they came.
    @ivar arrived: when each of them came, in seconds since the swarm began.
    @ivar done: when each of those that finished did.
    @ivar left: when each of those that went away did.
    """

    def __init__(
        self,
        seed: int,
        size: int,
        pieceLength: int = 1 << 16,
        link: Link = HOME,
        settings: Settings = CROWD,
        known: int = 12,
    ) -> None:
        """
        @param link: the seeder's.
        @param known: of how many others each leecher hears when it comes, as from a tracker.
        """
        self.swarm = SimulatedSwarm(size, pieceLength, seed, mode="flow")
        self.network = self.swarm.network
        self.settings = settings
        self.known = known
        self.seeder = self.swarm.seeder(settings, self.network.host(link=link))
        self.leechers: list[Member] = []
        self.arrived: dict[Member, float] = {}
        self.done: dict[Member, float] = {}
        self.left: dict[Member, float] = {}
        self.whenDone: list[Callable[[Member], object]] = []
        self.faults: list[str] = []
        self._start = self.network.now

    @property
    def now(self) -> float:
        """Seconds since it began."""
        return self.network.now - self._start

    # -- who comes

    def leecher(self, link: Link = HOME, settings: Settings | None = None, **plugins: Any) -> Member:
        """Somebody who comes now; it is yet to hear of others."""
        leecher = self.swarm.leecher(settings or self.settings, self.network.host(link=link), **plugins)
        self.leechers.append(leecher)
        self.arrived[leecher] = self.now
        leecher.session.whenComplete().addCallbacks(lambda _: self._completed(leecher), lambda _: None)
        return leecher

    def introduce(self, *newcomers: Member) -> None:
        """They hear of the seeder and of some of those who are there."""
        present = [each for each in self.leechers if each.client.running]
        for each in newcomers:
            others = self.network.random.sample(present, min(self.known, len(present)))
            seeders = [self.seeder] if self.seeder.client.running else []
            each.meet(*seeders, *others)

    def flash(self, count: int, links: Sequence[Link] = (HOME,), **plugins: Any) -> None:
        """C{count} leechers come at once."""
        came = [self.leecher(links[number % len(links)], **plugins) for number in range(count)]
        self._start = self.network.now
        self.arrived.update(dict.fromkeys(came, 0.0))
        self.introduce(*came)

    def _completed(self, leecher: Member) -> None:
        self.done[leecher] = self.now
        if leecher.content != self.swarm.content:
            self.faults.append(f"{leecher.host.address} has something else")
        for each in self.whenDone:
            # Not in the middle of whatever it does.
            leecher.host.callLater(0, each, leecher)

    def leave(self, member: Member) -> None:
        """C{member} goes, and does not come back."""
        if member.client.running:
            self.left[member] = self.now
            member.client.stopService()

    # -- what becomes of it

    def run(self, timeout: float = 3600.0, until: Callable[[], bool] | None = None) -> None:
        """Until all are done, or C{until}; that it takes longer than C{timeout} is a fault."""
        over = until or (lambda: len(self.done) == len(self.leechers))
        try:
            self.network.runWhile(lambda: not over(), timeout)
        except NotFired:
            self.faults.append(f"{len(self.done)} of {len(self.leechers)} done after {self.now:.0f} s")

    @property
    def bound(self) -> float:
        """
        Seconds in which nobody could do better: the seeder must send all once, those who are there must
        have sent all to each, and each must receive it after it came.

        Who is there when is taken as it was: nobody uploads before it comes, nor after it left.
        """
        size = len(self.swarm.content)
        once = size / self.seeder.host.link.up
        slowest = max(self.arrived[each] + size / each.host.link.down for each in self.leechers)
        return max(once, self._sent(size * len(self.leechers)), slowest)

    def _sent(self, total: int) -> float:
        """When all who are there can have sent C{total} bytes, all the time that they are."""
        changes = [(0.0, self.seeder.host.link.up)]
        changes += [(self.arrived[each], each.host.link.up) for each in self.leechers]
        changes += [(left, -each.host.link.up) for each, left in self.left.items()]
        changes.sort(key=lambda change: change[0])
        at = sent = rate = 0.0
        for when, change in changes:
            if rate and sent + rate * (when - at) >= total:
                break
            sent += rate * (when - at)
            at = when
            rate += change
        return at + (total - sent) / rate if rate else at

    def outcome(self, name: str, most: float | None = None) -> Outcome:
        """
        How it was; ends it.

        @param most: how many times as long as the bound it may take.
        """
        size = len(self.swarm.content)
        wasted = sum(each.session.downloader.download.wasted for each in self.leechers)
        times = sorted(self.done.values()) or [self.now]
        outcome = Outcome(
            name,
            len(self.leechers),
            size,
            self.bound,
            times[0],
            median(times),
            times[-1],
            self.seeder.session.progress.uploaded / size,
            wasted / size / max(1, len(self.leechers)),
            self.network.events,
            faults=self.faults,
        )
        if most is not None and outcome.ratio > most:
            self.faults.append(f"took {outcome.ratio:.2f} times the bound, more than {most}")
        try:
            self.swarm.stop()
        except AssertionError as reason:
            self.faults.append(str(reason))
        return outcome
