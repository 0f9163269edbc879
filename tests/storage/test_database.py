"""Tests of L{twisted_bt.storage.database}."""

from __future__ import annotations

import errno
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.storage.doubles import ThreadReactor, folderFor, openFiles
from twisted_bt.errors import SessionStopped, StorageError
from twisted_bt.storage.database import APPLICATION_ID, StateDatabase
from twisted_bt.storage.diskqueue import DiskThreads, ImmediateDisk
from twisted_bt.testing.diskfaults import Fault
from twisted_bt.testing.filesystem import SimulatedFiles

TABLE = "CREATE TABLE IF NOT EXISTS numbers (number INTEGER PRIMARY KEY)"
Connection = sqlite3.Connection


def put(*numbers: int) -> Callable[[Connection], None]:
    """A job that inserts C{numbers}."""

    def job(connection: Connection) -> None:
        for number in numbers:
            connection.execute("INSERT INTO numbers VALUES (?)", (number,))

    return job


def get(connection: Connection) -> list[int]:
    """A job: all numbers."""
    return [number for (number,) in connection.execute("SELECT number FROM numbers ORDER BY number")]


class DatabaseTestCase(SynchronousTestCase):
    """What these tests have in common: a path, and databases that are closed at the end."""

    def setUp(self) -> None:
        self.path = folderFor(self) / "state" / "state.sqlite"

    def database(
        self,
        path: Path | None,
        migrations: Sequence[Callable[[Connection], object]] = (),
        setAsideDamaged: bool = False,
    ) -> StateDatabase:
        """A database with one table."""
        database = StateDatabase(path, ImmediateDisk(), migrations, setAsideDamaged)
        database.ensure(TABLE)
        self.addCleanup(database.close)
        return database

    def refused(self, database: StateDatabase, *words: str) -> None:
        """It cannot be opened, nor used, and says why in C{words}."""
        reason = self.assertRaises(StorageError, database.openNow)
        for message in (str(reason), self.failureResultOf(database.run(get), StorageError).getErrorMessage()):
            for word in (*words, str(self.path)):
                self.assertIn(word, message)


class RunMixin:
    """What holds for files and for memory."""

    def test_run(self: Any) -> None:
        """The result of a job arrives, and what it did can be looked up."""
        database = self.database(self.where())
        self.assertIsNone(self.successResultOf(database.run(put(2, 1))))
        self.assertEqual(self.successResultOf(database.run(get)), [1, 2])
        self.assertEqual(database.look(get), [1, 2])

    def test_lookFirst(self: Any) -> None:
        """To look opens it, too."""
        self.assertEqual(self.database(self.where()).look(get), [])

    def test_undone(self: Any) -> None:
        """A job that raises has done nothing; the exception arrives."""
        database = self.database(self.where())

        def job(connection: Connection) -> None:
            put(1, 2)(connection)
            raise ZeroDivisionError

        self.failureResultOf(database.run(job), ZeroDivisionError)
        self.assertEqual(database.look(get), [])
        self.successResultOf(database.run(put(3)))
        self.assertEqual(database.look(get), [3])

    def test_sqlError(self: Any) -> None:
        """SQLite's errors become L{StorageError}, of a look as of a job."""
        database = self.database(self.where())
        self.failureResultOf(database.run(put(1, 1)), StorageError)
        self.assertRaises(StorageError, database.look, lambda connection: connection.execute("nonsense"))

    def test_closed(self: Any) -> None:
        """After C{close} nothing more is done; to close again is harmless."""
        database = self.database(self.where())
        self.successResultOf(database.run(put(1)))
        database.look(get)
        self.assertIsNone(self.successResultOf(database.close()))
        self.assertIsNone(self.successResultOf(database.close()))
        self.failureResultOf(database.run(put(2)), SessionStopped)
        self.assertRaises(SessionStopped, database.look, get)

    def test_ensureLate(self: Any) -> None:
        """A table that is asked for when the database is open is a mistake, told at once."""
        database = self.database(self.where())
        database.openNow()
        self.assertRaises(RuntimeError, database.ensure, TABLE)


class MemoryDatabaseTests(RunMixin, DatabaseTestCase):
    """A database in memory."""

    def where(self) -> Path | None:
        """No file."""
        return None


class FileDatabaseTests(RunMixin, DatabaseTestCase):
    """A database in a file."""

    def where(self) -> Path | None:
        """In a folder that does not exist yet."""
        return self.path

    def test_kept(self) -> None:
        """What was done is there in the next run, and nothing stays open."""
        before = openFiles()
        database = self.database(self.path)
        self.successResultOf(database.run(put(1)))
        database.look(get)
        self.successResultOf(database.close())
        self.assertEqual(openFiles(), before)
        self.assertEqual(self.database(self.path).look(get), [1])

    def test_untilCommitted(self) -> None:
        """A look does not wait for a job that is under way, and sees nothing of it."""
        database = self.database(self.path)
        self.successResultOf(database.run(put(1)))
        seen: list[list[int]] = []

        def job(connection: Connection) -> None:
            put(2)(connection)
            seen.append(database.look(get))

        self.successResultOf(database.run(job))
        self.assertEqual(seen, [[1]])
        self.assertEqual(database.look(get), [1, 2])

    def test_lookOnly(self) -> None:
        """A look cannot write."""
        database = self.database(self.path)
        database.openNow()
        self.assertRaises(StorageError, database.look, put(1))

    def test_durable(self) -> None:
        """Commits are synced, in a write-ahead log."""
        database = self.database(self.path)

        def pragmas(connection: Connection) -> list[object]:
            return [connection.execute(f"PRAGMA {each}").fetchone()[0] for each in ("journal_mode",)]

        self.assertEqual(self.successResultOf(database.run(pragmas)), ["wal"])

    def test_crash(self) -> None:
        """What was committed is there although nobody closed the file."""
        database = self.database(self.path)
        self.successResultOf(database.run(put(1)))
        copy = folderFor(self)
        for each in self.path.parent.iterdir():  # as a crash leaves it: with its log
            (copy / each.name).write_bytes(each.read_bytes())
        self.assertTrue((copy / "state.sqlite-wal").stat().st_size)
        self.assertEqual(self.database(copy / "state.sqlite").look(get), [1])

    def test_inUse(self) -> None:
        """A second database of the same file is refused while the first is open."""
        database = self.database(self.path)
        database.openNow()
        other = self.database(self.path)
        self.refused(other, "in use")
        self.successResultOf(database.close())
        self.assertEqual(other.look(get), [])

    def test_workerGone(self) -> None:
        """If its worker was ended before it, the file is closed nevertheless."""
        before = openFiles()
        worker = ImmediateDisk()
        database = StateDatabase(self.path, worker)
        database.openNow()
        worker.stop()
        self.assertIsNone(self.successResultOf(database.close()))
        self.assertEqual(openFiles(), before)

    def test_threads(self) -> None:
        """Jobs run on the worker's thread, looks on the caller's; closing ends the thread."""
        reactor = ThreadReactor()
        before = threading.active_count()
        database = StateDatabase(self.path, DiskThreads(reactor, 1, 0))
        database.ensure(TABLE)
        threads: list[threading.Thread] = []

        def job(connection: Connection) -> None:
            threads.append(threading.current_thread())
            put(1)(connection)

        self.successResultOf(reactor.wait(database.run(job)))
        self.assertIsNot(threads[0], threading.current_thread())
        self.assertEqual(database.look(get), [1])
        last = database.run(put(2))
        self.successResultOf(reactor.wait(database.close()))
        self.assertIsNone(self.successResultOf(last))
        self.assertEqual(threading.active_count(), before)
        self.assertEqual(self.database(self.path).look(get), [1, 2])


class SchemaTests(DatabaseTestCase):
    """Files of other versions, and of other programs."""

    def version(self) -> tuple[int, int]:
        """The marks in the file."""
        with sqlite3.connect(self.path) as connection:
            found = [connection.execute(f"PRAGMA {each}").fetchone()[0] for each in _MARKS]
        connection.close()
        return found[0], found[1]

    def made(self, *migrations: Callable[[Connection], object]) -> None:
        """A file of the version that had those migrations, with a number in it."""
        database = self.database(self.path, migrations)
        self.successResultOf(database.run(put(1)))
        self.successResultOf(database.close())

    def test_new(self) -> None:
        """A new file is marked as ours, has the newest version, and needs no migration."""
        ran: list[int] = []
        self.made(lambda connection: ran.append(2), lambda connection: ran.append(3))
        self.assertEqual((ran, self.version()), ([], (APPLICATION_ID, 3)))

    def test_migrated(self) -> None:
        """An older file goes through the migrations it has not seen, in order, once."""
        self.made()
        ran: list[int] = []

        def second(connection: Connection) -> None:
            connection.execute("UPDATE numbers SET number = number + 10")
            ran.append(2)

        for _ in range(2):
            database = self.database(self.path, [second, lambda connection: ran.append(3)])
            self.assertEqual(database.look(get), [11])
            self.successResultOf(database.close())
        self.assertEqual((ran, self.version()), ([2, 3], (APPLICATION_ID, 3)))

    def test_migrationFails(self) -> None:
        """A migration that fails leaves the file as it was."""
        self.made()

        def second(connection: Connection) -> None:
            put(5)(connection)
            connection.execute("nonsense")

        self.refused(self.database(self.path, [second]), "nonsense")
        self.assertEqual(self.version(), (APPLICATION_ID, 1))
        self.assertEqual(self.database(self.path).look(get), [1])

    def test_newer(self) -> None:
        """A file of a newer version is refused and left as it is, told to be set aside or not."""
        self.made(lambda connection: None)
        before = self.path.read_bytes()
        for setAside in (False, True):
            self.refused(self.database(self.path, (), setAside), "newer version")
            self.assertEqual(self.path.read_bytes(), before)

    def test_foreign(self) -> None:
        """So is another program's database."""
        self.path.parent.mkdir()
        connection = sqlite3.connect(self.path)
        connection.execute("CREATE TABLE theirs (x)")
        connection.commit()
        connection.close()
        before = self.path.read_bytes()
        self.refused(self.database(self.path, (), True), "another program")
        self.assertEqual(self.path.read_bytes(), before)

    def test_damaged(self) -> None:
        """A damaged file is refused and left as it is."""
        self.path.parent.mkdir()
        self.path.write_bytes(b"no database at all, not in the least" * 100)
        before = self.path.read_bytes()
        self.refused(self.database(self.path), "damaged")
        self.assertEqual(self.path.read_bytes(), before)

    def test_torn(self) -> None:
        """Damage that shows only later is told when it shows."""
        database = self.database(self.path)
        self.successResultOf(database.run(put(*range(5000))))
        self.successResultOf(database.close())
        data = bytearray(self.path.read_bytes())
        data[4096:] = bytes([0x55]) * (len(data) - 4096)
        self.path.write_bytes(data)
        self.failureResultOf(self.database(self.path).run(put(-1)), StorageError)

    def test_setAside(self) -> None:
        """Only if told so, a damaged file gets another name and a new one is begun; none is overwritten."""
        for number in (1, 2):
            self.path.parent.mkdir(exist_ok=True)
            junk = b"junk %d" % number * 1000
            self.path.write_bytes(junk)
            database = self.database(self.path, setAsideDamaged=True)
            self.assertEqual(database.look(get), [])
            self.successResultOf(database.close())
            aside = self.path.with_name(f"state.sqlite.damaged-{number}")
            self.assertEqual(aside.read_bytes(), junk)

    def test_folderImpossible(self) -> None:
        """A folder that cannot be made is told."""
        self.path.parent.write_bytes(b"a file")
        self.refused(self.database(self.path))

    def test_isFolder(self) -> None:
        """So is a folder where the file should be."""
        self.path.mkdir(parents=True)
        self.refused(self.database(self.path), "cannot be opened")


_MARKS = ("application_id", "user_version")


class SimulatedTests(SynchronousTestCase):
    """On a simulated disk."""

    def test_openedInPart(self) -> None:
        """If opening fails at the last step the file is free for the next attempt."""
        files = SimulatedFiles()
        path = Path("/state/state.sqlite")
        files.faults.add(Fault("open", errno.EIO, path=path.name, times=1))  # the reader, after the writer
        first = StateDatabase(path, ImmediateDisk(), calls=files)
        self.assertRaises(StorageError, first.openNow)
        self.assertEqual(files.openFiles, [])
        second = StateDatabase(path, ImmediateDisk(), calls=files)
        second.openNow()
        self.successResultOf(second.close())
