"""
SQLite databases on a simulated disk: SQLite itself, in memory, and what its commits leave on the disk.

The engine commits with C{synchronous=FULL}: a commit that was reported survives a loss of power, one under
way is there wholly or not at all.  That much is SQLite's promise and is taken for granted here; what the
engine makes of it is what is put to the test.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from random import Random
from typing import Any

from twisted_bt.testing.platter import FileNode, Meta


class DatabaseNode(FileNode):
    """A database among the files; its size is what it would take."""

    def __init__(self, number: int, now: int) -> None:
        super().__init__(number, Meta(0, now, 0o600))
        self.live: Database | None = None
        self._stored = b""  # what the disk has, while nobody has it open
        self._underWay: list[bytes | None] = []  # what the disk had before commits that it may not have yet

    def begin(self, connection: Database) -> None:
        """C{connection} is the one that writes."""
        self.live = connection
        if self._stored:
            connection.deserialize(self._stored)

    def end(self, now: int) -> None:
        """It is closed."""
        if self.live is not None:
            if self.live.in_transaction:
                self.live.rollback()
            self._stored = self.live.image()
            self.meta = Meta(len(self._stored), now, self.meta.mode)
            self.live = None

    def committing(self, before: bytes | None) -> None:
        """A commit takes its time; C{before} is what was there before it."""
        self._underWay.append(before)

    def committed(self) -> None:
        """Its time is over."""
        del self._underWay[:1]

    def stop(self, random: Random | None, now: int) -> None:
        """The computer stopped: by a loss of power, if there is C{random}."""
        connection = self.live
        self.end(now)
        if connection is not None:
            connection.abandon()
        if self._underWay and random is not None:
            states = [each for each in (*self._underWay, self._stored) if each is not None]
            self._stored = states[random.randrange(len(states))]
        self._underWay.clear()


class Database(sqlite3.Connection):
    """The connection that writes; made by L{openDatabase}."""

    node: DatabaseNode
    #: Asked before a commit; raises what it fails with, and says whether it takes its time.
    allow: Callable[[], bool]
    #: Asked before something is looked up; raises what that fails with.
    query: Callable[[], None]
    #: Told of a commit.
    told: Callable[[], None]
    #: What the time is, in nanoseconds.
    time: Callable[[], int]
    _before: bytes | None = None  # what was there before the commit to come, where that is known
    _seen: tuple[int, ...] = ()

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """See C{sqlite3.Connection}."""
        if sql.startswith("BEGIN"):
            self._seen = self._marks()
        elif sql.startswith("SELECT"):
            self.query()
        if sql != "COMMIT" or self._marks() == self._seen:  # who changed nothing waits for no disk
            return super().execute(sql, *parameters)
        slow = self.allow()
        done = super().execute(sql)
        self.node.committing(self._before)
        self.told()
        self._before = self.image() if slow else None
        return done

    def image(self) -> bytes:
        """All of it; nothing, while it is empty."""
        (pages,) = super().execute("PRAGMA page_count").fetchone()
        return self.serialize() if pages else b""

    def began(self) -> None:
        """What is there now was there before."""
        self._before = None

    def _marks(self) -> tuple[int, ...]:
        """Numbers of which one differs when anything was changed."""
        names = ("schema_version", "user_version", "application_id")
        return (
            self.total_changes,
            *(super(Database, self).execute(f"PRAGMA {name}").fetchone()[0] for name in names),
        )

    def close(self) -> None:
        """See C{sqlite3.Connection}."""
        if self.node.live is self:
            self.node.end(self.time())
        super().close()

    def abandon(self) -> None:
        """Nobody is there to close it."""
        super().close()


class Reader(sqlite3.Connection):
    """Looks things up in what a L{Database} committed: on a single thread, that is all there is in it."""

    node: DatabaseNode

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """See C{sqlite3.Connection}."""
        if self.node.live is None:
            raise sqlite3.OperationalError("unable to open database file")
        return self.node.live.execute(sql, *parameters)


def openReader(node: DatabaseNode) -> Reader:
    """For looking things up."""
    reader = sqlite3.connect(":memory:", isolation_level=None, factory=Reader)
    reader.node = node
    return reader


def openDatabase(
    node: DatabaseNode,
    allow: Callable[[], bool],
    query: Callable[[], None],
    told: Callable[[], None],
    now: Callable[[], int],
) -> Database:
    """
    For all.

    @raise sqlite3.OperationalError: somebody has it open.
    """
    if node.live is not None:
        raise failure(sqlite3.SQLITE_BUSY, "database is locked")
    database = sqlite3.connect(":memory:", isolation_level=None, factory=Database)
    database.node, database.allow, database.query = node, allow, query
    database.told, database.time = told, now
    node.begin(database)
    database.began()
    return database


def failure(code: int, text: str) -> sqlite3.OperationalError:
    """What SQLite raises."""
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error
