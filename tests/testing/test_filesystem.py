"""
The file system in memory: how it behaves while the power is on.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.testing.simulatedfiles import WRITE, FilesTestCase
from twisted_bt.interfaces import IStorage
from twisted_bt.storage.diskqueue import ImmediateDisk
from twisted_bt.storage.fileio import FileCalls
from twisted_bt.storage.filepool import FilePool
from twisted_bt.storage.files import FileStorage
from twisted_bt.testing.filesystem import SimulatedFiles
from twisted_bt.testing.platter import BLOCK
from twisted_bt.testing.storages import Sample, StorageContract


class SimulatedFileStorageTests(StorageContract, SynchronousTestCase):
    """The engine's own storage on it."""

    def makeStorage(self, sample: Sample) -> IStorage:
        """See L{StorageContract}."""
        files = SimulatedFiles()
        pool = FilePool(2, files)
        return FileStorage(
            ImmediateDisk(), pool, Path("/d"), sample.files, sample.layout, sample.check, calls=files
        )


class NamesTests(FilesTestCase):
    """Paths, folders, links."""

    def test_sameAsReal(self) -> None:
        """Each call does, or fails with, what the system's does."""
        real = Path(self.mktemp()).absolute()
        real.mkdir()
        simulated = SimulatedFiles()
        at = Path()
        for each in reversed([real, *real.parents][:-1]):
            simulated.makeFolder(str(each))
            at = each
        for calls in (FileCalls(), simulated):
            calls.makeLink("loop", "loop", calls.open(str(at), os.O_RDONLY))
        names: tuple[str, ...] = (
            "file",
            "file/x",
            "folder",
            "folder/x",
            "folder/../file",
            "no",
            "no/x",
            "link",
            "link/x",
        )
        names = (*names, "loop", "loop/x", "dead", "x" * 300)
        random = Random(2)
        seen: set[str] = set()
        for step in range(3000):
            name, other = (f"{real}/{random.choice(names)}" for _ in range(2))
            flags = random.choice((os.O_RDONLY, os.O_RDWR, WRITE, WRITE | os.O_EXCL, WRITE | os.O_TRUNC))
            flags |= random.choice((0, 0, os.O_NOFOLLOW, os.O_DIRECTORY if not flags & os.O_CREAT else 0))
            what = random.choice(("open", "open", "makeFolder", "makeLink", "rename", "remove", "look"))
            outcomes = []
            for calls in (FileCalls(), simulated):
                try:
                    outcomes.append(self.do(calls, what, name, other, flags, step))
                except OSError as error:
                    outcomes.append(errno.errorcode[error.errno or 0])
            one, two = outcomes
            if {one, two} <= {"ELOOP", "ENOTDIR", "ENAMETOOLONG", "ENOENT"}:  # of several, systems name any
                continue
            self.assertEqual(one, two, (what, name, other, oct(flags)))
            seen.add(str(one)[:6])
        self.assertGreater(len(seen), 8)

    def do(self, calls: FileCalls, what: str, name: str, other: str, flags: int, step: int) -> object:
        """One call; what came of it."""
        if what == "open":
            fd = calls.open(name, flags)
            try:
                found = calls.stat(fd)
                if not found.st_mode & 0o40000:
                    if flags & os.O_RDWR:
                        calls.write(fd, [memoryview(b"%d" % step)], step % 5)
                    return (found.st_size, found.st_nlink, calls.readNew(fd, 100, 0))
                return "folder"
            finally:
                calls.close(fd)
        base, otherBase = os.path.basename(name), os.path.basename(other)
        if what == "makeFolder":
            if base == "folder":
                calls.makeFolder(name)
        elif what == "makeLink":
            fd = calls.open(os.path.dirname(name), os.O_RDONLY)
            try:
                calls.makeLink(base, ("file", "folder", "no", "../x", "dead")[step % 5], fd)
            finally:
                calls.close(fd)
        elif what == "rename":
            if base not in ("folder", "link", "loop", "dead") and otherBase != "folder":
                calls.rename(name, other)  # folders and links stay where they are
        elif what == "remove":
            calls.remove(name)
        else:
            return calls.look(name, follow=bool(step % 2)).st_mode & 0o170000
        return None

    def test_closedNumbers(self) -> None:
        """A descriptor that was closed is nobody's, for ever."""
        fd = self.files.open("/a", WRITE)
        self.files.close(fd)
        self.files.open("/b", WRITE)
        for call in (self.files.close, self.files.stat, self.files.sync):
            self.refused(errno.EBADF, call, fd)

    def test_removedWhileOpen(self) -> None:
        """A file that is removed lives on for who has it open; then its room is free."""
        self.write("/a", bytes(BLOCK))
        fd = self.files.open("/a", WRITE)
        self.files.remove("/a")
        self.assertEqual((self.files.stat(fd).st_nlink, self.files.used), (0, BLOCK))
        self.files.close(fd)
        self.assertEqual(self.files.used, 0)

    def test_lock(self) -> None:
        """A lock keeps others out until it is released, or its process is gone."""
        lock = self.files.lock(Path("/lock"))
        self.assertRaises(BlockingIOError, self.files.lock, Path("/lock"))
        lock.release()
        self.files.lock(Path("/lock"))
        self.files.kill()
        self.files.lock(Path("/lock"))


class ContentTests(FilesTestCase):
    """Bytes, holes, room."""

    def test_randomly(self) -> None:
        """It reads what a plain run of bytes would, whatever is written and cut."""
        random = Random(3)
        fd = self.files.open("/a", WRITE)
        model = bytearray()
        for _ in range(300):
            if random.random() < 0.1:
                size = random.randrange(40_000)
                self.files.truncate(fd, size)
                model = model[:size] + bytes(max(0, size - len(model)))
            else:
                offset, data = random.randrange(30_000), random.randbytes(random.randrange(1, 9000))
                self.files.write(fd, [memoryview(data)], offset)
                model += bytes(max(0, offset - len(model)))
                model[offset : offset + len(data)] = data
            offset, length = random.randrange(40_000), random.randrange(1, 9000)
            self.assertEqual(self.files.readNew(fd, length, offset), model[offset : offset + length])
        self.assertEqual(self.files.content("/a"), model)

    def test_holes(self) -> None:
        """What was never written takes no room, reads as zeros, and can be told from the rest."""
        fd = self.files.open("/a", WRITE)
        self.files.write(fd, [memoryview(b"x")], 10 * BLOCK)
        self.assertEqual(self.files.used, BLOCK)
        self.assertEqual(self.files.dataRanges(fd, 10 * BLOCK + 1), [(10 * BLOCK, 10 * BLOCK + 1)])
        self.assertEqual(self.files.readNew(fd, 5, 100), bytes(5))

    def test_full(self) -> None:
        """What does not fit is written in part, then refused; what is overwritten always fits."""
        self.files.disk.capacity = 2 * BLOCK
        fd = self.files.open("/a", WRITE)
        data = memoryview(bytes([1]) * 3 * BLOCK)
        self.assertEqual(self.files.write(fd, [data], 0), 2 * BLOCK)
        self.refused(errno.ENOSPC, self.files.write, fd, [data], 2 * BLOCK)
        self.assertEqual(self.files.write(fd, [data[:BLOCK]], BLOCK), BLOCK)
        self.files.truncate(fd, 0)
        self.assertEqual(self.files.used, 0)
        self.files.allocate(fd, 2 * BLOCK)
        self.refused(errno.ENOSPC, self.files.allocate, fd, 3 * BLOCK)
        self.assertEqual((self.files.used, self.files.dataRanges(fd, 2 * BLOCK)), (2 * BLOCK, []))

    def test_times(self) -> None:
        """Each change has the time of the host's clock."""
        self.write("/a", b"x")
        before = self.files.look("/a").st_mtime_ns
        self.now += 2.5
        self.files.close(self.files.open("/a", os.O_RDONLY))
        self.assertEqual(self.files.look("/a").st_mtime_ns, before)
        self.write("/a", b"y")
        self.assertEqual(self.files.look("/a").st_mtime_ns - before, 2_500_000_000)
