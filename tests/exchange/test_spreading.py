"""
L{twisted_bt.exchange.spreading}.
"""

from __future__ import annotations

from random import Random

from bitarray.util import zeros
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.exchange.spreading import Spreading
from twisted_bt.torrent.pieces import PieceLayout


class SpreadingTests(SynchronousTestCase):
    """Suggestions of a seeder with eight pieces."""

    def setUp(self) -> None:
        self.layout = PieceLayout(7 * 32768 + 100, 32768)
        self.spreading = Spreading(self.layout, Random(1))
        self.nothing = zeros(8)

    def test_differentForEach(self) -> None:
        """No piece is suggested to two peers."""
        told = [index for key in "abcd" for index in self.spreading.suggest(key, self.nothing, 2)]
        self.assertEqual(sorted(told), list(range(8)))
        self.assertEqual(self.spreading.suggest("e", self.nothing, 2), [])

    def test_ahead(self) -> None:
        """A peer is told of more only once it got what it was told of before."""
        told = self.spreading.suggest("a", self.nothing, 2)
        self.assertEqual(self.spreading.suggest("a", self.nothing, 2), [])
        self.spreading.sent(told[0], self.layout.pieceSize(told[0]))
        self.assertEqual(len(self.spreading.suggest("a", self.nothing, 2)), 1)

    def test_inParts(self) -> None:
        """A piece is given away when all its bytes were sent."""
        (index,) = self.spreading.suggest("a", self.nothing, 1)
        half = self.layout.pieceSize(index) // 2
        self.spreading.sent(index, half)
        self.assertEqual(self.spreading.suggest("a", self.nothing, 1), [])
        self.spreading.sent(index, half)
        self.assertEqual(len(self.spreading.suggest("a", self.nothing, 1)), 1)

    def test_notWhatItHas(self) -> None:
        """Nobody is told to take what it has."""
        have = zeros(8)
        have[:5] = 1
        self.assertEqual(sorted(self.spreading.suggest("a", have, 9)), [5, 6, 7])

    def test_elsewhere(self) -> None:
        """What somebody else has is not suggested."""
        have = zeros(8)
        have[1:] = 1
        self.spreading.elsewhere(have)
        self.assertEqual(self.spreading.suggest("a", self.nothing, 9), [0])

    def test_choked(self) -> None:
        """What was suggested to somebody who is served no more is suggested to others."""
        self.spreading.suggest("a", self.nothing, 8)
        self.spreading.forget("a")
        self.spreading.forget("a")
        self.assertEqual(sorted(self.spreading.suggest("b", self.nothing, 8)), list(range(8)))

    def test_done(self) -> None:
        """It is done when each piece was sent, whoever chose it; what is sent again changes nothing."""
        self.spreading.suggest("a", self.nothing, 3)
        for _ in range(2):
            for index in range(8):
                self.spreading.sent(index, self.layout.pieceSize(index))
        self.assertTrue(self.spreading.done)
        self.assertEqual(self.spreading.suggest("b", self.nothing, 1), [])
        self.spreading.forget("a")
        self.assertTrue(self.spreading.done)
