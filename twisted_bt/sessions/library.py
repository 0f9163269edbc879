"""
The torrents of a running client: adding, registering, opening, closing, one at a time for each.

A swarm is open for one of three reasons.  It was I{added}: then it is open in every run.  An
application I{holds} it (L{Library.open}), until it lets go or the client stops.  Or somebody
I{knocked}: then it closes again when it is idle.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bitarray.util import zeros
from twisted.internet.defer import Deferred, DeferredList, DeferredLock
from twisted.logger import Logger

from twisted_bt.errors import BitTorrentError, MagnetError, MetainfoError, SessionStopped, UnknownTorrent
from twisted_bt.sessions.assembly import Assembly
from twisted_bt.sessions.catchingup import CatchingUp
from twisted_bt.sessions.dhtturns import DhtTurns
from twisted_bt.sessions.herald import Herald
from twisted_bt.sessions.idleness import Idleness
from twisted_bt.sessions.joining import holding
from twisted_bt.sessions.life import SwarmStatus
from twisted_bt.sessions.metadatasession import MetadataSession
from twisted_bt.sessions.metafiles import RereadInfo, TorrentSource
from twisted_bt.sessions.observers import Observers
from twisted_bt.sessions.pauses import Pauses
from twisted_bt.sessions.registering import Registered as Outcome
from twisted_bt.sessions.registering import Registering, registration
from twisted_bt.sessions.scraper import Scraper
from twisted_bt.sessions.station import Stations
from twisted_bt.sessions.swarm import SwarmSession
from twisted_bt.sessions.timetable import Registration
from twisted_bt.sessions.torrentmap import (
    Active,
    Registered,
    TorrentLoc,
    TorrentPresence,
    TorrentRow,
    Unknown,
)
from twisted_bt.sessions.vacancy import Vacancy
from twisted_bt.torrent.magnet import Magnet
from twisted_bt.torrent.metainfo import Metainfo

#: Torrents that are added or removed at a time.
AT_ONCE = 32
#: Torrents that are stopped in one turn of the reactor: a few milliseconds.
IN_A_TURN = 8
#: Of more torrents than this, trackers hear at this pace when a client starts, within so many seconds.
FEW = 20
A_SECOND = 20.0
LONGEST = 120.0


class Library:
    """
    @ivar swarms: the open swarms, by info-hash.
    @ivar fetching: the torrents whose metadata is being fetched, by info-hash.
    @ivar herald: announces the torrents that are registered.
    @ivar scraper: asks trackers how many there are of a torrent.
    """

    _log = Logger()

    def __init__(self, parts: Assembly, observers: Observers) -> None:
        self._parts = parts
        self._observers = Observers(observers)
        self._locks: dict[bytes, DeferredLock] = {}
        self._stopped = False
        # Thousands may be asked for at once, which would hold the reactor up.
        self._turns = Vacancy(AT_ONCE)
        self.swarms: dict[bytes, SwarmSession] = {}
        self.fetching: dict[bytes, MetadataSession] = {}
        self._held: set[bytes] = set()
        engine = parts.engine
        self._idleness = Idleness(engine.reactor, engine.settings.idleTimeout, self._closeLater)
        self._observers.add(self._idleness)
        self._observers.add(Pauses(self.paused))
        self._tasks: dict[Deferred[None], None] = {}
        hosts = Stations()
        self.herald = Herald(engine, parts.torrents.timetable, self.swarms, hosts)
        self.scraper = Scraper(engine, parts.torrents.scrapes, self.swarms, hosts, self.herald.lately)
        self._dhtTurns = DhtTurns(engine, parts.torrents.timetable)
        self._catchingUp = CatchingUp(parts, self.herald.registered)
        self._registering = Registering(parts, self._write, lambda infoHash: infoHash in self.swarms)

    # -- what is known

    def presence(self, infoHash: bytes) -> TorrentPresence:
        """Whether a torrent is open, known, or neither."""
        swarm = self.swarms.get(infoHash)
        if swarm is not None:
            return Active(swarm)
        row = self._parts.torrents.get(infoHash)
        return Unknown() if row is None else Registered(row.loc)

    async def restore(self) -> None:
        """Go on with the torrents of earlier runs.  One that cannot be opened is reported and kept."""
        try:
            await self.herald.start()
        except BitTorrentError as reason:
            self._log.error("registered torrents are not announced: {reason}", reason=str(reason))
        if not self._stopped:
            self._dhtTurns.start()
            self.scraper.start()
        try:
            rows = await self._parts.torrents.keptOpen()
        except BitTorrentError as reason:
            self._log.error("cannot go on with the torrents of earlier runs: {reason}", reason=str(reason))
            return
        # Not all in one breath: many have the same tracker.
        within = 0.0 if len(rows) <= FEW else min(len(rows) / A_SECOND, LONGEST)
        for row in rows:
            if self._stopped:
                return
            try:
                await self._openAgain(row, within)
            except BitTorrentError as reason:
                self._log.error(
                    "cannot go on with {infoHash}: {reason}", infoHash=row.infoHash.hex(), reason=str(reason)
                )
        self._task(self._catchingUp.run(), "announcing what earlier versions registered")

    async def _openAgain(self, row: TorrentRow, within: float) -> None:
        async with self._locked(row.infoHash):
            if row.infoHash in self.swarms or row.infoHash in self.fetching:
                return  # somebody was quicker
            if row.magnet and not row.loc.metafilePath.name:
                self._fetch(row, Magnet.parse(row.magnet))
            else:
                await self._open(row, within=within)

    # -- adding

    async def add(self, source: TorrentSource, folder: Path) -> SwarmSession:
        """Exchange a torrent from now on, in this and later runs."""
        async with holding(self._turns):
            return await self._add(source, folder)

    async def _add(self, source: TorrentSource, folder: Path) -> SwarmSession:
        metainfo = await self._parts.metafiles.read(source)
        async with self._locked(metainfo.wireHash):
            swarm = self.swarms.get(metainfo.wireHash)
            if swarm is None:
                row = TorrentRow(metainfo.wireHash, TorrentLoc(Path(), folder), True)
                swarm = await self._keep(row, metainfo)
            elif swarm.registered:
                await self._adopt(swarm)
        fetching = self.fetching.get(metainfo.wireHash)
        if fetching is not None:
            fetching.found(metainfo)
        return swarm

    async def addMagnet(self, magnet: Magnet, folder: Path) -> SwarmSession:
        """The same for a torrent whose metadata peers have to give first."""
        infoHash = magnet.infoHash
        if infoHash is None:
            raise MagnetError("the magnet link names a torrent of version 2 only, which is not supported yet")
        async with self._locked(infoHash):
            swarm = self.swarms.get(infoHash)
            if swarm is not None:
                return swarm
            row = self._parts.torrents.get(infoHash)
            if row is not None and row.loc.metafilePath.name:
                return await self._open(row)
            fetching = self.fetching.get(infoHash)
            if fetching is None:
                row = TorrentRow(infoHash, TorrentLoc(Path(), folder), True, False, magnet.uri())
                await self._parts.torrents.put(row)
                fetching = self._fetch(row, magnet)
        return await fetching.whenOpen()

    def _fetch(self, row: TorrentRow, magnet: Magnet) -> MetadataSession:
        fetching = MetadataSession(self._parts.engine, magnet, self._observers)
        self.fetching[row.infoHash] = fetching

        async def fetch() -> None:
            try:
                metainfo = await fetching.whenFetched()
                await fetching.stop()
                async with self._locked(row.infoHash):
                    fetching.check()  # it may have been removed meanwhile
                    swarm = self.swarms.get(row.infoHash) or await self._keep(row, metainfo)
                fetching.handOver(swarm)
            except BitTorrentError as reason:
                fetching.failed(reason)
                await fetching.stop()
            finally:
                self.fetching.pop(row.infoHash, None)

        Deferred.fromCoroutine(fetch()).addErrback(
            lambda reason: self._log.failure("fetching metadata", reason)
        )
        fetching.start()
        return fetching

    async def _keep(self, row: TorrentRow, metainfo: Metainfo) -> SwarmSession:
        path = await self._parts.metafiles.keep(metainfo)
        kept = TorrentRow(row.infoHash, TorrentLoc(path, row.loc.dataDirPath), True, row.paused, row.magnet)
        await self._parts.torrents.put(kept)
        return await self._open(kept, metainfo)

    async def _adopt(self, swarm: SwarmSession) -> None:
        """A registered torrent whose swarm is open is added: from now on it stays open."""
        row = self._parts.torrents.get(swarm.infoHash)
        path = await self._parts.metafiles.keep(swarm.metainfo)
        paused = row is not None and row.paused
        loc = TorrentLoc(path, swarm.dataDirPath)
        await self._parts.torrents.put(TorrentRow(swarm.infoHash, loc, True, paused))
        if isinstance(swarm.metainfo.info, RereadInfo):  # whoever registered it may take theirs away
            swarm.metainfo.info.kept(path if self._parts.metafiles.onDisk(path) else None)
        swarm.registered = False
        self._idleness.forget(swarm)
        if swarm.running:
            swarm.seek()

    # -- registering

    async def register(self, loc: TorrentLoc) -> bytes:
        """Know a torrent whose content is in place."""
        metainfo = await self._parts.metafiles.read(loc.metafilePath)
        async with self._locked(metainfo.wireHash):
            await self._parts.checkInPlace(metainfo, loc.dataDirPath)
            if not isinstance(self.presence(metainfo.wireHash), Active):
                row = TorrentRow(metainfo.wireHash, loc, keepOpen=False)
                await self._write([(row, registration(metainfo))])
        return metainfo.wireHash

    async def registerMany(
        self, locs: Iterable[TorrentLoc], progressed: Callable[[Outcome], object] | None
    ) -> Outcome:
        """The same for many; see L{Registering.run}."""
        return await self._registering.run(locs, progressed)

    def _write(self, torrents: list[tuple[TorrentRow, Registration]]) -> Deferred[Mapping[int, int]]:
        async def write() -> Mapping[int, int]:
            now = self._parts.engine.wallClock()
            stations = await self._parts.torrents.register(torrents, now)
            await self.herald.registered(stations)
            return stations

        return Deferred.fromCoroutine(write())

    # -- opening and closing

    async def open(self, infoHash: bytes, hold: bool) -> SwarmSession:
        """
        The swarm of a known torrent, opened if need be.

        @param hold: it stays open until L{release}; else until it is idle.
        """
        async with self._locked(infoHash):
            if hold:
                self._held.add(infoHash)
            match self.presence(infoHash):
                case Active(swarm):
                    self._watch(swarm)
                    return swarm
                case Registered():
                    row = self._parts.torrents.get(infoHash)
                    assert row is not None
                    return await self._open(row)
                case Unknown():
                    raise UnknownTorrent(infoHash)

    async def _open(
        self, row: TorrentRow, metainfo: Metainfo | None = None, within: float = 0.0
    ) -> SwarmSession:
        if metainfo is None:
            if not row.loc.metafilePath.name:
                raise MetainfoError("the metadata of this magnet link is not here yet")
            metainfo = await self._parts.metafiles.read(row.loc.metafilePath)
        if metainfo.wireHash != row.infoHash:
            raise MetainfoError(f"{row.loc.metafilePath} is another torrent than it was")
        metainfo = self._parts.metafiles.rereading(metainfo, row.loc.metafilePath)
        make = SwarmSession.newLeecher if row.keepOpen else SwarmSession.newSeeder
        swarm = make(self._parts.engine, metainfo, row.loc.dataDirPath, self._observers)
        if row.magnet:
            ranges = Magnet.parse(row.magnet).selectOnly
            if ranges:
                # Links name up to a thousand times a million files; so first see which there are.
                chosen = zeros(len(metainfo.files))
                for each in ranges:
                    chosen[each.start : each.stop] = True
                swarm.selectFiles(chosen.search(1) if chosen.any() else None)
        self.swarms[row.infoHash] = swarm
        if swarm.registered:
            if self._parts.engine.activeSlots.vacant <= 0:
                self._idleness.makeRoom()
            self._watch(swarm)
        swarm.start(row.paused, within)
        return swarm

    def release(self, infoHash: bytes) -> None:
        """Nobody holds the swarm any more: where it was registered, it closes when it is idle."""
        self._held.discard(infoHash)
        swarm = self.swarms.get(infoHash)
        if swarm is not None:
            self._watch(swarm)

    def paused(self, infoHash: bytes, paused: bool) -> None:
        """The swarm of a registered torrent was paused, or no longer is."""
        telling = Deferred.fromCoroutine(self.herald.paused(infoHash, paused))
        telling.addErrback(lambda reason: reason.trap(SessionStopped))
        telling.addErrback(lambda reason: self._log.failure("pausing announces", reason))

    def _watch(self, swarm: SwarmSession) -> None:
        if not swarm.registered or swarm.infoHash in self._held:
            self._idleness.forget(swarm)
        else:
            self._idleness.watch(swarm)

    def _closeLater(self, swarm: SwarmSession) -> None:
        self._task(self._closeIdle(swarm), "closing an idle swarm")

    def _task(self, work: Coroutine[Any, Any, None], what: str) -> None:
        """Do C{work} beside all else; L{stop} waits for its end."""
        task = Deferred.fromCoroutine(work)
        self._tasks[task] = None
        task.addErrback(lambda reason: reason.trap(SessionStopped))
        task.addErrback(lambda reason: self._log.failure("{what}", reason, what=what))
        task.addCallback(lambda _: self._tasks.pop(task))

    async def _closeIdle(self, swarm: SwarmSession) -> None:
        async with self._locked(swarm.infoHash):
            if self.swarms.get(swarm.infoHash) is not swarm or self._idleness.watches(swarm):
                return  # somebody was quicker, or came just now
            if swarm.infoHash in self._held or not swarm.registered:
                return
            spoke = swarm.announcing.running
            await swarm.stop()
            self.swarms.pop(swarm.infoHash, None)
            await self.herald.closed(swarm, spoke)

    async def remove(self, infoHash: bytes) -> None:
        """Close and forget a torrent."""
        parts = self._parts
        fetching = self.fetching.get(infoHash)
        if fetching is not None:
            fetching.failed(SessionStopped("the torrent was removed"))
            await fetching.stop()
        async with holding(self._turns), self._locked(infoHash):
            swarm = self.swarms.get(infoHash)
            self._held.discard(infoHash)
            if swarm is not None:
                self._idleness.forget(swarm)
                await swarm.stop()
                self.swarms.pop(infoHash, None)
            await self.herald.settle(infoHash)
            self.herald.unregistered(await parts.torrents.remove(infoHash))
            await parts.engine.resume.forget(infoHash)
            await parts.metafiles.drop(infoHash)

    async def stop(self) -> None:
        """Stop every swarm; what was begun for single torrents comes to its end first, or is refused."""
        self._stopped = True
        self._idleness.stop()
        self._dhtTurns.stop()
        self._catchingUp.stop()
        scraped = Deferred.fromCoroutine(self.scraper.stop())
        heralded = Deferred.fromCoroutine(self.herald.stop())
        stopped = SessionStopped("the client is stopped")
        fetching = list(self.fetching.values())
        for each in fetching:
            each.failed(stopped)
        # First those that wait for their turn: it must not come now.
        swarms = sorted(self.swarms.values(), key=lambda each: each.status is not SwarmStatus.QUEUED)
        stops: list[Deferred[None]] = [each.stop() for each in fetching]
        for number, swarm in enumerate(swarms, 1):
            stops.append(swarm.stop())
            if number % IN_A_TURN == 0:
                await self._nextTurn()
        await DeferredList(stops, consumeErrors=True)
        while self._locks:
            infoHash, lock = next(iter(self._locks.items()))
            await lock.run(lambda: None)
            self._tidy(infoHash, lock)
        known = set(map(id, swarms))
        late = [swarm for swarm in self.swarms.values() if id(swarm) not in known]
        await DeferredList([swarm.stop() for swarm in late], consumeErrors=True)
        self.swarms.clear()
        await DeferredList(list(self._tasks), consumeErrors=True)
        await scraped
        await heralded

    def _nextTurn(self) -> Deferred[None]:
        """Fires in the next turn of the reactor."""
        waiter: Deferred[None] = Deferred()
        self._parts.engine.reactor.callLater(0, waiter.callback, None)
        return waiter

    @asynccontextmanager
    async def _locked(self, infoHash: bytes) -> AsyncIterator[None]:
        """One at a time for each torrent.  @raise SessionStopped: the client is being stopped."""
        lock = self._locks.setdefault(infoHash, DeferredLock())
        await lock.acquire()
        try:
            if self._stopped:
                raise SessionStopped("the client is stopped")
            yield
        finally:
            lock.release()
            self._tidy(infoHash, lock)

    def _tidy(self, infoHash: bytes, lock: DeferredLock) -> None:
        """Keep no lock that nobody holds or waits for."""
        if not lock.locked and not lock.waiting and self._locks.get(infoHash) is lock:
            del self._locks[infoHash]
