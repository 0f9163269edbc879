"""
Two thousand swarms that seed, and nobody comes: processor time and memory, ours and libtorrent's.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.benchmarks.adding import Samples, median, row
from tests.benchmarks.shelf import report, shelved

#: Swarms, where the size is a GiB.
COUNT = 2000
#: Seconds of doing nothing.
SECONDS = 20
#: Of one core.
LIMIT = 0.05


def idle(size: int, rounds: int, say: Callable[[str], object]) -> list[str]:
    """
    Seed 2,000 torrents (in proportion to C{size} under a GiB), C{rounds} times; say the results.

    @return: the bounds that ours does not keep.
    """
    count = max(20, min(COUNT, COUNT * size // (1 << 30)))
    seconds = max(2, min(SECONDS, SECONDS * size // (1 << 30)))
    samples: Samples = {"twisted_bt": [], "libtorrent": []}
    with shelved(count) as shelf:
        for _ in range(rounds):
            samples["twisted_bt"].append(report("shelf_worker.py", "idle", shelf, count, "-", seconds))
            samples["libtorrent"].append(report("shelf_libtorrent.py", "idle", shelf, count, seconds))
    say(f"\n{count:,} swarms seed, metafiles of 20 KB; medians (least-most):\n")
    for name, runs in samples.items():
        say(row(f"{name}: of a core", [each["cpu"] for each in runs], "%", 100))
        say(row(f"{name}: memory of one", [each["memory"] / count for each in runs], "kB", 1e-3))
    faults = []
    if median(samples, "twisted_bt", "cpu") > LIMIT:
        faults.append(f"idle swarms take more than {LIMIT:.0%} of a core")
    ours, theirs = (median(samples, name, "memory") for name in ("twisted_bt", "libtorrent"))
    if ours > theirs:
        faults.append(f"an idle swarm takes {ours / theirs:.2f} times libtorrent's memory")
    return faults
