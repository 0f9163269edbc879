"""
Announcing one torrent: whom to ask, when, and what to tell.

States, and what leads from one to the next::

    IDLE        --start-->           WAITING
    WAITING     --time is up-->      ANNOUNCING
    ANNOUNCING  --an answer, or all that were due failed-->   WAITING
    ANNOUNCING  --no tracker is left that may be asked again-->  EXHAUSTED
    WAITING, ANNOUNCING, EXHAUSTED  --stop-->  STOPPING
    STOPPING    --told, or out of time-->      IDLE

Trackers are asked one at a time, in the order of BEP 12: every announce begins with the first tier
and goes on until one answers.  A tracker that failed is passed over until its backoff is over.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Protocol

from twisted.internet.defer import Deferred, DeferredList, TimeoutError, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_bt.errors import TrackerError
from twisted_bt.interfaces import IPeerSink, ITrackerClient, Random
from twisted_bt.tracker.announce import AnnounceRequest, AnnounceResponse, Event
from twisted_bt.tracker.schedule import SHORTEST_INTERVAL, earlyDelay, regularDelay, retryDelay
from twisted_bt.tracker.tiers import TrackerTiers
from twisted_bt.tracker.urls import TrackerURL

MAX_BELIEVED = 200
"""Addresses taken of an answer where no more were asked for: with thousands it would drown others'."""


class State(Enum):
    """What an L{Announcer} is doing; see the module for what leads from one to the next."""

    IDLE = auto()
    WAITING = auto()
    ANNOUNCING = auto()
    EXHAUSTED = auto()
    STOPPING = auto()


class ITrackerListener(Protocol):
    """Whoever tells people about trackers."""

    def trackerAnswered(self, url: str, peers: int, warning: str) -> None:
        """C{url} gave C{peers} addresses, and perhaps something to say to people (else C{""})."""

    def trackerFailed(self, url: str, reason: str) -> None:
        """C{url} cannot be used, or did not answer this time."""


@dataclass(slots=True)
class _Tracker:
    """What we remember of one tracker."""

    heardStarted: bool = False
    failures: int = 0
    notBefore: float = 0.0
    trackerId: bytes | None = None


class Announcer:
    """
    Announces one torrent to its trackers for as long as it runs.

    @param clients: who speaks to trackers, by the scheme of their URLs.
    @param tiers: URLs of trackers (BEP 12); those that cannot be used are reported to C{listener}.
    @param request: makes an announce of what is true now, for an event and a number of addresses wanted.
    @param sink: hears of peers, as from C{"tracker"}.
    @param numwant: addresses to ask for.
    @param stopTimeout: seconds that trackers have to hear that we stop.
    @param externalIp: told the address that a tracker sees us at (BEP 24).
    @param counted: told how many seeders and leechers a tracker counts; C{None}: it does not say.
    @param shortestInterval: seconds; no tracker is asked more often, whatever it says.
    """

    _log = Logger()

    def __init__(
        self,
        clients: Mapping[str, ITrackerClient],
        tiers: Iterable[Iterable[str]],
        request: Callable[[Event, int], AnnounceRequest],
        sink: IPeerSink,
        clock: IReactorTime,
        random: Random,
        listener: ITrackerListener,
        numwant: int = 50,
        stopTimeout: float = 5.0,
        externalIp: Callable[[str], object] | None = None,
        shortestInterval: float = SHORTEST_INTERVAL,
        counted: Callable[[int | None, int | None], object] | None = None,
    ) -> None:
        self._clients = clients
        self._tiers = TrackerTiers(tiers, random)
        self._request = request
        self._sink = sink
        self._clock = clock
        self._random = random
        self._listener = listener
        self._numwant = numwant
        self._stopTimeout = stopTimeout
        self._externalIp = externalIp
        self._shortestInterval = shortestInterval
        self._counted = counted
        self._trackers = {url: _Tracker() for url in self._tiers.order()}
        self._state = State.IDLE
        self._timer: IDelayedCall | None = None
        self._round: Deferred[None] | None = None
        self._current: Event | None = None  # being told now
        self._completedOwed = False
        self._earliest = 0.0  # when a swarm that needs peers may ask again
        self._stopped: list[Deferred[None]] = []
        self._startAgain: float | None = None

    @property
    def state(self) -> State:
        """What it is doing."""
        return self._state

    def start(self, jitter: float = 0.0) -> None:
        """
        Begin: C{started} is announced within C{jitter} seconds, at once by default.  For a client that
        starts many torrents at a time.  Does nothing while it runs; while it stops, it starts again then.
        """
        if self._state is State.STOPPING:
            self._startAgain = jitter
        if self._state is not State.IDLE:
            return
        self._completedOwed = False
        self._earliest = 0.0
        for each in self._tiers.skipped:
            self._listener.trackerFailed(each.url, each.reason)
        self._trackers = {url: _Tracker() for url in self._trackers}
        if not self._trackers:
            self._state = State.EXHAUSTED
        elif jitter > 0:
            self._wait(self._random.uniform(0.0, jitter))
        else:
            self._announce()

    def completed(self) -> None:
        """The torrent is complete now, which it was not before: trackers count that."""
        self._completedOwed = True
        if self._state is State.WAITING and any(each.heardStarted for each in self._trackers.values()):
            self._announce()

    def needPeers(self) -> None:
        """The swarm starves: ask as soon as trackers allow it, instead of at the regular time."""
        if self._state is State.WAITING and self._earliest and self._timer is not None:
            delay = max(0.0, self._earliest - self._clock.seconds())
            if delay < self._timer.getTime() - self._clock.seconds():
                self._timer.reset(delay)

    def stop(self) -> Deferred[None]:
        """
        Say goodbye to the trackers that know of us.  Fires when they heard it, or their time is over;
        nothing is left behind then.  Never fails.
        """
        if self._state is State.IDLE:
            return succeed(None)
        self._startAgain = None
        done: Deferred[None] = Deferred()
        self._stopped.append(done)
        if self._state is not State.STOPPING:
            self._state = State.STOPPING
            if self._timer is not None and self._timer.active():
                self._timer.cancel()
            self._timer = None
            farewell = Deferred.fromCoroutine(self._farewell(self._clock.seconds() + self._stopTimeout))
            farewell.addTimeout(self._stopTimeout, self._clock)
            farewell.addErrback(self._farewellFailed)
            farewell.addCallback(self._idle)
        return done

    # -- waiting

    def _wait(self, delay: float) -> None:
        self._state = State.WAITING
        self._timer = self._clock.callLater(delay, self._announce)

    def _announce(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        self._state = State.ANNOUNCING
        self._round = Deferred.fromCoroutine(self._ask())
        self._round.addErrback(self._roundFailed)

    # -- announcing

    async def _ask(self) -> None:
        """One round: the trackers that are due, in order, until one answers."""
        while True:
            response = await self._askTiers()
            if self._state is not State.ANNOUNCING:
                return
            if response is None:
                self._waitForTrackers()
                return
            if not self._completedOwed:
                break
        now = self._clock.seconds()
        self._earliest = now + earlyDelay(response, self._shortestInterval)
        self._wait(regularDelay(response, self._shortestInterval))

    async def _askTiers(self) -> AnnounceResponse | None:
        """The answer of the first tracker that gives one; C{None} where none does."""
        for url in list(self._tiers.order()):
            tracker = self._trackers[url]
            if tracker.notBefore > self._clock.seconds():
                continue
            try:
                response = await self._tell(url, self._eventFor(tracker))
            except TrackerError as reason:
                tracker.failures += 1
                delay = retryDelay(tracker.failures, reason.retryIn, self._random)
                tracker.notBefore = self._clock.seconds() + delay
                self._listener.trackerFailed(url, reason.reason)
                if self._state is not State.ANNOUNCING:
                    return None
                continue
            self._answered(url, tracker, response)
            return response
        return None

    def _eventFor(self, tracker: _Tracker) -> Event:
        if not tracker.heardStarted:
            return Event.STARTED
        return Event.COMPLETED if self._completedOwed else Event.NONE

    async def _tell(self, url: str, event: Event) -> AnnounceResponse:
        """The answer of C{url} to C{event}."""
        client = self._clients.get(TrackerURL.parse(url).scheme)
        if client is None:
            raise TrackerError("trackers of this kind are switched off", math.inf)
        tracker = self._trackers[url]
        request = self._request(event, 0 if event is Event.STOPPED else self._numwant)
        if tracker.trackerId is not None:
            request = replace(request, trackerId=tracker.trackerId)
        if event is not Event.STOPPED:
            self._current = event
        try:
            response: AnnounceResponse = await client.announce(url, request)
        finally:
            if event is not Event.STOPPED:
                self._current = None
        if event is Event.COMPLETED:
            self._completedOwed = False
        tracker.heardStarted = event is not Event.STOPPED
        return response

    def _answered(self, url: str, tracker: _Tracker, response: AnnounceResponse) -> None:
        tracker.failures = 0
        tracker.notBefore = 0.0
        tracker.trackerId = response.trackerId or tracker.trackerId
        self._tiers.answered(url)
        if response.externalIp is not None and self._externalIp is not None:
            self._externalIp(response.externalIp)
        if self._counted is not None:
            self._counted(response.complete, response.incomplete)
        self._listener.trackerAnswered(url, len(response.peers), response.warning)
        if response.peers and self._state is State.ANNOUNCING:
            believed = max(MAX_BELIEVED, self._numwant)
            self._sink.peersFound(response.peers[:believed], "tracker")

    def _waitForTrackers(self) -> None:
        """None answered: go on when the first may be asked again."""
        soonest = min(each.notBefore for each in self._trackers.values())
        self._earliest = 0.0
        if math.isinf(soonest):
            self._state = State.EXHAUSTED
        else:
            self._wait(max(0.0, soonest - self._clock.seconds()))

    def _roundFailed(self, reason: Failure) -> None:
        """The round was cancelled by L{stop}, or we are wrong somewhere, and then try again later."""
        if self._state is State.ANNOUNCING:
            self._log.failure("announcing failed by an error of ours", failure=reason)
            self._wait(self._shortestInterval)

    # -- stopping

    async def _farewell(self, deadline: float) -> None:
        if self._round is not None and self._current is not None:
            # What a tracker is being told may be lost, unless it is that the torrent is complete:
            # many programs stop the moment it is, and the tracker's count of downloads would lack it.
            if self._current is not Event.COMPLETED:
                self._round.cancel()
            await self._round  # which ends well even when we are cancelled because time is up
            if self._clock.seconds() >= deadline:
                return
        farewells = [
            Deferred.fromCoroutine(self._tell(url, Event.STOPPED))
            for url, tracker in self._trackers.items()
            if tracker.heardStarted
        ]
        await DeferredList(farewells, consumeErrors=True)  # cancelled as one

    def _farewellFailed(self, reason: Failure) -> None:
        if not reason.check(TimeoutError):
            self._log.failure("stopping failed by an error of ours", failure=reason)

    def _idle(self, _: object) -> None:
        self._state = State.IDLE
        self._round = None
        stopped, self._stopped = self._stopped, []
        for each in stopped:
            each.callback(None)
        if self._startAgain is not None:
            jitter, self._startAgain = self._startAgain, None
            self.start(jitter)
