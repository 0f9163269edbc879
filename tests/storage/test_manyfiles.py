"""
Many small files: how often the system is asked for each of them, on any machine.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.storage.doubles import folderFor, openFiles
from twisted_bt.storage.diskqueue import ImmediateDisk
from twisted_bt.storage.fileio import FileCalls
from twisted_bt.storage.filemap import FileSpan
from twisted_bt.storage.filepool import FilePool
from twisted_bt.storage.files import FileStorage
from twisted_bt.testing.storages import Sample

FILES = 200
FOLDERS = 4


class CountedCalls(FileCalls):
    """System calls, counted by name in C{counts}."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def open(self, name: str, flags: int, mode: int = 0o666, folder: int | None = None) -> int:
        """See L{FileCalls}."""
        self.counts["open"] += 1
        return super().open(name, flags, mode, folder)

    def close(self, fd: int) -> None:
        """See L{FileCalls}."""
        self.counts["close"] += 1
        super().close(fd)

    def stat(self, fd: int) -> os.stat_result:
        """See L{FileCalls}."""
        self.counts["stat"] += 1
        return super().stat(fd)

    def look(self, name: str, folder: int | None = None, follow: bool = False) -> os.stat_result:
        """See L{FileCalls}."""
        self.counts["look"] += 1
        return super().look(name, folder, follow)

    def write(self, fd: int, buffers: list[memoryview], offset: int) -> int:
        """See L{FileCalls}."""
        self.counts["write"] += 1
        return super().write(fd, buffers, offset)

    def sync(self, fd: int) -> None:
        """See L{FileCalls}."""
        self.counts["sync"] += 1
        super().sync(fd)


class ManyFilesTests(SynchronousTestCase):
    """Files that are smaller than pieces."""

    def setUp(self) -> None:
        self.before = openFiles()
        self.top = folderFor(self)
        self.path = self.top / "data"
        self.calls = CountedCalls()
        self.sample = Sample([100] * FILES, 1000)
        self.sample.files = [
            FileSpan((f"{number % FOLDERS}", str(number)), span.offset, span.length)
            for number, span in enumerate(self.sample.files)
        ]

    def storage(self, path: Path | None = None, openAtMost: int = 16) -> FileStorage:
        """What a new run has of them."""
        sample = self.sample
        pool = FilePool(openAtMost, self.calls)
        storage = FileStorage(
            ImmediateDisk(),
            pool,
            path or self.path,
            sample.files,
            sample.layout,
            sample.check,
            calls=self.calls,
        )
        self.addCleanup(storage.close)
        return storage

    def fill(self, storage: FileStorage) -> None:
        """Store every piece, one by one."""
        for index in range(self.sample.layout.pieceCount):
            self.successResultOf(storage.writePiece(index, self.sample.piece(index)))

    def atMost(self, **limits: float) -> None:
        """No call was made more often for each file, a handful for all of them set aside."""
        for name, count in self.calls.counts.items():
            self.assertLessEqual(count, limits.get(name, 0) * FILES + 4 * FOLDERS, name)
        self.calls.counts.clear()

    def test_written(self) -> None:
        """A new file in one piece is opened, written, closed; to flush it, also looked at and synced."""
        storage = self.storage()
        self.fill(storage)
        self.atMost(open=1, write=1, close=1)
        self.successResultOf(storage.flush())
        self.calls.counts["sync"] -= len(self.path.parents)
        self.calls.counts["open"] -= len(self.path.parents)
        self.calls.counts["close"] -= len(self.path.parents)
        self.atMost(open=1, stat=2, sync=1, close=1)
        for number in range(FILES):
            path = self.path.joinpath(*self.sample.files[number].path)
            self.assertEqual(path.read_bytes(), self.sample.fileContent(number))

    def test_closed(self) -> None:
        """They are closed once written, and the folders with the flush."""
        storage = self.storage(openAtMost=1000)
        self.fill(storage)
        self.assertLessEqual(openFiles(), self.before + FOLDERS)
        self.successResultOf(storage.flush())
        self.assertEqual(openFiles(), self.before)

    def test_new(self) -> None:
        """Of a torrent that is new, no file is looked for, whether or not the data folder is there."""
        for path in (self.path, self.top):
            storage = self.storage(path)
            self.assertFalse(self.successResultOf(storage.allocated()).any())
            self.successResultOf(storage.signature())
            self.atMost()

    def test_signature(self) -> None:
        """One look at each file that is there."""
        self.fill(self.storage())
        storage = self.storage()
        self.calls.counts.clear()
        self.successResultOf(storage.signature())
        self.atMost(look=1)

    def test_someThere(self) -> None:
        """What is there is found beside what is not, whatever is missing on the way."""
        self.fill(self.storage())
        shutil.rmtree(self.path / "1")
        (self.path / "2" / "2").unlink()
        shutil.rmtree(self.path / "3")
        (self.path / "3").touch()
        storage = self.storage()
        allocated = self.successResultOf(storage.allocated())
        self.assertFalse(allocated.any())  # each piece has a file in each folder
        self.assertEqual(self.successResultOf(storage.read(0, 0, 100)), self.sample.fileContent(0))
        self.assertEqual(self.successResultOf(storage.read(0, 400, 100)), self.sample.fileContent(4))

    def test_read(self) -> None:
        """To read one that is closed: open, see that it is a file, close; no way there from the top."""
        self.fill(self.storage())
        storage = self.storage()
        self.calls.counts.clear()
        for number in range(FILES):
            index, begin = divmod(number * 100, 1000)
            read = self.successResultOf(storage.read(index, begin, 100))
            self.assertEqual(read, self.sample.fileContent(number))
        self.atMost(open=1, stat=1, close=1)

    def test_thereBefore(self) -> None:
        """Those that were there, of any content, take one try to make them more."""
        self.fill(self.storage())
        for span in self.sample.files:
            self.path.joinpath(*span.path).write_bytes(b"?" * 150)
        storage = self.storage()
        self.calls.counts.clear()
        self.fill(storage)
        self.atMost(open=2, stat=2, write=1, close=1)
        for number in range(FILES):
            path = self.path.joinpath(*self.sample.files[number].path)
            self.assertEqual(path.read_bytes(), self.sample.fileContent(number))
