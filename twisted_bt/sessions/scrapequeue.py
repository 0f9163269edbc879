"""
What is to be asked of one tracker about many torrents: gathered, and asked in as few scrapes as that takes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from itertools import islice

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from twisted_bt.errors import BitTorrentError, TrackerError
from twisted_bt.interfaces import ITrackerClient
from twisted_bt.sessions.engine import Engine
from twisted_bt.sessions.errands import Errands
from twisted_bt.sessions.station import Stations
from twisted_bt.sessions.trackercounts import TrackerCounts
from twisted_bt.tracker.announce import ScrapeEntry
from twisted_bt.tracker.httpwire import scrapeLimit
from twisted_bt.tracker.schedule import LONGEST_INTERVAL, retryDelay
from twisted_bt.tracker.udpwire import MAX_SCRAPE
from twisted_bt.tracker.urls import TrackerURL

#: Seconds by which a scrape may be early; see L{Station.readyAt}.
WINDOW = 0.1

_Batch = dict[bytes, list[Deferred[ScrapeEntry]]]


class ScrapeQueue:
    """
    One scrape at a time, at the pace of the tracker's host, which scrapes share with announces.

    @ivar notBefore: not to be asked until then, as the tracker said.
    @ivar again: not to be asked until then unless somebody wants to know, since it did not answer.
    """

    def __init__(
        self,
        url: str,
        client: ITrackerClient,
        hosts: Stations,
        engine: Engine,
        errands: Errands,
        keep: Callable[[Mapping[bytes, TrackerCounts]], Awaitable[None]],
    ) -> None:
        """@param keep: remembers what the tracker said; then those who wait hear it."""
        self._url = url
        self._client = client
        self._hosts = hosts
        self._engine = engine
        self._errands = errands
        self._keep = keep
        self._limit = max(1, scrapeCapacity(url))
        self._waiting: _Batch = {}
        self._asked: _Batch = {}
        self._timer: IDelayedCall | None = None
        self._failures = 0
        self.notBefore = 0.0
        self.again = 0.0

    @property
    def idle(self) -> bool:
        """Whether there is nothing that would have to be remembered of it."""
        now = self._engine.wallClock()
        return not self._waiting and not self._asked and max(self.notBefore, self.again) <= now

    def ask(self, infoHash: bytes) -> Deferred[ScrapeEntry]:
        """
        What the tracker knows of one torrent: asked in the next turn of the reactor, together with all others
        that it was asked of until then.  Fails with C{TrackerError}, C{SessionStopped}.
        """
        waiter: Deferred[ScrapeEntry] = Deferred()
        self._waiting.setdefault(infoHash, []).append(waiter)
        self._later()
        return waiter

    def stop(self, reason: BitTorrentError) -> None:
        """Nobody is answered any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        asked, waiting = self._asked, self._waiting
        self._asked, self._waiting = {}, {}
        _fail(asked, reason)
        _fail(waiting, reason)

    def _later(self) -> None:
        if self._timer is None and self._waiting and not self._asked:
            now = self._engine.wallClock()
            station = self._hosts.of(self._url)
            delay = max(station.readyAt(WINDOW) - now, 0.0)
            station.sent(now, WINDOW)  # booked: else announces, where many are due, would always be quicker
            self._timer = self._engine.reactor.callLater(delay, self._go)

    def _go(self) -> None:
        self._timer = None
        if not self._waiting:
            return
        for infoHash in list(islice(self._waiting, self._limit)):
            self._asked[infoHash] = self._waiting.pop(infoHash)
        self._errands.do(self._request(), self._over)

    def _over(self) -> None:
        """Whatever became of it: nobody waits for ever."""
        asked, self._asked = self._asked, {}
        _fail(asked, TrackerError("the tracker was not asked, by an error of ours"))
        self._later()

    async def _request(self) -> None:
        """One scrape."""
        try:
            found = await self._client.scrape(self._url, tuple(self._asked))
        except TrackerError as reason:
            self._failed(reason)
            return
        now = self._engine.wallClock()
        self._failures, self.again = 0, 0.0
        self.notBefore = now + min(getattr(found, "minInterval", 0), LONGEST_INTERVAL)
        entries = {each: found[each] for each in self._asked if each in found}
        await self._keep({each: TrackerCounts.scraped(entry, now) for each, entry in entries.items()})
        asked, self._asked = self._asked, {}
        unknown = _Batch()
        for infoHash, waiters in asked.items():
            if infoHash not in entries:
                unknown[infoHash] = waiters
            for each in waiters if infoHash in entries else ():
                if not each.called:
                    each.callback(entries[infoHash])
        _fail(unknown, TrackerError("the tracker does not know the torrent"))
        if self.notBefore > now:
            waiting, self._waiting = self._waiting, {}
            _fail(
                waiting, TrackerError("the tracker does not want to be asked so soon", self.notBefore - now)
            )

    def _failed(self, reason: TrackerError) -> None:
        """It did not answer one of them, so it is not asked about the others."""
        now = self._engine.wallClock()
        self._failures += 1
        self.again = now + retryDelay(self._failures, reason.retryIn, self._engine.random)
        if reason.retryIn is not None:
            self.notBefore = now + min(reason.retryIn, LONGEST_INTERVAL)
        asked, waiting = self._asked, self._waiting
        self._asked, self._waiting = {}, {}
        _fail(asked, reason)
        _fail(waiting, reason)


def scrapeCapacity(url: str) -> int:
    """How many torrents one scrape of that tracker may be about (BEP 15, BEP 48); 0: it cannot be scraped."""
    try:
        tracker = TrackerURL.parse(url)
        return MAX_SCRAPE if tracker.scheme == "udp" else scrapeLimit(tracker)
    except TrackerError:
        return 0


def _fail(batch: _Batch, reason: BitTorrentError) -> None:
    for waiters in batch.values():
        for each in waiters:
            if not each.called:
                each.errback(reason)
