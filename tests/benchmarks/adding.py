"""
Adding many torrents, starting again with them, removing them: ours and libtorrent, in turn.

Ours keeps them for the next run, in a folder; what that costs shows beside the same without one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import Summary
from tests.benchmarks.shelf import report, shelved

#: Torrents, where the size is a GiB.
COUNT = 10_000
#: Seconds that the reactor may be held up.
PAUSE = 0.05
#: What is measured of pauses: by the clock, and as time of the processor, which others do not lengthen.
PAUSES = (
    "pause",
    "busy",
    "stopPause",
    "stopBusy",
    "restartPause",
    "restartBusy",
    "removePause",
    "removeBusy",
)

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


def median(samples: Samples, name: str, key: str) -> float:
    """Of what was measured."""
    return Summary.of([each[key] for each in samples[name]]).middle


def adding(size: int, rounds: int, say: Callable[[str], object]) -> list[str]:
    """
    Add 10,000 torrents (in proportion to C{size} under a GiB) of 20 KB each; say the results.

    @return: the bounds that ours does not keep.
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
    faults = []
    ours, theirs = (median(samples, name, "seconds") for name in ("twisted_bt", "libtorrent"))
    say(f"\n  adding: {ours / theirs:.1f} times libtorrent's time")
    if ours > theirs:
        faults.append(f"adding takes {ours / theirs:.1f} times as long as libtorrent's")
    growth = ours / (4 * median(samples, "twisted_bt", "few"))
    say(f"  four times as many take {growth:.2f} times as long each")
    if growth > 1.3:
        faults.append(f"four times as many torrents take {growth:.2f} times as long each")
    for key in PAUSES:
        longest = median(samples, "twisted_bt, remembering", key)
        if longest > PAUSE:
            faults.append(f"{key}: the reactor was held up for {longest * 1e3:.0f} ms")
    return faults
