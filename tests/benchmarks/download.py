"""
One seeder, one leecher, loopback, files in memory: how fast a download can be, and what it costs.

The seeder is libtorrent's, the same for all.  Each leecher is a process of its own that is told of
the seeder, downloads all, and ends; measured whole, start-up included.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.measure import Sample, installed, run
from tests.benchmarks.seeder import libtorrentSeeder
from tests.benchmarks.table import Quantity, faults, table
from tests.interop.swarmfiles import makeContent

#: Half of libtorrent's speed at one and a half of its processor time and under 200 MB.
QUANTITIES = (
    Quantity("MB/s", floor=0.5, atLeast=True),
    Quantity("CPU s/GB", floor=1.5),
    Quantity("peak MB", limit=200.0),
)
_LEECH = Path(__file__).with_name("libtorrent_leech.py")
_CHECKOUT = Path(__file__).parents[2]


def _ours(torrent: Path, folder: Path, port: int) -> list[str]:
    command = "import sys; from twisted_bt.cli import main; sys.exit(main())"
    return [
        *(sys.executable, "-c", command, "get", str(torrent), "-o", str(folder)),
        *("--peer", f"127.0.0.1:{port}", "--interface", "127.0.0.1", "--no-dht", "--no-lsd"),
    ]


def _libtorrents(torrent: Path, folder: Path, port: int) -> list[str]:
    return [sys.executable, str(_LEECH), str(torrent), str(folder), "127.0.0.1", str(port)]


CONTESTANTS: dict[str, Callable[[Path, Path, int], list[str]]] = {
    "twisted_bt": _ours,
    "libtorrent": _libtorrents,
}


def download(size: int, rounds: int, say: Callable[[str], object]) -> list[str]:
    """
    Download C{size} bytes C{rounds} times with each contestant, in turn; say the results.

    @return: the bounds of L{QUANTITIES} that ours does not keep.
    @raise CommandFailed: a contestant did not succeed.
    """
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        top = Path(name)
        content = makeContent(top, size, pieceLength=1 << 20)
        samples: dict[str, list[Sample]] = {each: [] for each in CONTESTANTS}
        environment = installed(top / "compiled")
        run([sys.executable, "-c", "import twisted_bt.cli"], _CHECKOUT, top / "output.log", 60, environment)
        with libtorrentSeeder(content.torrent, content.folder) as port:
            for number in range(rounds):
                for each in _inTurn(number):
                    target = top / "target"
                    target.mkdir()
                    argv = CONTESTANTS[each](content.torrent, target, port)
                    sample = run(argv, _CHECKOUT, top / "output.log", environment=environment)
                    content.check(target)
                    shutil.rmtree(target)
                    samples[each].append(sample)
                    say(f"  {each}: {sample.wall:.2f} s, CPU {sample.cpu:.2f} s, {sample.peak / 1e6:.0f} MB")
    say(f"\n{size / 1e6:.0f} MB over loopback from one libtorrent seeder; medians (least-most):\n")
    say(table(samples, "libtorrent", size, QUANTITIES))
    return faults(samples, "twisted_bt", "libtorrent", size, QUANTITIES)


def _inTurn(number: int) -> list[str]:
    # Who goes first changes, so that neither always finds the machine as the other left it.
    names = list(CONTESTANTS)
    return names if number % 2 == 0 else names[::-1]
