"""
Small things a client remembers between runs, by name.
"""

from __future__ import annotations

from sqlite3 import Connection

from twisted.internet.defer import Deferred

from twisted_bt.storage.database import StateDatabase

_TABLE = "CREATE TABLE IF NOT EXISTS notes (name TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL)"


class Notes:
    """
    Bytes by name.

    @param database: not yet open.
    """

    def __init__(self, database: StateDatabase) -> None:
        self._database = database
        database.ensure(_TABLE)

    def get(self, name: str) -> bytes | None:
        """What was put under C{name}, now; C{None}: nothing."""

        def read(connection: Connection) -> bytes | None:
            row = connection.execute("SELECT value FROM notes WHERE name=?", (name,)).fetchone()
            return None if row is None else bytes(row[0])

        return self._database.look(read)

    def put(self, name: str, value: bytes) -> Deferred[None]:
        """Remember C{value} under C{name}, in place of what was there."""

        def write(connection: Connection) -> None:
            connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))

        return self._database.run(write)
