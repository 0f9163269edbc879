"""
One piece on its way: which of its blocks are free to ask for, asked of whom, and here.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Final

from twisted_bt.torrent.pieces import BLOCK_LENGTH, Block

if TYPE_CHECKING:
    from twisted_bt.exchange.peerdownload import PeerDownload


class _Nobody:
    """Stands where the sender of a block will."""

    def __repr__(self) -> str:
        return "NOBODY"


NOBODY: Final = _Nobody()


class PieceDownload:
    """
    Each block is in exactly one of three states: I{free} (its number is in C{free}), I{asked}
    (C{askers} of it is not empty) or I{here} (C{senders} of it is not L{NOBODY}).

    @ivar index: which piece.
    @ivar base: the id of its first block; ids run through the whole content.
    @ivar buffer: what the pool lent; may be longer than the piece.
    @ivar size: bytes in the piece.
    @ivar last: number of the last block.
    @ivar tail: bytes in the last block.
    @ivar left: how many blocks are not here.
    @ivar free: numbers of free blocks, the lowest last.
    @ivar askers: for each block the peers it is asked of.
    @ivar senders: for each block the key of who sent it.
    @ivar solo: one peer at a time, so that it is plain who lied: an earlier version was corrupt, or the peer
        is on parole.
    @ivar owner: that peer, when C{solo}.
    @ivar wrong: how many versions of it were corrupt.
    """

    __slots__ = (
        "askers",
        "base",
        "buffer",
        "free",
        "index",
        "last",
        "left",
        "owner",
        "senders",
        "size",
        "solo",
        "tail",
        "wrong",
    )

    def __init__(self, index: int, base: int, count: int, size: int, buffer: memoryview, solo: bool) -> None:
        self.index = index
        self.base = base
        self.buffer = buffer
        self.size = size
        self.last = count - 1
        self.tail = size - self.last * BLOCK_LENGTH
        self.left = count
        self.free = list(range(count - 1, -1, -1))
        self.askers: list[tuple[PeerDownload, ...]] = [()] * count
        self.senders: list[Hashable] = [NOBODY] * count
        self.solo = solo
        self.owner: PeerDownload | None = None
        self.wrong = 0

    def block(self, number: int) -> Block:
        """Block C{number} of the piece."""
        return Block(self.index, number * BLOCK_LENGTH, BLOCK_LENGTH if number < self.last else self.tail)

    def data(self, number: int) -> memoryview:
        """What is in the buffer for block C{number}."""
        begin = number * BLOCK_LENGTH
        return self.buffer[begin : begin + (BLOCK_LENGTH if number < self.last else self.tail)]

    def openTo(self, peer: PeerDownload) -> bool:
        """
        Whether C{peer} may be asked for blocks of it: false while another works at it alone, and while the
        peer itself should.
        """
        if self.solo:
            return self.owner is None or self.owner is peer
        return not peer.parole
