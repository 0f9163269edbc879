"""
Adding many torrents, starting again with them, removing them: ours and libtorrent, in turn.

Ours keeps them for the next run, in a folder; what that costs shows beside the same without one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import Summary
from tests.benchmarks.results import Result, Values, atMost, under
from tests.benchmarks.shelf import report, shelved

#: Torrents, where the size is a GiB.
COUNT = 10_000
#: Milliseconds that the reactor may be held up.
PAUSE = 50.0
#: Times as long as one of few that one of four times as many may take.
GROWTH = 1.3
#: What is measured of pauses: by the clock, and as time of the processor, which others do not lengthen.
PAUSES = {
    "pause": "longest pause, adding",
    "busy": "processor in one, adding",
    "stopPause": "longest pause, stopping",
    "stopBusy": "processor in one, stopping",
    "restartPause": "longest pause, restarting",
    "restartBusy": "processor in one, restarting",
    "removePause": "longest pause, removing",
    "removeBusy": "processor in one, removing",
}

Samples = dict[str, list[dict[str, Any]]]


@contextmanager
def stateFolder() -> Iterator[Path]:
    """Where a client keeps what it remembers: on disk, as users have it."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name) / "state"


def row(name: str, values: list[float], unit: str, factor: float = 1.0) -> str:
    """One line: median, least to most."""
    summary = Summary.of([each * factor for each in values])
    return f"  {name:44} {summary.middle:10.3f} {unit} ({summary.least:.3f}-{summary.most:.3f})"


def values(runs: Sequence[Mapping[str, Any]], key: str, factor: float = 1.0) -> Values:
    """What each run has under C{key}, in another unit."""
    return tuple(float(each[key]) * factor for each in runs)


def adding(size: int, rounds: int, say: Callable[[str], object]) -> list[Result]:
    """
    Add 10,000 torrents (in proportion to C{size} under a GiB) of 20 KB each; say the results.
    """
    count = max(50, min(COUNT, COUNT * size // (1 << 30)))
    samples: Samples = {"twisted_bt": [], "twisted_bt, remembering": [], "libtorrent": []}
    with shelved(count) as shelf, shelved(count // 4) as quarter:
        for _ in range(rounds):
            samples["libtorrent"].append(report("shelf_libtorrent.py", "add", shelf, count))
            samples["twisted_bt"].append(report("shelf_worker.py", "add", shelf, count, "-"))
            with stateFolder() as state:
                one = report("shelf_worker.py", "add", shelf, count, state)
                one |= report("shelf_worker.py", "restart", shelf, count, state)
            samples["twisted_bt, remembering"].append(one)
            few = report("shelf_worker.py", "add", quarter, count // 4, "-")
            samples["twisted_bt"][-1]["few"] = few["seconds"]
    say(f"\n{count:,} torrents, metafiles of 20 KB; medians (least-most):\n")
    for name, runs in samples.items():
        say(row(f"{name}: adding one", [each["seconds"] / count for each in runs], "ms", 1e3))
        say(row(f"{name}: processor, adding one", [each["cpu"] / count for each in runs], "ms", 1e3))
        say(row(f"{name}: memory of one", [each["memory"] / count for each in runs], "kB", 1e-3))
        for key in ("stop", "restart", "remove"):
            if key in runs[0]:
                say(row(f"{name}: {key}, of one", [each[key] / count for each in runs], "ms", 1e3))
        for key in PAUSES:
            if key in runs[0]:
                say(row(f"{name}: {key}, longest", [each[key] for each in runs], "ms", 1e3))
    work = f"add {count:,} torrents"
    ours, kept, theirs = samples.values()
    cost = 1e3 / count
    growth = [each["seconds"] / (4 * each["few"]) for each in ours]
    say(f"  four times as many take {Summary.of(growth).middle:.2f} times as long each")
    found = [
        Result(
            10,
            work,
            "adding one, ms",
            values(ours, "seconds", cost),
            values(theirs, "seconds", cost),
            goal=atMost(1.0),
            others={"twisted_bt, remembering": values(kept, "seconds", cost)},
        ),
        Result(10, work, "one of four times as many, times", tuple(growth), goal=under(GROWTH)),
        Result(10, work, "remove one, ms", values(kept, "remove", cost), values(theirs, "remove", cost)),
        Result(10, work, "restart, of one, ms", values(kept, "restart", cost)),
    ]
    for key, what in PAUSES.items():
        goal = under(PAUSE) if key.lower().endswith("pause") else None
        found.append(Result(10, work, f"{what}, ms", values(kept, key, 1e3), goal=goal))
    return found
