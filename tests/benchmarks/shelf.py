"""
A shelf of torrents for benchmarks: many metafiles of about 20 KB, all of one file, which is in place.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha1
from pathlib import Path
from random import Random
from typing import Any

from tests.benchmarks.measure import CommandFailed, installed
from twisted_bt.torrent.bencoding import encode

#: Pieces of each torrent: their hashes are 20 KB.
PIECES = 1000
PIECE_LENGTH = 1024
#: Files in a folder; directories of a million are slow by themselves.
_PER_FOLDER = 1000
_CHECKOUT = Path(__file__).parents[2]


def metafileOf(shelf: Path, number: int) -> Path:
    """Where torrent C{number} is."""
    return shelf / "torrents" / str(number // _PER_FOLDER) / f"{number}.torrent"


def dataOf(shelf: Path) -> Path:
    """The folder that has the content."""
    return shelf / "data"


def makeShelf(shelf: Path, count: int, tracker: str = "", pieces: int = PIECES) -> None:
    """
    Write C{count} metafiles, and the content.

    @param pieces: of each torrent, which is what makes the metafile long.
    """
    content = Random(1).randbytes(pieces * PIECE_LENGTH)
    dataOf(shelf).mkdir(parents=True, exist_ok=True)
    (dataOf(shelf) / "content").write_bytes(content)
    starts = range(0, len(content), PIECE_LENGTH)
    info = {
        b"length": len(content),
        b"name": b"content",
        b"piece length": PIECE_LENGTH,
        b"pieces": b"".join(sha1(content[at : at + PIECE_LENGTH]).digest() for at in starts),
    }
    for number in range(count):
        path = metafileOf(shelf, number)
        if number % _PER_FOLDER == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        fields: dict[bytes, object] = {b"info": {**info, b"source": b"%d" % number}}
        if tracker:
            fields[b"announce"] = tracker
        path.write_bytes(encode(fields))


@contextmanager
def shelved(count: int, tracker: str = "", pieces: int = PIECES) -> Iterator[Path]:
    """A folder with a shelf of C{count} torrents, in memory where there is room for that."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        top = Path(name)
        makeShelf(top, count, tracker, pieces)
        yield top


def report(worker: str, *arguments: object, seconds: float = 1800.0) -> dict[str, Any]:
    """
    Run a worker of this folder; the JSON object that it printed last.

    @raise CommandFailed: it did not succeed, or not in time.
    """
    script = Path(__file__).with_name(worker)
    ended = subprocess.run(
        [sys.executable, str(script), *map(str, arguments)],
        env=installed(),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if ended.returncode != 0:
        raise CommandFailed(f"{worker} {arguments[0]} ended with {ended.returncode}: {ended.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(ended.stdout.strip().splitlines()[-1])
    return found


class Crowd:
    """
    Peers in a process of their own that connect and want nothing; they are there when it is made.

    @raise CommandFailed: more than a few were turned away.
    """

    def __init__(self, port: int, infoHash: bytes, count: int) -> None:
        argv = [str(Path(__file__).with_name("idle_peers.py")), str(port), infoHash.hex(), str(count)]
        self._process = subprocess.Popen(
            [sys.executable, *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(_CHECKOUT)},
        )
        assert self._process.stdout is not None
        greeted = self._process.stdout.readline().strip()
        if int(greeted or 0) < 0.9 * count:
            self.leave()
            raise CommandFailed(f"{greeted or 'none'} of {count} idle peers were greeted")

    def leave(self) -> None:
        """They go."""
        self._process.kill()
        self._process.communicate()
