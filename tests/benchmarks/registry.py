"""
A hundred thousand registered torrents: how fast they are registered, how fast a client with them starts,
how fast one is opened by a knock, and what memory they take; beside libtorrent, which has them all open.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.benchmarks.adding import Samples, median, row, stateFolder
from tests.benchmarks.shelf import PIECES, report, shelved

#: Torrents, where the size is a GiB.
COUNT = 100_000
#: From this many on metafiles are short: nothing but reading them once depends on their length.
SHORT = 200_000
#: Seconds.
START = 3.0
KNOCK = 0.1
#: Bytes beyond an empty client.
MEMORY = 100e6


def registry(size: int, rounds: int, say: Callable[[str], object]) -> list[str]:
    """
    Register 100,000 torrents a GiB of C{size}, of 20 KB each; say the results.

    @return: the bounds that ours does not keep.
    """
    count = max(200, COUNT * size // (1 << 30))
    samples: Samples = {"twisted_bt": [], "libtorrent": []}
    with shelved(count, pieces=PIECES if count <= SHORT else 1) as shelf:
        for number in range(rounds):
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
            if number < 3 and count <= SHORT:
                samples["libtorrent"].append(report("shelf_libtorrent.py", "add", shelf, count))
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
        say(row("libtorrent: adding one", [each["seconds"] / count for each in theirs], "ms", 1e3))
        say(row("libtorrent: memory of all", [each["memory"] for each in theirs], "MB", 1e-6))
    faults = []
    for key, limit, name in (
        ("start", START, "starting takes {:.1f} s"),
        ("knock", KNOCK, "a knock takes {:.3f} s"),
        ("beyond", MEMORY, "they take {:.0f} bytes"),
    ):
        value = median(samples, "twisted_bt", key)
        if value > limit:
            faults.append(name.format(value))
    return faults
