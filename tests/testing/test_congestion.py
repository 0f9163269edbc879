"""Tests of L{twisted_bt.testing.congestion}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.testing.congestion import CongestionWindow, RoundTrip


class CongestionWindowTests(SynchronousTestCase):
    """How much is on its way."""

    def setUp(self) -> None:
        """A window for segments of 1000 bytes."""
        self.window = CongestionWindow(1000)

    def roundTrip(self) -> None:
        """A whole window is acknowledged, in steps of two segments."""
        flight = int(self.window.size)
        for _ in range(flight // 2000):
            self.window.acknowledged(2000, flight)

    def test_slowStart(self) -> None:
        """At first it doubles with each round trip."""
        self.assertEqual(self.window.size, 10_000)
        self.roundTrip()
        self.assertEqual(self.window.size, 20_000)

    def test_additive(self) -> None:
        """After a loss it is half of what was on its way, and grows by a segment with each round trip."""
        self.window.lost(40_000)
        self.assertEqual(self.window.size, 20_000)
        self.roundTrip()
        self.assertApproximates(self.window.size, 21_000, 100)

    def test_expired(self) -> None:
        """When nothing comes back it is one segment, and doubles to half of what was on its way."""
        self.window.expired(40_000, first=True)
        self.assertEqual(self.window.size, 1000)
        self.window.expired(1000, first=False)
        while self.window.size < 20_000:
            before = self.window.size
            self.window.acknowledged(int(before), int(before))
            self.assertGreater(self.window.size, before + 900)
        before = self.window.size
        self.roundTrip()
        self.assertLess(self.window.size, before + 1100)

    def test_idle(self) -> None:
        """It does not grow where it is not what holds up the sender."""
        self.window.acknowledged(1000, 3000)
        self.assertEqual(self.window.size, 10_000)

    def test_least(self) -> None:
        """Losses leave two segments."""
        self.window.lost(1000)
        self.assertEqual(self.window.size, 2000)


class RoundTripTests(SynchronousTestCase):
    """How long to wait."""

    def test_first(self) -> None:
        """A second, before anything is known."""
        self.assertEqual(RoundTrip().timeout, 1.0)

    def test_even(self) -> None:
        """What always takes the same is waited for a fifth of a second longer."""
        trip = RoundTrip()
        for _ in range(50):
            trip.measured(0.1)
        self.assertApproximates(trip.timeout, 0.3, 0.01)

    def test_uneven(self) -> None:
        """What varies is waited for longer."""
        trip = RoundTrip()
        for number in range(50):
            trip.measured(0.1 if number % 2 else 0.5)
        self.assertGreater(trip.timeout, 0.8)

    def test_backOff(self) -> None:
        """Each time in vain the wait doubles, up to two minutes; a new measurement ends that."""
        trip = RoundTrip()
        trip.measured(0.1)
        before = trip.timeout
        trip.expired()
        self.assertEqual(trip.timeout, 2 * before)
        for _ in range(20):
            trip.expired()
        self.assertEqual(trip.timeout, 120.0)
        trip.measured(0.1)
        self.assertLess(trip.timeout, 0.4)
