"""
One seeder and leechers that only take: how fast content can be given away, and what it costs.

The leechers are a raw program that asks for all blocks in order, 500 ahead, and throws away what comes;
so the seeder is what is measured.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.benchmarks.measure import Sample, installed, peakOf, processorTime
from tests.benchmarks.results import Result, atLeast, atMost
from tests.benchmarks.seeder import libtorrentProcess
from tests.benchmarks.table import Quantity, results, table
from tests.interop.swarmfiles import Content, makeContent

#: Faster than libtorrent, at three fifths of its processor time.
QUANTITIES = (
    Quantity("MB/s", atLeast(1.2)),
    Quantity("CPU s/GB", atMost(0.6)),
    Quantity("peak MB"),
)
PIECE_LENGTH = 1 << 20
_FOLDER = Path(__file__).parent


@contextmanager
def _ours(content: Content) -> Iterator[tuple[int, int]]:
    argv = [sys.executable, str(_FOLDER / "our_seeder.py"), str(content.torrent), str(content.folder)]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=installed()
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


def seeding(size: int, rounds: int, say: Callable[[str], object]) -> list[Result]:
    """
    Give C{size} bytes away C{rounds} times with each contestant in turn: to one leecher, and a twentieth to
    each of twenty at once; say the results.
    """
    memory = Path("/dev/shm")
    found: list[Result] = []
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
            work = f"seed {size / 1e6:,.0f} MB to {connections} leecher{'s' * (connections > 1)}"
            say(f"\n{work}; medians (least-most):\n")
            say(table(samples, "libtorrent", size, QUANTITIES))
            found += results(2, work, samples, "libtorrent", size, QUANTITIES)
    return found
