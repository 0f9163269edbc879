"""
Announces registered torrents to their trackers, each when its turn comes, without opening its swarm.

Every tracker's host is a L{Station}: the torrents whose first tracker it is are announced at the pace
that spreads them over the tracker's interval, whatever was due at once: after a restart, after a
folder was registered, after the tracker came back.  What is due next is read from the L{Timetable} a
page at a time; what became of it is written with the next page.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from twisted_bt.errors import BitTorrentError, SessionStopped, TrackerError
from twisted_bt.sessions.engine import Engine
from twisted_bt.sessions.errands import Errands
from twisted_bt.sessions.station import Station, Stations
from twisted_bt.sessions.timetable import Tiers, Timetable, Turn
from twisted_bt.sessions.trackercounts import TrackerCounts
from twisted_bt.sessions.trackerlist import TrackerList
from twisted_bt.tracker.announce import AnnounceRequest, Event
from twisted_bt.tracker.schedule import regularDelay, retryDelay

if TYPE_CHECKING:
    from twisted_bt.sessions.swarm import SwarmSession

#: Seconds between two looks at what is due, while something is: few wake-ups, and no burst worth the name.
WINDOW = 0.1
#: Turns read at a time; some seconds' worth of a hundred thousand torrents.
PAGE = 512
#: Turns left on a page at which more are read, if more are due.
REFILL = 128
#: Seconds that a page looks ahead.
AHEAD = 30.0
#: Seconds before it is needed that a page is read, while the one before it is worked through.
LEAD = 5.0
#: The longest time in seconds without looking at the timetable: clocks are put right now and then.
LONGEST_SLEEP = 3600.0
#: Torrents that are taken leave of at the end; of more, trackers are told nothing, and the next run goes on.
MAX_FAREWELLS = 200
#: Lists of trackers kept in memory.
MAX_LISTS = 1000


class _Stop(Station):
    """A station and the page of its timetable that is worked through."""

    __slots__ = ("loading", "number", "soonest", "taken", "timer", "told", "turns")

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.turns: deque[Turn] = deque()
        self.taken: set[bytes] = set()  # on the page, under way, or told and not written down
        self.told: list[Turn] = []
        self.soonest: float | None = 0.0  # what is not on the page is not due before
        self.loading = False
        self.timer: IDelayedCall | None = None


class Herald:
    """
    @ivar answers: announces that a tracker answered.
    @ivar refusals: announces that no tracker answered.
    @ivar lateness: seconds, the most that a turn waited beyond its time, since this was last set to 0.
    """

    _log = Logger()

    def __init__(
        self, engine: Engine, timetable: Timetable, swarms: Mapping[bytes, SwarmSession], hosts: Stations
    ) -> None:
        """@param swarms: those that are open, by info-hash; they know best what was exchanged."""
        self._engine = engine
        self._timetable = timetable
        self._swarms = swarms
        self._stops: dict[int, _Stop] = {}
        self._hosts = hosts
        self._lists: dict[int, TrackerList] = {}
        self._errands = Errands("announcing a registered torrent")
        self._running = False
        self._begun = 0.0
        self.answers = 0
        self.refusals = 0
        self.lateness = 0.0

    # -- beginning and ending

    async def start(self) -> None:
        """Go on where the last run ended."""
        self._running = True
        self._begun = self._now()
        rows = await self._timetable.stations(self._begun)
        if not self._running:
            return
        for row in rows:
            stop = self._stop(row.number, row.name)
            stop.count = max(stop.count, row.torrents)
            stop.soonest = min(row.soonest, stop.soonest or row.soonest)
            self._wake(stop, row.soonest)

    async def stop(self) -> None:
        """
        End what is under way, and write down what was told.  Trackers of a few torrents hear
        C{stopped}, for up to C{stopTimeout}.  Fires when nothing is left.
        """
        if not self._running:
            return
        self._running = False
        told: list[Turn] = []
        for stop in self._stops.values():
            if stop.timer is not None:
                stop.timer.cancel()
                stop.timer = None
            told += stop.told
        await self._errands.cancel()
        try:
            await self._timetable.settle(told)
            farewells = await self._timetable.heardSince(self._begun, MAX_FAREWELLS)
            goodbyes = [Deferred.fromCoroutine(self._goodbye(*each)) for each in farewells]
            leaving = DeferredList(goodbyes, consumeErrors=True)
            leaving.addTimeout(self._engine.settings.stopTimeout, self._engine.reactor)
            leaving.addErrback(lambda _: None)
            await leaving
            for turn, _ in farewells:
                turn.toldTo, turn.dueAt = -1, 0.0
            await self._timetable.settle([turn for turn, _ in farewells])
        except BitTorrentError as reason:
            self._log.warn("what trackers were told could not be saved: {reason}", reason=str(reason))

    # -- what changes

    async def registered(self, stations: Mapping[int, int]) -> None:
        """So many torrents came to each station."""
        unknown = [each for each in stations if each not in self._stops]
        names = await self._timetable.stationsOf(unknown) if unknown else {}
        for number, count in stations.items():
            stop = self._stop(number, names.get(number, ""))
            stop.count += count
            self._wake(stop, self._now())

    async def settle(self, infoHash: bytes) -> None:
        """Write down what is known, and forget that C{infoHash} is due: its row is going to change."""
        told: list[Turn] = []
        for stop in self._stops.values():
            told += stop.told
            stop.taken.difference_update(turn.infoHash for turn in stop.told)
            stop.told.clear()
            if infoHash in stop.taken:
                stop.turns = deque(turn for turn in stop.turns if turn.infoHash != infoHash)
                stop.taken.discard(infoHash)
        if told:
            await self._timetable.settle(told)

    def unregistered(self, known: tuple[Turn, Tiers] | None) -> None:
        """A torrent is announced no more: the tracker that knows us hears so."""
        if known is None or not self._running:
            return
        stop = self._hosts.named.get(TrackerList(known[1], self._engine).station)
        if stop is not None:
            stop.count = max(0, stop.count - 1)
        if known[0].toldAt >= self._begun:
            self._errands.do(self._goodbye(*known))

    async def paused(self, infoHash: bytes, paused: bool) -> None:
        """A registered torrent shall not be announced for a while, or shall again."""
        await self._reschedule(infoHash, None if paused else self._now())
        known = await self._timetable.known(infoHash) if paused else None
        if known is not None and known[0].toldAt >= self._begun:
            self._errands.do(self._goodbye(*known))

    async def closed(self, swarm: SwarmSession, spoke: bool) -> None:
        """
        A registered torrent's swarm was closed.

        @param spoke: it announced for itself, and took leave: so trackers must hear of it soon.
        """
        if spoke:
            counts = swarm.announcing.counts
            await self._reschedule(swarm.infoHash, self._now(), swarm.progress.left, counts)

    def lately(self, infoHash: bytes) -> TrackerCounts | None:
        """What a tracker said of it, if that is not written down yet."""
        told = (turn for stop in self._stops.values() for turn in stop.told if turn.infoHash == infoHash)
        return next((turn.counts for turn in told if turn.counts is not None), None)

    async def _reschedule(
        self,
        infoHash: bytes,
        at: float | None,
        missing: int | None = None,
        counts: TrackerCounts | None = None,
    ) -> None:
        await self.settle(infoHash)
        station = await self._timetable.reschedule(infoHash, at, missing, counts)
        if station is not None and at is not None:
            await self.registered({station: 0})

    # -- turns

    def _now(self) -> float:
        return self._engine.wallClock()

    def _stop(self, number: int, name: str) -> _Stop:
        stop = self._stops.get(number)
        if stop is None:
            stop = self._stops[number] = self._hosts.named[name] = _Stop(number)
        return stop

    def _wake(self, stop: _Stop, at: float) -> None:
        """Something of C{stop} is due at C{at}."""
        if not self._running:
            return
        stop.soonest = at if stop.soonest is None else min(stop.soonest, at)
        self._later(stop)

    def _later(self, stop: _Stop) -> None:
        """Look again when something is due and may go."""
        if stop.loading or not self._running:
            return  # looked at when the page is here
        now = self._now()
        times = [] if stop.soonest is None else [stop.soonest - (LEAD if stop.turns else AHEAD)]
        if stop.turns:
            if len(stop.turns) > REFILL:
                times.clear()
            if not self._full(stop):  # else woken by what ends
                times.append(max(stop.turns[0].dueAt or now, stop.readyAt(WINDOW)))
        if not times:
            return
        delay = min(max(min(times) - now, 0.0), LONGEST_SLEEP)
        delay = math.ceil(delay / WINDOW) * WINDOW
        if stop.timer is None:
            stop.timer = self._engine.reactor.callLater(delay, self._look, stop)
        elif stop.timer.getTime() - self._engine.reactor.seconds() > delay:
            stop.timer.reset(delay)

    def _full(self, stop: Station) -> bool:
        return stop.underway >= (1 if stop.doubted else self._engine.settings.maxAnnouncing)

    def _look(self, stop: _Stop) -> None:
        stop.timer = None
        now = self._now()
        while stop.turns and stop.turns[0].dueAt is not None and stop.turns[0].dueAt <= now:
            if self._full(stop) or stop.readyAt(WINDOW) > now:
                break
            turn = stop.turns.popleft()
            self.lateness = max(self.lateness, now - (turn.dueAt or now))
            if stop.notBefore <= now:
                stop.sent(now, WINDOW)
            self._errands.do(self._take(stop, turn))
        if not stop.loading and stop.soonest is not None and len(stop.turns) <= REFILL:
            # Each page is a commit: not before it is needed.
            wanted = stop.soonest <= now + (LEAD if stop.turns else AHEAD)
        else:
            wanted = False
        if wanted:
            self._load(stop)
        self._later(stop)

    def _load(self, stop: _Stop) -> None:
        stop.loading = True
        told, stop.told = stop.told, []
        until = self._now() + AHEAD
        limit = PAGE + len(stop.taken)
        waiting, stop.soonest = stop.soonest, None  # what comes meanwhile is noted anew

        async def load() -> None:
            try:
                page = await self._timetable.turnPage(stop.number, told, until, limit)
            except BitTorrentError as reason:
                stop.told = told + stop.told
                stop.soonest = waiting
                if not isinstance(reason, SessionStopped):
                    self._log.error("the times of announces: {reason}", reason=str(reason))
                    stop.soonest = self._now() + AHEAD
                return
            finally:
                stop.loading = False
            stop.taken.difference_update(turn.infoHash for turn in told)
            self._keep(page.trackers)
            fresh = [turn for turn in page.turns if turn.infoHash not in stop.taken]
            stop.taken.update(turn.infoHash for turn in fresh)
            stop.turns = deque(sorted((*stop.turns, *fresh), key=lambda turn: turn.dueAt or 0.0))
            soonest = page.turns[-1].dueAt if len(page.turns) == limit else page.soonest
            if soonest is not None:
                stop.soonest = soonest if stop.soonest is None else min(soonest, stop.soonest)

        self._errands.do(load(), lambda: self._later(stop))

    def _keep(self, lists: Mapping[int, Tiers]) -> None:
        for number, tiers in lists.items():
            if number not in self._lists:
                while len(self._lists) >= MAX_LISTS:
                    del self._lists[next(iter(self._lists))]
                self._lists[number] = TrackerList(tiers, self._engine)

    # -- one announce

    async def _take(self, stop: _Stop, turn: Turn) -> None:
        """Announce one torrent to the first of its trackers that answers, and say when to come again."""
        stop.underway += 1
        try:
            turn.dueAt = await self._announce(turn)
        finally:
            stop.underway -= 1
        if self._running:
            stop.told.append(turn)
            if turn.dueAt is not None:
                stop.soonest = turn.dueAt if stop.soonest is None else min(stop.soonest, turn.dueAt)
            self._later(stop)

    async def _announce(self, turn: Turn) -> float | None:
        """When to announce it again; C{None}: never."""
        swarm = self._swarms.get(turn.infoHash)
        trackers = self._lists.get(turn.trackers)
        if trackers is None or (swarm is not None and swarm.announcing.running):
            return self._now() + Station().interval  # it speaks for itself
        soonest = math.inf
        asked = False
        for url in trackers.order():
            host = self._hosts.of(url)
            if host.notBefore > self._now():
                soonest = min(soonest, host.notBefore)
                continue
            number = trackers.number(url)
            known = turn.toldTo == number and turn.toldAt >= self._begun
            asked = True
            try:
                response = await trackers.client(url).announce(
                    url, self._request(turn, Event.NONE if known else Event.STARTED)
                )
            except TrackerError as reason:
                now = self._now()
                if reason.retryIn is None:
                    host.failed(now, self._engine.random)
                delay = retryDelay(turn.failures + 1, reason.retryIn, self._engine.random)
                soonest = min(soonest, max(now + delay, host.notBefore))
                continue
            now = self._now()
            interval = regularDelay(response)
            host.answered(interval)
            trackers.answered(url)
            turn.failures, turn.toldAt, turn.toldTo = 0, now, number
            turn.counts = TrackerCounts.told(response.complete, response.incomplete, now)
            self.answers += 1
            return now + interval
        if asked:
            turn.failures += 1
            self.refusals += 1
        return None if math.isinf(soonest) else soonest

    def _request(self, turn: Turn, event: Event) -> AnnounceRequest:
        engine = self._engine
        swarm = self._swarms.get(turn.infoHash)
        up, down, left = turn.uploaded, turn.downloaded, turn.missing
        if swarm is not None and swarm.status.checked:
            progress = swarm.progress
            up, down, left = progress.uploaded, progress.downloaded, progress.left
        return AnnounceRequest(
            turn.infoHash,
            engine.peerId,
            engine.listenerPort() or 0,
            up,
            down,
            left,
            event,
            engine.announceKey,
            0,
            engine.settings.announceIP,
        )

    async def _goodbye(self, turn: Turn, tiers: Tiers) -> None:
        """Tell the tracker that knows of the torrent that we are gone; no answer is as good."""
        trackers = TrackerList(tiers, self._engine)
        url = trackers.numbered(turn.toldTo)
        if url is None:
            return
        try:
            await trackers.client(url).announce(url, self._request(turn, Event.STOPPED))
        except TrackerError as reason:
            self._log.debug("{url} was not told: {reason}", url=url, reason=reason.reason)
