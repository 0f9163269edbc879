"""Tests of L{twisted_bt.peerwire.timer}."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.peerwire.timer import IdleTimer


class IdleTimerTests(SynchronousTestCase):
    """Silence, on the clock that was handed in."""

    def setUp(self) -> None:
        """A timer of ten seconds."""
        self.clock = Clock()
        self.expired: list[float] = []
        self.timer = IdleTimer(self.clock, 10.0, lambda: self.expired.append(self.clock.seconds()))

    def tearDown(self) -> None:
        """Stopped, it leaves nothing to come."""
        self.timer.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_silence(self) -> None:
        """It calls after the delay, and again after each further one."""
        self.clock.pump([5, 4.9])
        self.assertEqual(self.expired, [])
        self.clock.pump([0.1, 10, 10])
        self.assertEqual(len(self.expired), 3)

    def test_touched(self) -> None:
        """It does not call as long as it is touched in time."""
        for _ in range(10):
            self.clock.advance(9)
            self.timer.touch()
        self.assertEqual(self.expired, [])
        self.clock.advance(10)
        self.assertEqual(self.expired, [100.0])

    def test_stopped(self) -> None:
        """Stopped, it calls no more; to touch it changes nothing; to stop it twice is as good as once."""
        self.timer.stop()
        self.timer.touch()
        self.timer.stop()
        self.clock.advance(100)
        self.assertEqual(self.expired, [])

    def test_startedAgain(self) -> None:
        """Started again it counts from then; started while it counts, too."""
        self.timer.stop()
        self.clock.advance(50)
        self.timer.start()
        self.clock.advance(9)
        self.timer.start()
        self.clock.advance(9)
        self.assertEqual(self.expired, [])
        self.clock.advance(1)
        self.assertEqual(self.expired, [69.0])

    def test_stoppedInCall(self) -> None:
        """It may be stopped by what it calls."""
        self.timer.stop()
        self.timer = IdleTimer(self.clock, 1.0, lambda: self.timer.stop())
        self.clock.advance(1)
