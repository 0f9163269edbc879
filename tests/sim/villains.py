"""
Small swarms among villains, many times over: C{python -m tests.sim.villains --seeds 1000}.

Each seed makes another swarm of honest clients, another handful of villains and other moments at which they
attack.  Whatever these do, every honest client must complete with the right bytes, nobody honest may be
banned, who sent wrong data must be, and nothing may be raised or left behind.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from random import Random

from tests.sim.seeds import seedParser, seedsOf
from tests.testing.villaincase import LIMITS as OF_ONE
from twisted_bt.testing.footprint import Footprint
from twisted_bt.testing.link import Link
from twisted_bt.testing.network import Network
from twisted_bt.testing.swarm import Member, SimulatedSwarm
from twisted_bt.testing.villains import Villain, someVillain
from twisted_bt.torrent.addresses import PeerAddr

#: Virtual seconds in which everybody must be done; undisturbed it takes some ten.
PATIENCE = 1200.0
#: Between two times that honest clients hear of one another, as from a tracker.
TOLD_EVERY = 60.0
#: The most that a client may keep, where one villain alone would be allowed less.
LIMITS = replace(OF_ONE, connections=300, known=1500, unsent=2 << 20, asked=8000, bans=60)


@dataclass
class Tally:
    """
    What happened, over all seeds.

    @ivar kinds: how many villains of which kind there were.
    @ivar liars: addresses that sent wrong blocks of pieces that failed.
    @ivar shared: those of them whose piece came from others too.
    @ivar quickness: seconds from the first piece that failed because of one to its ban.
    @ivar failed: wrong blocks of one in pieces that failed until it was banned.
    @ivar faults: what should not be, with the seed.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    members: int = 0
    seconds: float = 0.0
    events: int = 0
    liars: int = 0
    shared: int = 0
    quickness: list[float] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    most: Footprint = field(default_factory=Footprint)
    faults: list[str] = field(default_factory=list)


class Court:
    """Watches one leecher: who sent wrong data of which it knows, and when it was banned."""

    def __init__(self, member: Member, content: bytes) -> None:
        self.member = member
        self.content = content
        self.caught: dict[Hashable, float] = {}
        self.failed: Counter[Hashable] = Counter()
        self.shared: set[Hashable] = set()
        self.banned: dict[PeerAddr, float] = {}
        self._first: dict[Hashable, float] = {}
        self._download = member.session.downloader.download
        self._judge = self._download.pieceFailed
        self._download.pieceFailed = self._failed  # type: ignore[method-assign]
        self._ban = member.session.meeting.ban
        member.session.meeting.ban = self._banning  # type: ignore[method-assign]

    def _failed(self, index: int) -> frozenset[Hashable]:
        piece = self._download._ledger.pieces[index]
        begin = index * self.member.metainfo.layout.pieceLength
        for number, sender in enumerate(piece.senders):
            data = piece.data(number)
            at = begin + number * (1 << 14)
            if data != self.content[at : at + len(data)]:
                self._first.setdefault(sender, self.member.host.seconds())
                self.failed[sender] += 1
                if len(set(piece.senders)) > 1:
                    self.shared.add(sender)
        return self._judge(index)

    def _banning(self, addr: PeerAddr, why: str) -> None:
        self.banned.setdefault(addr, self.member.host.seconds())
        self._ban(addr, why)

    def verdict(self, tally: Tally, honest: set[str]) -> list[str]:
        """Enter what was seen; what is wrong about it."""
        bans = self.member.client.engine.bans
        faults = [f"{addr} is honest and banned" for addr in bans._addresses if addr.host in honest]
        for liar, first in self._first.items():
            assert isinstance(liar, PeerAddr)
            tally.liars += 1
            tally.shared += liar in self.shared
            if liar not in bans:
                faults.append(f"{liar} sent wrong data and is not banned by {self.member.host.address}")
                continue
            tally.quickness.append(self.banned.get(liar, first) - first)
            tally.failed.append(self.failed[liar])
        return faults


def play(seed: int, tally: Tally) -> list[str]:
    """One seed; what went wrong."""
    random = Random(f"{seed}/villains")
    network = Network(f"villains {seed}", mode=random.choice(("flow", "packets")))
    size = random.randrange(200_000, 1_500_000)
    swarm = SimulatedSwarm(size=size, pieceLength=1 << random.choice((15, 16, 17)), network=network)

    def link() -> Link:
        return Link(
            random.uniform(0.005, 0.08), up=random.uniform(50e3, 500e3), down=random.uniform(200e3, 2e6)
        )

    for _ in range(random.choice((1, 1, 2))):
        swarm.seeder(host=network.host(link=link()))
    for _ in range(random.choice((1, 2, 3))):
        swarm.leecher(host=network.host(link=link()))
    leechers = [each for each in swarm.members if not each.session.complete]
    courts = [Court(each, swarm.content) for each in leechers]
    honest = {each.host.address for each in swarm.members}
    begun = network.now
    villains: list[Villain] = []

    def unleash() -> None:
        one = someVillain(swarm, random, network.host(link=link()))
        villains.append(one)
        one.attack(random.choice(swarm.members))
        while random.random() < 0.3:
            network.clock.callLater(random.uniform(0, 10), again, ((one,), {}))

    def again(one: Villain) -> None:
        if one in villains:
            one.attack(random.choice(swarm.members))

    for _ in range(random.randrange(1, 7)):
        network.clock.callLater(random.choice((0.0, random.uniform(0, 20))), unleash)
    toldAt = begun + random.choice((0.0, random.uniform(0, 10)))
    while not all(each.session.complete for each in leechers):
        if network.now >= toldAt:
            toldAt = network.now + TOLD_EVERY
            for each in swarm.members:
                each.meet(*(other for other in swarm.members if other is not each))
        network.advance(0.5)
        for each in swarm.members:
            tally.most |= Footprint.of(each.client, each.host)
        if network.now > begun + PATIENCE:
            return ["somebody honest does not complete"]
    tally.seconds += network.now - begun
    tally.members += len(swarm.members)
    tally.kinds.update(each.name for each in villains)
    faults = [fault for court in courts for fault in court.verdict(tally, honest)]
    faults += [f"{each.host} has wrong bytes" for each in swarm.members if each.content != swarm.content]
    stopped, villains[:] = list(villains), []
    for one in stopped:
        one.stop()
    network.advance(30)  # what was to come is over
    for one in list(villains):
        one.stop()
    network.advance(1)
    swarm.stop()
    tally.events += network.events
    return faults + network.leftovers() + tally.most.beyond(LIMITS)


def run(seeds: range, say: Callable[[str], object] = print) -> Tally:
    """All C{seeds}; stops at the first at which something is wrong."""
    tally = Tally()
    for seed in seeds:
        try:
            faults = play(seed, tally)
        except Exception as reason:
            faults = [f"{type(reason).__name__}: {reason}"]
        if faults:
            tally.faults = [f"seed {seed}: {each}" for each in faults]
            break
        if seed % 50 == 49:
            say(f"{seed + 1} seeds, {tally.events} events")
    return tally


def report(tally: Tally, seeds: int) -> list[str]:
    """For people."""
    quick = sorted(tally.quickness) or [0.0]
    failed = sorted(tally.failed) or [0]
    middle, late = len(quick) // 2, int(len(quick) * 0.99)
    return [
        f"{seeds} swarms, {tally.members} honest clients, {sum(tally.kinds.values())} villains of "
        f"{len(tally.kinds)} kinds; {tally.seconds / 3600:.1f} virtual hours, {tally.events} events",
        f"sent wrong data of a piece that failed: {tally.liars}, of them {tally.shared} in pieces that came "
        f"from several peers; banned: {len(tally.quickness)}",
        f"from the first wrong piece to the ban: {quick[middle]:.2f} s in the middle, {quick[late]:.2f} s of "
        f"99 in 100, {quick[-1]:.2f} s at most; wrong blocks in pieces that failed until then: "
        f"{failed[middle]}, {failed[late]}, {failed[-1]}",
        f"honest ones banned: {sum('honest' in each for each in tally.faults)}",
        f"at most: {tally.most}",
        *tally.faults,
    ]


def main(arguments: list[str] | None = None) -> int:
    """The command; 1: something was wrong, and the seed is told."""
    options = seedParser("tests.sim.villains", __doc__).parse_args(arguments)
    tally = run(seedsOf(options))
    print("\n".join(report(tally, options.seeds)))
    return bool(tally.faults)


if __name__ == "__main__":
    sys.exit(main())
