"""
One seeder and leechers that only take: how fast content can be given away, and what it costs.

The leechers are a raw program that asks for all blocks in order, 500 ahead, and throws away what comes;
so the seeder is what is measured.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.benchmarks.measure import Sample, peakOf, processorTime
from tests.benchmarks.seeder import libtorrentProcess
from tests.benchmarks.table import Quantity, faults, table
from tests.interop.swarmfiles import Content, makeContent

#: Faster than libtorrent, at three fifths of its processor time.
QUANTITIES = (
    Quantity("MB/s", floor=1.2, atLeast=True),
    Quantity("CPU s/GB", floor=0.6),
    Quantity("peak MB"),
)
PIECE_LENGTH = 1 << 20
_FOLDER = Path(__file__).parent
_CHECKOUT = Path(__file__).parents[2]


@contextmanager
def _ours(content: Content) -> Iterator[tuple[int, int]]:
    argv = [sys.executable, str(_FOLDER / "our_seeder.py"), str(content.torrent), str(content.folder)]
    environment = {**os.environ, "PYTHONPATH": str(_CHECKOUT)}
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        try:
            yield process.pid, int(process.stdout.readline())
        finally:
            process.kill()


@contextmanager
def _libtorrents(content: Content) -> Iterator[tuple[int, int]]:
    with libtorrentProcess(unchoke_slots_limit=100) as process:
        process.ask("add", torrent=str(content.torrent), saveDir=str(content.folder), seed=True)
        yield process.pid, process.port


CONTESTANTS: dict[str, Callable[[Content], AbstractContextManager[tuple[int, int]]]] = {
    "twisted_bt": _ours,
    "libtorrent": _libtorrents,
}


def _take(content: Content, port: int, connections: int, each: int) -> float:
    """Seconds that it takes to give C{each} bytes to every connection."""
    pieces = -(-each // PIECE_LENGTH)
    numbers = (pieces, PIECE_LENGTH, each, connections)
    argv = [sys.executable, str(_FOLDER / "raw_sink.py"), str(port), content.infoHash, *map(str, numbers)]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=600)
    return float(done.stdout)


def seeding(size: int, rounds: int, say: Callable[[str], object]) -> list[str]:
    """
    Give C{size} bytes away C{rounds} times with each contestant in turn: to one leecher, and a twentieth to
    each of twenty at once; say the results.

    @return: the bounds that ours does not keep.
    """
    memory = Path("/dev/shm")
    found = []
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        content = makeContent(Path(name), size, pieceLength=PIECE_LENGTH)
        for connections in (1, 20):
            samples: dict[str, list[Sample]] = {each: [] for each in CONTESTANTS}
            for number in range(rounds):
                for contestant in list(CONTESTANTS)[:: -1 if number % 2 else 1]:
                    with CONTESTANTS[contestant](content) as (pid, port):
                        before = processorTime(pid)
                        wall = _take(content, port, connections, size // connections)
                        sample = Sample(wall, processorTime(pid) - before, peakOf(pid))
                    samples[contestant].append(sample)
                    say(f"  {contestant}: {sample.wall:.2f} s, CPU {sample.cpu:.2f} s")
            leechers = f"{connections} leecher{'s' * (connections > 1)}"
            say(f"\n{size / 1e6:.0f} MB to {leechers} over loopback; medians (least-most):\n")
            say(table(samples, "libtorrent", size, QUANTITIES))
            kept = faults(samples, "twisted_bt", "libtorrent", size, QUANTITIES)
            found += [f"{leechers}: {fault}" for fault in kept]
    return found
