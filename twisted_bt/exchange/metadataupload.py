"""
The C{info} dictionary for peers (BEP 9): what each may have of it, and how fast.

Pure.  A request is a few bytes and its answer 16 KiB, which wait in memory until the peer reads them: so
there is a limit to what a peer gets at once, and one to how often it gets everything.  What is over them
is rejected, which BEP 9 allows, and who goes on asking nevertheless is parted from.
"""

from __future__ import annotations

from collections.abc import Hashable

from twisted_bt.errors import ProtocolError
from twisted_bt.exchange.metadataattempt import PIECE_LENGTH, pieceCount

#: Pieces a peer gets at once at most, twice the metadata at most; and pieces a second from then on.
_BURST, _RATE = 256, 16.0
#: How often a peer gets all of it, and seconds until it may have it once more.
_TIMES, _AGAIN = 3, 600.0
#: However small the metadata is, as many pieces at once.
_LEAST = 8
#: Rejected requests that are borne, and as many more a second.
_PATIENCE, _CALM = 200.0, 2.0


class _Allowance:
    """What one peer may still have, at some time."""

    __slots__ = ("at", "burst", "patience", "total")

    def __init__(self, at: float, pieces: int) -> None:
        self.at = at
        self.burst = float("inf")
        self.total = float("inf")
        self.patience = _PATIENCE
        self.refill(at, pieces)

    def refill(self, now: float, pieces: int) -> None:
        """Time passed."""
        passed = max(0.0, now - self.at)
        self.at = now
        self.burst = min(max(_LEAST, min(2 * pieces, _BURST)), self.burst + passed * _RATE)
        self.total = min(max(_LEAST, _TIMES * pieces), self.total + passed * pieces / _AGAIN)
        self.patience = min(_PATIENCE, self.patience + passed * _CALM)


class MetadataUpload:
    """
    Metadata for everybody who asks.  Peers are known by any key, one for a session.

    @ivar metadata: the dictionary as its hash is over it, or C{None} as long as it is not here.
    """

    def __init__(self, metadata: bytes | None = None) -> None:
        self.metadata = metadata
        self._allowances: dict[Hashable, _Allowance] = {}

    def arrived(self, metadata: bytes) -> None:
        """It is here now."""
        self.metadata = metadata
        self._allowances.clear()

    def answer(self, key: Hashable, piece: int, now: float) -> bytes | None:
        """
        What to send a peer that asks for C{piece} at C{now}; C{None}: reject it.  With the piece goes
        the size of the whole.

        @raise ProtocolError: it was rejected over and over, and still asks.
        """
        metadata = self.metadata or b""
        if not self.allows(key, piece, len(metadata), now):
            return None
        return metadata[piece * PIECE_LENGTH : (piece + 1) * PIECE_LENGTH]

    def allows(self, key: Hashable, piece: int, size: int, now: float) -> bool:
        """
        Whether a peer that asks for C{piece} of C{size} bytes at C{now} may have it; then it is taken to get
        it.

        @raise ProtocolError: see L{answer}.
        """
        pieces = pieceCount(size)
        allowance = self._allowances.get(key)
        if allowance is None:
            allowance = self._allowances[key] = _Allowance(now, pieces)
        else:
            allowance.refill(now, pieces)
        if 0 <= piece < pieces and min(allowance.burst, allowance.total) >= 1:
            allowance.burst -= 1
            allowance.total -= 1
            return True
        allowance.patience -= 1
        if allowance.patience < 0:
            raise ProtocolError("a flood of ut_metadata requests")
        return False

    def left(self, key: Hashable) -> None:
        """The session with the peer ended."""
        self._allowances.pop(key, None)
