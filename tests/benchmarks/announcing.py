"""
Announcing a hundred thousand registered torrents to one UDP tracker, on schedule, without opening them.

The tracker is ours, a process of its own that is not measured.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from tests.benchmarks.adding import row, stateFolder, values
from tests.benchmarks.measure import installed
from tests.benchmarks.results import Result, under
from tests.benchmarks.shelf import report, shelved

#: Torrents, where the size is a GiB.
COUNT = 100_000
#: Seconds between two announces of one; what most trackers say.
INTERVAL = 1800
#: Seconds of a measurement.
SECONDS = 60
#: Of one core.
LIMIT = 0.2
#: Seconds that a turn may be late.
LATE = 2.0


@contextmanager
def tracker(torrents: int) -> Iterator[str]:
    """A tracker's URL."""
    argv = [sys.executable, str(Path(__file__).with_name("tracker_server.py")), str(INTERVAL), str(torrents)]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=installed()
    ) as process:
        assert process.stdout is not None
        try:
            yield f"udp://127.0.0.1:{int(process.stdout.readline())}/announce"
        finally:
            process.kill()


def spread(state: Path) -> None:
    """As if all had been announced for a while: their times lie evenly in the interval to come."""
    random, now = Random(1), time.time()
    with sqlite3.connect(state / "state.sqlite") as connection:
        connection.create_function("moment", 0, lambda: now + random.uniform(0, INTERVAL))
        connection.execute("UPDATE announces SET dueAt=moment(), toldAt=1, toldTo=0")
    connection.close()


def announcing(size: int, rounds: int, say: Callable[[str], object]) -> list[Result]:
    """
    Announce 100,000 torrents (in proportion to C{size} under a GiB) for a minute, C{rounds} times.
    """
    count = max(100, min(COUNT, COUNT * size // (1 << 30)))
    seconds = max(3, min(SECONDS, SECONDS * size // (1 << 30)))
    runs = []
    with tracker(count) as url, shelved(count, url, pieces=1) as shelf, stateFolder() as state:
        report("shelf_worker.py", "register", shelf, count, state)
        for _ in range(rounds):
            spread(state)
            runs.append(report("shelf_worker.py", "announce", shelf, count, state, seconds))
            say(f"  {runs[-1]['rate']:.1f} a second, {runs[-1]['cpu']:.1%} of a core")
    say(f"\n{count:,} torrents, {INTERVAL} s between two announces of one; medians (least-most):\n")
    say(row("announces a second", [each["rate"] for each in runs], ""))
    say(row("needed to be on time", [count / INTERVAL], ""))
    say(row("of a core", [each["cpu"] for each in runs], "%", 100))
    say(row("latest turn", [each["late"] for each in runs], "s"))
    say(row("longest pause of the reactor", [each["pause"] for each in runs], "ms", 1e3))
    say(row("memory of the process", [each["memory"] for each in runs], "MB", 1e-6))
    work = f"announce {count:,} torrents each {INTERVAL} s"
    return [
        Result(9, work, "of a core, %", values(runs, "cpu", 100), goal=under(LIMIT * 100, always=True)),
        Result(9, work, "latest turn, s", values(runs, "late"), goal=under(LATE, always=True)),
        Result(9, work, "refused", values(runs, "failed"), goal=under(0, always=True)),
        Result(9, work, "announces a second", values(runs, "rate"), (count / INTERVAL,), "needed"),
    ]
