"""
Which piece to begin next.

I{Rarest first} (BEP 3) keeps every piece in the swarm when peers leave, and spreads what only a
seed has.  Equals are drawn at random, so that peers that know the same do not all fetch the same.
The very first pieces are better I{any} pieces: a rare one has few sources and arrives late, and
until something is here there is nothing to trade.  I{Sequential} is for what is used while it arrives.

Each of them looks at bitfields as a whole; none goes through pieces one by one.
"""

from __future__ import annotations

from typing import ClassVar

from bitarray import bitarray
from zope.interface import implementer

from twisted_bt.interfaces import IAvailability, IPiecePicker, Random


def anyOf(bits: bitarray, random: Random) -> int | None:
    """
    The first set bit from a random place on.  Not quite even where gaps differ, but a hundred
    times cheaper than listing them, and all that matters is that two peers seldom agree.
    """
    if not bits:
        return None
    found = bits.find(1, int(random.random() * len(bits)))  # randrange takes five times as long
    if found < 0:
        found = bits.find(1)
    return None if found < 0 else found


@implementer(IPiecePicker)
class RarestFirst:
    """A piece that the fewest connected peers have; which of them, C{random} says."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def pick(self, candidates: bitarray, availability: IAvailability) -> int | None:
        """See L{IPiecePicker.pick}."""
        return anyOf(availability.rarest(candidates), self._random)


@implementer(IPiecePicker)
class RandomFirst:
    """
    Any C{first} pieces, then whatever C{then} picks (rarest first).  It counts what it picked
    itself: begun is near enough to had, and so it needs to know nothing of the download.
    """

    def __init__(self, random: Random, then: IPiecePicker | None = None, first: int = 4) -> None:
        self._random = random
        self._then: IPiecePicker = RarestFirst(random) if then is None else then
        self._left = first

    def pick(self, candidates: bitarray, availability: IAvailability) -> int | None:
        """See L{IPiecePicker.pick}."""
        if self._left <= 0:
            return self._then.pick(candidates, availability)
        picked = anyOf(candidates, self._random)
        if picked is not None:
            self._left -= 1
        return picked


@implementer(IPiecePicker)
class Sequential:
    """
    The first piece, in the order of the content.

    @cvar inOrder: order is the point: what a peer suggests (BEP 6) does not change it.  Any picker
        may have this attribute; without it, suggestions are heeded.
    """

    inOrder: ClassVar[bool] = True

    def pick(self, candidates: bitarray, availability: IAvailability) -> int | None:
        """See L{IPiecePicker.pick}."""
        found = candidates.find(1)
        return None if found < 0 else found
