"""Tests for L{twisted_bt.tracker.service}."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.tracker.requests import announcing
from twisted_bt.errors import TrackerError
from twisted_bt.interfaces import IPeerSink, ITrackerClient
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.tracker.announce import AnnounceRequest, AnnounceResponse, Event, ScrapeEntry
from twisted_bt.tracker.service import MAX_BELIEVED, Announcer, State

A, B, C = (f"http://{name}/announce" for name in "abc")
U = "udp://u:1/announce"
PEERS = (PeerAddr("1.2.3.4", 80), PeerAddr("5.6.7.8", 81))
ANSWER = AnnounceResponse(interval=1800, minInterval=600, peers=PEERS)
STARTED, STOPPED, COMPLETED, NONE = Event.STARTED, Event.STOPPED, Event.COMPLETED, Event.NONE


@implementer(ITrackerClient)
class ScriptedClient:
    """Trackers that answer as the test says; the others wait to be answered by hand."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, AnnounceRequest]] = []
        self.waiting: list[Deferred[Any]] = []
        self.answers: dict[str, AnnounceResponse | TrackerError | Exception] = {}
        self.cancelled = 0

    def announce(self, url: str, request: AnnounceRequest) -> Deferred[AnnounceResponse]:
        self.asked.append((url, request))
        d: Deferred[AnnounceResponse] = Deferred(self._cancelled)
        answer = self.answers.get(url)
        if isinstance(answer, Exception):
            d.errback(answer)
        elif answer is not None:
            d.callback(answer)
        else:
            self.waiting.append(d)
        return d

    def _cancelled(self, d: Deferred[Any]) -> None:
        self.cancelled += 1
        self.waiting.remove(d)

    def scrape(self, url: str, infoHashes: Sequence[bytes]) -> Deferred[dict[bytes, ScrapeEntry]]:
        raise NotImplementedError

    def close(self) -> Deferred[None]:
        return succeed(None)

    def take(self) -> list[tuple[str, Event]]:
        """Who was told what since the last call."""
        asked, self.asked = self.asked, []
        return [(url, request.event) for url, request in asked]


@implementer(IPeerSink)
class Heard:
    """Hears all that an announcer has to say."""

    def __init__(self) -> None:
        self.peers: list[tuple[Sequence[PeerAddr], str]] = []
        self.answers: list[tuple[str, int, str]] = []
        self.failures: list[tuple[str, str]] = []
        self.addresses: list[str] = []

    def peersFound(self, addresses: Sequence[PeerAddr], source: str) -> None:
        self.peers.append((addresses, source))

    def trackerAnswered(self, url: str, peers: int, warning: str) -> None:
        self.answers.append((url, peers, warning))

    def trackerFailed(self, url: str, reason: str) -> None:
        self.failures.append((url, reason))


class AnnouncerCase(SynchronousTestCase):
    """An announcer, and trackers in the test's hands."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.client = ScriptedClient()
        self.heard = Heard()
        self.announcer: Announcer

    def announcing(self, *tiers: Sequence[str], **more: Any) -> Announcer:
        """The announcer of trackers in these tiers, not yet started."""
        self.announcer = Announcer(
            {"http": self.client},
            tiers,
            lambda event, numwant: announcing(event=event, numwant=numwant),
            self.heard,
            self.clock,
            Random(1),
            self.heard,
            externalIp=self.heard.addresses.append,
            **more,
        )
        return self.announcer

    def started(self, *tiers: Sequence[str], **more: Any) -> Announcer:
        """One that was started."""
        announcer = self.announcing(*tiers, **more)
        announcer.start()
        return announcer

    def tearDown(self) -> None:
        """After it was stopped nothing is left behind."""
        self.client.answers = dict.fromkeys([A, B, C], ANSWER)
        stopped = self.announcer.stop()
        while self.client.waiting:
            self.client.waiting.pop().callback(ANSWER)
        self.successResultOf(stopped)
        self.assertEqual(self.announcer.state, State.IDLE)
        self.assertEqual((self.clock.getDelayedCalls(), self.client.waiting), ([], []))

    def answer(self, response: AnnounceResponse | TrackerError) -> None:
        """The one tracker that is being asked answers."""
        [d] = self.client.waiting
        self.client.waiting.remove(d)
        if isinstance(response, TrackerError):
            d.errback(response)
        else:
            d.callback(response)

    def later(self, seconds: float) -> None:
        """Let time pass, second by second."""
        whole, rest = divmod(seconds, 1)
        self.clock.pump([1] * int(whole) + [rest])


class AnnouncingTests(AnnouncerCase):
    """The ordinary life of a torrent."""

    def test_thousands(self) -> None:
        """Of thousands of addresses that nobody asked for, the first few are taken."""
        self.started([A], numwant=7)
        self.answer(
            AnnounceResponse(peers=tuple(PeerAddr(f"1.2.3.{n % 250 + 1}", n + 1) for n in range(2000)))
        )
        self.assertEqual(len(self.heard.peers[0][0]), MAX_BELIEVED)

    def test_start(self) -> None:
        """C{started} is told at once; the peers go to the sink, the rest to the listener."""
        self.started([A], numwant=7)
        self.assertEqual(self.client.asked[0][1].numwant, 7)
        self.assertEqual((self.client.take(), self.announcer.state), ([(A, STARTED)], State.ANNOUNCING))
        self.answer(AnnounceResponse(peers=PEERS, warning="be nice", externalIp="9.8.7.6"))
        self.assertEqual(self.heard.peers, [(PEERS, "tracker")])
        self.assertEqual(self.heard.answers, [(A, 2, "be nice")])
        self.assertEqual(self.heard.addresses, ["9.8.7.6"])
        self.assertEqual(self.announcer.state, State.WAITING)

    def test_noPeers(self) -> None:
        """An answer without peers is no news for the sink."""
        self.started([A])
        self.answer(AnnounceResponse())
        self.assertEqual((self.heard.peers, self.heard.answers), ([], [(A, 0, "")]))

    def test_regular(self) -> None:
        """Then by the tracker's interval, without an event."""
        self.started([A])
        self.answer(ANSWER)
        self.client.take()
        self.later(1799.5)
        self.assertEqual(self.client.take(), [])
        self.later(0.5)
        self.assertEqual(self.client.take(), [(A, NONE)])

    def test_flood(self) -> None:
        """An interval of 0 makes us no flood."""
        self.client.answers[A] = AnnounceResponse(interval=0)
        self.started([A])
        self.later(600)
        self.assertEqual(len(self.client.take()), 11)

    def test_jitter(self) -> None:
        """A client that starts many torrents spreads them."""
        announcer = self.announcing([A])
        announcer.start(jitter=10)
        self.assertEqual((self.client.take(), announcer.state), ([], State.WAITING))
        self.later(10)
        self.assertEqual(self.client.take(), [(A, STARTED)])

    def test_startTwice(self) -> None:
        """Starting what runs does nothing."""
        self.started([A]).start()
        self.assertEqual(len(self.client.asked), 1)

    def test_trackerId(self) -> None:
        """What a tracker calls itself is told to it, and to no other."""
        self.started([A], [B])
        self.answer(AnnounceResponse(interval=100, trackerId=b"id"))
        self.later(100)
        self.assertEqual(self.client.asked[-1][1].trackerId, b"id")
        self.answer(TrackerError("no"))
        self.assertEqual((self.client.asked[-1][0], self.client.asked[-1][1].trackerId), (B, None))
        self.answer(AnnounceResponse(interval=100))
        self.later(100)
        self.assertEqual((self.client.asked[-1][0], self.client.asked[-1][1].trackerId), (A, b"id"))

    def test_needPeers(self) -> None:
        """A swarm that starves is heard once the tracker's minimum is over."""
        announcer = self.started([A])
        self.answer(ANSWER)
        self.client.take()
        self.later(100)
        announcer.needPeers()
        announcer.needPeers()
        self.later(499.5)
        self.assertEqual(self.client.take(), [])
        self.later(0.5)
        self.assertEqual(self.client.take(), [(A, NONE)])
        self.answer(ANSWER)
        self.later(601)
        self.assertEqual(self.client.take(), [])
        announcer.needPeers()
        self.later(0)
        self.assertEqual(self.client.take(), [(A, NONE)])

    def test_needPeersElsewhen(self) -> None:
        """While asking, while backing off, before and after, starving changes nothing."""
        announcer = self.announcing([A])
        announcer.needPeers()
        announcer.start()
        announcer.needPeers()
        self.assertEqual(len(self.client.take()), 1)
        self.answer(TrackerError("no", 100.0))
        announcer.needPeers()
        self.later(99)
        self.assertEqual(self.client.take(), [])

    def test_completed(self) -> None:
        """That a torrent is complete is told at once, once, to a tracker that knows of us."""
        announcer = self.started([A])
        self.answer(ANSWER)
        self.client.take()
        announcer.completed()
        self.assertEqual(self.client.take(), [(A, COMPLETED)])
        self.answer(ANSWER)
        self.later(1800)
        self.assertEqual(self.client.take(), [(A, NONE)])

    def test_completedEarly(self) -> None:
        """Complete before C{started} was heard: both are told, in that order."""
        announcer = self.started([A])
        announcer.completed()
        self.answer(ANSWER)
        self.assertEqual(self.client.take(), [(A, STARTED), (A, COMPLETED)])
        self.answer(ANSWER)
        self.assertEqual(announcer.state, State.WAITING)

    def test_completedLater(self) -> None:
        """While no tracker answers, completion waits for one that does."""
        announcer = self.started([A])
        self.answer(TrackerError("no"))
        self.client.take()
        announcer.completed()
        self.assertEqual(self.client.take(), [])
        self.later(10)
        self.answer(ANSWER)
        self.assertEqual(self.client.take(), [(A, STARTED), (A, COMPLETED)])

    def test_noTrackers(self) -> None:
        """Without trackers there is nothing to do."""
        self.assertEqual(self.started().state, State.EXHAUSTED)
        self.announcer.completed()
        self.announcer.needPeers()


class FailureTests(AnnouncerCase):
    """Trackers that do not answer."""

    def test_order(self) -> None:
        """Tiers are tried in turn until one answers, one tracker at a time; each failure is told."""
        self.client.answers = {A: TrackerError("down"), B: TrackerError("full"), C: ANSWER}
        self.started([A], [B], [C])
        self.assertEqual(self.client.take(), [(A, STARTED), (B, STARTED), (C, STARTED)])
        self.assertEqual(self.heard.failures, [(A, "down"), (B, "full")])
        self.assertEqual(self.heard.answers, [(C, 2, "")])

    def test_front(self) -> None:
        """Who answered is asked first in its tier; the first tier is asked first all the same."""
        self.client.answers = {A: TrackerError("down"), B: TrackerError("down"), C: ANSWER}
        self.started([A], [B, C])
        self.later(1800)
        self.client.take()
        self.later(1800)
        self.assertEqual(self.client.take(), [(A, STARTED), (C, NONE)])

    def test_backoff(self) -> None:
        """When all failed they are asked again, less and less often."""
        self.client.answers[A] = TrackerError("down")
        self.started([A])
        times = [0.0]
        for _ in range(8 * 3600):
            before = len(self.client.asked)
            self.clock.advance(1)
            if len(self.client.asked) > before:
                times.append(self.clock.seconds())
        gaps = [after - before for before, after in pairwise(times)]
        self.assertTrue(gaps[0] <= 7 and max(gaps) <= 4501 and gaps[-1] >= 2700, gaps)
        self.assertTrue(12 <= len(gaps) <= 20, gaps)

    def test_recovered(self) -> None:
        """One that answers again is as good as new."""
        self.client.answers[A] = TrackerError("down")
        self.started([A])
        self.later(300)
        self.client.answers[A] = AnnounceResponse(interval=100)
        self.later(300)
        self.client.answers[A] = TrackerError("down")
        self.client.take()
        while not self.client.take():
            self.later(1)
        self.later(7)  # the first backoff, and not the sixth
        self.assertEqual(len(self.client.take()), 1)

    def test_retryIn(self) -> None:
        """A tracker that says when to come again (BEP 31) is left alone until then, by all rounds."""
        self.client.answers = {A: TrackerError("busy", 3000.0), B: AnnounceResponse(interval=1000)}
        self.started([A], [B])
        self.client.take()
        self.later(2999)
        self.assertEqual(self.client.take(), [(B, NONE)] * 2)
        self.later(1001)
        self.assertEqual(self.client.take(), [(A, STARTED), (B, NONE), (B, NONE)])

    def test_never(self) -> None:
        """One that never wants to hear of us again does not; with none left we are done."""
        self.client.answers = {A: TrackerError("banned", math.inf), B: TrackerError("down")}
        announcer = self.started([A, B])
        self.client.take()
        self.later(100)
        self.assertEqual({url for url, _ in self.client.take()}, {B})
        self.client.answers[B] = TrackerError("banned", math.inf)
        self.later(1000)
        self.client.take()
        self.assertEqual((announcer.state, self.clock.getDelayedCalls()), (State.EXHAUSTED, []))

    def test_unusable(self) -> None:
        """URLs that cannot be used, and schemes that nobody here speaks, are told and not asked."""
        announcer = self.started(["wss://x/announce"], [U])
        self.assertEqual([url for url, _ in self.heard.failures], ["wss://x/announce", U])
        self.assertEqual((self.client.asked, announcer.state), ([], State.EXHAUSTED))

    def test_ourError(self) -> None:
        """An error of ours is logged, and tried again later."""
        self.client.answers[A] = ZeroDivisionError()
        announcer = self.started([A])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(announcer.state, State.WAITING)
        self.client.answers[A] = ANSWER
        self.later(60)
        self.assertEqual(len(self.heard.answers), 1)


class StoppingTests(AnnouncerCase):
    """The end: trackers hear it, and nothing is left behind."""

    def test_stopped(self) -> None:
        """Trackers that heard C{started} hear C{stopped}, all at a time, and are asked for nobody."""
        self.client.answers = {A: AnnounceResponse(interval=100)}
        announcer = self.started([A], [B])
        self.client.answers = {A: TrackerError("down"), B: ANSWER}
        self.later(100)
        self.client.answers = {}
        self.client.take()
        stopped = announcer.stop()
        self.assertEqual([request.numwant for _, request in self.client.asked], [0, 0])
        self.assertEqual(self.client.take(), [(A, STOPPED), (B, STOPPED)])
        self.assertNoResult(stopped)
        self.assertEqual(announcer.state, State.STOPPING)
        self.client.waiting.pop(0).callback(AnnounceResponse())
        self.client.waiting.pop(0).errback(TrackerError("no"))
        self.successResultOf(stopped)

    def test_bounded(self) -> None:
        """A tracker that does not answer does not keep us."""
        announcer = self.started([A], stopTimeout=5)
        self.answer(ANSWER)
        stopped = announcer.stop()
        self.clock.advance(4.9)
        self.assertNoResult(stopped)
        self.clock.advance(0.1)
        self.successResultOf(stopped)
        self.assertEqual((self.client.cancelled, self.client.waiting), (1, []))

    def test_whileAsking(self) -> None:
        """What was being told is dropped; a tracker that did not hear C{started} hears nothing."""
        announcer = self.started([A])
        self.client.take()
        self.successResultOf(announcer.stop())
        self.assertEqual((self.client.take(), self.client.cancelled), ([], 1))

    def test_whileCompletingBounded(self) -> None:
        """A tracker that is gone when we tell it that we are complete keeps us no longer than another."""
        announcer = self.started([A], stopTimeout=5)
        self.answer(ANSWER)
        announcer.completed()
        stopped = announcer.stop()
        self.clock.advance(5)
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_whileCompleting(self) -> None:
        """That the torrent is complete is told to the end: many stop at that moment."""
        announcer = self.started([A])
        self.answer(ANSWER)
        announcer.completed()
        self.client.take()
        stopped = announcer.stop()
        self.assertEqual(self.client.take(), [])
        self.answer(ANSWER)
        self.assertEqual(self.client.take(), [(A, STOPPED)])
        self.answer(AnnounceResponse())
        self.successResultOf(stopped)
        self.assertEqual(len(self.heard.peers), 1)

    def test_completingFails(self) -> None:
        """If that is not heard, no other tracker is tried, and nothing keeps us longer."""
        announcer = self.started([A], [B])
        self.answer(ANSWER)
        announcer.completed()
        self.client.take()
        stopped = announcer.stop()
        self.answer(TrackerError("no"))
        self.assertEqual(self.client.take(), [(A, STOPPED)])
        self.clock.advance(5)
        self.successResultOf(stopped)

    def test_idle(self) -> None:
        """What does not run is stopped."""
        announcer = self.announcing([A])
        self.successResultOf(announcer.stop())
        self.assertEqual(self.client.asked, [])

    def test_twice(self) -> None:
        """Whoever stops it hears when it has stopped."""
        announcer = self.started([A])
        self.answer(ANSWER)
        self.client.take()
        first, second = announcer.stop(), announcer.stop()
        self.assertEqual(self.client.take(), [(A, STOPPED)])
        self.answer(AnnounceResponse())
        self.successResultOf(first)
        self.successResultOf(second)

    def test_again(self) -> None:
        """It can be started again, and begins from the beginning."""
        announcer = self.started([A])
        self.answer(ANSWER)
        announcer.completed()
        stopped = announcer.stop()
        self.answer(ANSWER)
        self.answer(ANSWER)
        self.successResultOf(stopped)
        self.client.take()
        announcer.start()
        self.assertEqual(self.client.take(), [(A, STARTED)])

    def test_restart(self) -> None:
        """Started while it stops, it stops and then starts."""
        announcer = self.started([A])
        self.answer(ANSWER)
        self.client.take()
        stopped = announcer.stop()
        announcer.start()
        self.answer(AnnounceResponse())
        self.successResultOf(stopped)
        self.assertEqual(self.client.take(), [(A, STOPPED), (A, STARTED)])

    def test_stoppedByListener(self) -> None:
        """A listener may stop it from within."""
        announcer = self.announcing([A], [B])
        outcomes: list[Deferred[None]] = []
        for method in ("trackerFailed", "trackerAnswered", "peersFound"):
            self.client.answers = {A: TrackerError("no"), B: ANSWER}
            self.heard = Heard()
            announcer = self.announcing([A], [B])

            def stop(*arguments: object, announcer: Announcer = announcer) -> None:
                outcomes.append(announcer.stop())

            setattr(self.heard, method, stop)
            announcer.start()
            self.assertEqual(announcer.state, State.IDLE, method)
            asked = [event for _, event in self.client.take()]
            self.assertEqual(asked, [STARTED] if method == "trackerFailed" else [STARTED, STARTED, STOPPED])
        self.assertEqual(len(outcomes), 3)
        for each in outcomes:
            self.successResultOf(each)
        self.assertEqual(self.clock.getDelayedCalls(), [])
