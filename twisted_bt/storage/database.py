"""
What is remembered between runs: one SQLite file, used by one worker.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger

from twisted_bt.errors import SessionStopped, StorageError
from twisted_bt.interfaces import IDiskQueue
from twisted_bt.storage.fileio import explained

T = TypeVar("T")
#: Changes the schema by one version; runs in a transaction, and must use C{execute} only.
Migration = Callable[[sqlite3.Connection], object]

_log = Logger()

#: "tbt1": marks the file as ours, so that another program's database is never written to.
APPLICATION_ID = 0x74627431


class StateDatabase:
    """
    Runs functions on a SQLite database, off the reactor thread, in the order given, each in one
    transaction that is on the disk before its result arrives.

    Opened with the first use, or by L{open}.  The file is locked for as long as it is open: two
    processes that write the same state would undo each other's.

    @param path: the file; C{None}: in memory.  Its folder is made where missing.
    @param worker: a disk queue with one worker, for this database alone; L{close} ends it.
    @param migrations: all schema changes there ever were, oldest first.  The file says how many it
        has seen (C{user_version}); the others are applied when it is opened.
    @param setAsideDamaged: put a damaged file aside under another name and begin a new one, instead of
        failing.
    """

    def __init__(
        self,
        path: Path | None,
        worker: IDiskQueue,
        migrations: Sequence[Migration] = (),
        setAsideDamaged: bool = False,
    ) -> None:
        self._path = path
        self._worker = worker
        self._migrations = tuple(migrations)
        self._setAsideDamaged = setAsideDamaged
        self._connection: sqlite3.Connection | None = None  # the worker's
        self._stopped: Deferred[None] | None = None

    def open(self) -> Deferred[None]:
        """
        Open the file now.  Fails with L{StorageError}: it cannot be read or written, is damaged, in use,
        another program's, or from a newer version of this one; then it is unchanged.
        """
        return self.run(lambda connection: None)

    def run(self, job: Callable[[sqlite3.Connection], T]) -> Deferred[T]:
        """
        The result of C{job}, once it is committed.

        Whatever C{job} raises undoes what it did; SQLite's errors become L{StorageError}.  After
        L{close} the Deferred fails with L{SessionStopped}.
        """
        if self._stopped is not None:
            return fail(SessionStopped("the state database was closed"))
        return self._worker.submit(lambda: self._transact(job))

    def close(self) -> Deferred[None]:
        """Fires once all that was asked for is done and the file is closed.  So does a second call."""
        if self._stopped is None:
            self._worker.submit(self._close).addErrback(
                lambda reason: _log.failure("closing the state database failed", reason)
            )
            self._stopped = self._worker.stop()
            return self._stopped
        return self._worker.stop()

    # -- on the worker

    def _transact(self, job: Callable[[sqlite3.Connection], T]) -> T:
        if self._connection is None:
            self._connection = self._openOrReplace()
        try:
            return _inTransaction(self._connection, job)
        except sqlite3.Error as error:
            raise self._explained(error) from error

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _openOrReplace(self) -> sqlite3.Connection:
        try:
            return self._open()
        except _Damaged:
            if not self._setAsideDamaged or self._path is None:
                raise
            _setAside(self._path)
            return self._open()

    def _open(self) -> sqlite3.Connection:
        name = ":memory:" if self._path is None else str(self._path)
        try:
            if self._path is not None:
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Transactions are ours to begin; the worker's thread is not the one that closes at the latest.
            connection = sqlite3.connect(name, timeout=1.0, isolation_level=None, check_same_thread=False)
        except OSError as error:
            raise explained(error, str(self._path)) from error
        except sqlite3.Error as error:
            raise self._explained(error) from error
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._examine(connection)  # before anything is changed
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            self._migrate(connection)
        except sqlite3.Error as error:
            connection.close()
            raise self._explained(error) from error
        except BaseException:
            connection.close()
            raise
        return connection

    def _examine(self, connection: sqlite3.Connection) -> None:
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if (tables or version) and application != APPLICATION_ID:
            raise StorageError(f"{self._path} is the database of another program")
        if version > len(self._migrations):
            known = len(self._migrations)
            raise StorageError(
                f"{self._path} is from a newer version of this program"
                f" (its schema is {version}, the newest known here is {known})"
            )

    def _migrate(self, connection: sqlite3.Connection) -> None:
        def migrate(connection: sqlite3.Connection) -> None:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            for migration in self._migrations[version:]:
                migration(connection)
            # Pragmas take no parameters; both are our own numbers.
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {len(self._migrations)}")

        _inTransaction(connection, migrate)

    def _explained(self, error: sqlite3.Error) -> StorageError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without the extended part
        path = self._path if self._path is not None else "in memory"
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            return _Damaged(f"the state database {path} is damaged ({error}); move it away to begin anew")
        reason = {
            sqlite3.SQLITE_BUSY: "is in use by another process",
            sqlite3.SQLITE_LOCKED: "is in use by another process",
            sqlite3.SQLITE_FULL: "cannot grow: the disk is full",
            sqlite3.SQLITE_READONLY: "cannot be written to: permission denied, or read-only",
            sqlite3.SQLITE_CANTOPEN: "cannot be opened: is its folder there, and may it be used?",
        }.get(code, f"failed: {error}")
        return StorageError(f"the state database {path} {reason}")


class _Damaged(StorageError):
    """The file is no database, or a broken one."""


def _inTransaction(connection: sqlite3.Connection, job: Callable[[sqlite3.Connection], T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = job(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def _setAside(path: Path) -> None:
    """Rename the database and what belongs to it to the first free C{NAME.damaged-N}."""
    number = 1
    while (target := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for suffix in ("-wal", "-shm", ""):  # the database itself last: until then, nothing has happened
        source = path.with_name(path.name + suffix)
        try:
            if source.exists():
                source.rename(target.with_name(target.name + suffix))
        except OSError as error:
            raise explained(error, str(source)) from error
    _log.warn("the damaged state database {path} is now {target}", path=str(path), target=str(target))
