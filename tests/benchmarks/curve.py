"""
Cost by amount of work, and how fast it grows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log


@dataclass(frozen=True, slots=True)
class Curve:
    """
    Cost by amount of work.

    @ivar axis: what there is more and more of.
    @ivar unit: of the cost.
    @ivar points: amount and cost, the amounts rising, both above 0.
    """

    title: str
    axis: str
    unit: str
    points: list[tuple[float, float]] = field(default_factory=list)

    @property
    def exponent(self) -> float:
        """Of the power law nearest to all points: 1 is linear, 0 is no growth."""
        xs = [log(x) for x, _ in self.points]
        ys = [log(y) for _, y in self.points]
        middleX, middleY = sum(xs) / len(xs), sum(ys) / len(ys)
        spread = sum((x - middleX) ** 2 for x in xs)
        return sum((x - middleX) * (y - middleY) for x, y in zip(xs, ys, strict=True)) / spread

    @property
    def bend(self) -> float:
        """The exponent between the last two points: what it grows like where it is largest."""
        return Curve("", "", "", self.points[-2:]).exponent

    def __str__(self) -> str:
        last = self.points[-1][0]
        return f"{self.title}: exponent {self.exponent:.2f}; up to {last:,} {self.axis}: {self.bend:.2f}"
