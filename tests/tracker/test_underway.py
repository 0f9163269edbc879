"""Tests for L{twisted_bt.tracker.underway}."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.errors import TrackerError
from twisted_bt.tracker.underway import Underway


async def waiting(on: Deferred[int]) -> int:
    """What C{on} gives."""
    return await on


async def stubborn(on: Deferred[int]) -> int:
    """Fails in its own way when cancelled."""
    try:
        return await on
    except CancelledError:
        raise ValueError("no") from None


class UnderwayTests(SynchronousTestCase):
    """L{Underway}."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.underway = Underway(self.clock, 30)

    def tearDown(self) -> None:
        """However a request ended, it and its timer are gone."""
        self.assertEqual((self.clock.getDelayedCalls(), self.underway._running), ([], {}))

    def test_result(self) -> None:
        """A result passes, at once or later."""
        on: Deferred[int] = Deferred()
        running = self.underway.run(waiting(on))
        on.callback(7)
        self.assertEqual(self.successResultOf(running), 7)
        self.assertEqual(self.successResultOf(self.underway.run(waiting(on.addCallback(lambda _: 8)))), 8)

    def test_trackerError(self) -> None:
        """So does a L{TrackerError}, with all it says."""
        on: Deferred[int] = Deferred()
        running = self.underway.run(waiting(on))
        error = TrackerError("no", 5.0)
        on.errback(error)
        self.assertIs(self.failureResultOf(running).value, error)

    def test_ourError(self) -> None:
        """Any other is one of ours: logged, and a L{TrackerError} for whoever asked."""
        on: Deferred[int] = Deferred()
        running = self.underway.run(waiting(on))
        on.errback(ZeroDivisionError("oops"))
        self.assertIn("oops", str(self.failureResultOf(running, TrackerError).value))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_late(self) -> None:
        """The time limit says so, whatever the request makes of being cancelled."""
        for request in (waiting, stubborn):
            running = self.underway.run(request(Deferred()))
            self.clock.advance(29.9)
            self.assertNoResult(running)
            self.clock.advance(0.1)
            self.assertEqual(str(self.failureResultOf(running, TrackerError).value), "no answer within 30 s")

    def test_cancel(self) -> None:
        """Whoever asked may cancel, and gets what that usually gives."""
        running = self.underway.run(waiting(Deferred()))
        running.cancel()
        self.failureResultOf(running, CancelledError)

    def test_close(self) -> None:
        """Closing ends all that is under way, and starts nothing more."""
        requests = [self.underway.run(request(Deferred())) for request in (waiting, stubborn)]
        self.underway.close()
        requests.append(self.underway.run(waiting(Deferred())))
        for each in requests:
            reason = self.failureResultOf(each, TrackerError).value
            self.assertEqual(str(reason), "the tracker client was closed")
