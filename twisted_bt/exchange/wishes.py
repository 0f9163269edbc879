"""
Which pieces are here, wanted, and free to begin.

Of every piece exactly one is true: it is I{here} (not C{missing}), I{unwanted}, I{fresh} (may be
begun), or I{under way} (L{Ledger<twisted_bt.exchange.ledger.Ledger>}, until it is stored).  A piece
under way may besides be here or unwanted, if that changed while it was being stored.
"""

from __future__ import annotations

from collections.abc import Collection

from bitarray import bitarray
from bitarray.util import ones

from twisted_bt.torrent.pieces import PieceLayout


class Wishes:
    """
    @param have: the pieces that are here (copied).
    @param wanted: the pieces to get; C{None}: all.

    @ivar missing: pieces that are not here.
    @ivar needed: missing and wanted.
    @ivar fresh: needed, and not under way.
    @ivar freshCount: how many those are.
    @ivar remaining: bytes of the needed ones.
    """

    def __init__(self, layout: PieceLayout, have: bitarray, wanted: bitarray | None) -> None:
        self._layout = layout
        self._wanted = ones(layout.pieceCount) if wanted is None else wanted.copy()
        self.missing = ~have
        self._recount(())

    def want(self, wanted: bitarray, underWay: Collection[int]) -> None:
        """From now on the pieces in C{wanted} (copied) are, and no others."""
        self._wanted = wanted.copy()
        self._recount(underWay)

    def lose(self, index: int, underWay: Collection[int]) -> None:
        """Piece C{index} is not here after all."""
        self.missing[index] = 1
        self._recount(underWay)

    def _recount(self, underWay: Collection[int]) -> None:
        self.needed = self.missing & self._wanted
        self.remaining = self._layout.bytesIn(self.needed)
        self.fresh = self.needed.copy()
        for index in underWay:
            self.fresh[index] = 0
        self.freshCount = self.fresh.count()

    def begin(self, index: int) -> None:
        """Piece C{index}, which is fresh, is under way."""
        self.fresh[index] = 0
        self.freshCount -= 1

    def giveBack(self, index: int) -> None:
        """Piece C{index} is under way no more, and not here."""
        if self.needed[index]:
            self.fresh[index] = 1
            self.freshCount += 1

    def arrive(self, index: int) -> None:
        """Piece C{index} is here."""
        self.missing[index] = 0
        if self.needed[index]:
            self.needed[index] = 0
            self.remaining -= self._layout.pieceSize(index)
        if self.fresh[index]:
            self.begin(index)
