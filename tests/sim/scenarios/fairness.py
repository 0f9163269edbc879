"""
Crowds in which some do otherwise than others.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import replace

from bitarray import bitarray
from zope.interface import implementer

from tests.sim.scenarios.crowd import HOME, Crowd, Outcome
from twisted_bt.exchange.picker import RandomFirst, Sequential
from twisted_bt.interfaces import ChokeCandidate, IAvailability, IChoker, IPiecePicker, Random

#: How many times as much as others the seeder uploads where riders are looked at.
SEEDER = 4
#: The share of what contributors get that riders may get at most.
RIDE = 0.75


@implementer(IChoker)
class Miser:
    """Serves nobody."""

    def __init__(self, random: Random) -> None:
        """As the engine makes chokers."""

    def rechoke(
        self, peers: Sequence[ChokeCandidate], slots: int, seeding: bool, now: float
    ) -> Collection[Hashable]:
        """See L{IChoker.rechoke}."""
        return []


@implementer(IPiecePicker)
class FromTheEnd:
    """A user's own: the last piece first."""

    def __init__(self, random: Random) -> None:
        """As the engine makes pickers."""

    def pick(self, candidates: bitarray, availability: IAvailability) -> int | None:
        """See L{IPiecePicker.pick}."""
        found = candidates.find(1, right=True)
        return None if found < 0 else found


def freeRiders(count: int, size: int, seed: int) -> list[Outcome]:
    """
    Every fifth never uploads: they get clearly less than those who do.

    The seeder's line is a better one.  Where all wait for what only the seeder has, contributors have
    nothing more to ask for, and what they leave the riders take without harm to anybody.
    """
    crowd = Crowd(seed, size, link=replace(HOME, up=SEEDER * HOME.up))
    riders = [crowd.leecher(choker=Miser) for _ in range(count // 5)]
    crowd.flash(count - len(riders))
    crowd.introduce(*riders)
    givers = [each for each in crowd.leechers if each not in riders]
    crowd.run(until=lambda: all(each in crowd.done for each in givers))
    got = {each: size - each.session.progress.left for each in crowd.leechers}
    rates = {each: got[each] / crowd.done.get(each, crowd.now) for each in crowd.leechers}
    giving = sum(rates[each] for each in givers) / len(givers)
    riding = sum(rates[each] for each in riders) / len(riders)
    crowd.run()
    outcome = crowd.outcome("free riders")
    outcome.notes.append(
        f"until the contributors were done they got {giving / 1e3:.0f} kB/s each, riders {riding / 1e3:.0f}"
        f" ({riding / giving:.0%})"
    )
    if riding > RIDE * giving:
        outcome.faults.append(f"who never uploads gets {riding / giving:.0%} of what the others get")
    return [outcome]


def pickers(count: int, size: int, seed: int) -> list[Outcome]:
    """The same crowd, choosing pieces in different ways."""
    outcomes = []
    for name, picker in (
        ("rarest first", RandomFirst),
        ("sequential", lambda random: Sequential()),
        ("the user's own", FromTheEnd),
    ):
        crowd = Crowd(seed, size)
        crowd.flash(count, picker=picker)
        crowd.run()
        outcomes.append(crowd.outcome(f"picker: {name}"))
    if outcomes[0].last > min(each.last for each in outcomes[1:]):
        outcomes[0].notes.append("somebody was quicker than rarest first")
    return outcomes
