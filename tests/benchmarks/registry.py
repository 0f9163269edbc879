"""
A hundred thousand registered torrents: how fast they are registered, how fast a client with them starts,
how fast one is opened by a knock, and what memory they take; beside libtorrent, which has them all open.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.benchmarks.adding import Samples, row, stateFolder, values
from tests.benchmarks.results import Result, under
from tests.benchmarks.shelf import PIECES, report, shelved

#: Torrents, where the size is a GiB or more.
COUNT = 100_000
#: From this many on metafiles are short: nothing but reading them once depends on their length.
SHORT = 200_000
#: What libtorrent is given of them: all would take it gigabytes, and many minutes.
FEW = 10_000
#: Seconds.
START = 3.0
KNOCK = 0.1
#: Bytes beyond an empty client.
MEMORY = 100e6


def registry(size: int, rounds: int, say: Callable[[str], object], torrents: int = COUNT) -> list[Result]:
    """
    Register C{torrents} torrents (in proportion to C{size} under a GiB) of 20 KB each; say the results.
    """
    count = max(200, min(torrents, torrents * size >> 30))
    few = min(count, FEW)
    samples: Samples = {"twisted_bt": [], "libtorrent": []}
    with shelved(count, pieces=PIECES if count <= SHORT else 1) as shelf:
        for _ in range(rounds):
            with stateFolder() as state:
                empty = report("shelf_worker.py", "open", shelf, 0, state)
                one = report("shelf_worker.py", "register", shelf, count, state)
                opened = report("shelf_worker.py", "open", shelf, count, state)
            assert opened["known"] == count
            one.update(start=opened["start"], beyond=opened["memory"] - empty["memory"])
            one.update(
                empty=empty["memory"],
                knock=opened["knocks"][-1],
                usual=opened["knocks"][len(opened["knocks"]) // 2],
            )
            samples["twisted_bt"].append(one)
            say(f"  registered in {one['seconds']:.1f} s, started in {one['start']:.2f} s")
            if count <= SHORT:
                samples["libtorrent"].append(report("shelf_libtorrent.py", "add", shelf, few))
    say(f"\n{count:,} torrents; medians (least-most):\n")
    ours = samples["twisted_bt"]
    say(row("registering one", [each["seconds"] / count for each in ours], "ms", 1e3))
    say(row("registering one, processor", [each["cpu"] / count for each in ours], "ms", 1e3))
    say(row("registering: longest pause of the reactor", [each["pause"] for each in ours], "ms", 1e3))
    say(row("starting with all of them", [each["start"] for each in ours], "s"))
    say(row("memory of an empty client", [each["empty"] for each in ours], "MB", 1e-6))
    say(row("memory beyond that", [each["beyond"] for each in ours], "MB", 1e-6))
    say(row("a knock opens one, median", [each["usual"] for each in ours], "ms", 1e3))
    say(row("a knock opens one, slowest of 50", [each["knock"] for each in ours], "ms", 1e3))
    if samples["libtorrent"]:
        theirs = samples["libtorrent"]
        say(row("libtorrent: adding one", [each["seconds"] / few for each in theirs], "ms", 1e3))
        say(row(f"libtorrent: memory of {few:,}", [each["memory"] for each in theirs], "MB", 1e-6))
    work = f"{count:,} torrents registered"
    theirs = samples["libtorrent"]
    return [
        Result(7, work, "start, s", values(ours, "start"), goal=under(START)),
        Result(
            7,
            work,
            "memory beyond an empty client, MB",
            values(ours, "beyond", 1e-6),
            values(theirs, "memory", 1e-6),
            goal=under(MEMORY / 1e6 * max(1, count // COUNT)),
        ),
        Result(
            7,
            work,
            "a knock opens one, slowest of 50, ms",
            values(ours, "knock", 1e3),
            goal=under(KNOCK * 1e3),
        ),
        Result(
            7,
            work,
            "registering one, ms",
            values(ours, "seconds", 1e3 / count),
            values(theirs, "seconds", 1e3 / few),
        ),
    ]
