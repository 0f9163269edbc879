"""
All villains by name, so that tests can draw some by chance.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, TypeVar

from twisted_bt.testing.villains.base import Villain, Way

if TYPE_CHECKING:
    from twisted_bt.testing.host import Host
    from twisted_bt.testing.swarm import SimulatedSwarm

V = TypeVar("V", bound=type[Villain])

#: Every kind, by its name, in the order they were written.
VILLAINS: dict[str, type[Villain]] = {}


def villain(kind: V) -> V:
    """
    A class decorator: C{kind} is one of L{VILLAINS} from now on.

    @raise ValueError: another is called like that.
    """
    if kind.name in VILLAINS:
        raise ValueError(f"there is a villain {kind.name!r} already")
    VILLAINS[kind.name] = kind
    return kind


def someVillain(
    swarm: SimulatedSwarm,
    random: Random,
    host: Host | None = None,
    choose: Callable[[type[Villain]], bool] = lambda kind: True,
) -> Villain:
    """
    A villain of any kind, coming either way.

    @param random: decides which; the same source gives the same villain.
    @param choose: which kinds may come.
    """
    kinds = [kind for kind in VILLAINS.values() if choose(kind)]
    kind = random.choice(kinds)
    way = random.choice((Way.DIAL, Way.LURE))
    return kind(swarm, host, way, Random(f"{random.random()}"))
