"""Tests for L{twisted_bt.torrent.progress}."""

from __future__ import annotations

from functools import reduce

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.torrent.progress import Progress, startProgress

fixed = settings(derandomize=True, deadline=None)
amounts = st.integers(0, 1 << 50)
progresses = st.builds(Progress, amounts, amounts, amounts)


class ProgressTests(SynchronousTestCase):
    """L{Progress}, an immutable value."""

    def test_start(self) -> None:
        """At the start nothing was exchanged and all is left."""
        self.assertEqual(startProgress(7), Progress(uploaded=0, downloaded=0, left=7))

    def test_each(self) -> None:
        """Each step changes its own numbers and no other."""
        start = Progress(10, 20, 30)
        self.assertEqual(start.downloadedProgress(3), Progress(10, 23, 27))
        self.assertEqual(start.uploadedProgress(3), Progress(13, 20, 30))
        self.assertEqual(start.enqueuedProgress(3), Progress(10, 20, 33))
        self.assertEqual(start.dequeuedProgress(3), Progress(10, 20, 27))
        self.assertEqual(start, Progress(10, 20, 30))

    def test_negative(self) -> None:
        """No number can become negative."""
        for make in (
            lambda: Progress(-1, 0, 0),
            lambda: Progress(0, -1, 0),
            lambda: Progress(0, 0, -1),
            lambda: startProgress(5).downloadedProgress(6),
            lambda: startProgress(5).dequeuedProgress(6),
        ):
            with self.assertRaises(ValueError):
                make()

    @fixed
    @given(st.lists(progresses, max_size=6))
    def test_sum(self, parts: list[Progress]) -> None:
        """The sum of several has the sums of their numbers, in whatever order it is made."""
        expected = Progress(
            sum(p.uploaded for p in parts), sum(p.downloaded for p in parts), sum(p.left for p in parts)
        )
        self.assertEqual(sum(parts, startProgress(0)), expected)
        self.assertEqual(reduce(Progress.__add__, reversed(parts), startProgress(0)), expected)

    @fixed
    @given(progresses, amounts)
    def test_inverse(self, progress: Progress, n: int) -> None:
        """What was enqueued and dequeued again leaves no trace."""
        self.assertEqual(progress.enqueuedProgress(n).dequeuedProgress(n), progress)
