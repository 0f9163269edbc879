"""
The torrents a client knows, open or not.

A torrent costs a row in a database, not its metainfo: the map grows with the number of torrents
and not with their data, and a look-up reads one row by its key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection
from typing import TYPE_CHECKING, NamedTuple

from twisted.internet.defer import Deferred

from twisted_bt.sessions.scrapetable import ScrapeTable
from twisted_bt.sessions.timetable import Registration, Tiers, Timetable, Turn, keepCounts
from twisted_bt.storage.database import StateDatabase
from twisted_bt.storage.groupcommit import GroupCommit

if TYPE_CHECKING:
    from twisted_bt.sessions.swarm import SwarmSession


class TorrentLoc(NamedTuple):
    """Where a torrent is on disk: its metafile, and the folder its content is in."""

    metafilePath: Path
    dataDirPath: Path


@dataclass(frozen=True, slots=True)
class Active:
    """The torrent is open."""

    swarm: SwarmSession


@dataclass(frozen=True, slots=True)
class Registered:
    """The torrent is known; its swarm opens when somebody asks."""

    loc: TorrentLoc


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody here knows it."""


TorrentPresence = Active | Registered | Unknown


@dataclass(frozen=True, slots=True)
class TorrentRow:
    """
    One known torrent.

    @ivar keepOpen: it was added to be exchanged, and is opened at every start; else it was
        registered, and opens when a peer asks for it.
    @ivar paused: it was paused by somebody.
    @ivar magnet: the link it came by, or empty; while its metadata is not here, C{loc.metafilePath}
        is empty.
    """

    infoHash: bytes
    loc: TorrentLoc
    keepOpen: bool
    paused: bool = False
    magnet: str = ""


_TABLE = """
CREATE TABLE IF NOT EXISTS torrents (
    infoHash BLOB NOT NULL PRIMARY KEY,
    metafilePath TEXT NOT NULL,
    dataDirPath TEXT NOT NULL,
    keepOpen INTEGER NOT NULL,
    paused INTEGER NOT NULL,
    magnet TEXT NOT NULL
) WITHOUT ROWID
"""
#: A start looks for what to open, and must not read a million rows for that.
_INDEX = "CREATE INDEX IF NOT EXISTS torrentsKept ON torrents (infoHash) WHERE keepOpen"
#: To count a million rows takes too long to wait for, so it is known how many there are.
_COUNTING = (
    "CREATE TABLE IF NOT EXISTS torrentCount (number INTEGER NOT NULL)",
    "INSERT INTO torrentCount SELECT (SELECT count(*) FROM torrents)"
    " WHERE NOT EXISTS (SELECT 1 FROM torrentCount)",
    "CREATE TRIGGER IF NOT EXISTS torrentsMore AFTER INSERT ON torrents"
    " BEGIN UPDATE torrentCount SET number = number + 1; END",
    "CREATE TRIGGER IF NOT EXISTS torrentsLess AFTER DELETE ON torrents"
    " BEGIN UPDATE torrentCount SET number = number - 1; END",
)
_COLUMNS = "infoHash, metafilePath, dataDirPath, keepOpen, paused, magnet"


#: How files of older schemas become newer ones; see L{StateDatabase}.
MIGRATIONS = (keepCounts,)


def _row(values: tuple[bytes, str, str, int, int, str]) -> TorrentRow:
    infoHash, metafile, folder, keepOpen, paused, magnet = values
    loc = TorrentLoc(Path(metafile), Path(folder))
    return TorrentRow(infoHash, loc, bool(keepOpen), bool(paused), magnet)


class TorrentMap:
    """
    All known torrents by info-hash.

    @param database: not yet open.
    @ivar timetable: when those are announced that were registered.
    @ivar scrapes: which of those are to be scraped, and what trackers counted.
    """

    def __init__(self, database: StateDatabase | GroupCommit) -> None:
        self._database = database
        database.ensure(_TABLE)
        database.ensure(_INDEX)
        for each in _COUNTING:
            database.ensure(each)
        self.timetable = Timetable(database)
        self.scrapes = ScrapeTable(database)

    def register(
        self, torrents: Sequence[tuple[TorrentRow, Registration]], now: float
    ) -> Deferred[Mapping[int, int]]:
        """
        Know C{torrents} from now on, in one transaction.  Those that are kept open stay as they are.

        @param now: seconds since 1970.
        @return: how many are to be announced at each station of the timetable.
        """

        def write(connection: Connection) -> Mapping[int, int]:
            kept = "SELECT 1 FROM torrents WHERE infoHash=? AND keepOpen"
            fresh = [
                (row, each)
                for row, each in torrents
                if connection.execute(kept, (row.infoHash,)).fetchone() is None
            ]
            connection.executemany(
                f"INSERT INTO torrents ({_COLUMNS}) VALUES (?,?,?,0,0,'') ON CONFLICT (infoHash) DO UPDATE"
                " SET metafilePath=excluded.metafilePath, dataDirPath=excluded.dataDirPath",
                [(row.infoHash, *map(str, row.loc)) for row, _ in fresh],
            )
            return self.timetable.enter(connection, [each for _, each in fresh], now)

        return self._database.run(write)

    def put(self, row: TorrentRow) -> Deferred[None]:
        """Know C{row} from now on, in place of what was known of it."""
        values = (row.infoHash, *map(str, row.loc), row.keepOpen, row.paused, row.magnet)

        def write(connection: Connection) -> None:
            connection.execute(
                f"INSERT INTO torrents ({_COLUMNS}) VALUES (?,?,?,?,?,?) ON CONFLICT (infoHash) DO UPDATE SET"
                " metafilePath=excluded.metafilePath, dataDirPath=excluded.dataDirPath,"
                " keepOpen=excluded.keepOpen, paused=excluded.paused, magnet=excluded.magnet",
                values,
            )
            if row.keepOpen:
                self.timetable.leave(connection, row.infoHash)  # it announces itself

        return self._database.run(write)

    def setPaused(self, infoHash: bytes, paused: bool) -> Deferred[None]:
        """Remember whether it is paused."""

        def write(connection: Connection) -> None:
            connection.execute("UPDATE torrents SET paused=? WHERE infoHash=?", (paused, infoHash))

        return self._database.run(write)

    def remove(self, infoHash: bytes) -> Deferred[tuple[Turn, Tiers] | None]:
        """Know it no more; what the timetable knew of it, if a tracker was ever told."""

        def write(connection: Connection) -> tuple[Turn, Tiers] | None:
            connection.execute("DELETE FROM torrents WHERE infoHash=?", (infoHash,))
            return self.timetable.leave(connection, infoHash)

        return self._database.run(write)

    def get(self, infoHash: bytes) -> TorrentRow | None:
        """One row, now; C{None}: not known."""

        def read(connection: Connection) -> TorrentRow | None:
            query = f"SELECT {_COLUMNS} FROM torrents WHERE infoHash=?"
            values = connection.execute(query, (infoHash,)).fetchone()
            return None if values is None else _row(values)

        return self._database.look(read)

    def unscheduled(self, after: bytes, limit: int) -> Deferred[list[TorrentRow]]:
        """Registered torrents that the timetable does not know, in the order of their info-hashes."""

        def read(connection: Connection) -> list[TorrentRow]:
            query = (
                f"SELECT {_COLUMNS} FROM torrents t WHERE infoHash>? AND NOT keepOpen AND NOT EXISTS"
                " (SELECT 1 FROM announces a WHERE a.infoHash=t.infoHash) ORDER BY infoHash LIMIT ?"
            )
            return [_row(values) for values in connection.execute(query, (after, limit))]

        return self._database.run(read)

    def schedule(self, torrents: Sequence[Registration], now: float) -> Deferred[Mapping[int, int]]:
        """Have C{torrents} announced that are still known and registered; see L{register}."""

        def write(connection: Connection) -> Mapping[int, int]:
            query = "SELECT paused FROM torrents WHERE infoHash=? AND NOT keepOpen"
            known = [(each, connection.execute(query, (each.infoHash,)).fetchone()) for each in torrents]
            stations = self.timetable.enter(connection, [each for each, row in known if row], now)
            for each, row in known:
                if row and row[0]:
                    self.timetable.silence(connection, each.infoHash)
            return stations

        return self._database.run(write)

    def keptOpen(self) -> Deferred[list[TorrentRow]]:
        """Those to open at start."""

        def read(connection: Connection) -> list[TorrentRow]:
            query = f"SELECT {_COLUMNS} FROM torrents WHERE keepOpen ORDER BY infoHash"
            return [_row(values) for values in connection.execute(query)]

        return self._database.run(read)

    def __len__(self) -> int:
        def read(connection: Connection) -> int:
            count: int = connection.execute("SELECT number FROM torrentCount").fetchone()[0]
            return count

        return self._database.look(read)

    def __contains__(self, infoHash: object) -> bool:
        return isinstance(infoHash, bytes) and self.get(infoHash) is not None
