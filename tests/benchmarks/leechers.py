"""
Downloads with a leecher that is a process of its own, measured whole, start-up included: ours and those of
others in turn.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.measure import CHECKOUT, Sample, installed, run
from tests.benchmarks.results import Result
from tests.benchmarks.table import Quantity, results, table
from tests.interop.swarmfiles import Content

#: Makes the command of a leecher of a torrent file into a folder, from peers at ports of 127.0.0.1.
Command = Callable[[Path, Path, Sequence[int]], list[str]]
_FOLDER = Path(__file__).parent


def byTool(torrent: Path, folder: Path, ports: Sequence[int]) -> list[str]:
    """Ours, as a user would."""
    command = "import sys; from twisted_bt.cli import main; sys.exit(main())"
    peers = [word for port in ports for word in ("--peer", f"127.0.0.1:{port}")]
    return [
        *(sys.executable, "-c", command, "get", str(torrent), "-o", str(folder)),
        *(*peers, "--interface", "127.0.0.1", "--no-dht", "--no-lsd"),
    ]


def byEngine(torrent: Path, folder: Path, ports: Sequence[int]) -> list[str]:
    """Ours, embedded, with room for hundreds of peers."""
    return [sys.executable, str(_FOLDER / "our_leech.py"), str(torrent), str(folder), *map(str, ports)]


def byLibtorrent(torrent: Path, folder: Path, ports: Sequence[int]) -> list[str]:
    """libtorrent with its own settings."""
    return [sys.executable, str(_FOLDER / "libtorrent_leech.py"), str(torrent), str(folder), *map(str, ports)]


@contextmanager
def rawSeeders(content: Content, pieceLength: int, seeds: int, idlers: int = 0) -> Iterator[list[int]]:
    """A process that seeds the one file of C{content} on many ports; gives them."""
    file = content.folder / content.name
    numbers = (content.infoHash, str(pieceLength), str(seeds), str(idlers))
    with subprocess.Popen(
        [sys.executable, str(_FOLDER / "raw_seeder.py"), str(file), *numbers],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


def contest(
    content: Content,
    ports: Sequence[int],
    contestants: Mapping[str, Command],
    rounds: int,
    say: Callable[[str], object],
    row: int,
    work: str,
    quantities: Sequence[Quantity],
) -> list[Result]:
    """
    Download C{content} C{rounds} times with each of C{contestants} in turn, the first being ours and one
    called C{libtorrent}; say the results.

    @param work: what is done, beside moving that many bytes.
    @return: for row C{row} of the goals.
    @raise CommandFailed: a contestant did not succeed.
    """
    top = content.torrent.parent
    environment = installed()
    run([sys.executable, "-c", "import twisted_bt.cli"], CHECKOUT, top / "output.log", 60, environment)
    samples: dict[str, list[Sample]] = {each: [] for each in contestants}
    for number in range(rounds):
        # Who goes first changes, so that neither always finds the machine as the other left it.
        for name in list(contestants)[:: -1 if number % 2 else 1]:
            target = top / "target"
            target.mkdir()
            argv = contestants[name](content.torrent, target, ports)
            sample = run(argv, CHECKOUT, top / "output.log", environment=environment)
            content.check(target)
            shutil.rmtree(target)
            samples[name].append(sample)
            say(f"  {name}: {sample.wall:.2f} s, CPU {sample.cpu:.2f} s, {sample.peak / 1e6:.0f} MB")
    work = f"download {content.size / 1e6:,.0f} MB {work}"
    say(f"\n{work}; medians (least-most):\n")
    say(table(samples, "libtorrent", content.size, quantities))
    return results(row, work, samples, "libtorrent", content.size, quantities)
