"""Tests for clients that are dropped without being stopped."""

from __future__ import annotations

import gc
import sys
import weakref

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.testing import SimulatedSwarm


class DroppedTests(SynchronousTestCase):
    """A test of an application that fails leaves a swarm behind, in the middle of what it does."""

    def test_quiet(self) -> None:
        """It is collected, and nothing is printed about it."""
        complaints: list[str] = []
        self.patch(
            sys, "unraisablehook", lambda told: complaints.append(f"{told.exc_value!r}: {told.object!r}")
        )
        swarm = SimulatedSwarm(size=2_000_000, seed="dropped")
        seeder = swarm.seeder()
        leechers = [swarm.leecher() for _ in range(3)]
        for each in leechers:
            each.meet(seeder, *leechers)
        swarm.network.advance(0.5)
        self.assertEqual([len(each.session.connectedPeers) for each in (seeder, *leechers)], [3, 3, 3, 3])
        gone = weakref.ref(seeder.client)
        del swarm, seeder, leechers, each
        gc.collect()
        self.assertIsNone(gone())
        self.assertEqual(complaints, [])
