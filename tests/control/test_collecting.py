"""Tests for L{twisted_bt.control.collecting}."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any, cast

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.control.collecting import CLOSED, GROWN, INTERVAL, QUIET, Collecting
from twisted_bt.sessions.life import SwarmStatus


class Client:
    """As much of a client session as is looked at."""

    def __init__(self) -> None:
        self.swarmSessions: dict[bytes, Any] = {}
        self.observers: list[Any] = []

    def observe(self, observer: Any) -> Callable[[], None]:
        """Noted."""
        self.observers.append(observer)
        return lambda: self.observers.remove(observer)

    def add(self, count: int) -> None:
        """So many swarms are open more."""
        for _ in range(count):
            self.swarmSessions[b"%d" % len(self.swarmSessions)] = _Swarm()

    def close(self) -> None:
        """All are stopped and gone."""
        for swarm in self.swarmSessions.values():
            for each in self.observers:
                each.statusChanged(swarm, SwarmStatus.STOPPED)
        self.swarmSessions.clear()


class _Swarm:
    """Refers to itself, as swarms and their parts do to each other."""

    def __init__(self) -> None:
        self.itself = self


class CollectingTests(SynchronousTestCase):
    """What the collector need not look at."""

    def setUp(self) -> None:
        """It runs."""
        self.clock = Clock()
        self.client = Client()
        self.collecting = Collecting(self.clock, cast(Any, self.client))
        self.collecting.startService()

    def tearDown(self) -> None:
        """It leaves nothing behind, and the collector as it was."""
        if self.collecting.running:
            self.collecting.stopService()
        self.collecting.thaw()
        self.assertEqual((self.clock.getDelayedCalls(), self.client.observers), ([], []))
        self.assertEqual(gc.get_freeze_count(), 0)

    def test_start(self) -> None:
        """What is there at the start is frozen."""
        self.assertGreater(gc.get_freeze_count(), 10_000)
        self.assertEqual(self.collecting.frozen, 1)

    def test_grown(self) -> None:
        """Swarms are frozen when many were added, and not for a few."""
        self.client.add(GROWN - 1)
        self.clock.advance(INTERVAL)
        self.assertEqual(self.collecting.frozen, 1)
        before = gc.get_freeze_count()
        self.client.add(1)
        self.clock.advance(INTERVAL)
        self.assertEqual(self.collecting.frozen, 2)
        self.assertGreaterEqual(gc.get_freeze_count(), before + GROWN)

    def test_closed(self) -> None:
        """What is left of closed swarms is collected once nothing has changed for a while, and not before."""
        self.client.add(CLOSED)
        self.clock.advance(INTERVAL)
        swarm = weakref.ref(self.client.swarmSessions[b"0"])
        self.client.close()
        self.clock.pump([INTERVAL] * round(QUIET / INTERVAL - 2))
        gc.collect()
        self.assertIsNotNone(swarm())
        self.clock.pump([INTERVAL] * 4)
        self.assertIsNone(swarm())
        self.clock.pump([INTERVAL] * round(2 * QUIET / INTERVAL))
        self.assertEqual(self.collecting.thorough, 1)

    def test_stop(self) -> None:
        """After it stopped nothing more is frozen, and at the very end the collector looks at everything."""
        self.client.add(GROWN)
        self.collecting.stopService()
        self.clock.advance(1000)
        self.assertEqual(self.collecting.frozen, 1)
        self.assertGreater(gc.get_freeze_count(), 10_000)
        self.collecting.thaw()
        self.assertEqual(gc.get_freeze_count(), 0)
