"""
How our cost grows with the work: C{python -m tests.benchmarks.growth}.

What is measured is processor time, user and system, of the process and not of the clock, so others on the
machine matter little.  What a process takes to start is left out where it is measured as a whole.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.curve import Curve
from tests.benchmarks.download import inMemory
from tests.benchmarks.leechers import byEngine, rawSeeders
from tests.benchmarks.machine import machine
from tests.benchmarks.measure import CHECKOUT, installed, run
from tests.benchmarks.shelf import report, shelved
from tests.interop.swarmfiles import makeContent

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Amounts:
    """How much of everything is tried."""

    sizes: Sequence[int] = (64, 128, 256, 512, 1024)  # MiB
    pieces: Sequence[int] = (64, 128, 256, 512, 1024, 2048, 4096)  # of content of one size
    seeds: Sequence[int] = (1, 3, 10, 30, 100)
    idle: Sequence[int] = (125, 250, 500, 1000, 2000)
    registered: Sequence[int] = (1000, 3000, 10_000, 30_000, 100_000)
    added: Sequence[int] = (100, 300, 1000, 2000, 5000)
    content: int = 64  # MiB, where it is not the size that grows
    seconds: float = 10.0  # of idling


SHORT = Amounts((4, 8), (8, 16), (1, 4), (10, 20), (100, 200), (20, 40), 4, 1.0)


def _downloadCost(size: int, pieceLength: int, seeds: int) -> float:
    """Processor seconds of a whole process that downloads C{size} bytes."""
    with inMemory() as name:
        content = makeContent(Path(name), size, pieceLength=pieceLength)
        with rawSeeders(content, pieceLength, seeds) as ports, inMemory() as target:
            argv = byEngine(content.torrent, Path(target), ports)
            return run(argv, CHECKOUT, Path(name) / "output.log", environment=installed()).cpu


class Growth:
    """
    Measures everything.

    @param say: is told of each point.
    """

    def __init__(self, amounts: Amounts, rounds: int, say: Callable[[str], object]) -> None:
        self._amounts = amounts
        self._rounds = rounds
        self._say = say
        _downloadCost(1 << 14, 1 << 14, 1)  # modules are compiled
        self._start = min(_downloadCost(1 << 14, 1 << 14, 1) for _ in range(3))

    def curves(self) -> Iterable[Curve]:
        """One after another."""
        amounts, content = self._amounts, self._amounts.content * _MIB
        yield self._curve(
            Curve("Size", "MiB downloaded, pieces of 1 MiB", "CPU s"),
            amounts.sizes,
            lambda count: _downloadCost(count * _MIB, _MIB, 1) - self._start,
        )
        yield self._curve(
            Curve("Pieces", f"pieces of {amounts.content} MiB downloaded", "CPU s"),
            amounts.pieces,
            lambda count: _downloadCost(content, content // count, 1) - self._start,
        )
        yield self._curve(
            Curve("Peers", f"seeds that send {amounts.content} MiB", "CPU s"),
            amounts.seeds,
            lambda count: _downloadCost(content, 1 << 18, count) - self._start,
        )
        with shelved(max(*amounts.added, 1)) as shelf:
            yield self._curve(
                Curve("Idle peers", "connections that say nothing", "CPU ms a second"),
                amounts.idle,
                lambda count: 1e3 * self._worker("peers", shelf, count, str(amounts.seconds))["cpu"],
            )
            yield self._curve(
                Curve("Added torrents", "torrents, metafiles of 20 KB", "CPU s"),
                amounts.added,
                lambda count: self._worker("add", shelf, count)["cpu"],
            )
        with shelved(max(amounts.registered)) as shelf:
            yield self._curve(
                Curve("Registered torrents", "torrents, metafiles of 20 KB", "CPU s"),
                amounts.registered,
                lambda count: self._worker("register", shelf, count)["cpu"],
            )

    def _worker(self, task: str, shelf: Path, count: int, *more: str) -> dict[str, Any]:
        if task != "register":
            return report("shelf_worker.py", task, shelf, count, "-", *more)
        with inMemory() as state:
            return report("shelf_worker.py", task, shelf, count, Path(state) / "state")

    def _curve(self, curve: Curve, amounts: Sequence[int], cost: Callable[[int], float]) -> Curve:
        for amount in amounts:
            # What was measured apart from starting may be nothing.
            value = max(0.001, median(cost(amount) for _ in range(self._rounds)))
            curve.points.append((amount, value))
            self._say(f"  {curve.title}: {amount:,} {curve.axis}: {value:.3f} {curve.unit}")
        self._say(str(curve))
        return curve


def main() -> int:
    """Measure, tell, draw."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.growth", description="Measures how our cost grows with the work."
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="draw a picture there, such as growth.svg")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each, the median counts [default: 3]")
    parser.add_argument("--short", action="store_true", help="only see that it works: a few points")
    parser.add_argument("--json", type=Path, metavar="FILE", help="save the points")
    parser.add_argument("--load", type=Path, metavar="FILE", help="measure nothing, take these points")
    arguments = parser.parse_args()
    draw: Callable[[Sequence[Curve], str, Path], object] | None = None
    if arguments.out is not None:
        with suppress(ImportError):
            from tests.benchmarks.growth_picture import draw
        if draw is None:
            parser.error("drawing needs matplotlib: pip install 'twisted_bt[bench]'")
    if arguments.load is not None:
        saved = json.loads(arguments.load.read_text(encoding="utf-8"))
        setting: str = saved["setting"]
        curves = [Curve(**each) for each in saved["curves"]]
    else:
        rounds = 1 if arguments.short else arguments.rounds
        setting = machine()
        growth = Growth(SHORT if arguments.short else Amounts(), rounds, lambda text: print(text, flush=True))
        curves = []
        for curve in growth.curves():
            curves.append(curve)
            if arguments.json is not None:  # what was measured is not lost by what fails later
                saved = {"setting": setting, "curves": [asdict(each) for each in curves]}
                arguments.json.write_text(json.dumps(saved, indent=1), encoding="utf-8")
    print(f"\n{setting}")
    for curve in sorted(curves, key=lambda each: -each.bend):
        print(curve)
    if draw is not None:
        draw(curves, setting, arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
