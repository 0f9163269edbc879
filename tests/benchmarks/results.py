"""
What a benchmark found: values of ours and of whom it is compared with, and the goal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.benchmarks.measure import Summary

Values = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Goal:
    """
    What is to be reached.

    @ivar bound: the least or the most.
    @ivar atLeast: it is the least.
    @ivar ratio: it is one of the ratio to the reference, and not of the value itself.
    @ivar always: it holds for each run, and not only for their median.
    """

    bound: float
    atLeast: bool = False
    ratio: bool = True
    always: bool = False

    def __str__(self) -> str:
        times = " times" if self.ratio else ""
        return f"{'at least' if self.atLeast else 'at most'} {self.bound:g}{times}"


def atLeast(ratio: float) -> Goal:
    """That many times the reference, or more."""
    return Goal(ratio, atLeast=True)


def atMost(ratio: float) -> Goal:
    """That many times the reference, or less."""
    return Goal(ratio)


def under(value: float, always: bool = False) -> Goal:
    """That value or less, whatever the reference does."""
    return Goal(value, ratio=False, always=always)


@dataclass(frozen=True, slots=True)
class Result:
    """
    One quantity of one piece of work, a value for each run.

    @ivar row: the number of the goal it belongs to; 0: none of them.
    @ivar work: what was done.
    @ivar quantity: what was measured, with its unit.
    @ivar reference: the values of whom ours are compared with; none: nobody.
    @ivar against: who that is.
    @ivar goal: C{None}: none, it is told because it explains another.
    @ivar others: of further contestants, by name.
    """

    row: int
    work: str
    quantity: str
    ours: Values
    reference: Values = ()
    against: str = "libtorrent"
    goal: Goal | None = None
    others: Mapping[str, Values] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """Our median to the reference's; C{None}: there is no such thing."""
        base = Summary.of(self.reference).middle if self.reference else 0.0
        return Summary.of(self.ours).middle / base if base else None

    @property
    def missed(self) -> float | None:
        """
        By which part of the bound the goal was missed, 0 or less: it was kept; C{None}: there is none, or
        nobody to compare with.
        """
        goal = self.goal
        if goal is None:
            return None
        summary = Summary.of(self.ours)
        value: float | None = summary.middle
        if goal.ratio:
            value = self.ratio
        elif goal.always:
            value = summary.least if goal.atLeast else summary.most
        if value is None:
            return None
        return (goal.bound - value if goal.atLeast else value - goal.bound) / (goal.bound or 1)

    @property
    def verdict(self) -> str:
        """Whether the goal was kept, for people."""
        if self.goal is None:
            return ""
        if self.missed is None:
            return "not compared"
        return "kept" if self.missed <= 0 else f"missed by {self.missed:.0%}"

    def toJson(self) -> dict[str, Any]:
        """All of it, as JSON's kinds of values."""
        return asdict(self)

    @classmethod
    def fromJson(cls, saved: Mapping[str, Any]) -> Result:
        """What L{toJson} gave."""
        goal = saved["goal"]
        return cls(
            **{
                **saved,
                "ours": tuple(saved["ours"]),
                "reference": tuple(saved["reference"]),
                "goal": Goal(**goal) if goal else None,
                "others": {name: tuple(values) for name, values in saved["others"].items()},
            }
        )
