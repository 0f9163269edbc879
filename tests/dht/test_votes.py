"""Tests of what our address is."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.dht.nodeid import packed
from twisted_bt.dht.votes import QUORUM, Votes

OURS, FALSE = packed("8.8.8.8"), packed("9.9.9.9")


class VoteTests(SynchronousTestCase):
    """Others say what our address is."""

    def setUp(self) -> None:
        self.votes = Votes()

    def _say(self, address: bytes, count: int, first: int = 1) -> list[bool]:
        return [self.votes.vote(f"4.{number}.1.1", address) for number in range(first, first + count)]

    def test_quorum(self) -> None:
        """It takes a few who agree; then it is decided once."""
        self.assertEqual(self._say(OURS, QUORUM + 2), [False] * (QUORUM - 1) + [True, False, False])
        self.assertEqual(self.votes.winner, OURS)

    def test_oneVoice(self) -> None:
        """All of one network have one voice."""
        for number in range(1, 200):
            self.assertFalse(self.votes.vote(f"4.4.4.{number}", FALSE))
        self.assertIsNone(self.votes.winner)

    def test_majority(self) -> None:
        """A minority decides nothing."""
        self._say(OURS, 20)
        self._say(FALSE, 19, 100)
        self.assertEqual(self.votes.winner, OURS)

    def test_moves(self) -> None:
        """When all say something else it is that: we have moved."""
        self._say(OURS, 20)
        self._say(FALSE, 48, 100)
        self.assertEqual(self.votes.winner, FALSE)

    def test_local(self) -> None:
        """Neighbours see an address that is not ours out there, and nobody is at multicast."""
        for number in range(20):
            self.votes.vote(f"192.168.{number}.1", OURS)
        self._say(packed("192.168.1.5"), 20)
        self._say(packed("224.0.0.1"), 20, 50)
        self.assertIsNone(self.votes.winner)

    def test_ipv6(self) -> None:
        """The same for IPv6, by /64."""
        ours = packed("2001:db8::8")
        for number in range(20):
            self.votes.vote(f"2001:db8:5:5::{number:x}", ours)
        self.assertIsNone(self.votes.winner)
        for number in range(QUORUM):
            self.votes.vote(f"2001:db8:5:{number:x}00::1", ours)
        self.assertEqual(self.votes.winner, ours)
