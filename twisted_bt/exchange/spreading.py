"""
Which pieces a seeder gives to whom, so that it gives each away once before it gives any twice.

As long as only the seeder has a piece, nobody else can send it: what the seeder sends twice meanwhile,
all the others wait for.  Leechers choose by themselves and do not know what others are asking for, so
several choose the same.  The seeder knows: it I{suggests} to each peer that it serves (BEP 6) different
pieces that nobody else has, and ends that when all were given away.  Peers are free not to listen.
"""

from __future__ import annotations

from collections.abc import Hashable

from bitarray import bitarray
from bitarray.util import ones

from twisted_bt.exchange.picker import anyOf
from twisted_bt.interfaces import Random
from twisted_bt.torrent.pieces import PieceLayout


class Spreading:
    """
    What a seeder gave away, and to whom it suggested what.

    Of every piece exactly one is true: it is I{kept} (nobody was told to take it), I{suggested} to one peer
    that is served, or I{given} away.
    """

    def __init__(self, layout: PieceLayout, random: Random) -> None:
        """
        @param random: decides who gets what.
        """
        self._layout = layout
        self._random = random
        self._kept = ones(layout.pieceCount)
        self._takers: dict[int, Hashable] = {}  # of what is suggested
        self._suggested: dict[Hashable, list[int]] = {}
        self._left: dict[int, int] = {}  # of pieces of which a part was sent: bytes that were not

    @property
    def done(self) -> bool:
        """Whether every piece was given away."""
        return not self._takers and not self._kept.any()

    def elsewhere(self, have: bitarray) -> None:
        """Somebody else has the pieces in C{have}: they are as good as given away."""
        for index in (have & self._kept).search(1):
            self._give(index)

    def sent(self, index: int, length: int) -> None:
        """C{length} bytes of piece C{index} were sent, to whomever."""
        if not self._kept[index] and index not in self._takers:
            return
        left = self._left.get(index, self._layout.pieceSize(index)) - length
        if left > 0:
            self._left[index] = left
        else:
            self._give(index)

    def _give(self, index: int) -> None:
        self._kept[index] = 0
        self._left.pop(index, None)
        taker = self._takers.pop(index, None)
        if taker is not None:
            self._suggested[taker].remove(index)

    def suggest(self, key: Hashable, have: bitarray, ahead: int) -> list[int]:
        """
        Pieces to suggest to the peer C{key}, which has C{have}, so that with those suggested before it has
        C{ahead} to ask for.
        """
        suggested = self._suggested.setdefault(key, [])
        before = len(suggested)
        if before < ahead:
            candidates = self._kept & ~have
            while len(suggested) < ahead and (index := anyOf(candidates, self._random)) is not None:
                candidates[index] = self._kept[index] = 0
                self._takers[index] = key
                suggested.append(index)
        return suggested[before:]

    def forget(self, key: Hashable) -> None:
        """The peer C{key} is served no more: others may be told to take what was suggested to it."""
        for index in self._suggested.pop(key, ()):
            del self._takers[index]
            self._kept[index] = 1
