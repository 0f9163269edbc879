"""Tests for L{twisted_bt.tracker.service}: its end, and beginning again."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from tests.tracker.announcers import ANSWER, STARTED, STOPPED, A, AnnouncerCase, B, Heard
from twisted_bt.errors import TrackerError
from twisted_bt.tracker.announce import AnnounceResponse
from twisted_bt.tracker.service import Announcer, State


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
