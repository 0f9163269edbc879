"""Tests for L{twisted_bt.exchange.suspects}."""

from __future__ import annotations

from collections.abc import Hashable

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.exchange.piece import PieceDownload
from twisted_bt.exchange.suspects import Suspects
from twisted_bt.torrent.pieces import BLOCK_LENGTH

_TAIL = 100


def version(index: int, *blocks: tuple[Hashable, bytes]) -> PieceDownload:
    """A whole piece, of (sender, what its block is full of); the last block is short."""
    size = (len(blocks) - 1) * BLOCK_LENGTH + _TAIL
    content = b"".join(fill * BLOCK_LENGTH for _, fill in blocks)[:size]
    piece = PieceDownload(index, 0, len(blocks), size, memoryview(bytearray(content)), False)
    piece.senders = [sender for sender, _ in blocks]
    return piece


class SuspectsTests(SynchronousTestCase):
    """Who lied about a piece."""

    def test_single(self) -> None:
        """One sender is to blame at once, and there is nothing to remember."""
        suspects = Suspects()
        self.assertEqual(suspects.corrupt(version(3, ("a", b"x"), ("a", b"y"))), {"a"})
        self.assertNotIn(3, suspects)

    def test_exposed(self) -> None:
        """Who sent another block than the good version has is exposed, and who sent the same is not."""
        suspects = Suspects()
        self.assertEqual(suspects.corrupt(version(3, ("a", b"1"), ("b", b"x"), ("c", b"3"))), frozenset())
        self.assertIn(3, suspects)
        self.assertEqual(suspects.good(version(3, ("d", b"1"), ("d", b"2"), ("d", b"3"))), {"b"})
        self.assertNotIn(3, suspects)

    def test_shortBlock(self) -> None:
        """A lie in the short last block counts too."""
        suspects = Suspects()
        suspects.corrupt(version(3, ("a", b"1"), ("b", b"x")))
        self.assertEqual(suspects.good(version(3, ("d", b"1"), ("d", b"2"))), {"b"})

    def test_severalVersions(self) -> None:
        """Each corrupt version is compared, also after one that came from one sender."""
        suspects = Suspects()
        suspects.corrupt(version(3, ("a", b"x"), ("b", b"2")))
        suspects.corrupt(version(3, ("e", b"x"), ("e", b"x")))
        suspects.corrupt(version(3, ("b", b"1"), ("c", b"x")))
        self.assertEqual(suspects.good(version(3, ("d", b"1"), ("d", b"2"))), {"a", "c"})

    def test_changedItsMind(self) -> None:
        """A liar that sends the truth the second time is exposed by itself."""
        suspects = Suspects()
        suspects.corrupt(version(3, ("a", b"1"), ("b", b"x")))
        self.assertEqual(suspects.good(version(3, ("a", b"1"), ("b", b"2"))), {"b"})

    def test_involved(self) -> None:
        """The pieces that somebody had a part in while they were corrupt."""
        suspects = Suspects()
        suspects.corrupt(version(3, ("a", b"1"), ("b", b"x")))
        suspects.corrupt(version(4, ("b", b"1"), ("c", b"x")))
        self.assertEqual(suspects.involved("b"), [3, 4])
        self.assertEqual(suspects.involved("c"), [4])
        suspects.forget(3)
        suspects.forget(3)
        self.assertEqual(suspects.involved("b"), [4])

    def test_nothingKnown(self) -> None:
        """A good piece that was never corrupt accuses nobody."""
        self.assertEqual(Suspects().good(version(3, ("a", b"1"), ("b", b"2"))), frozenset())

    def test_bounded(self) -> None:
        """However much is corrupt, only the latest is remembered."""
        suspects = Suspects()
        for index in range(200):
            suspects.corrupt(version(index, ("a", b"1"), ("b", b"x")))
        self.assertEqual(len(suspects), 64)
        self.assertIn(199, suspects)
        for liar in range(50):
            suspects.corrupt(version(199, ("a", b"1"), (liar, b"x")))
        self.assertEqual(suspects.good(version(199, ("d", b"1"), ("d", b"2"))), set(range(42, 50)))
