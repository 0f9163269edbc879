"""
How many connected peers have each piece.

Counted in I{bit planes}: plane C{k} holds bit C{k} of every piece's count, so a count of up to 255
peers takes eight bitfields however many pieces there are, and a whole bitfield is added the way
binary numbers are: sum and carry, plane by plane.  Nothing here loops over pieces, and nothing
grows with the number of peers but by its logarithm: with 100,000 pieces and 200 peers a peer's
bitfield is added in about 10 microseconds.

The planes are kept inverted, because that is what each operation wants: "of these, those whose bit
is 0" is one C{and}.  Peers that have everything are one number beside the planes.
"""

from __future__ import annotations

from bitarray import bitarray
from bitarray.util import any_and, ones
from zope.interface import implementer

from twisted_bt.interfaces import IAvailability


@implementer(IAvailability)
class Availability:
    """
    Counts for C{pieceCount} pieces, all 0 to begin with.

    Whoever takes something away must have added it: nothing is checked.
    """

    def __init__(self, pieceCount: int) -> None:
        self._pieceCount = pieceCount
        self._seeds = 0
        self._planes: list[bitarray] = []  # inverted; the lowest bit first

    def addAll(self) -> None:
        """One more peer has every piece."""
        self._seeds += 1

    def removeAll(self) -> None:
        """One peer that has every piece is gone."""
        self._seeds -= 1

    def addBitfield(self, bits: bitarray) -> None:
        """One more peer has the pieces in C{bits}."""
        carry = bits
        for plane in self._planes:
            if not carry.any():
                return
            plane ^= carry
            carry = carry & plane
        if carry.any():
            self._planes.append(~carry)

    def removeBitfield(self, bits: bitarray) -> None:
        """A peer that has the pieces in C{bits} is gone."""
        borrow = bits
        for plane in self._planes:
            if not borrow.any():
                break
            still = borrow & plane
            plane ^= borrow
            borrow = still
        while self._planes and self._planes[-1].all():
            self._planes.pop()

    def add(self, index: int) -> None:
        """One more peer has piece C{index}."""
        for plane in self._planes:
            if plane[index]:
                plane[index] = 0
                return
            plane[index] = 1
        top = ones(self._pieceCount)
        top[index] = 0
        self._planes.append(top)

    def remove(self, index: int) -> None:
        """One peer less has piece C{index}."""
        for plane in self._planes:
            if not plane[index]:
                plane[index] = 1
                return
            plane[index] = 0

    def count(self, index: int) -> int:
        """How many connected peers have piece C{index}."""
        count = 0
        for plane in reversed(self._planes):
            count = count * 2 + 1 - plane[index]
        return count + self._seeds

    def rarest(self, candidates: bitarray) -> bitarray:
        """
        Those of C{candidates} that the fewest peers have.  May be C{candidates} itself, so it is
        not for changing.
        """
        for plane in reversed(self._planes):
            if any_and(candidates, plane):
                candidates = candidates & plane
        return candidates
