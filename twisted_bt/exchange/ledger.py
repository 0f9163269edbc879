"""
The pieces under way: who owes us which block.

The invariant, for every block of every piece that is not here:

 - its piece is not under way; or it is in exactly one state of L{PieceDownload}: free, asked, here;
 - a block is asked of a peer if and only if it is in that peer's C{outstanding};
 - C{partial} holds exactly the pieces with free blocks;
 - each piece under way holds one buffer of the pool, and nothing else does.

All changes of it are in this file, but for one: L{twisted_bt.exchange.arrivals} does the ordinary block
itself, since a call more would cost a good part of it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from functools import partial

from twisted_bt.exchange.buffers import PieceBuffers
from twisted_bt.exchange.peerdownload import PeerDownload
from twisted_bt.exchange.piece import NOBODY, PieceDownload
from twisted_bt.torrent.pieces import BLOCK_LENGTH, Block, PieceLayout

#: A L{Block} of a tuple of its numbers, at a third of the usual cost.
_makeBlock = partial(tuple.__new__, Block)


class Ledger:
    """
    @ivar pieces: all pieces under way, those that wait for their hash included.
    @ivar partial: those with free blocks.
    @ivar cancels: whom to tell that a block is not needed any more.
    @ivar wasted: bytes that came for nothing.
    """

    def __init__(self, layout: PieceLayout, buffers: PieceBuffers) -> None:
        self._buffers = buffers
        self.blocksPerPiece = layout.blocksPerPiece
        self._lastPiece = layout.pieceCount - 1
        self._blocks = layout.blocksPerPiece, layout.blockCount(self._lastPiece)
        self._sizes = layout.pieceLength, layout.pieceSize(self._lastPiece)
        self.wasted = 0
        self.pieces: dict[int, PieceDownload] = {}
        self.partial: dict[int, PieceDownload] = {}
        self.cancels: list[tuple[PeerDownload, Block]] = []

    def begin(self, index: int, buffer: memoryview, solo: bool) -> PieceDownload:
        """Piece C{index} is under way, in C{buffer}."""
        short = index == self._lastPiece
        base = index * self.blocksPerPiece
        piece = PieceDownload(index, base, self._blocks[short], self._sizes[short], buffer, solo)
        self.pieces[index] = self.partial[index] = piece
        return piece

    def ask(self, piece: PieceDownload, peer: PeerDownload, most: int, now: float, asked: list[Block]) -> int:
        """
        Ask C{peer} for up to C{most} free blocks of C{piece}, in order (what is read in order is
        served cheaper); append them to C{asked}.  Returns how many.
        """
        free = piece.free
        if not piece.last:  # of small pieces there are thousands in a second
            return self._askOnly(piece, peer, now, asked)
        if most >= len(free):
            numbers = free[::-1]
            free.clear()
            del self.partial[piece.index]
        else:
            numbers = free[: -most - 1 : -1]
            del free[-most:]
        if piece.solo:
            piece.owner = peer
        if peer.late:
            for number in numbers:
                peer.late.pop(piece.base + number, None)
        index, base, last, askers = piece.index, piece.base, piece.last, piece.askers
        outstanding, alone = peer.outstanding, peer.alone
        for number in numbers:
            outstanding[base + number] = now
            askers[number] = alone
        asked += [_makeBlock((index, number * BLOCK_LENGTH, BLOCK_LENGTH)) for number in numbers]
        if numbers and numbers[-1] == last and piece.tail != BLOCK_LENGTH:
            asked[-1] = piece.block(last)
        return len(numbers)

    def _askOnly(self, piece: PieceDownload, peer: PeerDownload, now: float, asked: list[Block]) -> int:
        """Ask C{peer} for the one block of C{piece}, which is free."""
        base = piece.base
        piece.free.clear()
        del self.partial[piece.index]
        if piece.solo:
            piece.owner = peer
        if peer.late:
            peer.late.pop(base, None)
        peer.outstanding[base] = now
        piece.askers[0] = peer.alone
        asked.append(_makeBlock((piece.index, 0, piece.size)))
        return 1

    def askAlso(self, piece: PieceDownload, peer: PeerDownload, number: int, now: float) -> Block:
        """Ask C{peer} for a block that others are asked for already."""
        piece.askers[number] += peer.alone
        peer.outstanding[piece.base + number] = now
        peer.late.pop(piece.base + number, None)
        return piece.block(number)

    def release(self, peer: PeerDownload, blocks: Iterable[int]) -> None:
        """C{peer} owes these of its outstanding C{blocks} no more; ask others."""
        touched: dict[int, PieceDownload] = {}
        for block in blocks:
            del peer.outstanding[block]
            peer.remember(block)
            index, number = divmod(block, self.blocksPerPiece)
            piece = self.pieces[index]
            others = [each for each in piece.askers[number] if each is not peer]
            if len(others) == 1:
                piece.askers[number] = others[0].alone
            else:
                piece.askers[number] = tuple(others)
            if not others:
                piece.free.append(number)
                touched[index] = piece
        for piece in touched.values():
            if piece.owner is peer:
                piece.owner = None  # or a piece that it refuses would be nobody else's for ever
            self._freed(piece)

    def disown(self, peer: PeerDownload) -> None:
        """What C{peer} had for itself is open to others."""
        peer.current = None
        for piece in self.pieces.values():
            if piece.owner is peer:
                piece.owner = None

    def settle(self, piece: PieceDownload, number: int, sender: PeerDownload | None) -> None:
        """A block is here, from C{sender}, or not needed: whoever else is asked for it need not send it."""
        for peer in piece.askers[number]:
            if peer is not sender:
                del peer.outstanding[piece.base + number]
                peer.remember(piece.base + number)
                self.cancels.append((peer, piece.block(number)))
        piece.askers[number] = ()

    def claim(self, piece: PieceDownload, number: int, sender: PeerDownload) -> None:
        """A block that C{sender} did not owe us any more is here."""
        if piece.askers[number]:
            self.settle(piece, number, sender)
        else:
            piece.free.remove(number)
            if not piece.free:
                del self.partial[piece.index]

    def discard(self, piece: PieceDownload, senders: Container[object]) -> None:
        """Throw away the blocks of C{piece} from C{senders}, to be asked again."""
        numbers = [n for n, sender in enumerate(piece.senders) if sender is not NOBODY and sender in senders]
        for number in numbers:
            piece.senders[number] = NOBODY
        if numbers:
            self.wasted += len(numbers) * BLOCK_LENGTH
            piece.left += len(numbers)
            piece.free += numbers
            self._freed(piece)

    def drop(self, index: int) -> None:
        """Piece C{index} is under way no more, and what is here of it was for nothing."""
        piece = self.close(index)
        self.wasted += (piece.last + 1 - piece.left) * BLOCK_LENGTH

    def close(self, index: int) -> PieceDownload:
        """
        Piece C{index} is under way no more: its buffer goes back, who owes blocks of it hears so.

        @raise KeyError: it is not under way.
        """
        piece = self.pieces.pop(index)
        if piece.free:
            self.partial.pop(index, None)
            piece.free.clear()
        piece.owner = None
        for number, askers in enumerate(piece.askers):
            if askers:
                self.settle(piece, number, None)
        self._buffers.give(piece.buffer)
        return piece

    def _freed(self, piece: PieceDownload) -> None:
        piece.free.sort(reverse=True)
        self.partial.setdefault(piece.index, piece)
