"""
What is remembered between runs: one SQLite file, written by one worker.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import RLock
from typing import TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_bt.errors import SessionStopped, StorageError
from twisted_bt.interfaces import IDiskQueue
from twisted_bt.storage.fileio import FileCalls, ILock, explained, makeFolders, syncAbove

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], T]

#: "tbt1": marks the file as ours, so that another program's database is never written to.
APPLICATION_ID = 0x74627431

_log = Logger()


class StateDatabase:
    """
    Runs functions on a SQLite database, in the order given, each in one transaction.

    Writing is the worker's: a commit waits for the disk.  Looking something up by its key is done at
    once (L{look}), on a connection of its own that never waits for the writer.

    Opened with the first use, or by L{openNow}.  Until L{close} no other process, and no other
    C{StateDatabase}, can open the file: two that write the same state would undo each other's.

    @param path: the file; C{None}: in memory.  Its folder is made where missing.
    @param worker: a disk queue with one worker, for this database alone; L{close} ends it.
    @param migrations: how files of older schemas become newer ones, oldest first: the first makes
        version 2 of version 1, and so on.  New files have the newest, by L{ensure}.  Each runs in one
        transaction with the others, and must use C{execute} only.
    @param calls: where files are.
    @param setAsideDamaged: put a damaged file aside under another name and begin a new one, instead of
        failing.
    """

    def __init__(
        self,
        path: Path | None,
        worker: IDiskQueue,
        migrations: Sequence[Job[object]] = (),
        setAsideDamaged: bool = False,
        calls: FileCalls | None = None,
    ) -> None:
        self._calls = calls if calls is not None else FileCalls()
        self._path = path
        self._worker = worker
        self._migrations = tuple(migrations)
        self._setAsideDamaged = setAsideDamaged
        self._statements: list[str] = []
        self._stopped = False
        # Guards opening, which either thread may do, and the connection of a database in memory.
        self._lock = RLock()
        self._fileLock: ILock | None = None
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None

    def ensure(self, statement: str) -> None:
        """
        Execute C{statement}, a C{CREATE ... IF NOT EXISTS}, when the file is opened.

        @raise RuntimeError: it is open.
        """
        if self._writer is not None:
            raise RuntimeError("the state database is open already")
        self._statements.append(statement)

    def openNow(self) -> None:
        """
        Open the file, waiting for the disk.

        @raise StorageError: it cannot be read or written, is damaged, in use, another program's, or from a
            newer version of this one; then it is as it was.
        """
        try:
            self.look(lambda connection: None)
        except StorageError:
            self._close()
            raise

    def run(self, job: Job[T]) -> Deferred[T]:
        """
        The result of C{job}, once what it did is committed, and on the disk.

        Whatever C{job} raises undoes what it did.  SQLite's errors, and those of L{openNow}, arrive as
        L{StorageError}.  After L{close} the Deferred fails with L{SessionStopped}.
        """
        if self._stopped:
            return fail(SessionStopped("the state database is closed"))
        return self._worker.submit(lambda: self._transact(job))

    def look(self, job: Job[T]) -> T:
        """
        The result of C{job}, now.  It sees all that L{run} has told to be done, must not write, and
        should find what it wants by a key: the reactor waits for it.

        @raise StorageError: SQLite failed, or the file could not be opened.
        @raise SessionStopped: after L{close}.
        """
        if self._stopped:
            raise SessionStopped("the state database is closed")
        try:
            if self._path is None:
                with self._lock:
                    return job(self._open())
            if self._reader is None:
                self._open()
                self._reader = self._calls.connect(self._path, readOnly=True)
            return job(self._reader)
        except sqlite3.Error as error:
            raise self._explained(error) from error

    def close(self) -> Deferred[None]:
        """Fires once all that was asked for is done and the file is closed.  So does a second call."""
        if not self._stopped:
            self._stopped = True
            if self._reader is not None:
                self._reader.close()
            self._worker.submit(self._close).addErrback(self._closeHere)
        return self._worker.stop()

    def _closeHere(self, reason: Failure) -> None:
        if reason.check(SessionStopped):  # somebody ended our worker before us
            self._close()
        else:
            _log.failure("closing the state database failed", reason)

    # -- on the worker

    def _transact(self, job: Job[T]) -> T:
        try:
            connection = self._open()
            if self._path is None:
                with self._lock:
                    return _inTransaction(connection, job)
            return _inTransaction(connection, job)
        except sqlite3.Error as error:
            raise self._explained(error) from error

    def _close(self) -> None:
        with self._lock:
            writer, self._writer = self._writer, None
            if writer is not None:
                writer.close()
            self._unlock()

    # -- opening, on either thread

    def _open(self) -> sqlite3.Connection:
        with self._lock:
            if self._writer is None:
                self._writer = self._openMemory() if self._path is None else self._openFile(self._path)
            return self._writer

    def _openMemory(self) -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._migrate(connection)
        return connection

    def _openFile(self, path: Path) -> sqlite3.Connection:
        try:
            makeFolders(self._calls, path.parent, 0o700)
            self._fileLock = self._calls.lock(path.with_name(path.name + ".lock"))
        except BlockingIOError as error:
            raise StorageError(f"the state database {path} is in use") from error
        except OSError as error:
            raise explained(error, str(path)) from error
        try:
            try:
                connection = self._connectFile(path)
            except sqlite3.Error as error:
                if not self._setAsideDamaged or not isinstance(self._explained(error), _Damaged):
                    raise
                self._setAside(path)
                connection = self._connectFile(path)
            self._syncFolders(path.parent, connection)
            return connection
        except OSError as error:
            self._unlock()
            raise explained(error, str(path)) from error
        except BaseException:
            self._unlock()
            raise

    def _syncFolders(self, folder: Path, connection: sqlite3.Connection) -> None:
        """SQLite sees to its files, and to no folder above them."""
        try:
            syncAbove(self._calls, folder)
        except BaseException:
            connection.close()
            raise

    def _connectFile(self, path: Path) -> sqlite3.Connection:
        connection = self._calls.connect(path)
        try:
            self._examine(connection)  # before anything is changed
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            self._migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _examine(self, connection: sqlite3.Connection) -> None:
        newest = len(self._migrations) + 1
        version = _number(connection, "PRAGMA user_version")
        used = version or _number(connection, "SELECT count(*) FROM sqlite_master")
        if used and _number(connection, "PRAGMA application_id") != APPLICATION_ID:
            raise StorageError(f"{self._path} is the database of another program")
        if version > newest:
            raise StorageError(
                f"{self._path} is from a newer version of this program"
                f" (its schema is {version}, the newest known here is {newest})"
            )

    def _migrate(self, connection: sqlite3.Connection) -> None:
        def migrate(connection: sqlite3.Connection) -> None:
            version = _number(connection, "PRAGMA user_version")
            for migration in self._migrations[version - 1 :] if version else ():
                migration(connection)
            for statement in self._statements:
                connection.execute(statement)
            # Pragmas take no parameters; both are our own numbers.
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {len(self._migrations) + 1}")

        _inTransaction(connection, migrate)

    def _setAside(self, path: Path) -> None:
        """
        Rename the database and what belongs to it to the first free C{NAME.damaged-N}.

        @raise OSError: the disk said no.
        """
        number = 1
        while self._isThere(target := path.with_name(f"{path.name}.damaged-{number}")):
            number += 1
        for suffix in ("-wal", "-shm", ""):  # the database itself last: until then, nothing has happened
            source = path.with_name(path.name + suffix)
            if self._isThere(source):
                self._calls.rename(str(source), str(target.with_name(target.name + suffix)))
        _log.warn("the damaged state database {path} is now {target}", path=str(path), target=str(target))

    def _isThere(self, path: Path) -> bool:
        try:
            self._calls.look(str(path))
        except FileNotFoundError:
            return False
        return True

    def _unlock(self) -> None:
        if self._fileLock is not None:
            self._fileLock.release()
            self._fileLock = None

    def _explained(self, error: sqlite3.Error) -> StorageError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without the extended part
        path = self._path if self._path is not None else "in memory"
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            return _Damaged(f"the state database {path} is damaged ({error}); move it away to begin anew")
        reason = {
            sqlite3.SQLITE_BUSY: "is in use",
            sqlite3.SQLITE_LOCKED: "is in use",
            sqlite3.SQLITE_FULL: "cannot grow: the disk is full",
            sqlite3.SQLITE_READONLY: "cannot be written to: permission denied, or read-only",
            sqlite3.SQLITE_CANTOPEN: "cannot be opened: may it, and its folder, be used?",
        }.get(code, f"failed: {error}")
        return StorageError(f"the state database {path} {reason}")


class _Damaged(StorageError):
    """The file is no database, or a broken one."""


def _number(connection: sqlite3.Connection, query: str) -> int:
    (value,) = connection.execute(query).fetchone()
    return int(value)


def _inTransaction(connection: sqlite3.Connection, job: Job[T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = job(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result
