"""
The file system in memory: how it behaves while the power is on, and after it failed.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.errors import StorageError
from twisted_bt.interfaces import IStorage
from twisted_bt.storage.database import StateDatabase
from twisted_bt.storage.diskqueue import ImmediateDisk
from twisted_bt.storage.fileio import FileCalls, replaceFile
from twisted_bt.storage.filepool import FilePool
from twisted_bt.storage.files import FileStorage
from twisted_bt.testing.disk import Disk
from twisted_bt.testing.diskfaults import Fault
from twisted_bt.testing.filesystem import SimulatedFiles
from twisted_bt.testing.platter import BLOCK
from twisted_bt.testing.storages import Sample, StorageContract

WRITE = os.O_RDWR | os.O_CREAT


class SimulatedFileStorageTests(StorageContract, SynchronousTestCase):
    """The engine's own storage on it."""

    def makeStorage(self, sample: Sample) -> IStorage:
        """See L{StorageContract}."""
        files = SimulatedFiles()
        pool = FilePool(2, files)
        return FileStorage(
            ImmediateDisk(), pool, Path("/d"), sample.files, sample.layout, sample.check, calls=files
        )


class FilesTestCase(SynchronousTestCase):
    """What these tests have in common."""

    def setUp(self) -> None:
        self.now = 1000.0
        self.files = SimulatedFiles(Disk(), lambda: self.now, Random(1))

    def write(self, name: str, data: bytes, offset: int = 0, sync: bool = False) -> None:
        """C{data} into a file."""
        fd = self.files.open(name, WRITE)
        self.assertEqual(self.files.write(fd, [memoryview(data)], offset), len(data))
        if sync:
            self.files.sync(fd)
        self.files.close(fd)

    def refused(self, number: int, call: Callable[..., Any], *arguments: Any) -> None:
        """C{call} fails with that error."""
        self.assertEqual(self.assertRaises(OSError, call, *arguments).errno, number)

    def syncFolder(self, name: str) -> None:
        """Sync the folder."""
        fd = self.files.open(name, os.O_RDONLY | os.O_DIRECTORY)
        self.files.sync(fd)
        self.files.close(fd)


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


class CrashTests(FilesTestCase):
    """What a loss of power leaves."""

    def each(self) -> range:
        """Seeds of as many crashes as show everything."""
        return range(60)

    def crash(self, seed: int) -> None:
        """With that seed."""
        self.files.random = Random(seed)
        self.files.crash()

    def test_synced(self) -> None:
        """What was synced, with its name, is there; what was not, is there now and then."""
        found = []
        for seed in self.each():
            self.setUp()
            self.write("/a", b"synced" * 1000, sync=True)
            self.syncFolder("/")
            self.write("/a", b"SYNCED" * 1000, 6000)
            self.write("/b", b"other")
            self.crash(seed)
            self.assertEqual(self.files.content("/a")[:6000], b"synced" * 1000)
            found.append((len(self.files.content("/a")), "/b" in self.files.names()))
        self.assertEqual({size for size, _ in found}, {6000, 12_000})
        self.assertEqual({there for _, there in found}, {True, False})

    def test_torn(self) -> None:
        """Of a write any sectors may be there: each as it was, or as it should be."""
        kinds = set()
        for seed in self.each():
            self.setUp()
            self.write("/a", b"a" * 8192, sync=True)
            self.syncFolder("/")
            self.write("/a", b"b" * 8192)
            self.crash(seed)
            data = self.files.content("/a")
            sectors = [data[at : at + 512] for at in range(0, 8192, 512)]
            self.assertTrue(set(sectors) <= {b"a" * 512, b"b" * 512})
            kinds.add(len(set(sectors)))
        self.assertEqual(kinds, {1, 2})

    def test_versions(self) -> None:
        """A sector that was written twice may be of either time."""
        kinds = set()
        for seed in self.each():
            self.setUp()
            self.write("/a", b"0" * 512, sync=True)
            self.syncFolder("/")
            self.write("/a", b"1" * 512)
            self.write("/a", b"2" * 512)
            self.crash(seed)
            kinds.add(self.files.content("/a")[:1])
        self.assertEqual(kinds, {b"0", b"1", b"2"})

    def test_nameWithoutContent(self) -> None:
        """A file whose folder was synced, and not itself, may be empty, or lack a part."""
        sizes = set()
        for seed in self.each():
            self.setUp()
            self.write("/a", b"x" * 600)
            self.syncFolder("/")
            self.crash(seed)
            sizes.add(self.files.content("/a").count(b"x"))
        self.assertTrue({0, 600} <= sizes, sizes)

    def test_renamed(self) -> None:
        """A file that was replaced is the old one or the new one, whole."""
        kinds = set()
        for seed in self.each():
            self.setUp()
            replaceFile(self.files, Path("/a.x"), b"old" * 1000)
            fd = self.files.open("/a.new", WRITE)
            self.files.write(fd, [memoryview(b"new" * 1000)], 0)
            self.files.sync(fd)
            self.files.rename("/a.new", "/a.x")
            self.crash(seed)
            kinds.add(self.files.content("/a.x"))
            self.assertTrue(set(self.files.names()) <= {"/a.x", "/a.new"})
        self.assertEqual(kinds, {b"old" * 1000, b"new" * 1000})

    def test_failedSync(self) -> None:
        """What a failed sync should have written is not written by a later one."""
        lost = 0
        for seed in self.each():
            self.setUp()
            self.write("/a", b"a" * 512, sync=True)
            self.syncFolder("/")
            fd = self.files.open("/a", WRITE)
            self.files.write(fd, [memoryview(b"b" * 512)], 0)
            self.files.faults.add(Fault("sync", errno.EIO, times=1))
            self.refused(errno.EIO, self.files.sync, fd)
            self.files.sync(fd)
            self.crash(seed)
            lost += self.files.content("/a") == b"a" * 512
        self.assertTrue(0 < lost < 60, lost)

    def test_syncUnderWay(self) -> None:
        """A sync that takes its time has done nothing for sure until that is over."""
        lost = 0
        for seed in self.each():
            self.setUp()
            self.write("/a", b"a" * 512, sync=True)
            self.syncFolder("/")
            with self.files.working() as work:
                self.write("/a", b"b" * 512, sync=True)
            if seed % 2:
                work.settle()
            self.crash(seed)
            old = self.files.content("/a") == b"a" * 512
            self.assertFalse(old and seed % 2)
            lost += old
        self.assertGreater(lost, 0)

    def test_kill(self) -> None:
        """The end of a process loses nothing that it wrote."""
        self.write("/a", b"x" * 5000)
        fd = self.files.open("/a", WRITE)
        self.files.kill()
        self.assertEqual((self.files.content("/a"), self.files.openFiles), (b"x" * 5000, []))
        self.refused(errno.EBADF, self.files.stat, fd)

    def test_room(self) -> None:
        """After a crash, what is used is what is there."""
        for seed in self.each():
            self.setUp()
            for name in "/a", "/b", "/c":
                self.write(name, bytes(3 * BLOCK), sync=name == "/a")
            self.files.remove("/a")
            self.crash(seed)
            there = {name: -(-len(self.files.content(name)) // BLOCK) for name in self.files.names()}
            self.assertTrue(0 <= self.files.used <= sum(there.values()) * BLOCK)
            for name in there:
                self.files.remove(name)
            self.assertEqual(self.files.used, 0)


class FaultTests(FilesTestCase):
    """What goes wrong when a test wants it."""

    def test_nthWrite(self) -> None:
        """The disk is full at the nth write, as often as was said."""
        self.files.faults.add(Fault("write", errno.ENOSPC, after=2, times=2))
        fd = self.files.open("/a", WRITE)
        data = [memoryview(b"x")]
        for _ in range(2):
            self.files.write(fd, data, 0)
        for _ in range(2):
            self.refused(errno.ENOSPC, self.files.write, fd, data, 0)
        self.files.write(fd, data, 0)
        self.assertEqual(self.files.faults.injected, {"write error": 2})

    def test_place(self) -> None:
        """Some bytes of some file cannot be read; all others can."""
        self.write("/bad", bytes(10_000))
        self.write("/good", bytes(10_000))
        self.files.faults.add(Fault("read", errno.EIO, path="bad", begin=5000, end=6000))
        for name, fails in (("/bad", True), ("/good", False)):
            fd = self.files.open(name, os.O_RDONLY)
            self.assertEqual(len(self.files.readNew(fd, 5000, 0)), 5000)
            self.assertEqual(len(self.files.readNew(fd, 5000, 6000)), 4000)
            if fails:
                self.refused(errno.EIO, self.files.readNew, fd, 10, 5995)
            else:
                self.assertEqual(len(self.files.readNew(fd, 10, 5995)), 10)

    def test_torn(self) -> None:
        """A write that fails may have written a part."""
        self.files.faults.add(Fault("write", errno.EIO, short=3))
        fd = self.files.open("/a", WRITE)
        self.refused(errno.EIO, self.files.write, fd, [memoryview(b"abcdef")], 0)
        self.assertEqual(self.files.content("/a"), b"abc")

    def test_mended(self) -> None:
        """A fault ends when it is mended, or all are."""
        mend = self.files.faults.add(Fault("open", errno.EMFILE))
        self.files.faults.add(Fault("make", errno.EROFS))
        self.refused(errno.EROFS, self.files.open, "/a", WRITE)
        self.files.put("/b", b"")
        self.refused(errno.EMFILE, self.files.open, "/b", os.O_RDONLY)
        mend()
        self.files.open("/b", os.O_RDONLY)
        self.files.faults.clear()
        self.files.open("/a", WRITE)

    def test_unknown(self) -> None:
        """There is no fault in what does not exist."""
        self.assertRaises(ValueError, Fault, "flush", errno.EIO)


class DatabaseTests(FilesTestCase):
    """SQLite on it."""

    def database(self) -> StateDatabase:
        """Open, with a table."""
        database = StateDatabase(Path("/state/db"), ImmediateDisk(), calls=self.files)
        database.ensure("CREATE TABLE IF NOT EXISTS numbers (number INTEGER)")
        database.openNow()
        return database

    def put(self, database: StateDatabase, number: int) -> None:
        """Commit C{number}."""
        self.successResultOf(
            database.run(lambda sql: sql.execute("INSERT INTO numbers VALUES (?)", (number,)))
        )

    def numbers(self, database: StateDatabase) -> list[int]:
        """All that are there."""
        return database.look(lambda sql: [row[0] for row in sql.execute("SELECT number FROM numbers")])

    def test_commits(self) -> None:
        """What was committed survives; a second opener is refused; closed, it may be opened again."""
        database = self.database()
        self.put(database, 1)
        other = StateDatabase(Path("/state/db"), ImmediateDisk(), calls=self.files)
        self.assertIn("in use", str(self.assertRaises(StorageError, other.openNow)))
        self.files.crash()
        database = self.database()
        self.put(database, 2)
        self.assertEqual(self.numbers(database), [1, 2])
        self.successResultOf(database.close())
        self.assertEqual(self.files.openFiles, [])
        self.assertEqual(self.numbers(self.database()), [1, 2])

    def test_commitUnderWay(self) -> None:
        """A commit that takes its time is there or not, and all before it are."""
        kinds = set()
        for seed in range(20):
            self.setUp()
            self.files.disk.syncTime = 1.0
            database = self.database()
            self.put(database, 1)
            with self.files.working():
                self.put(database, 2)
            self.files.random = Random(seed)
            self.files.crash()
            kinds.add(tuple(self.numbers(self.database())))
        self.assertEqual(kinds, {(1,), (1, 2)})

    def test_full(self) -> None:
        """A commit fails on a full disk, and changes nothing."""
        database = self.database()
        self.files.disk.capacity = self.files.used
        failing = database.run(lambda sql: sql.execute("INSERT INTO numbers VALUES (1)"))
        self.assertIn("full", self.failureResultOf(failing).getErrorMessage())
        self.assertEqual(self.numbers(database), [])
        self.files.disk.capacity *= 10
        self.files.disk.capacity += 1 << 20
        self.put(database, 2)
        self.assertEqual(self.numbers(database), [2])

    def test_noDatabase(self) -> None:
        """Another file is no database."""
        self.files.put("/x", b"text")
        self.assertRaises(sqlite3.OperationalError, self.files.connect, Path("/x"))
