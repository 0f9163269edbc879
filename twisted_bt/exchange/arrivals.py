"""
What peers send: into its piece with it, if it is welcome.

L{Arrivals.received} is the busiest code of the engine (65,536 blocks are a GiB).  It takes blocks in
runs, so that what is the same for all of a run is done once, and does the ordinary block in one
loop without a call.
"""

from __future__ import annotations

from collections.abc import Iterable

from twisted_bt.exchange.ledger import Ledger
from twisted_bt.exchange.peerdownload import PeerDownload
from twisted_bt.exchange.piece import NOBODY, PieceDownload
from twisted_bt.interfaces import Buffer
from twisted_bt.torrent.pieces import BLOCK_LENGTH, Block, PieceLayout


class Arrival:
    """
    What became of a run of blocks.

    @ivar completed: the pieces whose last block was among them, in order.
    @ivar stored: bytes of blocks that are in their pieces now.
    @ivar unasked: bytes of blocks never asked of this peer, or not of this length; nothing of them was kept.
    @ivar duplicate: bytes of blocks asked once that are here already; nothing of them was kept.
    """

    __slots__ = ("completed", "duplicate", "stored", "unasked")

    def __init__(self) -> None:
        self.completed: list[int] = []
        self.stored = 0
        self.unasked = 0
        self.duplicate = 0

    @property
    def size(self) -> int:
        """Bytes of them all."""
        return self.stored + self.unasked + self.duplicate


class Arrivals:
    """Takes in blocks, and enters in the C{ledger} that they are here, or will not come."""

    def __init__(self, layout: PieceLayout, ledger: Ledger) -> None:
        self._layout = layout
        self._ledger = ledger
        self._pieces = ledger.pieces
        self._pieceCount = layout.pieceCount

    def received(self, peer: PeerDownload, blocks: Iterable[tuple[int, int, Buffer]], now: float) -> Arrival:
        """See L{Download.received<twisted_bt.exchange.download.Download.received>}."""
        arrival = Arrival()
        pieces, outstanding, alone, key = self._pieces, peer.outstanding, peer.alone, peer.key
        served = peer.lastServed
        count = size = 0
        for index, begin, data in blocks:
            length = len(data)
            number = begin // BLOCK_LENGTH
            piece = pieces.get(index)
            if (
                piece is None
                or begin % BLOCK_LENGTH
                or number > piece.last
                or length != (BLOCK_LENGTH if number < piece.last else piece.tail)
                or (asked := outstanding.pop(piece.base + number, None)) is None
            ):
                piece = self._stray(peer, index, begin, length, arrival)
                if piece is None:
                    continue
            else:
                served = asked
                if piece.askers[number] is alone:
                    piece.askers[number] = ()
                else:
                    self._ledger.settle(piece, number, peer)
            piece.buffer[begin : begin + length] = data
            piece.senders[number] = key
            count += 1
            size += length
            piece.left -= 1
            if not piece.left:
                arrival.completed.append(index)
        arrival.stored = size
        if count:
            peer.lastServed = served
            peer.served(count, now)
        if size or arrival.duplicate:
            peer.rate.add(size + arrival.duplicate, now)
        return arrival

    def _stray(
        self, peer: PeerDownload, index: int, begin: int, length: int, arrival: Arrival
    ) -> PieceDownload | None:
        """
        What came is not owed.  It may have been: then it is welcome, if it is not here.  Returns the
        piece that it goes into, if it is; else enters in C{arrival} what it is.
        """
        block = self._blockId(index, begin, length)
        if block not in peer.late:
            arrival.unasked += length
            return None
        del peer.late[block]
        number = begin // BLOCK_LENGTH
        piece = self._pieces.get(index)
        if piece is None or piece.senders[number] is not NOBODY:
            arrival.duplicate += length
            self._ledger.wasted += length
            return None
        self._ledger.claim(piece, number, peer)
        return piece

    def rejected(self, peer: PeerDownload, block: Block) -> bool:
        """See L{Download.rejected<twisted_bt.exchange.download.Download.rejected>}."""
        owed = self._blockId(block.index, block.begin, block.length)
        if owed not in peer.outstanding:
            return peer.late.pop(owed, self) is None
        self._ledger.release(peer, [owed])
        del peer.late[owed]
        if peer.choked:
            peer.allowedFast.discard(block.index)
        else:
            # Or it would be asked for the very same at once, for ever.
            peer.refusing.add(block.index)
        return True

    def _blockId(self, index: int, begin: int, length: int) -> int:
        """The id of that block; -1 if we would never ask for it."""
        number, rest = divmod(begin, BLOCK_LENGTH)
        if rest or not 0 <= index < self._pieceCount or not 0 <= number < self._layout.blockCount(index):
            return -1
        if length != self._layout.block(index, number).length:
            return -1
        return index * self._ledger.blocksPerPiece + number
