"""
What was seen of a daemon under attack, beside its quiet runs, for people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from tests.benchmarks.hostile_daemon import Seen
from tests.benchmarks.results import Result, atLeast, under

#: What is kept: bytes of memory, and the part of the quiet rate.
MOST_MEMORY = 300e6
LEAST_RATE = 0.5
_MB = 1e6


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    One run.

    @ivar rate: bytes of content a second that the honest peer gave or got.
    @ivar seen: of the daemon meanwhile.
    @ivar attack: what the attackers report; empty in quiet.
    """

    rate: float
    seen: Seen
    attack: dict[str, Any]


#: By run, in quiet (C{False}) and under attack (C{True}): what each round gave.
Outcomes = Mapping[str, Mapping[bool, Sequence[Outcome]]]


def line(outcome: Outcome) -> str:
    """One run in a line."""
    seen, attack = outcome.seen, outcome.attack
    said = (
        f"{outcome.rate / _MB:.1f} MB/s in {seen.wall:.1f} s, RSS {seen.rss / _MB:.0f} MB, "
        f"PSS {seen.pss / _MB:.0f} MB, CPU {100 * seen.cpu / seen.wall:.0f} %, {seen.files} files, "
        f"answers in {1000 * seen.quantile(0.5):.0f} ms, 99 % in {1000 * seen.quantile(0.99):.0f} ms"
    )
    if attack:
        said += (
            f"; {attack['standing']} hostile connections stand, {attack.get('connections', 0)} were made, "
            f"{attack.get('bytes said', 0) / _MB:.0f} MB said, CPU of the attackers {attack['cpu']:.1f} s"
        )
    return said


def report(found: Outcomes, waits: Mapping[str, Mapping[bool, Sequence[float]]]) -> str:
    """The medians, a line for each run."""
    titles = ("MB/s", "of quiet", "RSS MB", "PSS MB", "CPU %", "files", "p50 ms", "p99 ms")
    lines = [f"{'':26}" + "".join(title.rjust(9) for title in titles)]
    for name, both in found.items():
        for attacked, outcomes in sorted(both.items()):
            rate = median(each.rate for each in outcomes)
            seen = [each.seen for each in outcomes]
            values = (
                f"{rate / _MB:.1f}",
                f"{rate / median(each.rate for each in both[False]):.2f}",
                f"{median(each.rss for each in seen) / _MB:.0f}",
                f"{median(each.pss for each in seen) / _MB:.0f}",
                f"{median(100 * each.cpu / each.wall for each in seen):.0f}",
                f"{median(each.files for each in seen):.0f}",
                f"{1000 * median(each.quantile(0.5) for each in seen):.1f}",
                f"{1000 * median(each.quantile(0.99) for each in seen):.1f}",
            )
            label = "  under attack" if attacked else name
            lines.append(f"{label:26}" + "".join(value.rjust(9) for value in values))
    for name, times in waits.items():
        quiet, hard = median(times[False]), median(times[True])
        lines.append(f"{name}: first block after {quiet:.1f} s in quiet, {hard:.1f} s under attack")
    return "\n".join(lines)


def results(found: Outcomes, connections: int) -> list[Result]:
    """What is kept of the quiet rate, and the memory."""
    rows = []
    for name, both in found.items():
        work = f"{name}, {connections:,} hostile connections"
        quiet, hard = (tuple(each.rate / _MB for each in both[attacked]) for attacked in (False, True))
        rows.append(Result(0, work, "MB/s", hard, quiet, "in quiet", atLeast(LEAST_RATE)))
        memory = tuple(each.seen.rss / _MB for each in both[True])
        rows.append(Result(0, work, "memory, MB", memory, goal=under(MOST_MEMORY / _MB, always=True)))
    return rows
