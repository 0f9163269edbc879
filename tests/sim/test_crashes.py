"""
Crashes and disk faults, in short; C{python -m tests.sim.crashes} and C{python -m tests.sim.diskfaults} play
as many seeds as one likes.
"""

from __future__ import annotations

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from tests.sim import crashes, diskfaults


class CrashTests(SynchronousTestCase):
    """A computer that crashes at random events."""

    def test_seeds(self) -> None:
        """Nothing that was flushed is lost or hashed again, nothing is claimed that is not there."""
        total: Counter[str] = Counter()
        for seed in range(60):
            total += crashes.play(seed)
        self.assertGreater(total["crashes"], 60)
        self.assertGreater(total["of them kills"], 10)
        self.assertGreater(total["flushed pieces"], 300)

    def test_again(self) -> None:
        """A seed gives the same each time."""
        self.assertEqual(crashes.play(7), crashes.play(7))


class DiskFaultTests(SynchronousTestCase):
    """A computer whose disk fails in random ways."""

    def test_seeds(self) -> None:
        """What is concerned fails with a reason, the rest goes on; once it is mended, all completes."""
        total: Counter[str] = Counter()
        for seed in range(60):
            total += diskfaults.play(seed)
        self.assertGreater(total["faults injected"], 40)
        self.assertGreater(total["swarms failed"], 20)
        self.assertGreater(total["resumed"], 20)
