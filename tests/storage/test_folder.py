"""Tests of L{twisted_bt.storage.folder} and L{twisted_bt.storage.fileio}."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.storage.doubles import FaultyCalls, folderFor, openFiles
from twisted_bt.errors import StorageError
from twisted_bt.storage.fileio import SLICE, FileCalls, FileLock, Scratch, writeAll
from twisted_bt.storage.folder import DataFolder


class OtherDisk(FileCalls):
    """System calls that tell another disk from a moment on."""

    device = 1

    def stat(self, fd: int) -> Any:
        """See L{FileCalls}."""
        found = os.fstat(fd)
        return SimpleNamespace(st_dev=self.device, st_mode=found.st_mode)


class DataFolderTests(SynchronousTestCase):
    """The data folder as the way to its files."""

    def setUp(self) -> None:
        self.path = folderFor(self) / "new" / "data"
        self.before = openFiles()

    def test_missing(self) -> None:
        """What is missing is just that, until it is to be made."""
        folder = DataFolder(self.path, FileCalls())
        self.assertRaises(FileNotFoundError, folder.openFile, ("a", "b"), False)
        self.assertFalse(self.path.exists())
        os.close(folder.openFile(("a", "b"), True, create=True))
        os.close(folder.openFile(("a", "b"), False))
        self.assertRaises(FileNotFoundError, folder.openFile, ("a", "c"), True)
        self.assertEqual(openFiles(), self.before)

    def test_otherDisk(self) -> None:
        """If the folder is suddenly on another disk, its own was unplugged: nothing is written there."""
        calls = OtherDisk()
        folder = DataFolder(self.path, calls)
        os.close(folder.openFile(("a",), True, create=True))
        calls.device = 2
        reason = self.assertRaises(StorageError, folder.openFile, ("b",), True, create=True)
        self.assertIn(str(self.path), str(reason))
        self.assertFalse((self.path / "b").exists())
        self.assertEqual(openFiles(), self.before)

    def test_syncFails(self) -> None:
        """Names that could not be synced are tried again, all of them."""
        calls = FaultyCalls()
        folder = DataFolder(self.path, calls)
        for name in "ab":
            os.close(folder.openFile((name, "file"), True, create=True))
        # Both folders, the data folder, and those above it.
        for good in range(2 + len(self.path.parents)):
            calls.log.clear()
            calls.syncs = 1
            self.assertRaises(StorageError, folder.sync)
            self.assertEqual(calls.log.count("sync"), 2, good)
        calls.syncs = None
        calls.log.clear()
        folder.sync()
        self.assertEqual(calls.log.count("sync"), 1)
        self.assertEqual(openFiles(), self.before)

    def test_syncUnsupported(self) -> None:
        """A file system that cannot sync folders need not."""
        calls = FaultyCalls()
        folder = DataFolder(self.path, calls)
        os.close(folder.openFile(("a",), True, create=True))
        calls.faults["sync"] = errno.EINVAL
        folder.sync()

    def test_links(self) -> None:
        """The way of a link from any folder to any file of the torrent is relative, and right."""
        folder = DataFolder(self.path, FileCalls())
        os.close(folder.openFile(("t", "a", "b", "target"), True, create=True))
        for path in (("l",), ("t", "l"), ("t", "a", "l"), ("t", "x", "y", "l"), ("t", "a", "b", "l")):
            folder.makeLink(path, ("t", "a", "b", "target"))
            link = self.path.joinpath(*path)
            self.assertFalse(os.path.isabs(os.readlink(link)))
            self.assertEqual(link.resolve(), (self.path / "t" / "a" / "b" / "target").resolve())


class FileIOTests(SynchronousTestCase):
    """System calls, done completely."""

    def setUp(self) -> None:
        self.path = folderFor(self) / "file"

    def open(self) -> int:
        """The file, closed with the test."""
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT)
        self.addCleanup(os.close, fd)
        return fd

    def test_manySlices(self) -> None:
        """More than the system takes in one call is written in several."""
        data = os.urandom(1 << 20) * ((SLICE * 1024 >> 20) + 2)
        writeAll(FileCalls(), self.open(), memoryview(data), 5)
        self.assertEqual(self.path.read_bytes(), bytes(5) + data)

    def test_nothingWritten(self) -> None:
        """A system that writes nothing, and says no reason, is an error and no endless loop."""

        class Lazy(FileCalls):
            def write(self, fd: int, buffers: list[memoryview], offset: int) -> int:
                return 0

        self.assertRaises(OSError, writeAll, Lazy(), self.open(), memoryview(b"data"), 0)

    def test_ranges(self) -> None:
        """Data between holes is found, up to the size asked for."""
        fd = self.open()
        block = 1 << 16
        os.pwrite(fd, bytes(block), 2 * block)
        os.ftruncate(fd, 8 * block)
        self.assertEqual(FileCalls().dataRanges(fd, 8 * block), [(2 * block, 3 * block)])
        self.assertEqual(FileCalls().dataRanges(fd, 2 * block + 5), [(2 * block, 2 * block + 5)])
        self.assertEqual(FileCalls().dataRanges(fd, block), [])
        self.assertEqual(FileCalls().dataRanges(fd, 0), [])

    def test_rangesUnknown(self) -> None:
        """Where the system cannot tell, all is data."""

        def unknown(fd: int, offset: int, whence: int) -> int:
            raise OSError(errno.EINVAL, "cannot seek data")

        self.patch(os, "lseek", unknown)
        self.assertEqual(FileCalls().dataRanges(self.open(), 100), [(0, 100)])

    def test_scratch(self) -> None:
        """A thread's buffer is used again, and grows."""
        scratch = Scratch()
        first = scratch.take(100)
        self.assertIs(scratch.take(50).obj, first.obj)
        self.assertEqual(len(scratch.take(200)), 200)

    def test_lock(self) -> None:
        """A lock is held by one, and can be taken again once released."""
        path = Path(self.path)
        before = openFiles()
        lock = FileLock(path)
        self.assertRaises(BlockingIOError, FileLock, path)
        lock.release()
        FileLock(path).release()
        self.assertEqual(openFiles(), before)
