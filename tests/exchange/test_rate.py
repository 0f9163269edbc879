"""Tests for L{twisted_bt.exchange.rate}."""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.exchange.rate import RateMeter


class RateMeterTests(SynchronousTestCase):
    """How fast bytes go by."""

    def test_nothing(self) -> None:
        """A meter that counted nothing says 0, at any time."""
        meter = RateMeter()
        self.assertEqual(meter.rate(0.0), 0.0)
        self.assertEqual(meter.rate(1e6), 0.0)

    def test_total(self) -> None:
        """Every byte is in the total, however long ago."""
        meter = RateMeter(10.0)
        for second in range(100):
            meter.add(7, float(second))
        self.assertEqual(meter.total, 700)

    def test_steady(self) -> None:
        """A steady stream is measured right once the window is full, within a bucket's width."""
        meter = RateMeter(20.0)
        for tenth in range(1000):
            meter.add(1000, tenth / 10)
        self.assertApproximates(meter.rate(99.9), 10_000, 600)

    def test_young(self) -> None:
        """A meter that began two seconds ago divides by two seconds, not by its window."""
        meter = RateMeter(20.0)
        for tenth in range(20):
            meter.add(1000, 500.0 + tenth / 10)
        self.assertApproximates(meter.rate(502.0), 10_000, 1)

    def test_firstBurst(self) -> None:
        """What arrives in one instant is not an endless rate."""
        meter = RateMeter()
        meter.add(50_000, 3.0)
        self.assertEqual(meter.rate(3.0), 100_000)

    def test_silence(self) -> None:
        """A window after the last byte the rate is 0."""
        meter = RateMeter(20.0)
        meter.add(1000, 0.0)
        self.assertGreater(meter.rate(19.0), 0.0)
        self.assertEqual(meter.rate(21.5), 0.0)

    def test_youngAgainAfterSilence(self) -> None:
        """After a silence as long as the window, the meter measures like a new one."""
        meter, fresh = RateMeter(20.0), RateMeter(20.0)
        meter.add(10**9, 0.0)
        for second in range(100, 103):
            meter.add(500, float(second))
            fresh.add(500, float(second))
        self.assertEqual(meter.rate(103.0), fresh.rate(103.0))

    def test_againstAllThatWasAdded(self) -> None:
        """
        At any time the rate lies between what came in the last 19 seconds and what came in the last 21,
        a second being the width of a bucket.
        """
        source = random.Random(5)
        meter, now = RateMeter(20.0), 0.0
        added: list[tuple[float, int]] = []
        for _ in range(800):
            now += source.choice([0.0, 0.01, 0.3, 0.3, 2.0])
            added.append((now, source.randrange(1, 20000)))
            meter.add(added[-1][1], now)
            if now > 100:
                rate = meter.rate(now) * 20
                self.assertLessEqual(sum(n for at, n in added if at > now - 19), rate)
                self.assertGreaterEqual(sum(n for at, n in added if at >= now - 21), rate)
