"""Tests for L{twisted_bt.tracker.service}.  How it ends is in C{test_stopping}."""

from __future__ import annotations

import math
from itertools import pairwise

from tests.tracker.announcers import ANSWER, COMPLETED, NONE, PEERS, STARTED, A, AnnouncerCase, B, C, U
from twisted_bt.errors import TrackerError
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.tracker.announce import AnnounceResponse
from twisted_bt.tracker.service import MAX_BELIEVED, State


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
