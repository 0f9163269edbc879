"""
What files and databases in memory hold after the power failed, and faults of their disk.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path
from random import Random

from tests.testing.simulatedfiles import WRITE, FilesTestCase
from twisted_bt.errors import StorageError
from twisted_bt.storage.database import StateDatabase
from twisted_bt.storage.diskqueue import ImmediateDisk
from twisted_bt.storage.fileio import replaceFile
from twisted_bt.testing.diskfaults import Fault
from twisted_bt.testing.platter import BLOCK


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
