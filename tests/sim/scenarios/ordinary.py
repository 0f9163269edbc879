"""
Crowds that want no more than the content.
"""

from __future__ import annotations

from bitarray.util import zeros

from tests.sim.scenarios.crowd import CROWD, HOME, MIXED, Crowd, Outcome
from twisted_bt.settings import Settings
from twisted_bt.testing.swarm import Member

#: How many times as long as the bound a crowd may take.
MOST = 1.5


def flashCrowd(count: int, size: int, seed: int) -> list[Outcome]:
    """
    All come at once, and the seeder's line is like theirs: both bounds are the same then, that of what the
    seeder can send once, and that of what all can.  Nothing that anybody sends may be late or twice.
    """
    crowd = Crowd(seed, size)
    crowd.flash(count)
    crowd.run()
    return [crowd.outcome("flash crowd", MOST)]


def staggered(count: int, size: int, seed: int) -> list[Outcome]:
    """They come one after another, as long as it takes the seeder to send a copy."""
    crowd = Crowd(seed, size)
    for _ in range(count):
        crowd.introduce(crowd.leecher())
        crowd.network.advance(size / HOME.up / count)
    crowd.run()
    return [crowd.outcome("staggered arrivals", MOST)]


def churn(count: int, size: int, seed: int) -> list[Outcome]:
    """Every other one leaves at once when it is complete."""
    crowd = Crowd(seed, size)
    crowd.flash(count)
    leaving = crowd.leechers[::2]

    def done(leecher: Member) -> None:
        if leecher in leaving:
            crowd.leave(leecher)

    crowd.whenDone.append(done)
    crowd.run()
    return [crowd.outcome("churn: half leave", MOST)]


def seederLeaves(count: int, size: int, seed: int) -> list[Outcome]:
    """The seeder leaves as soon as every piece is somewhere else."""
    crowd = Crowd(seed, size)
    crowd.flash(count)

    def everywhere() -> bool:
        seen = zeros(crowd.swarm.metainfo.layout.pieceCount)
        for each in crowd.leechers:
            seen |= each.session.clientBitfield
        return seen.all()

    while not everywhere():
        crowd.network.advance(0.5)
    left = crowd.now
    crowd.leave(crowd.seeder)
    crowd.run()
    outcome = crowd.outcome("seeder leaves", MOST)
    outcome.notes.append(f"it left after {left:.1f} s and {outcome.copies:.2f} copies")
    return [outcome]


def mixedLinks(count: int, size: int, seed: int) -> list[Outcome]:
    """Links of several kinds; nobody is held up by those that are slow."""
    crowd = Crowd(seed, size)
    crowd.flash(count, MIXED)
    crowd.run()
    times = {
        link: max(crowd.done[each] for each in crowd.leechers if each.host.link == link) for link in MIXED
    }
    outcome = crowd.outcome("mixed links")
    for link, last in times.items():
        outcome.notes.append(f"{link.up / 1e3:5.0f} kB/s up, {link.down / 1e3:5.0f} down: last {last:.1f} s")
    return [outcome]


def defaultSlots(count: int, size: int, seed: int) -> list[Outcome]:
    """A library's own defaults: a seeder talks to no more than those that it serves."""
    outcomes = []
    for name, settings in (("50 slots of a seeder", CROWD), ("4 slots of a seeder", Settings())):
        crowd = Crowd(seed, size, settings=settings)
        crowd.flash(count)
        crowd.run()
        outcomes.append(crowd.outcome(name))
    return outcomes
