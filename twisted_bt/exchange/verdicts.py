"""
What becomes of a piece that is whole: stored, wrong, or to be asked for again; and of who lied.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable

from twisted_bt.exchange.ledger import Ledger
from twisted_bt.exchange.peerdownload import PeerDownload
from twisted_bt.exchange.piece import PieceDownload
from twisted_bt.exchange.suspects import Suspects
from twisted_bt.exchange.wishes import Wishes


class Verdicts:
    """
    The methods are those of L{Download<twisted_bt.exchange.download.Download>}; each takes a piece that
    is whole.

    @raise KeyError: (all) it is not whole.
    """

    def __init__(
        self, ledger: Ledger, wishes: Wishes, suspects: Suspects, peers: Collection[PeerDownload]
    ) -> None:
        self._ledger = ledger
        self._wishes = wishes
        self._suspects = suspects
        self._peers = peers

    def take(self, index: int) -> memoryview:
        """Its bytes."""
        piece = self._whole(index)
        return piece.buffer[: piece.size]

    def _whole(self, index: int) -> PieceDownload:
        piece = self._ledger.pieces[index]
        if piece.left:
            raise KeyError(index)
        return piece

    def good(self, index: int) -> frozenset[Hashable]:
        """It is right and stored.  Returns who had sent something else."""
        piece = self._whole(index)
        liars = self._suspects.good(piece) if self._suspects else frozenset()
        if piece.solo:
            self._acquit(piece)
        self._ledger.close(index)
        self._wishes.arrive(index)
        if liars:
            self._distrust(liars)
        return liars

    def corrupt(self, index: int) -> frozenset[Hashable]:
        """It is wrong.  Returns who lied, if that is plain."""
        piece = self._whole(index)
        liars = self._suspects.corrupt(piece)
        if not liars:
            for peer in self._peers:
                if peer.key in piece.senders:
                    peer.parole = True
        self._giveBack(piece)
        if liars:
            self._distrust(liars)
        return liars

    def returned(self, index: int) -> None:
        """It could not be stored."""
        self._giveBack(self._whole(index))

    def _giveBack(self, piece: PieceDownload) -> None:
        self._ledger.wasted += piece.size
        self._ledger.close(piece.index)
        self._wishes.giveBack(piece.index)

    def _acquit(self, piece: PieceDownload) -> None:
        """Who sent all of C{piece}, which is right, need not work alone any more."""
        senders = set(piece.senders)
        if len(senders) == 1:
            for peer in self._peers:
                if peer.key in senders:
                    peer.parole = False

    def _distrust(self, liars: frozenset[Hashable]) -> None:
        """Nothing more is asked of them, and what they sent of other pieces is asked for again."""
        for peer in self._peers:
            if peer.key in liars:
                self._ledger.release(peer, list(peer.outstanding))
                self._ledger.disown(peer)
                peer.late.clear()
                peer.liar = True
                peer.target = 0
        for piece in list(self._ledger.pieces.values()):
            if piece.left:
                self._ledger.discard(piece, liars)
