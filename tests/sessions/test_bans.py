"""Tests of L{twisted_bt.sessions.bans}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.sessions.bans import Bans
from twisted_bt.torrent.addresses import PeerAddr


class BansTests(SynchronousTestCase):
    """Who is not talked to any more."""

    def setUp(self) -> None:
        """Nobody."""
        self.bans = Bans(limit=10)

    def test_address(self) -> None:
        """A banned address is banned, others on its host are not."""
        self.bans.ban(PeerAddr("10.0.0.1", 1))
        self.bans.ban(PeerAddr("10.0.0.1", 1))
        self.assertIn(PeerAddr("10.0.0.1", 1), self.bans)
        self.assertNotIn(PeerAddr("10.0.0.1", 2), self.bans)
        self.assertEqual(len(self.bans), 1)

    def test_host(self) -> None:
        """With its second address the whole host is banned."""
        self.bans.ban(PeerAddr("10.0.0.1", 1))
        self.bans.ban(PeerAddr("10.0.0.1", 2))
        self.assertIn(PeerAddr("10.0.0.1", 3), self.bans)
        self.assertNotIn(PeerAddr("10.0.0.2", 3), self.bans)

    def test_shared(self) -> None:
        """Where others are connected from the same host, a few liars do not have it banned; many do."""
        for port in range(1, 8):
            self.bans.ban(PeerAddr("10.0.0.1", port), shared=True)
        self.assertNotIn(PeerAddr("10.0.0.1", 9), self.bans)
        self.bans.ban(PeerAddr("10.0.0.1", 8), shared=True)
        self.assertIn(PeerAddr("10.0.0.1", 9), self.bans)

    def test_bounded(self) -> None:
        """The oldest go when there are too many."""
        for number in range(50):
            self.bans.ban(PeerAddr(f"10.0.0.{number}", 1))
        self.assertEqual(len(self.bans), 10)
        self.assertIn(PeerAddr("10.0.0.49", 1), self.bans)
        self.assertNotIn(PeerAddr("10.0.0.0", 1), self.bans)
