"""
A download that is killed again and again, at random moments, loses nothing and ends identical.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from threading import Timer

import pytest
from bitarray import bitarray
from twisted.internet.threads import deferToThread

from tests.interop.conftest import Start
from tests.interop.onreactor import onReactor
from tests.interop.swarmfiles import makeContent, oddSizes

_WORKER = Path(__file__).with_name("crash_worker.py")
KILLS = 20


def _bits(text: str) -> bitarray:
    return bitarray(bytes.fromhex(text))


class _Run:
    """One life of the worker, as its output tells it."""

    def __init__(self, argv: list[str], killAfter: float | None) -> None:
        """
        @param killAfter: seconds from the beginning of the download to the kill; C{None}: let it finish.
        """
        process = subprocess.Popen(
            [sys.executable, str(_WORKER), *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.start = self.flushed = bitarray()
        self.hashed = 0
        self.stored: set[int] = set()
        self.complete = False
        timer = Timer(60 if killAfter is None else 30, process.kill)
        timer.start()
        assert process.stdout is not None
        assert process.stderr is not None
        with process:
            for line in process.stdout:
                match line.split():
                    case ["start", bits, hashed]:
                        self.start, self.hashed = _bits(bits), int(hashed)
                        if killAfter is not None:
                            timer.cancel()
                            timer = Timer(killAfter, os.kill, (process.pid, signal.SIGKILL))
                            timer.start()
                    case ["flushed", bits]:
                        self.flushed = _bits(bits)
                    case ["have", index]:
                        self.stored.add(int(index))
                    case ["complete"]:
                        self.complete = True
            self.errors = process.stderr.read()
        timer.cancel()

    @property
    def known(self) -> set[int]:
        """The pieces it had said to have when it ended."""
        return set(self.start.search(1)) | self.stored


@onReactor
async def test_killedTwentyTimes(tmp_path: Path, libtorrent: Start) -> None:
    """
    After each kill the download goes on: every piece that was stored is still there, none that was
    flushed is hashed again, and in the end the files are the same.
    """
    content = makeContent(tmp_path, oddSizes(24_000_000, 65_536), pieceLength=65_536)
    seeder = await libtorrent()
    await seeder.add(content.torrent, content.folder, seed=True)
    await seeder.limit(content.infoHash, upload=3_000_000)
    folder = tmp_path / "to"
    folder.mkdir()
    argv = [str(content.torrent), str(folder), str(tmp_path / "state"), str(seeder.port)]
    chance = random.Random(20)
    before: _Run | None = None
    received = 0
    for number in range(KILLS + 1):
        last = number == KILLS
        if last:
            await seeder.limit(content.infoHash, upload=0)
        run: _Run = await deferToThread(_Run, argv, None if last else chance.uniform(0.0, 0.6))
        assert run.start, run.errors
        if before is not None:
            here = set(run.start.search(1))
            assert before.known <= here, f"lost {before.known - here} at kill {number}"
            flushed = before.flushed.count()
            assert run.hashed <= len(run.start) - flushed, f"{run.hashed} hashed, {flushed} were flushed"
        received += len(run.stored)
        before = run
    assert before is not None
    assert before.complete, before.errors
    content.check(folder)
    assert received <= len(before.start) + KILLS  # a piece may be stored and the kill come before its line


@onReactor
async def test_changedBehindOurBack(tmp_path: Path, libtorrent: Start) -> None:
    """A file that somebody changed between two runs is noticed: its pieces are hashed, and got anew."""
    content = makeContent(tmp_path, {"a": 300_000, "b": 300_000}, pieceLength=65_536)
    seeder = await libtorrent()
    await seeder.add(content.torrent, content.folder, seed=True)
    folder = tmp_path / "to"
    folder.mkdir()
    argv = [str(content.torrent), str(folder), str(tmp_path / "state"), str(seeder.port)]
    first: _Run = await deferToThread(_Run, argv, None)
    assert first.complete, first.errors
    unchanged: _Run = await deferToThread(_Run, argv, None)
    assert (unchanged.hashed, unchanged.stored) == (0, set())
    with (folder / content.name / "b").open("r+b") as file:
        file.seek(150_000)
        file.write(b"changed")
    changed: _Run = await deferToThread(_Run, argv, None)
    assert changed.stored == {(300_000 + 150_000) // 65_536}
    assert 0 < changed.hashed < len(changed.start)
    content.check(folder)


if not hasattr(signal, "SIGKILL"):
    pytest.skip("there is no SIGKILL here", allow_module_level=True)
