"""
What was measured, as one table for people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.benchmarks.measure import Sample, Summary

_MB = 1e6
_GB = 1e9


@dataclass(frozen=True, slots=True)
class Quantity:
    """
    A column: C{values} of samples that moved C{size} bytes.

    @ivar floor: what the ratio to the reference must be at least (C{atLeast}) or at most.
    @ivar limit: what the value must be under, whatever the reference does.
    """

    name: str
    floor: float | None = None
    atLeast: bool = False
    limit: float | None = None

    def of(self, sample: Sample, size: int) -> float:
        """The value of one run."""
        match self.name:
            case "MB/s":
                return size / _MB / sample.wall
            case "CPU s/GB":
                return sample.cpu / (size / _GB)
            case _:
                return sample.peak / _MB

    def faults(self, value: float, ratio: float) -> list[str]:
        """What is wrong with C{value}, being C{ratio} times the reference."""
        found = []
        if self.floor is not None and (ratio < self.floor if self.atLeast else ratio > self.floor):
            bound = "at least" if self.atLeast else "at most"
            found.append(f"{self.name} is {ratio:.2f} times the reference; it must be {bound} {self.floor:g}")
        if self.limit is not None and value > self.limit:
            found.append(f"{self.name} is {value:.0f}; it must be under {self.limit:g}")
        return found


def table(
    samples: Mapping[str, Sequence[Sample]], reference: str, size: int, quantities: Sequence[Quantity]
) -> str:
    """A row for each contestant: medians, least to most in brackets, ratios to C{reference}."""
    rows = [["", *(title for each in quantities for title in (each.name, "ratio")), "runs"]]
    middles = {
        (name, each.name): Summary.of([each.of(sample, size) for sample in runs])
        for name, runs in samples.items()
        for each in quantities
    }
    for name, runs in samples.items():
        row = [name]
        for each in quantities:
            summary = middles[name, each.name]
            digits = 0 if summary.middle >= 100 else 2
            row.append(f"{summary.middle:.{digits}f} ({summary.least:.{digits}f}-{summary.most:.{digits}f})")
            row.append(f"{summary.middle / middles[reference, each.name].middle:.2f}")
        rows.append([*row, str(len(runs))])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def faults(
    samples: Mapping[str, Sequence[Sample]],
    contestant: str,
    reference: str,
    size: int,
    quantities: Sequence[Quantity],
) -> list[str]:
    """Which of the bounds C{contestant} does not keep, by its medians."""
    found = []
    for each in quantities:
        value = Summary.of([each.of(sample, size) for sample in samples[contestant]]).middle
        base = Summary.of([each.of(sample, size) for sample in samples[reference]]).middle
        found += each.faults(value, value / base)
    return found
