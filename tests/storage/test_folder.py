"""Tests of L{twisted_bt.storage.folder} and L{twisted_bt.storage.fileio}."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.storage.doubles import FaultyCalls, folderFor, openFiles
from twisted_bt.errors import StorageError
from twisted_bt.storage.fileio import SLICE, FileCalls, FileLock, Scratch, writeAll
from twisted_bt.storage.filepool import FilePool
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

    def open(self, calls: FileCalls | None = None) -> DataFolder:
        """The folder, in a new run."""
        calls = calls if calls is not None else FileCalls()
        return DataFolder(self.path, calls, FilePool(8, calls))

    def make(self, folder: DataFolder, *path: str) -> None:
        """A new file at C{path}, closed."""
        fd = folder.makeFile(path)
        assert fd is not None
        os.close(fd)

    def test_missing(self) -> None:
        """What is missing is just that, until it is to be made."""
        folder = self.open()
        self.assertRaises(FileNotFoundError, folder.openFile, ("a", "b"), False)
        self.assertFalse(self.path.exists())
        self.make(folder, "a", "b")
        os.close(folder.openFile(("a", "b"), False).fd)
        self.assertRaises(FileNotFoundError, folder.openFile, ("a", "c"), True)
        folder.close()
        self.assertEqual(openFiles(), self.before)

    def test_otherDisk(self) -> None:
        """If the folder is suddenly on another disk, its own was unplugged: nothing is written there."""
        calls = OtherDisk()
        folder = self.open(calls)
        self.make(folder, "a")
        folder.close()
        calls.device = 2
        reason = self.assertRaises(StorageError, folder.makeFile, ("b",))
        self.assertIn(str(self.path), str(reason))
        self.assertFalse((self.path / "b").exists())
        self.assertEqual(openFiles(), self.before)

    def test_keptOpen(self) -> None:
        """The way to a folder is gone once, for all files in it, until the next sync."""
        calls = FaultyCalls()
        folder = self.open(calls)
        self.make(folder, "a", "b", "1")
        calls.log.clear()
        self.make(folder, "a", "b", "2")
        os.close(folder.openFile(("a", "b", "1"), False).fd)
        self.assertEqual(calls.log, ["open"] * 2)
        self.assertEqual(openFiles(), self.before + 1)
        folder.sync()
        self.assertEqual(openFiles(), self.before)

    def test_deleted(self) -> None:
        """A folder that was deleted while it was kept open is made again, or found where it is again."""
        folder = self.open()
        self.make(folder, "a", "1")
        shutil.rmtree(self.path / "a")
        self.make(folder, "a", "2")
        self.assertEqual([each.name for each in (self.path / "a").iterdir()], ["2"])
        shutil.rmtree(self.path / "a")
        (self.path / "a").mkdir()
        (self.path / "a" / "3").write_bytes(b"content")
        fd, found = folder.openFile(("a", "3"), False)
        os.close(fd)
        self.assertEqual(found.st_size, 7)
        folder.close()

    def test_deletedSynced(self) -> None:
        """One that was made again has its own name synced too."""
        calls = FaultyCalls()
        folder = self.open(calls)
        self.make(folder, "a", "1")
        folder.sync()
        shutil.rmtree(self.path / "a")
        self.make(folder, "a", "2")
        calls.log.clear()
        folder.sync()
        self.assertEqual(calls.log.count("sync"), 2)

    def test_moved(self) -> None:
        """A folder that was moved away while it was kept open is missed by the next sync."""
        folder = self.open()
        self.make(folder, "a", "1")
        self.path.rename(self.path.with_name("elsewhere"))
        self.make(folder, "a", "2")
        self.assertRaises(StorageError, folder.sync)

    def test_exists(self) -> None:
        """What is there is not made: a file, a folder, a link that leads nowhere."""
        folder = self.open()
        self.make(folder, "file")
        (self.path / "folder").mkdir()
        (self.path / "link").symlink_to("nowhere")
        for name in ("file", "folder", "link"):
            self.assertIsNone(folder.makeFile((name,)))
        self.assertFalse((self.path / "nowhere").exists())
        folder.close()

    def test_syncFails(self) -> None:
        """Names that could not be synced are tried again, all of them."""
        calls = FaultyCalls()
        folder = self.open(calls)
        for name in "ab":
            self.make(folder, name, "file")
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
        folder = self.open(calls)
        self.make(folder, "a")
        calls.faults["sync"] = errno.EINVAL
        folder.sync()

    def test_links(self) -> None:
        """The way of a link from any folder to any file of the torrent is relative, and right."""
        folder = self.open()
        self.make(folder, "t", "a", "b", "target")
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
