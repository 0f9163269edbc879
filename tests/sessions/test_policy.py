"""Tests of L{twisted_bt.sessions.policy}."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.interfaces import ChokeCandidate
from twisted_bt.sessions.policy import (
    CHOKING_TIME,
    IDLE_TIME,
    OFFERED_TIME,
    SEEDING_TIME,
    SETTLING_TIME,
    StandardPolicy,
)
from twisted_bt.settings import Settings


def peer(key: str, age: float, **more: Any) -> ChokeCandidate:
    """One that neither gives nor takes anything, nor wants or has anything, for C{age} seconds now."""
    usual = {"interested": False, "unchoked": False, "snubbed": False, "downloadRate": 0.0, "uploadRate": 0.0}
    usual |= {"unchokedFor": 0.0, "connectedFor": age, "isSeed": False, "offers": False}
    return ChokeCandidate(key=key, **{**usual, **more})


class VictimTests(SynchronousTestCase):
    """Who makes room when slots are taken."""

    def victim(self, seeding: bool, *peers: ChokeCandidate) -> Any:
        """The key of who has to go."""
        return StandardPolicy(Settings()).victim(peers, seeding)

    def test_nobody(self) -> None:
        """Where nobody is useless, nobody has to."""
        for seeding in (False, True):
            self.assertIsNone(self.victim(seeding))
            self.assertIsNone(self.victim(seeding, peer("new", 1.0)))

    def test_useful(self) -> None:
        """Who gives, or takes, stays, however long it is here."""
        self.assertIsNone(self.victim(False, peer("gives", 1e6, downloadRate=1.0, offers=True)))
        self.assertIsNone(self.victim(False, peer("takes", 1e6, uploadRate=1.0, interested=True)))
        self.assertIsNone(self.victim(True, peer("takes", 1e6, uploadRate=1.0, interested=True)))

    def test_leecher(self) -> None:
        """A leecher parts from who snubs it or has nothing for it, before who might serve it yet."""
        long = IDLE_TIME + 1
        useless = peer("useless", SETTLING_TIME + 1)
        idle = peer("idle", long, offers=True, interested=True)
        self.assertEqual(self.victim(False, idle, useless), "useless")
        self.assertEqual(self.victim(False, idle, peer("snubs", SETTLING_TIME + 1, snubbed=True)), "snubs")
        self.assertEqual(self.victim(False, idle), "idle")
        self.assertEqual(self.victim(False, peer("older", long + 1, offers=True), idle), "older")

    def test_patience(self) -> None:
        """Who has something for us gets a minute to serve it, and two if it might be served."""
        self.assertIsNone(self.victim(False, peer("chokes", CHOKING_TIME, offers=True)))
        self.assertEqual(self.victim(False, peer("chokes", CHOKING_TIME + 1, offers=True)), "chokes")
        self.assertIsNone(self.victim(False, peer("waits", IDLE_TIME, offers=True, interested=True)))

    def test_seeder(self) -> None:
        """A seeder parts from seeds, then from who wants nothing, or does not take what it is offered."""
        wants = peer("wants", 1e6, interested=True)
        refuses = peer("refuses", 50.0, interested=True, unchoked=True, unchokedFor=OFFERED_TIME + 1)
        self.assertIsNone(self.victim(True, wants))
        self.assertEqual(self.victim(True, wants, peer("idle", SEEDING_TIME + 1)), "idle")
        self.assertEqual(self.victim(True, wants, refuses), "refuses")
        self.assertEqual(self.victim(True, refuses, peer("seed", 0.0, isSeed=True)), "seed")
