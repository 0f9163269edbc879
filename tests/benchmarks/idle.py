"""
Two thousand swarms that seed, and nobody comes; one with two thousand peers that want nothing: processor
time and memory, ours and libtorrent's.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.benchmarks.adding import Samples, row, values
from tests.benchmarks.results import Result, atMost, under
from tests.benchmarks.shelf import report, shelved

#: Swarms, where the size is a GiB.
COUNT = 2000
#: Seconds of doing nothing.
SECONDS = 20
#: Of one core.
LIMIT = 0.05


def idle(size: int, rounds: int, say: Callable[[str], object]) -> list[Result]:
    """
    Seed 2,000 torrents (in proportion to C{size} under a GiB), C{rounds} times; say the results.
    """
    count = max(20, min(COUNT, COUNT * size // (1 << 30)))
    seconds = max(1, min(SECONDS, SECONDS * size // (1 << 30)))
    samples: Samples = {"twisted_bt": [], "libtorrent": []}
    peers: Samples = {"twisted_bt": [], "libtorrent": []}
    with shelved(count) as shelf:
        for _ in range(rounds):
            peers["twisted_bt"].append(report("shelf_worker.py", "peers", shelf, count, "-", seconds))
            peers["libtorrent"].append(report("shelf_libtorrent.py", "peers", shelf, count, seconds))
            samples["twisted_bt"].append(report("shelf_worker.py", "idle", shelf, count, "-", seconds))
            samples["libtorrent"].append(report("shelf_libtorrent.py", "idle", shelf, count, seconds))
    for run in (run for both in (samples, peers) for some in both.values() for run in some):
        run["each"] = run["memory"] / run.get("connected", count)
    say(f"\n{count:,} swarms seed, metafiles of 20 KB; medians (least-most):\n")
    for name, runs in samples.items():
        say(row(f"{name}: of a core", [each["cpu"] for each in runs], "%", 100))
        say(row(f"{name}: memory of one", [each["each"] for each in runs], "kB", 1e-3))
    say(f"\n{count:,} connections of one swarm, nobody wants anything:\n")
    for name, runs in peers.items():
        say(row(f"{name}: of a core", [each["cpu"] for each in runs], "%", 100))
        say(row(f"{name}: memory of one", [each["each"] for each in runs], "kB", 1e-3))
    return [
        *_results(f"{count:,} swarms seed, idle", samples),
        *_results(f"{count:,} idle connections", peers),
    ]


def _results(work: str, samples: Samples) -> list[Result]:
    cpu = [values(runs, "cpu", 100) for runs in samples.values()]
    memory = [values(runs, "each", 1e-3) for runs in samples.values()]
    return [
        Result(8, work, "of a core, %", cpu[0], cpu[1], goal=under(LIMIT * 100)),
        Result(8, work, "memory of one, kB", memory[0], memory[1], goal=atMost(1.0)),
    ]
