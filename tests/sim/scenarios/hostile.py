"""
Crowds among which there are villains.
"""

from __future__ import annotations

from random import Random

from tests.sim.scenarios.crowd import HOME, Crowd, Outcome
from twisted_bt.testing.swarm import Member
from twisted_bt.testing.villains import Corrupter, SubtleCorrupter, Villain, Way, someVillain

#: The share of their rate that honest peers must keep.
KEPT = 0.8
#: How many villains come.
VILLAINS = 50


def _attacked(count: int, size: int, seed: int, hostile: int) -> tuple[Crowd, list[Villain]]:
    """A crowd, whose first leecher C{hostile} villains attack from the beginning, some of them all."""
    crowd = Crowd(seed, size)
    crowd.flash(count)
    random = Random(f"{seed}/villains")
    come = [someVillain(crowd.swarm, random, crowd.network.host(link=HOME)) for _ in range(hostile)]
    for number, each in enumerate(come):
        each.attack(crowd.leechers[0])
        if number % 5 == 0:
            for leecher in crowd.leechers[1:]:
                each.attack(leecher)
    return crowd, come


def villains(count: int, size: int, seed: int) -> list[Outcome]:
    """One leecher among fifty villains: it, and the others, keep most of the rate they have without."""
    quiet, _ = _attacked(count, size, seed, 0)
    quiet.run()
    victim = quiet.done[quiet.leechers[0]]
    before = quiet.outcome("without villains")
    loud, come = _attacked(count, size, seed, VILLAINS)
    loud.run()
    for each in come:
        each.stop()
    kept = victim / loud.done.get(loud.leechers[0], loud.now)
    _checkBans(loud, come)
    after = loud.outcome(f"{VILLAINS} villains")
    average = before.middle / after.middle
    after.notes.append(f"their victim kept {kept:.0%} of its rate, honest peers {average:.0%}")
    for share, who in ((kept, "their victim"), (average, "an honest peer")):
        if share < KEPT:
            after.faults.append(f"{who} kept {share:.0%} of its rate")
    return [before, after]


def corruption(count: int, size: int, seed: int) -> list[Outcome]:
    """Some send blocks that are wrong, of pieces that come from several: they are found, nobody else."""
    crowd = Crowd(seed, size)
    crowd.flash(count)
    kinds = (Corrupter, SubtleCorrupter)
    ways = (Way.DIAL, Way.LURE)
    come: list[Villain] = [
        kinds[number % 2](crowd.swarm, crowd.network.host(link=HOME), ways[number // 2 % 2])
        for number in range(max(4, count // 4))
    ]
    for each in come:
        for leecher in crowd.leechers:
            each.attack(leecher)
    crowd.run()
    for each in come:
        each.stop()
    caught = _checkBans(crowd, come)
    outcome = crowd.outcome("corruption")
    outcome.notes.append(f"{len(come)} who corrupt were banned {caught} times by {count} leechers")
    if caught < count:
        outcome.faults.append(f"only {caught} bans by {count} leechers")
    return [outcome]


def _checkBans(crowd: Crowd, come: list[Villain]) -> int:
    """How often somebody was banned; that an honest one was is a fault."""
    honest = {each.host.address for each in (crowd.seeder, *crowd.leechers)}
    caught = 0
    for leecher in crowd.leechers:
        for host in _banned(leecher):
            if host in honest:
                crowd.faults.append(f"{leecher.host.address} banned {host}, which is honest")
            else:
                caught += 1
    return caught


def _banned(member: Member) -> list[str]:
    return [addr.host for addr in member.client.engine.bans]
