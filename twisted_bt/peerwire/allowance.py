"""
How much a peer may say beside blocks.

Every message costs us time, and a peer can say 50,000 of them in the 256 KiB of one read.  So each has
its price, about a microsecond a unit, and each session an allowance: what an honest peer ever says at
once, filled up again as time passes and with each block we send it.  Who goes on when it is spent
is a flood.
"""

from __future__ import annotations

from twisted_bt.errors import PeerFloods
from twisted_bt.peerwire.messages import (
    Bitfield,
    Choke,
    Extended,
    HaveAll,
    HaveNone,
    Interested,
    NotInterested,
    Port,
    Unchoke,
)

#: What an honest peer may say at once, beside two messages for each piece there is: our whole queue of
#: requests (C{reqq}), taken back, and asked for again.
BURST = 6000
#: What it may say in the first moments, beside one for each piece.
START = 2500
#: What comes back in a second.
RATE = 200.0
#: What a block we send brings: it was asked for, and the next will be.
BLOCK = 2

#: Bytes of an extended handshake that cost one more: it has to be parsed, and usual ones have some 200.
PARSED = 20

#: Prices, where it is not 1.  An interest that changes may have all peers judged; honest peers, too, change
#: theirs with every piece.
PRICES: dict[type, int] = {
    Interested: 4,
    NotInterested: 4,
    Choke: 4,
    Unchoke: 4,
    Bitfield: 20,
    HaveAll: 20,
    HaveNone: 20,
    Port: 20,
    Extended: 20,
}


class Allowance:
    """
    Of one session.

    @ivar left: units; under zero, the peer said more than it may.
    """

    __slots__ = ("_at", "_most", "left")

    def __init__(self, pieceCount: int, now: float) -> None:
        self._most = float(BURST + 2 * pieceCount)
        self._at = now
        self.left = float(START + pieceCount)

    def refill(self, now: float) -> None:
        """Time passed."""
        self.left = min(self._most, self.left + (now - self._at) * RATE)
        self._at = now

    def earn(self, blocks: int) -> None:
        """We sent the peer so many blocks."""
        self.left = min(self._most, self.left + blocks * BLOCK)

    def spend(self, kind: type, count: int = 1) -> None:
        """
        The peer said C{count} messages of that class.

        @raise PeerFloods: that was too many.
        """
        self.take(PRICES.get(kind, 1) * count)

    def take(self, units: int) -> None:
        """
        The peer cost us C{units}.

        @raise PeerFloods: that was more than there was left.
        """
        self.left -= units
        if self.left < 0:
            raise PeerFloods("says more than anybody needs to hear")
