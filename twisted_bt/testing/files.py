"""
What every L{FileCalls} promises, as tests for yours::

    class MyFilesTests(FilesContract, SynchronousTestCase):
        def makeFiles(self):
            return MyFiles(), Path("/anywhere")

That the engine's storage works with them is said by L{StorageContract
<twisted_bt.testing.storages.StorageContract>}.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

from twisted_bt.storage.fileio import FileCalls, makeFolders, readFile, readInto, replaceFile, writeAll

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as _Base
else:
    _Base = object

_NEW = os.O_RDWR | os.O_CREAT


class FilesContract(_Base):
    """Mix into a C{SynchronousTestCase} and implement L{makeFiles}."""

    def makeFiles(self) -> tuple[FileCalls, Path]:
        """The calls under test, and a path where nothing is yet."""
        raise NotImplementedError

    def setUp(self) -> None:
        """An empty folder."""
        super().setUp()
        self.calls, self.folder = self.makeFiles()
        makeFolders(self.calls, self.folder)
        self.path = str(self.folder / "file")

    def made(self, data: bytes = b"", name: str = "file") -> int:
        """A descriptor of a new file that holds C{data}; closed at the end."""
        fd = self.calls.open(str(self.folder / name), _NEW)
        self.addCleanup(self.calls.close, fd)
        writeAll(self.calls, fd, memoryview(data), 0)
        return fd

    def fails(self, number: int, call: object, *arguments: object, **more: object) -> None:
        """C{call} raises the system's error C{number}."""
        with self.assertRaises(OSError) as caught:
            call(*arguments, **more)  # type: ignore[operator]
        self.assertEqual(errno.errorcode[caught.exception.errno or 0], errno.errorcode[number])

    def test_roundTrip(self) -> None:
        """What is written is read, at any place; at the end of the file nothing more comes."""
        data = bytes(range(256)) * 1000
        fd = self.made(data)
        self.assertEqual(self.calls.readNew(fd, 300, 200), data[200:500])
        buffer = bytearray(len(data) + 10)
        self.assertEqual(readInto(self.calls, fd, memoryview(buffer), 0), len(data))
        self.assertEqual(bytes(buffer[: len(data)]), data)
        self.assertEqual(self.calls.readNew(fd, 10, len(data)), b"")
        self.assertEqual(self.calls.read(fd, memoryview(buffer), len(data) + 5), 0)

    def test_vectors(self) -> None:
        """Several buffers go one after the other, and it says how much of them did."""
        fd = self.made()
        parts = [memoryview(b"ab"), memoryview(bytearray(b"cde")), memoryview(b"f")]
        count = self.calls.write(fd, parts, 4)
        self.assertTrue(1 <= count <= 6)
        self.assertEqual(self.calls.readNew(fd, 20, 0), bytes(4) + b"abcdef"[:count])

    def test_overwrite(self) -> None:
        """Writing within a file changes that part alone."""
        fd = self.made(b"0123456789")
        writeAll(self.calls, fd, memoryview(b"xyz"), 3)
        self.assertEqual(self.calls.readNew(fd, 100, 0), b"012xyz6789")

    def test_holes(self) -> None:
        """What was never written is zeros; where data is counts as data."""
        fd = self.made()
        size = 1 << 20
        writeAll(self.calls, fd, memoryview(b"end"), size - 3)
        self.assertEqual(self.calls.readNew(fd, 10, 100), bytes(10))
        self.assertEqual(self.calls.stat(fd).st_size, size)
        self.assertTrue(any(begin <= size - 3 and end >= size for begin, end in self._ranges(fd, size)))

    def _ranges(self, fd: int, size: int) -> list[tuple[int, int]]:
        ranges = self.calls.dataRanges(fd, size)
        self.assertEqual(ranges, sorted(ranges))
        self.assertTrue(all(0 <= begin < end for begin, end in ranges))
        return ranges

    def test_truncate(self) -> None:
        """A file is cut, or filled up with zeros."""
        fd = self.made(b"0123456789")
        self.calls.truncate(fd, 4)
        self.assertEqual(self.calls.readNew(fd, 100, 0), b"0123")
        self.calls.truncate(fd, 6)
        self.assertEqual(self.calls.readNew(fd, 100, 0), b"0123\0\0")

    def test_noFile(self) -> None:
        """What is not there cannot be opened, looked at, renamed or removed."""
        self.fails(errno.ENOENT, self.calls.open, self.path, os.O_RDONLY)
        self.fails(errno.ENOENT, self.calls.look, self.path)
        self.fails(errno.ENOENT, self.calls.remove, self.path)
        self.fails(errno.ENOENT, self.calls.rename, self.path, self.path + "2")
        self.fails(errno.ENOENT, self.calls.open, str(self.folder / "no" / "file"), _NEW)

    def test_alreadyThere(self) -> None:
        """A folder is not made twice, nor a file where a new one is wanted; files are no folders."""
        self.made(b"x")
        self.fails(errno.EEXIST, self.calls.makeFolder, str(self.folder))
        self.fails(errno.EEXIST, self.calls.open, self.path, _NEW | os.O_EXCL)
        self.fails(errno.EISDIR, self.calls.open, str(self.folder), os.O_WRONLY)
        self.fails(errno.ENOTDIR, self.calls.open, self.path + "/below", _NEW)

    def test_inFolder(self) -> None:
        """Names are looked up in an open folder; a symbolic link is not followed where that is not wanted."""
        folder = self.calls.open(str(self.folder), os.O_RDONLY | os.O_DIRECTORY)
        self.addCleanup(self.calls.close, folder)
        self.made(b"data")
        self.calls.makeFolder("sub", folder)
        self.calls.makeLink("link", "file", folder)
        fd = self.calls.open("file", os.O_RDONLY, folder=folder)
        self.addCleanup(self.calls.close, fd)
        self.assertEqual(self.calls.readNew(fd, 10, 0), b"data")
        self.assertEqual(self.calls.look("file", folder).st_size, 4)
        self.fails(errno.ELOOP, self.calls.open, "link", os.O_RDONLY | os.O_NOFOLLOW, folder=folder)

    def test_rename(self) -> None:
        """A file takes the place of another, whole; who has the old one open still reads that."""
        old = self.made(b"old")
        replaceFile(self.calls, Path(self.path), b"new content")
        self.assertEqual(readFile(self.calls, Path(self.path), 100), b"new content")
        self.assertEqual(self.calls.readNew(old, 10, 0), b"old")
        self.made(b"third", "third")
        self.calls.rename(str(self.folder / "third"), self.path)
        self.fails(errno.ENOENT, self.calls.look, str(self.folder / "third"))

    def test_remove(self) -> None:
        """A file that was removed is gone, but for who has it open."""
        fd = self.made(b"data")
        self.calls.remove(self.path)
        self.fails(errno.ENOENT, self.calls.look, self.path)
        self.assertEqual(self.calls.readNew(fd, 10, 0), b"data")

    def test_sync(self) -> None:
        """Files and folders can be synced, and lose nothing by it."""
        fd = self.made(b"data")
        self.calls.sync(fd)
        folder = self.calls.open(str(self.folder), os.O_RDONLY | os.O_DIRECTORY)
        self.calls.sync(folder)
        self.calls.close(folder)
        self.assertEqual(self.calls.readNew(fd, 10, 0), b"data")

    def test_changes(self) -> None:
        """The size tells of a change, and nothing changes by being looked at."""
        fd = self.made(b"data")
        before = self.calls.stat(fd)
        self.calls.readNew(fd, 10, 0)
        self.assertEqual(self.calls.look(self.path).st_mtime_ns, before.st_mtime_ns)
        writeAll(self.calls, fd, memoryview(b"more"), 4)
        self.assertEqual((before.st_size, self.calls.look(self.path).st_size), (4, 8))

    def test_closed(self) -> None:
        """A closed descriptor is of no use."""
        fd = self.calls.open(self.path, _NEW)
        self.calls.close(fd)
        self.fails(errno.EBADF, self.calls.readNew, fd, 1, 0)

    def test_lock(self) -> None:
        """A lock keeps others out until it is released."""
        lock = self.calls.lock(self.folder / "lock")
        self.assertRaises(BlockingIOError, self.calls.lock, self.folder / "lock")
        lock.release()
        self.calls.lock(self.folder / "lock").release()

    def test_database(self) -> None:
        """Databases are kept, too."""
        path = self.folder / "state.db"
        first = self.calls.connect(path)
        first.execute("create table t (x)")
        first.execute("begin")
        first.execute("insert into t values (42)")
        first.execute("commit")
        first.close()
        again = self.calls.connect(path)
        self.assertEqual(again.execute("select x from t").fetchall(), [(42,)])
        again.close()
