"""
Registering torrents by the thousand: read and checked off the reactor thread, written in batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from bitarray import bitarray
from twisted.internet.defer import Deferred

from twisted_bt.errors import BitTorrentError, MetainfoError, StorageError
from twisted_bt.sessions.assembly import Assembly, checkAllocated
from twisted_bt.sessions.timetable import Registration
from twisted_bt.sessions.torrentmap import TorrentLoc, TorrentRow
from twisted_bt.torrent.metainfo import Metainfo

#: Torrents read by one job and written in one transaction; a job holds others up for a few hundredths of
#: a second, a transaction is as long as a sync of the disk whatever is in it.
BATCH = 128


@dataclass
class Registered:
    """
    What became of many.

    @ivar count: torrents that are known now.
    @ivar refused: those that are not, and why, for people.
    """

    count: int = 0
    refused: list[tuple[TorrentLoc, str]] = field(default_factory=list)


class _Read(NamedTuple):
    """A torrent that was read, and where it is."""

    loc: TorrentLoc
    metainfo: Metainfo
    allocated: bitarray | None


class _Batch(NamedTuple):
    found: list[_Read]
    refused: list[tuple[TorrentLoc, str]]
    last: bool


def registration(metainfo: Metainfo) -> Registration:
    """What the timetable must know of C{metainfo}."""
    trackers = tuple(tuple(tier) for tier in metainfo.trackers)
    return Registration(metainfo.wireHash, trackers, metainfo.private)


class Registering:
    """
    @param write: writes a batch, and tells who has to know.
    @param active: whether the swarm of an info-hash is open, so that its row stays.
    """

    def __init__(
        self,
        parts: Assembly,
        write: Callable[[list[tuple[TorrentRow, Registration]]], Deferred[Mapping[int, int]]],
        active: Callable[[bytes], bool],
    ) -> None:
        self._parts = parts
        self._write = write
        self._active = active
        # An application's own storage may not be able to look without a Deferred.
        self._look: Callable[[Metainfo, Path], bitarray] | None = getattr(
            parts.engine.storages, "allocatedNow", None
        )

    async def run(
        self, locs: Iterable[TorrentLoc], progressed: Callable[[Registered], object] | None = None
    ) -> Registered:
        """
        Register all of C{locs}; one that cannot be is refused, and the others go on.

        @param locs: iterated on a thread, a few at a time, so it may read the disk.
        @param progressed: told what was done, after each batch.
        @raise BitTorrentError: the database cannot be written, or the client was stopped.
        """
        source = iter(locs)
        outcome = Registered()
        reading = self._parts.metafiles.submit(lambda: self._read(source))
        written: Deferred[Mapping[int, int]] | None = None
        while True:
            batch = await reading
            if not batch.last:
                reading = self._parts.metafiles.submit(lambda: self._read(source))
            outcome.refused += batch.refused
            rows = await self._checked(batch.found, outcome)
            if written is not None:
                await written
            written = self._write([each for each in rows if not self._active(each[0].infoHash)])
            outcome.count += len(rows)
            if batch.last:
                await written
            if progressed is not None:
                progressed(outcome)
            if batch.last:
                return outcome

    def _read(self, source: Iterator[TorrentLoc]) -> _Batch:
        """The next few, on a thread."""
        found: list[_Read] = []
        refused: list[tuple[TorrentLoc, str]] = []
        wanted = list(islice(source, BATCH))
        for each in wanted:
            loc = TorrentLoc(Path(each[0]).absolute(), Path(each[1]).absolute())
            try:
                metainfo = self._parts.metafiles.readNow(loc.metafilePath)
                allocated = None if self._look is None else self._look(metainfo, loc.dataDirPath)
            except (MetainfoError, StorageError) as reason:
                refused.append((loc, str(reason)))
            else:
                found.append(_Read(loc, metainfo, allocated))
        return _Batch(found, refused, len(wanted) < BATCH)

    async def _checked(
        self, found: list[_Read], outcome: Registered
    ) -> list[tuple[TorrentRow, Registration]]:
        """Those whose files are in place."""
        rows = []
        for loc, metainfo, allocated in found:
            try:
                if allocated is None:
                    await self._parts.checkInPlace(metainfo, loc.dataDirPath)
                else:
                    checkAllocated(metainfo, loc.dataDirPath, allocated)
            except BitTorrentError as reason:
                outcome.refused.append((loc, str(reason)))
            else:
                rows.append((TorrentRow(metainfo.wireHash, loc, keepOpen=False), registration(metainfo)))
        return rows
