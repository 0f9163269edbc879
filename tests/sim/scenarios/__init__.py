"""
Scenarios: what swarms go through, in virtual time.

Each takes how many leechers there are, the size of the content, and a seed, and gives its outcomes.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.sim.scenarios.crowd import Outcome
from tests.sim.scenarios.fairness import freeRiders, pickers
from tests.sim.scenarios.hostile import corruption, villains
from tests.sim.scenarios.ordinary import (
    churn,
    defaultSlots,
    flashCrowd,
    mixedLinks,
    seederLeaves,
    staggered,
)

Scenario = Callable[[int, int, int], list[Outcome]]

#: By name; how many leechers and how many bytes in the long form.
SCENARIOS: dict[str, tuple[Scenario, int, int]] = {
    "flash": (flashCrowd, 200, 8_000_000),
    "staggered": (staggered, 100, 8_000_000),
    "churn": (churn, 100, 8_000_000),
    "seeder-leaves": (seederLeaves, 100, 8_000_000),
    "mixed": (mixedLinks, 100, 8_000_000),
    "default-slots": (defaultSlots, 100, 8_000_000),
    "free-riders": (freeRiders, 100, 8_000_000),
    "pickers": (pickers, 50, 8_000_000),
    "villains": (villains, 10, 16_000_000),
    "corruption": (corruption, 20, 8_000_000),
}
