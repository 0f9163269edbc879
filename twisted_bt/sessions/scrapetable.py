"""
Which registered torrents are to be scraped, and what trackers said: in the rows of their announces.

Those that are announced need no scrape, as the answers to their announces say the same.  The others are asked
about one after the other, longest ago first, as many of one tracker at a time as it takes in a request.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from sqlite3 import Connection
from typing import NamedTuple

from twisted.internet.defer import Deferred

from twisted_bt.sessions.timetable import Tiers, tiersOf
from twisted_bt.sessions.trackercounts import TrackerCounts, readCounts, writeCounts
from twisted_bt.storage.database import StateDatabase
from twisted_bt.storage.groupcommit import GroupCommit

#: Not announced, though there is a tracker; private ones' trackers count every request (BEP 27).
_SILENT = "dueAt IS NULL AND NOT private"
_INDEX = f"CREATE INDEX IF NOT EXISTS announcesSilent ON announces (station, askedAt) WHERE {_SILENT}"
#: The most torrents of a claim.
MOST = 100


@dataclass(frozen=True, slots=True)
class Silent:
    """
    A torrent that is not announced.

    @ivar tiers: its trackers.
    @ivar askedAt: when one of them was last asked about it; 0: never.
    """

    infoHash: bytes
    tiers: Tiers
    askedAt: float = 0.0


class Claim(NamedTuple):
    """Torrents of one station whose turn it is; C{soonest}: where none has, when the first will have."""

    station: int
    torrents: list[Silent]
    soonest: float | None


class ScrapeTable:
    """
    @param database: not yet open; has the L{Timetable} already.
    """

    def __init__(self, database: StateDatabase | GroupCommit) -> None:
        self._database = database
        database.ensure(_INDEX)

    def begin(self, now: float) -> Deferred[None]:
        """Put right what lies ahead, since a clock was wrong."""

        def write(connection: Connection) -> None:
            for (station,) in connection.execute("SELECT id FROM stations").fetchall():
                connection.execute(
                    f"UPDATE announces SET askedAt=? WHERE station=? AND askedAt>? AND {_SILENT}",
                    (now, station, now),
                )

        return self._database.run(write)

    def claim(
        self,
        before: float,
        slack: float,
        now: float,
        limit: Callable[[Tiers], int],
        resting: Collection[int],
    ) -> Deferred[Claim]:
        """
        Torrents that nobody was asked about since C{before}: those of the station that waits longest.  They
        count as asked about from now on, unless they are L{putBack}.

        @param slack: so many seconds later ones are taken too, if there is one at all.
        @param limit: the most torrents where these are the trackers; called on a thread.
        @param resting: stations that are left alone.
        """

        def write(connection: Connection) -> Claim:
            first: tuple[float, int] | None = None
            for (station,) in connection.execute("SELECT id FROM stations ORDER BY id").fetchall():
                if station not in resting:
                    (at,) = connection.execute(
                        f"SELECT min(askedAt) FROM announces WHERE station=? AND {_SILENT}", (station,)
                    ).fetchone()
                    if at is not None and (first is None or (at, station) < first):
                        first = (at, station)
            if first is None or first[0] > before:
                return Claim(0, [], None if first is None else first[0])
            rows = connection.execute(
                f"SELECT infoHash, trackers, askedAt FROM announces WHERE station=? AND {_SILENT}"
                " AND askedAt<=? ORDER BY askedAt LIMIT ?",
                (first[1], before + slack, MOST),
            ).fetchall()
            rows = rows[: limit(tiersOf(connection, rows[0][1]))]
            connection.executemany(
                "UPDATE announces SET askedAt=? WHERE infoHash=?",
                [(now, infoHash) for infoHash, _, _ in rows],
            )
            return Claim(first[1], _withTiers(connection, rows), first[0])

        return self._database.run(write)

    def putBack(self, torrents: Iterable[Silent]) -> Deferred[None]:
        """No tracker said anything: their turn is still to come."""
        rows = [(each.askedAt, each.infoHash) for each in torrents]
        return self._database.run(
            lambda connection: _nothing(
                connection.executemany("UPDATE announces SET askedAt=? WHERE infoHash=?", rows)
            )
        )

    def page(self, after: bytes, limit: int) -> Deferred[list[Silent]]:
        """Torrents that are not private, announced or not, in their order, behind C{after}."""

        def read(connection: Connection) -> list[Silent]:
            rows = connection.execute(
                "SELECT infoHash, trackers, askedAt FROM announces WHERE infoHash>? AND NOT private"
                " AND station IS NOT NULL ORDER BY infoHash LIMIT ?",
                (after, limit),
            ).fetchall()
            return _withTiers(connection, rows)

        return self._database.run(read)

    def keep(self, counts: Mapping[bytes, TrackerCounts]) -> Deferred[None]:
        """Remember what trackers said, by info-hash."""
        return self._database.run(lambda connection: writeCounts(connection, counts))

    def counts(self, infoHash: bytes) -> TrackerCounts | None:
        """What is remembered of one torrent, now."""
        return self._database.look(lambda connection: readCounts(connection, infoHash))

    def trackers(self, infoHash: bytes) -> Tiers | None:
        """The trackers of a registered torrent, now; C{None}: it is none."""

        def read(connection: Connection) -> Tiers | None:
            row = connection.execute(
                "SELECT trackers FROM announces WHERE infoHash=?", (infoHash,)
            ).fetchone()
            if row is None or row[0] is None:
                return None if row is None else ()
            return tiersOf(connection, row[0])

        return self._database.look(read)


def _withTiers(connection: Connection, rows: list[tuple[bytes, int, float]]) -> list[Silent]:
    tiers = {number: tiersOf(connection, number) for number in dict.fromkeys(row[1] for row in rows)}
    return [Silent(infoHash, tiers[number], askedAt) for infoHash, number, askedAt in rows]


def _nothing(_: object) -> None:
    """For what is done and has no result."""
