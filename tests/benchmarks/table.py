"""
What was measured, as tables for people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.benchmarks.measure import Sample, Summary
from tests.benchmarks.results import Goal, Result

_MB = 1e6
_GB = 1e9
_TITLES = ("#", "work", "quantity", "twisted_bt", "reference", "ratio", "goal", "")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A column: C{MB/s}, C{CPU s/GB} or C{peak MB} of samples, and the goal for it."""

    name: str
    goal: Goal | None = None

    def of(self, sample: Sample, size: int) -> float:
        """The value of one run that moved C{size} bytes."""
        match self.name:
            case "MB/s":
                return size / _MB / sample.wall
            case "CPU s/GB":
                return sample.cpu / (size / _GB)
            case _:
                return sample.peak / _MB


def spread(values: Sequence[float]) -> str:
    """The median, and the least and the most in brackets."""
    summary = Summary.of(values)
    return f"{number(summary.middle)} ({number(summary.least)}-{number(summary.most)})"


def number(value: float) -> str:
    """Three digits of it, or all that stand before the point."""
    size = abs(value)
    digits = next((digits for digits, bound in enumerate((100, 10, 1, 0.1)) if size >= bound), 4)
    return f"{value:,.{digits}f}" if size else "0"


def aligned(rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Columns, the first C{left} of them flush left, the others flush right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


# -- one benchmark


def table(
    samples: Mapping[str, Sequence[Sample]], reference: str, size: int, quantities: Sequence[Quantity]
) -> str:
    """A row for each contestant: medians, least to most in brackets, ratios to C{reference}."""
    rows = [["", *(title for each in quantities for title in (each.name, "ratio")), "runs"]]
    for name, runs in samples.items():
        row = [name]
        for each in quantities:
            values = [each.of(sample, size) for sample in runs]
            base = Summary.of([each.of(sample, size) for sample in samples[reference]]).middle
            row += (spread(values), f"{Summary.of(values).middle / base:.2f}")
        rows.append([*row, str(len(runs))])
    return aligned(rows)


def results(
    row: int,
    work: str,
    samples: Mapping[str, Sequence[Sample]],
    reference: str,
    size: int,
    quantities: Sequence[Quantity],
) -> list[Result]:
    """What C{samples}, of which ours are the first, say of each of C{quantities}."""
    ours, *others = samples
    found = []
    for each in quantities:
        values = {
            name: tuple(each.of(sample, size) for sample in runs) for name, runs in samples.items() if runs
        }
        more = {name: values[name] for name in others if name != reference and name in values}
        found.append(
            Result(row, work, each.name, values[ours], values[reference], reference, each.goal, more)
        )
    return found


# -- all of them


def summary(found: Sequence[Result]) -> str:
    """One table of everything."""
    return aligned([_TITLES, *_lines(found)], left=3)


def markdown(found: Sequence[Result]) -> str:
    """The same for a page."""
    rows = [_TITLES, ("--:", "---", "---", "--:", "--:", "--:", "---", "---"), *_lines(found)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _lines(found: Sequence[Result]) -> list[tuple[str, ...]]:
    lines: list[tuple[str, ...]] = []
    before = (-1, "")
    for each in sorted(found, key=lambda result: result.row or 99):
        same = before == (each.row, each.work)
        before = (each.row, each.work)
        named = f"{each.against} {spread(each.reference)}" if each.reference else ""
        lines.append(
            (
                "" if same or not each.row else str(each.row),
                "" if same else each.work,
                each.quantity,
                spread(each.ours),
                named,
                "" if each.ratio is None else f"{each.ratio:.2f}",
                "" if each.goal is None else str(each.goal),
                each.verdict,
            )
        )
        for name, values in each.others.items():
            ratio = Summary.of(each.ours).middle / (Summary.of(values).middle or float("inf"))
            lines.append(("", "", "", "", f"{name} {spread(values)}", f"{ratio:.2f}", "", ""))
    return lines


_BEGIN, _END = "<!-- table begin -->", "<!-- table end -->"


def insert(text: str, page: str) -> str:
    """
    C{page} with C{text} between its two marks, in place of what was there.

    @raise ValueError: it has no such marks.
    """
    head, begin, rest = page.partition(_BEGIN)
    _, end, tail = rest.partition(_END)
    if not (begin and end):
        raise ValueError(f"no {_BEGIN} and {_END} in the page")
    return f"{head}{begin}\n{text}\n{end}{tail}"
