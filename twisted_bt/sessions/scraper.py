"""
Asks trackers how many there are of a torrent (BEP 48, BEP 15): when somebody wants to know, and now and
then of registered torrents that are not announced.

Many torrents are asked about at a time.  Nothing of one is in memory but while it is asked about: whose
turn it is, and what trackers said, is in the L{ScrapeTable}.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from twisted_bt.errors import BitTorrentError, SessionStopped, TrackerError, UnknownTorrent
from twisted_bt.sessions.engine import Engine
from twisted_bt.sessions.errands import Errands
from twisted_bt.sessions.scrapequeue import ScrapeQueue, scrapeCapacity
from twisted_bt.sessions.scrapetable import MOST, ScrapeTable, Silent
from twisted_bt.sessions.station import Stations
from twisted_bt.sessions.timetable import Tiers
from twisted_bt.sessions.trackercounts import TrackerCounts
from twisted_bt.sessions.trackerlist import TrackerList
from twisted_bt.tracker.announce import ScrapeEntry

if TYPE_CHECKING:
    from twisted_bt.sessions.swarm import SwarmSession

#: Seconds between two scrapes that nobody waits for; and where there are so many that they fall behind.
PAUSE = 10.0
HURRY = 1.0
#: The longest time in seconds without looking whose turn it is: torrents are paused, clocks put right.
LONGEST_SLEEP = 3600.0
#: This part of the interval earlier, a torrent is asked about together with one whose turn it is.
SLACK = 1 / 8
#: This part of the interval after its turn, it is late.
LATE = 1 / 4
#: Torrents at a time where all are asked about: eight full datagrams.
PAGE = 8 * 74
#: Trackers, and lists of them, kept in memory.
MAX_KEPT = 1000


class Scraper:
    """
    @ivar answers: torrents that a tracker said something of.
    """

    _log = Logger()

    def __init__(
        self,
        engine: Engine,
        table: ScrapeTable,
        swarms: Mapping[bytes, SwarmSession],
        hosts: Stations,
        lately: Callable[[bytes], TrackerCounts | None],
    ) -> None:
        """
        @param swarms: those that are open, by info-hash.
        @param hosts: of all trackers; announces go there too.
        @param lately: what announces brought that is not in the table yet.
        """
        self._engine = engine
        self._table = table
        self._swarms = swarms
        self._hosts = hosts
        self._lately = lately
        self._errands = Errands("scraping")
        self._queues: dict[str, ScrapeQueue] = {}
        self._lists: dict[Tiers, TrackerList] = {}
        self._timer: IDelayedCall | None = None
        self._begun = 0.0
        self._stopped = False
        self._underway: dict[int, list[Silent]] = {}  # by station
        self._resting: dict[int, float] = {}  # stations that did not answer, and until when
        self.answers = 0

    # -- beginning and ending

    def start(self) -> None:
        """Ask now and then about those that are not announced, if that is wanted."""
        if self._engine.settings.scrapeInterval > 0 and not self._stopped:
            self._later(PAUSE)

    async def stop(self) -> None:
        """End what is under way; whoever waits hears C{SessionStopped}.  Returns when nothing is left."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        missed = [each for torrents in self._underway.values() for each in torrents]
        for queue in list(self._queues.values()):
            queue.stop(SessionStopped("the client is stopped"))
        await self._errands.cancel()
        if missed:
            try:
                await self._table.putBack(missed)
            except BitTorrentError as reason:
                self._log.warn("who is to be scraped could not be saved: {reason}", reason=str(reason))

    # -- whoever wants to know

    async def scrape(self, infoHash: bytes) -> ScrapeEntry:
        """
        What a tracker says now of an open or a registered torrent.

        @raise UnknownTorrent: it is neither.
        @raise TrackerError: none said anything.
        @raise SessionStopped: the client was stopped.
        """
        swarm = self._swarms.get(infoHash)
        tiers = self._table.trackers(infoHash) if swarm is None else _tiers(swarm)
        if tiers is None:
            raise UnknownTorrent(infoHash)
        return await self._ask(infoHash, tiers, patient=False)

    async def scrapeAll(self) -> int:
        """
        Ask now about every registered torrent that is not private, a page at a time.

        @return: of how many a tracker said something.
        @raise StorageError: the database cannot be read.
        @raise SessionStopped: the client was stopped.
        """
        after, answered = b"", 0
        while True:
            page = await self._table.page(after, PAGE)
            if not page:
                return answered
            # Who does not answer is asked about the first page alone.
            outcomes = await self._askAll(page, patient=bool(after))
            after = page[-1].infoHash
            if self._stopped:
                raise SessionStopped("the client is stopped")
            answered += sum(isinstance(each, ScrapeEntry) for each in outcomes)

    async def scraped(self, infoHash: bytes) -> TrackerCounts | None:
        """What trackers said last; C{None}: nothing."""
        swarm = self._swarms.get(infoHash)
        known = [self._table.counts(infoHash), self._lately(infoHash)]
        known.append(None if swarm is None else swarm.announcing.counts)
        latest: TrackerCounts | None = None
        for each in sorted((each for each in known if each is not None), key=lambda each: each.at):
            latest = each.after(latest)
        return latest

    # -- those whose turn it is

    def _later(self, delay: float) -> None:
        if not self._stopped:
            self._timer = self._engine.reactor.callLater(delay, self._look)

    def _look(self) -> None:
        self._timer = None
        self._errands.do(self._turn())

    async def _turn(self) -> None:
        """See whose turn it is; have them asked about; and look again in a while."""
        delay = LONGEST_SLEEP
        try:
            delay = await self._claim()
        except SessionStopped:
            return
        except BitTorrentError as reason:
            self._log.error("who is to be scraped: {reason}", reason=str(reason))
        finally:
            self._later(delay)

    async def _claim(self) -> float:
        """@return: seconds until there may be more."""
        now = self._engine.wallClock()
        if not self._begun:
            await self._table.begin(now)
            self._begun = now
        interval = self._engine.settings.scrapeInterval
        self._resting = {station: until for station, until in self._resting.items() if until > now}
        left = frozenset((*self._resting, *self._underway))
        claim = await self._table.claim(now - interval, SLACK * interval, now, _capacity, left)
        if claim.torrents:
            self._underway[claim.station] = claim.torrents
            self._errands.do(self._askAbout(claim.station, claim.torrents))
            # What fell due while nobody could ask does not make us late.
            due = max((claim.soonest or 0.0) + interval, self._begun)
            return HURRY if now - due > LATE * interval else PAUSE
        times = [LONGEST_SLEEP, SLACK * interval]
        times += [until - now for until in self._resting.values()]
        if claim.soonest is not None:
            times.append(claim.soonest + interval - now)
        return max(min(times), PAUSE)

    async def _askAbout(self, station: int, torrents: list[Silent]) -> None:
        try:
            outcomes = await self._askAll(torrents, patient=True)
        finally:
            del self._underway[station]
        if self._stopped:
            return
        # Of what cannot be asked about, nothing is expected.
        delays = [each for each in outcomes if not isinstance(each, ScrapeEntry) and not math.isinf(each)]
        answered = any(isinstance(each, ScrapeEntry) for each in outcomes) or 0.0 in delays
        if delays and not answered:
            self._resting[station] = self._engine.wallClock() + min(delays)
            await self._table.putBack(torrents)

    # -- asking

    async def _askAll(self, torrents: list[Silent], patient: bool) -> list[ScrapeEntry | float]:
        """
        What trackers say of each; or after how many seconds they may be asked again, 0 if they know
        nothing of it, C{inf} if it has none that can be scraped.
        """
        asking = [Deferred.fromCoroutine(self._ask(each.infoHash, each.tiers, patient)) for each in torrents]
        outcomes: list[ScrapeEntry | float] = []
        for _, outcome in await DeferredList(asking, consumeErrors=True):
            if isinstance(outcome, ScrapeEntry):
                outcomes.append(outcome)
            elif isinstance(outcome.value, TrackerError):
                outcomes.append(outcome.value.retryIn or 0.0)
            else:
                outcomes.append(math.inf)
                if not self._stopped:
                    self._log.failure("scraping", outcome)
        return outcomes

    async def _ask(self, infoHash: bytes, tiers: Tiers, patient: bool) -> ScrapeEntry:
        """
        What the first tracker says that answers.

        @param patient: nobody waits for it, so a tracker that did not answer lately is left alone.
        @raise TrackerError: none does; its C{retryIn}: when one may be asked again.
        """
        trackers = self._listOf(tiers)
        reason = TrackerError("the torrent has no tracker that can be scraped", math.inf)
        retryIn = math.inf
        for url in trackers.order():
            if self._stopped:
                raise SessionStopped("the client is stopped")
            queue = self._queueOf(url, trackers)
            if queue is None:
                continue
            if self._notBefore(url, queue, patient) <= self._engine.wallClock():
                try:
                    entry = await queue.ask(infoHash)
                except TrackerError as refused:
                    reason = refused
                else:
                    trackers.answered(url)
                    self.answers += 1
                    return entry
            elif math.isinf(retryIn):
                reason = TrackerError("the tracker is not to be asked for a while")
            wait = self._notBefore(url, queue, patient=True) - self._engine.wallClock()
            retryIn = min(retryIn, max(wait, 0.0))
        raise TrackerError(reason.reason, retryIn or None)

    def _notBefore(self, url: str, queue: ScrapeQueue, patient: bool) -> float:
        said = max(queue.notBefore, self._hosts.of(url).notBefore)
        return max(said, queue.again) if patient else said

    def _listOf(self, tiers: Tiers) -> TrackerList:
        """Kept, so that torrents with the same trackers have the same order of them."""
        found = self._lists.get(tiers)
        if found is None:
            while len(self._lists) >= MAX_KEPT:
                del self._lists[next(iter(self._lists))]
            found = self._lists[tiers] = TrackerList(tiers, self._engine)
        return found

    def _queueOf(self, url: str, trackers: TrackerList) -> ScrapeQueue | None:
        """C{None}: it cannot be scraped."""
        queue = self._queues.get(url)
        if queue is None:
            if not scrapeCapacity(url):
                return None
            try:
                client = trackers.client(url)
            except TrackerError:
                return None
            if len(self._queues) >= MAX_KEPT:
                self._queues = {each: known for each, known in self._queues.items() if not known.idle}
            queue = ScrapeQueue(url, client, self._hosts, self._engine, self._errands, self._keep)
            self._queues[url] = queue
        return queue

    async def _keep(self, counts: Mapping[bytes, TrackerCounts]) -> None:
        for infoHash, each in counts.items():
            swarm = self._swarms.get(infoHash)
            if swarm is not None:
                swarm.announcing.counts = each
        try:
            await self._table.keep(counts)
        except SessionStopped:
            pass  # whoever asked hears it all the same
        except BitTorrentError as reason:
            self._log.warn("what trackers count could not be saved: {reason}", reason=str(reason))


def _tiers(swarm: SwarmSession) -> Tiers:
    return tuple(tuple(tier) for tier in swarm.metainfo.trackers)


def _capacity(tiers: Tiers) -> int:
    """Torrents with these trackers that fit into one scrape."""
    capacities = (scrapeCapacity(url) for tier in tiers for url in tier)
    return min(next((each for each in capacities if each), MOST), MOST)
