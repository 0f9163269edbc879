"""Tests for L{twisted_bt.torrent.pieces}."""

from __future__ import annotations

from bitarray import bitarray
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.errors import ProtocolError
from twisted_bt.torrent.pieces import BLOCK_LENGTH, Block, PieceLayout

fixed = settings(derandomize=True, deadline=None, max_examples=150)
#: Lengths around whole numbers of blocks, and any others; few enough pieces to count one by one.
pieceLengths = st.builds(lambda n, d: max(1, n * BLOCK_LENGTH + d), st.integers(0, 5), st.integers(-2, 2))
layouts = st.builds(
    lambda length, pieces, rest: PieceLayout(length * pieces + 1 + rest % length, length),
    pieceLengths,
    st.integers(0, 12),
    st.integers(0, 10**6),
)


class LayoutTests(SynchronousTestCase):
    """L{PieceLayout} against the content laid out byte by byte."""

    def test_example(self) -> None:
        """A last piece of one byte has one block of one byte."""
        layout = PieceLayout(2 * 32768 + 1, 32768)
        self.assertEqual((layout.pieceCount, layout.blocksPerPiece), (3, 2))
        self.assertEqual([layout.pieceSize(i) for i in range(3)], [32768, 32768, 1])
        self.assertEqual([layout.blockCount(i) for i in range(3)], [2, 2, 1])
        self.assertEqual(list(layout.blocks(1)), [Block(1, 0, 16384), Block(1, 16384, 16384)])
        self.assertEqual(list(layout.blocks(2)), [Block(2, 0, 1)])

    def test_afterFull(self) -> None:
        """After the last block of a full piece there is none, not even an empty one."""
        with self.assertRaises(IndexError):
            PieceLayout(2 * 32768, 32768).block(1, 2)

    def test_shortBits(self) -> None:
        """A set of pieces that says nothing of the last counts those it names."""
        self.assertEqual(PieceLayout(2 * 32768 + 1, 32768).bytesIn(bitarray("01")), 32768)

    def test_noLength(self) -> None:
        """Lengths that are not positive have no layout."""
        for total, length in ((0, 1), (1, 0), (-1, 1), (1, -1)):
            with self.assertRaises(ValueError):
                PieceLayout(total, length)

    @fixed
    @given(layouts)
    def test_piecesTile(self, layout: PieceLayout) -> None:
        """The pieces cover the content from first to last byte, none empty, all but the last full."""
        at = 0
        for index in range(layout.pieceCount):
            self.assertEqual(layout.pieceOffset(index), at)
            size = layout.pieceSize(index)
            self.assertEqual(size, min(layout.pieceLength, layout.totalLength - at))
            self.assertGreater(size, 0)
            at += size
        self.assertEqual(at, layout.totalLength)

    @fixed
    @given(layouts)
    def test_blocksTile(self, layout: PieceLayout) -> None:
        """The blocks of a piece cover it, all but the last full, and there are as many as told."""
        for index in range(layout.pieceCount):
            at = 0
            blocks = list(layout.blocks(index))
            for number, block in enumerate(blocks):
                self.assertEqual(block, layout.block(index, number))
                self.assertEqual((block.index, block.begin), (index, at))
                self.assertEqual(block.length, min(BLOCK_LENGTH, layout.pieceSize(index) - at))
                self.assertEqual(layout.checkBlock(index, block.begin, block.length), block)
                at += block.length
            self.assertEqual(at, layout.pieceSize(index))
            self.assertEqual(len(blocks), layout.blockCount(index))
            self.assertLessEqual(len(blocks), layout.blocksPerPiece)
        if layout.pieceCount > 1:
            self.assertEqual(layout.blockCount(0), layout.blocksPerPiece)

    @fixed
    @given(layouts)
    def test_outside(self, layout: PieceLayout) -> None:
        """There is no piece and no block before the first or after the last."""
        for index in (-1, layout.pieceCount, layout.pieceCount + 5):
            with self.assertRaises(IndexError):
                layout.pieceSize(index)
            with self.assertRaises(IndexError):
                layout.block(index, 0)
            with self.assertRaises(ProtocolError):
                layout.checkPiece(index)
            with self.assertRaises(ProtocolError):
                layout.checkBlock(index, 0, 1)
        last = layout.pieceCount - 1
        self.assertEqual(layout.checkPiece(last), last)
        for number in (-1, layout.blockCount(last)):
            with self.assertRaises(IndexError):
                layout.block(last, number)

    @fixed
    @given(layouts, st.integers(-3, 2**32), st.integers(-3, 2**32))
    def test_checkBlock(self, layout: PieceLayout, begin: int, length: int) -> None:
        """A block is accepted if and only if each of its bytes is in its piece and it has one."""
        last = layout.pieceCount - 1
        size = layout.pieceSize(last)
        candidates = [
            (begin, length),
            (0, size),
            (0, size + 1),
            (size - 1, 1),
            (size, 1),
            (size - 1, 2),
            (0, 0),
        ]
        for at, count in candidates:
            if at >= 0 and count >= 1 and at + count <= size:
                self.assertEqual(layout.checkBlock(last, at, count), Block(last, at, count))
            else:
                with self.assertRaises(ProtocolError):
                    layout.checkBlock(last, at, count)

    @fixed
    @given(layouts, st.data())
    def test_piecesOf(self, layout: PieceLayout, data: st.DataObject) -> None:
        """The pieces of a span are those that share a byte with it."""
        offset = data.draw(st.integers(0, layout.totalLength - 1))
        length = data.draw(st.integers(0, layout.totalLength - offset))
        touched = [
            index
            for index in range(layout.pieceCount)
            if length
            and layout.pieceOffset(index) < offset + length
            and offset < layout.pieceOffset(index) + layout.pieceSize(index)
        ]
        self.assertEqual(list(layout.piecesOf(offset, length)), touched)

    @fixed
    @given(layouts, st.data())
    def test_bytesIn(self, layout: PieceLayout, data: st.DataObject) -> None:
        """The bytes of a set of pieces are the sum of their sizes."""
        flags = data.draw(st.lists(st.booleans(), min_size=layout.pieceCount, max_size=layout.pieceCount))
        expected = sum(layout.pieceSize(index) for index, has in enumerate(flags) if has)
        self.assertEqual(layout.bytesIn(bitarray(flags)), expected)
        self.assertEqual(layout.bytesIn(bitarray([True] * layout.pieceCount)), layout.totalLength)
