"""
Many jobs, one commit: what syncs the disk is the commit, and ten thousand of them take a minute.
"""

from __future__ import annotations

from collections.abc import Callable
from sqlite3 import Connection
from threading import Lock
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from twisted_bt.errors import BitTorrentError
from twisted_bt.storage.database import StateDatabase

T = TypeVar("T")
Job = Callable[[Connection], T]


class GroupCommit:
    """
    A L{StateDatabase} whose jobs share transactions: those that were asked for while it was busy go into
    one, in the order given.  A job that raises undoes what it did itself; what SQLite says no to undoes
    the whole transaction, and every job of it fails.

    @param database: not yet open.
    """

    def __init__(self, database: StateDatabase) -> None:
        self._database = database
        self._group: _Group | None = None
        self.ensure = database.ensure
        self.look = database.look

    def run(self, job: Job[T]) -> Deferred[T]:
        """See L{StateDatabase.run}."""
        waiter: Deferred[T] = Deferred()
        if self._group is None or not self._group.add(job, waiter):
            group = self._group = _Group()
            group.add(job, waiter)
            self._database.run(group.work).addBoth(group.done)
        return waiter


class _Group:
    """Jobs on their way into one transaction; the reactor thread adds until the worker begins."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open = True
        self._jobs: list[tuple[Job[Any], Deferred[Any]]] = []

    def add(self, job: Job[Any], waiter: Deferred[Any]) -> bool:
        """Do C{job} too; C{False}: it is too late for that."""
        with self._lock:
            if self._open:
                self._jobs.append((job, waiter))
            return self._open

    def work(self, connection: Connection) -> list[Any]:
        """The transaction; what came of each job."""
        with self._lock:
            self._open = False
        if len(self._jobs) == 1:
            return [self._jobs[0][0](connection)]
        return [_guarded(connection, job) for job, _ in self._jobs]

    def done(self, outcome: list[Any] | Failure) -> None:
        """The transaction came to its end, perhaps without having begun."""
        with self._lock:
            self._open = False
        outcomes = [outcome] * len(self._jobs) if isinstance(outcome, Failure) else outcome
        for (_, waiter), each in zip(self._jobs, outcomes, strict=True):
            if isinstance(each, Failure):
                waiter.errback(each)
            else:
                waiter.callback(each)


def _guarded(connection: Connection, job: Job[Any]) -> Any:
    connection.execute("SAVEPOINT job")
    try:
        result = job(connection)
    except BitTorrentError:
        connection.execute("ROLLBACK TO job")
        result = Failure()
    connection.execute("RELEASE job")
    return result
