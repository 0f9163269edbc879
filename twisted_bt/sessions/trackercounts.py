"""
How many are in a swarm, as a tracker counts them, and since when that is known.

An announce's answer says it, and a scrape (BEP 48, BEP 15).  Of a registered torrent it is kept with the row
that says when to announce it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from sqlite3 import Connection

from twisted_bt.tracker.announce import ScrapeEntry

#: More than there are people; what is beyond is no count.
_MOST = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class TrackerCounts:
    """
    @ivar complete: seeders; C{None}: no tracker said.
    @ivar incomplete: leechers; C{None}: no tracker said.
    @ivar downloaded: how often the torrent was downloaded to its end; C{None}: no tracker said, since it was
        never scraped.
    @ivar at: when a tracker said so, in seconds since 1970.
    """

    complete: int | None
    incomplete: int | None
    downloaded: int | None
    at: float

    @classmethod
    def told(cls, complete: int | None, incomplete: int | None, at: float) -> TrackerCounts | None:
        """What was in an announce's answer; C{None}: nothing was."""
        if complete is None and incomplete is None:
            return None
        return cls(_count(complete), _count(incomplete), None, at)

    @classmethod
    def scraped(cls, entry: ScrapeEntry, at: float) -> TrackerCounts:
        """What was in a scrape's answer."""
        return cls(_count(entry.complete), _count(entry.incomplete), _count(entry.downloaded), at)

    def after(self, older: TrackerCounts | None) -> TrackerCounts:
        """The same, with what only C{older} says."""
        if older is None or self.downloaded is not None:
            return self
        return TrackerCounts(self.complete, self.incomplete, older.downloaded, self.at)


def _count(value: int | None) -> int | None:
    return None if value is None else min(max(value, 0), _MOST)


def writeCounts(connection: Connection, counts: Mapping[bytes, TrackerCounts]) -> None:
    """Keep C{counts}, by info-hash, with the rows of those that have one."""
    connection.executemany(
        "UPDATE announces SET complete=coalesce(?, complete), incomplete=coalesce(?, incomplete),"
        " downloads=coalesce(?, downloads), countedAt=?, askedAt=max(askedAt, ?) WHERE infoHash=?",
        [
            (each.complete, each.incomplete, each.downloaded, each.at, each.at, infoHash)
            for infoHash, each in counts.items()
        ],
    )


def readCounts(connection: Connection, infoHash: bytes) -> TrackerCounts | None:
    """What is kept with the row of C{infoHash}; C{None}: nothing is."""
    row = connection.execute(
        "SELECT complete, incomplete, downloads, countedAt FROM announces WHERE infoHash=? AND countedAt>0",
        (infoHash,),
    ).fetchone()
    return None if row is None else TrackerCounts(*row)
