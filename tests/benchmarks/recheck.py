"""
Hashing files that are there: against what the standard library alone reaches with all cores, and
libtorrent; and how long the reactor does not answer meanwhile.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.download import inMemory
from tests.benchmarks.leechers import CHECKOUT
from tests.benchmarks.measure import Summary
from tests.interop.swarmfiles import makeContent

PIECE_LENGTH = 1 << 20
#: Of the standard library's throughput at least; seconds without the reactor at most.
FLOOR, LONGEST = 0.95, 0.05
_FOLDER = Path(__file__).parent


def _run(script: str, *arguments: str) -> dict[str, float]:
    argv = [sys.executable, str(_FOLDER / script), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(argv, check=True, capture_output=True, text=True, env=environment, timeout=600)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def recheck(size: int, rounds: int, say: Callable[[str], object]) -> list[str]:
    """
    Check C{size} bytes, C{rounds} times with each contestant in turn; say the results.

    @return: the bounds that ours does not keep.
    """
    with inMemory() as name:
        content = makeContent(Path(name), size, pieceLength=PIECE_LENGTH)
        torrent, folder = str(content.torrent), str(content.folder)
        contestants = {
            "twisted_bt": ("our_recheck.py", torrent, folder),
            "hashlib and preadv": ("raw_recheck.py", str(content.folder / content.name), str(PIECE_LENGTH)),
            "libtorrent": ("libtorrent_recheck.py", torrent, folder),
        }
        rates: dict[str, list[float]] = {each: [] for each in contestants}
        longest = []
        for number in range(rounds):
            for each in list(contestants)[:: -1 if number % 2 else 1]:
                found = _run(*contestants[each])
                rates[each].append(size / 1e6 / found["seconds"])
                if "longest" in found:
                    longest.append(found["longest"])
    say(f"\nchecking {size / 1e6:.0f} MB; medians (least-most):\n")
    base = Summary.of(rates["hashlib and preadv"]).middle
    for each, values in rates.items():
        summary = Summary.of(values)
        say(
            f"{each:20}{summary.middle:8.0f} MB/s ({summary.least:.0f}-{summary.most:.0f})"
            f"{summary.middle / base:8.2f}"
        )
    say(f"the longest that the reactor did not answer: {1000 * max(longest):.1f} ms")
    faults = []
    ratio = Summary.of(rates["twisted_bt"]).middle / base
    if ratio < FLOOR:
        faults.append(f"checking reaches {ratio:.2f} of hashlib and preadv alone; it must be {FLOOR}")
    if max(longest) > LONGEST:
        faults.append(f"the reactor did not answer for {max(longest):.3f} s; it must be under {LONGEST}")
    return faults
