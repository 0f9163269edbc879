"""Tests for L{twisted_bt.tracker.schedule}."""

from __future__ import annotations

import math
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.tracker.announce import AnnounceResponse
from twisted_bt.tracker.schedule import earlyDelay, regularDelay, retryDelay

fixed = settings(derandomize=True, deadline=None)
seconds = st.integers(0, (1 << 31) - 1)


class ScheduleTests(SynchronousTestCase):
    """When the next announce is due."""

    def test_regular(self) -> None:
        """As the tracker says, from a minute to a day."""
        for interval, minInterval, delay in (
            (1800, 0, 1800),
            (1800, 3600, 3600),
            (0, 0, 60),
            (59, 10, 60),
            (1 << 30, 0, 86400),
            (1800, 1 << 30, 86400),
        ):
            self.assertEqual(regularDelay(AnnounceResponse(interval, minInterval)), delay)

    def test_early(self) -> None:
        """After the tracker's minimum; after 5 minutes where it names none; never later than regular."""
        for interval, minInterval, delay in ((1800, 0, 300), (1800, 900, 900), (1800, 5, 60), (120, 0, 120)):
            self.assertEqual(earlyDelay(AnnounceResponse(interval, minInterval)), delay)

    @fixed
    @given(seconds, seconds)
    def test_bounds(self, interval: int, minInterval: int) -> None:
        """Whatever a tracker says: a minute <= early <= regular <= a day."""
        response = AnnounceResponse(interval, minInterval)
        self.assertTrue(60 <= earlyDelay(response) <= regularDelay(response) <= 86400)

    def test_backoff(self) -> None:
        """From 5 s, growing by 2.5, to an hour; a quarter more or less."""
        random = Random(1)
        for failures, middle in ((1, 5), (2, 12.5), (3, 31.25), (7, 1220.7), (9, 3600), (10**9, 3600)):
            delays = [retryDelay(failures, None, random) for _ in range(200)]
            self.assertTrue(0.75 * middle <= min(delays) < 0.8 * middle, (failures, min(delays)))
            self.assertTrue(1.2 * middle < max(delays) <= 1.25 * middle, (failures, max(delays)))

    def test_retryIn(self) -> None:
        """What the tracker said (BEP 31) is a minimum, and "never" is never."""
        random = Random(1)
        self.assertEqual(retryDelay(1, 7200.0, random), 7200.0)
        self.assertEqual(retryDelay(1, math.inf, random), math.inf)
        self.assertEqual(retryDelay(1, 1e12, random), 86400.0)
        self.assertGreaterEqual(retryDelay(9, 0.0, random), 2700.0)
