"""
Hashing files that are there: against what the standard library alone reaches with all cores, and
libtorrent; and how long the reactor does not answer meanwhile.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.download import inMemory
from tests.benchmarks.measure import Summary, installed
from tests.benchmarks.results import Result, atLeast, under
from tests.benchmarks.table import spread
from tests.interop.swarmfiles import makeContent

PIECE_LENGTH = 1 << 20
#: Of the standard library's throughput at least; milliseconds without the reactor at most.
FLOOR, LONGEST = 0.95, 50.0
_FOLDER = Path(__file__).parent


def _run(script: str, *arguments: str) -> dict[str, float]:
    argv = [sys.executable, str(_FOLDER / script), *arguments]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, env=installed(), timeout=600)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def recheck(size: int, rounds: int, say: Callable[[str], object]) -> list[Result]:
    """
    Check C{size} bytes, C{rounds} times with each contestant in turn; say the results.
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
                    longest.append(1000 * found["longest"])
    work = f"check {size / 1e6:,.0f} MB"
    say(f"\n{work}; medians (least-most):\n")
    raw, theirs = rates["hashlib and preadv"], rates["libtorrent"]
    for each, values in rates.items():
        ratio = Summary.of(values).middle / Summary.of(raw).middle
        say(f"{each:20}{spread(values)} MB/s{ratio:8.2f}")
    say(f"the longest that the reactor did not answer: {max(longest):.1f} ms")
    ours = tuple(rates["twisted_bt"])
    others = {"libtorrent": tuple(theirs)}
    return [
        Result(5, work, "MB/s", ours, tuple(raw), "hashlib and preadv", atLeast(FLOOR), others),
        Result(5, work, "longest pause, ms", tuple(longest), goal=under(LONGEST, always=True)),
    ]
