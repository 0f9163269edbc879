"""
One leecher, loopback, files in memory: how fast a download can be, and what it costs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.guests import guests
from tests.benchmarks.leechers import byEngine, byLibtorrent, byTool, contest, rawSeeders
from tests.benchmarks.results import Result, atLeast, atMost, under
from tests.benchmarks.seeder import libtorrentProcess, libtorrentSeeder
from tests.benchmarks.table import Quantity
from tests.interop.swarmfiles import makeContent

_PIECE_LENGTH = 1 << 20


def inMemory() -> tempfile.TemporaryDirectory[str]:
    """A folder in memory, where there is such a thing."""
    memory = Path("/dev/shm")
    return tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)


def download(size: int, rounds: int, say: Callable[[str], object]) -> list[Result]:
    """
    From one libtorrent seeder, with the one-shot tool.

    @param size: bytes to download, C{rounds} times with each contestant.
    """
    goals = (
        Quantity("MB/s", atLeast(1.0)),
        Quantity("CPU s/GB", atMost(1.0)),
        Quantity("peak MB", under(150.0)),
    )
    with inMemory() as name:
        content = makeContent(Path(name), size, pieceLength=_PIECE_LENGTH)
        with libtorrentProcess() as seeder:
            seeder.ask("add", torrent=str(content.torrent), saveDir=str(content.folder), seed=True)
            with guests(content, seeder) as others:
                contestants = {"twisted_bt": byTool, "libtorrent": byLibtorrent, **others}
                return contest(content, [seeder.port], contestants, rounds, say, 1, "from one seeder", goals)


def many(size: int, rounds: int, say: Callable[[str], object]) -> list[Result]:
    """From fifty seeders at once, and from one beside two hundred that have nothing; see L{download}."""
    goals = (Quantity("MB/s", atLeast(0.8)), Quantity("CPU s/GB"), Quantity("peak MB"))
    contestants = {"twisted_bt": byEngine, "libtorrent": byLibtorrent}
    found: list[Result] = []
    with inMemory() as name:
        content = makeContent(Path(name), size, pieceLength=_PIECE_LENGTH)
        for seeds, idlers, what in (
            (50, 0, "from 50 seeders at once"),
            (1, 200, "from one seeder, 200 idle peers connected"),
        ):
            with rawSeeders(content, _PIECE_LENGTH, seeds, idlers) as ports:
                found += contest(content, ports, contestants, rounds, say, 3, what, goals)
    return found


def small(size: int, rounds: int, say: Callable[[str], object]) -> list[Result]:
    """In small pieces (an eighth of C{size}), and in small files (a tenth of it); see L{download}."""
    goals = (Quantity("MB/s", atLeast(0.8)), Quantity("CPU s/GB"), Quantity("peak MB"))
    contestants = {"twisted_bt": byTool, "libtorrent": byLibtorrent}
    found: list[Result] = []
    files = max(100, size * 20_000 >> 31)
    for what, sizes, pieceLength in (
        ("in pieces of 16 KiB", max(1 << 20, size >> 3), 1 << 14),
        (f"in {files:,} files of 10 KiB", {f"{n % 100:02}/{n:05}": 10 << 10 for n in range(files)}, 1 << 18),
    ):
        with inMemory() as name:
            content = makeContent(Path(name), sizes, pieceLength=pieceLength)
            with libtorrentSeeder(content.torrent, content.folder) as port:
                found += contest(content, [port], contestants, rounds, say, 4, what, goals)
    return found
