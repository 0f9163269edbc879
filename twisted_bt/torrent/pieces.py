"""
All arithmetic on pieces and blocks, in one place.

The content of a torrent is one run of bytes, cut into I{pieces} (the unit that is hashed) and
those into I{blocks} of 16 KiB (the unit that is asked for, BEP 3).  The last piece, and the last
block of a piece, may be short.  Nothing outside this module divides by a piece length.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from bitarray import bitarray

from twisted_bt.errors import ProtocolError

#: Bytes in a full block: what every client asks for (BEP 3).
BLOCK_LENGTH = 1 << 14


class Block(NamedTuple):
    """
    Part of a piece: C{length} bytes from C{begin} in piece C{index}.  Offsets in bytes.

    A tuple, since one is made for each block that is asked for: a frozen dataclass takes twice as long.
    """

    index: int  # type: ignore[assignment]  # nobody misses tuple.index
    begin: int
    length: int


@dataclass(frozen=True, slots=True)
class PieceLayout:
    """
    How C{totalLength} bytes fall into pieces of C{pieceLength} bytes.

    @raise ValueError: a length is not positive (a torrent of no bytes has no layout).
    """

    totalLength: int
    pieceLength: int

    def __post_init__(self) -> None:
        if self.totalLength < 1 or self.pieceLength < 1:
            raise ValueError(f"{self.totalLength} bytes in pieces of {self.pieceLength}")

    @property
    def pieceCount(self) -> int:
        """How many pieces, the short last one included."""
        return -(-self.totalLength // self.pieceLength)

    @property
    def blocksPerPiece(self) -> int:
        """How many blocks a full piece has."""
        return -(-self.pieceLength // BLOCK_LENGTH)

    def pieceOffset(self, index: int) -> int:
        """Where piece C{index} begins in the content."""
        return index * self.pieceLength

    def pieceSize(self, index: int) -> int:
        """Bytes in piece C{index}: C{pieceLength}, or less for the last.  C{IndexError} if there is none."""
        rest = self.totalLength - index * self.pieceLength
        if index < 0 or rest <= 0:
            raise IndexError(f"no piece {index} of {self.pieceCount}")
        return min(rest, self.pieceLength)

    def blockCount(self, index: int) -> int:
        """How many blocks piece C{index} has."""
        return -(-self.pieceSize(index) // BLOCK_LENGTH)

    def block(self, index: int, number: int) -> Block:
        """Block C{number} of piece C{index}.  C{IndexError} if there is none."""
        begin = number * BLOCK_LENGTH
        rest = self.pieceSize(index) - begin
        if number < 0 or rest <= 0:
            raise IndexError(f"no block {number} in piece {index}")
        return Block(index, begin, min(rest, BLOCK_LENGTH))

    def blocks(self, index: int) -> Iterator[Block]:
        """The blocks of piece C{index} in order."""
        return (self.block(index, number) for number in range(self.blockCount(index)))

    def checkBlock(self, index: int, begin: int, length: int) -> Block:
        """
        Three numbers a peer sent (as a request, cancel or reject) as a L{Block} that lies in its piece.

        @raise ProtocolError: they name no part of any piece.
        """
        if (
            length < 1
            or begin < 0
            or not 0 <= index < self.pieceCount
            or begin + length > self.pieceSize(index)
        ):
            raise ProtocolError(f"no block of {length} bytes at {begin} in piece {index}")
        return Block(index, begin, length)

    def checkBlocks(self, asked: Iterable[tuple[int, int, int]], longest: int) -> None:
        """
        Like L{checkBlock} for many: index, begin and length of each, none negative.

        @raise ProtocolError: one names no part of any piece, or more than C{longest} bytes.
        """
        last, full = self.pieceCount - 1, self.pieceLength
        for index, begin, length in asked:
            if not 0 < length <= longest or begin + length > full or index >= last:
                self.checkBlock(index, begin, length)
                if length > longest:
                    raise ProtocolError(f"asks for {length} bytes at once")

    def checkPiece(self, index: int) -> int:
        """C{index} as a peer sent it, if there is such a piece.  @raise ProtocolError: there is none."""
        if not 0 <= index < self.pieceCount:
            raise ProtocolError(f"no piece {index} of {self.pieceCount}")
        return index

    def piecesOf(self, offset: int, length: int) -> range:
        """The pieces that C{length} bytes from C{offset} of the content touch (none for no bytes)."""
        if length <= 0:
            return range(0)
        return range(offset // self.pieceLength, (offset + length - 1) // self.pieceLength + 1)

    def bytesIn(self, bits: bitarray) -> int:
        """Bytes in the pieces set in C{bits}; the short last piece counts what it has."""
        total = bits.count() * self.pieceLength
        last = self.pieceCount - 1
        if len(bits) > last and bits[last]:
            total -= self.pieceLength - self.pieceSize(last)
        return total
