"""
When each registered torrent is to be announced to its trackers: rows in the database.

Nothing of it is in memory but the few that come next, so that a million torrents cost no more of it
than ten, and a restart goes on where the last run ended.  Times are seconds since 1970.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from sqlite3 import Connection
from typing import NamedTuple

from twisted.internet.defer import Deferred

from twisted_bt.sessions.station import stationName
from twisted_bt.sessions.trackercounts import TrackerCounts, writeCounts
from twisted_bt.storage.database import StateDatabase
from twisted_bt.storage.groupcommit import GroupCommit
from twisted_bt.tracker.schedule import LONGEST_INTERVAL

Tiers = tuple[tuple[str, ...], ...]

_STATEMENTS = (
    """
    CREATE TABLE IF NOT EXISTS announces (
        infoHash BLOB NOT NULL PRIMARY KEY,
        station INTEGER,
        trackers INTEGER,
        private INTEGER NOT NULL,
        missing INTEGER NOT NULL,
        dueAt REAL,
        toldAt REAL NOT NULL,
        toldTo INTEGER NOT NULL,
        failures INTEGER NOT NULL,
        complete INTEGER,
        incomplete INTEGER,
        downloads INTEGER,
        countedAt REAL NOT NULL DEFAULT 0,
        askedAt REAL NOT NULL DEFAULT 0
    ) WITHOUT ROWID
    """,
    "CREATE INDEX IF NOT EXISTS announcesDue ON announces (station, dueAt) WHERE dueAt IS NOT NULL",
    """
    CREATE TABLE IF NOT EXISTS trackers (
        id INTEGER NOT NULL PRIMARY KEY, tiers TEXT NOT NULL UNIQUE, station INTEGER NOT NULL
    )
    """,
    "CREATE TABLE IF NOT EXISTS stations (id INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
)


#: What C{announces} gained in version 2 of the schema.
_COUNTS = (
    "complete INTEGER",
    "incomplete INTEGER",
    "downloads INTEGER",
    "countedAt REAL NOT NULL DEFAULT 0",
    "askedAt REAL NOT NULL DEFAULT 0",
)


def keepCounts(connection: Connection) -> None:
    """Migrate a file of version 1: rows have room for what trackers count."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name='announces'").fetchone() is not None:
        for column in _COUNTS:
            connection.execute(f"ALTER TABLE announces ADD COLUMN {column}")


@dataclass(frozen=True, slots=True)
class Registration:
    """
    What the timetable must know of a torrent.

    @ivar trackers: tiers of URLs (BEP 12).
    @ivar private: never to be found but by its trackers (BEP 27).
    @ivar missing: bytes that are not here.
    """

    infoHash: bytes
    trackers: Tiers
    private: bool
    missing: int = 0


@dataclass(slots=True)
class Turn:
    """
    One torrent whose turn it is.

    @ivar trackers: number of its list of trackers.
    @ivar missing: bytes that are not here.
    @ivar dueAt: when it was to be announced.
    @ivar toldAt: when a tracker answered last; 0: never.
    @ivar toldTo: which of its trackers that was, by their order in the torrent.
    @ivar failures: announces in a row that no tracker answered.
    @ivar uploaded: bytes in all runs.
    @ivar downloaded: bytes in all runs.
    @ivar counts: what the tracker said, if it has in this turn.
    """

    infoHash: bytes
    trackers: int
    missing: int
    dueAt: float | None
    toldAt: float
    toldTo: int
    failures: int
    uploaded: int
    downloaded: int
    counts: TrackerCounts | None = None


class StationRow(NamedTuple):
    """A tracker's host, and how many torrents are announced there; C{soonest}: when the first is due."""

    number: int
    name: str
    torrents: int
    soonest: float


class Page(NamedTuple):
    """The turns that come next; C{soonest}: when there is more, C{None}: nothing is."""

    turns: list[Turn]
    trackers: dict[int, Tiers]
    soonest: float | None


_TURN = (
    "SELECT a.infoHash, a.trackers, a.missing, a.dueAt, a.toldAt, a.toldTo, a.failures,"
    " coalesce(r.uploaded, 0), coalesce(r.downloaded, 0)"
    " FROM announces a LEFT JOIN resume r ON r.infoHash = a.infoHash "
)


class Timetable:
    """
    @param database: not yet open; has the resume states too.
    """

    def __init__(self, database: StateDatabase | GroupCommit) -> None:
        self._database = database
        for each in _STATEMENTS:
            database.ensure(each)
        self._known: dict[Tiers, tuple[int | None, int | None]] = {}  # the writer's

    # -- inside of a transaction of somebody else

    def enter(self, connection: Connection, torrents: Iterable[Registration], now: float) -> dict[int, int]:
        """
        Announce C{torrents} from now on; those that were known keep their time.

        @return: how many of them go to each station that has any.
        """
        self._known.clear()  # numbers given in a transaction that failed are not theirs
        rows = []
        stations: dict[int, int] = {}
        for each in torrents:
            trackers, station = self._numbers(connection, each.trackers)
            dueAt = now if station is not None else None
            rows.append((each.infoHash, station, trackers, each.private, each.missing, dueAt))
            if station is not None:
                stations[station] = stations.get(station, 0) + 1
        connection.executemany(
            "INSERT INTO announces"
            " (infoHash, station, trackers, private, missing, dueAt, toldAt, toldTo, failures)"
            " VALUES (?,?,?,?,?,?,0,-1,0) ON CONFLICT (infoHash) DO UPDATE SET"
            " station=excluded.station, trackers=excluded.trackers, private=excluded.private,"
            " missing=excluded.missing, dueAt=coalesce(dueAt, excluded.dueAt)",
            rows,
        )
        return stations

    def silence(self, connection: Connection, infoHash: bytes) -> None:
        """Do not announce a torrent for now."""
        connection.execute("UPDATE announces SET dueAt=NULL WHERE infoHash=?", (infoHash,))

    def leave(self, connection: Connection, infoHash: bytes) -> tuple[Turn, Tiers] | None:
        """Announce a torrent no more; what was L{known} of it."""
        known = _known(connection, infoHash)
        connection.execute("DELETE FROM announces WHERE infoHash=?", (infoHash,))
        return known

    # -- by itself

    def stations(self, now: float) -> Deferred[list[StationRow]]:
        """All that have torrents.  Times that lie too far ahead, since a clock was wrong, are put right."""

        def read(connection: Connection) -> list[StationRow]:
            found = []
            for number, name in connection.execute("SELECT id, name FROM stations").fetchall():
                connection.execute(
                    "UPDATE announces SET dueAt=? WHERE station=? AND dueAt>?",
                    (now + LONGEST_INTERVAL, number, now + LONGEST_INTERVAL),
                )
                count, soonest = connection.execute(
                    "SELECT count(*), min(dueAt) FROM announces WHERE station=? AND dueAt IS NOT NULL",
                    (number,),
                ).fetchone()
                if count:
                    found.append(StationRow(number, name, count, soonest))
            return found

        return self._database.run(read)

    def stationsOf(self, numbers: Sequence[int]) -> Deferred[dict[int, str]]:
        """Their names."""

        def read(connection: Connection) -> dict[int, str]:
            query = "SELECT name FROM stations WHERE id=?"
            return {each: connection.execute(query, (each,)).fetchone()[0] for each in numbers}

        return self._database.run(read)

    def turnPage(self, station: int, told: Sequence[Turn], until: float, limit: int) -> Deferred[Page]:
        """
        Write down what became of the turns C{told}, which do not change any more; then the next ones.

        @param until: those due by then.
        @param limit: the most turns.
        """

        def turn(connection: Connection) -> Page:
            _settle(connection, told)
            where = "WHERE a.station=? AND a.dueAt<=? ORDER BY a.dueAt LIMIT ?"
            turns = [Turn(*row) for row in connection.execute(_TURN + where, (station, until, limit))]
            trackers = {each: tiersOf(connection, each) for each in {turn.trackers for turn in turns}}
            soonest = None
            if len(turns) < limit:
                (soonest,) = connection.execute(
                    "SELECT min(dueAt) FROM announces WHERE station=? AND dueAt>?", (station, until)
                ).fetchone()
            return Page(turns, trackers, soonest)

        return self._database.run(turn)

    def known(self, infoHash: bytes) -> Deferred[tuple[Turn, Tiers] | None]:
        """One torrent and its trackers; C{None}: none of them was ever told of it."""
        return self._database.run(lambda connection: _known(connection, infoHash))

    def settle(self, told: Sequence[Turn]) -> Deferred[None]:
        """Write down what became of C{told}."""
        return self._database.run(lambda connection: _settle(connection, told))

    def reschedule(
        self,
        infoHash: bytes,
        dueAt: float | None,
        missing: int | None = None,
        counts: TrackerCounts | None = None,
    ) -> Deferred[int | None]:
        """
        Announce a torrent at C{dueAt} (C{None}: not), having C{missing} bytes to get (C{None}: as before).

        @param counts: what a tracker said of it meanwhile, if one has.

        @return: the number of its station; C{None}: it is not announced anywhere.
        """

        def write(connection: Connection) -> int | None:
            connection.execute(
                "UPDATE announces SET dueAt=?, missing=coalesce(?, missing)"
                " WHERE infoHash=? AND station IS NOT NULL",
                (dueAt, missing, infoHash),
            )
            if counts is not None:
                writeCounts(connection, {infoHash: counts})
            row = connection.execute("SELECT station FROM announces WHERE infoHash=?", (infoHash,)).fetchone()
            return None if row is None else row[0]

        return self._database.run(write)

    def heardSince(self, since: float, limit: int) -> Deferred[list[tuple[Turn, Tiers]]]:
        """Torrents of which a tracker was told since then; none, if there are more than C{limit}."""

        def read(connection: Connection) -> list[tuple[Turn, Tiers]]:
            (known,) = connection.execute(
                "SELECT count(*) FROM (SELECT 1 FROM announces LIMIT ?)", (limit + 1,)
            ).fetchone()
            if known > limit:
                return []
            rows = connection.execute(_TURN + "WHERE a.toldTo>=0 AND a.toldAt>=?", (since,)).fetchall()
            turns = [Turn(*row) for row in rows]
            return [(turn, tiersOf(connection, turn.trackers)) for turn in turns]

        return self._database.run(read)

    def public(self, after: bytes, limit: int) -> Deferred[list[bytes]]:
        """Info-hashes of torrents that are not private, in their order, behind C{after}."""

        def read(connection: Connection) -> list[bytes]:
            query = (
                "SELECT infoHash FROM announces WHERE infoHash>? AND NOT private ORDER BY infoHash LIMIT ?"
            )
            return [row[0] for row in connection.execute(query, (after, limit))]

        return self._database.run(read)

    # -- the numbers of lists of trackers and of stations

    def _numbers(self, connection: Connection, tiers: Tiers) -> tuple[int | None, int | None]:
        found = self._known.get(tiers)
        if found is None:
            found = self._look(connection, tiers)
            self._known[tiers] = found
        return found

    def _look(self, connection: Connection, tiers: Tiers) -> tuple[int | None, int | None]:
        names = (stationName(url) for tier in tiers for url in tier)
        name = next((each for each in names if each is not None), None)
        if name is None:
            return None, None
        connection.execute("INSERT OR IGNORE INTO stations (name) VALUES (?)", (name,))
        (station,) = connection.execute("SELECT id FROM stations WHERE name=?", (name,)).fetchone()
        text = json.dumps(tiers)
        connection.execute("INSERT OR IGNORE INTO trackers (tiers, station) VALUES (?,?)", (text, station))
        (trackers,) = connection.execute("SELECT id FROM trackers WHERE tiers=?", (text,)).fetchone()
        return trackers, station


def _settle(connection: Connection, told: Sequence[Turn]) -> None:
    connection.executemany(
        "UPDATE announces SET dueAt=?, toldAt=?, toldTo=?, failures=?, askedAt=max(askedAt, ?),"
        " complete=coalesce(?, complete), incomplete=coalesce(?, incomplete),"
        " countedAt=coalesce(?, countedAt)"
        " WHERE infoHash=? AND dueAt IS NOT NULL",  # or it was paused meanwhile
        [
            (
                each.dueAt,
                each.toldAt,
                each.toldTo,
                each.failures,
                each.toldAt,
                *_countsOf(each),
                each.infoHash,
            )
            for each in told
        ],
    )


def _countsOf(turn: Turn) -> tuple[int | None, int | None, float | None]:
    if turn.counts is None:
        return None, None, None
    return turn.counts.complete, turn.counts.incomplete, turn.counts.at


def _known(connection: Connection, infoHash: bytes) -> tuple[Turn, Tiers] | None:
    row = connection.execute(_TURN + "WHERE a.infoHash=?", (infoHash,)).fetchone()
    if row is None or row[1] is None or row[5] < 0:
        return None
    turn = Turn(*row)
    return turn, tiersOf(connection, turn.trackers)


def tiersOf(connection: Connection, trackers: int) -> Tiers:
    """The list of trackers of that number."""
    (text,) = connection.execute("SELECT tiers FROM trackers WHERE id=?", (trackers,)).fetchone()
    return tuple(map(tuple, json.loads(text)))
