"""
Who hears of new pieces, and when.

A piece is news for every peer.  A fast download has hundreds of pieces in a second, and there may be
hundreds of peers: to tell each of them of each piece at once would take more writes than all else.  So the
first piece is told at once, and those that follow within L{PAUSE} together.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from bitarray import bitarray
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from twisted_bt.sessions.peer import PeerSession

#: Seconds between two tellings.
PAUSE = 0.1


class ITellingOwner(Protocol):
    """What telling needs of its swarm."""

    @property
    def running(self) -> bool:
        """Whether peers are talked to now."""

    def establishedPeers(self) -> Iterable[PeerSession]:
        """All peers past their handshake."""


class Telling:
    """
    @ivar untold: the pieces that peers will hear of; C{None}: none.
    """

    def __init__(self, owner: ITellingOwner, clock: IReactorTime) -> None:
        self.untold: bitarray | None = None
        self._owner = owner
        self._clock = clock
        self._toldAt = float("-inf")
        self._call: IDelayedCall | None = None

    def tell(self, pieces: bitarray) -> None:
        """
        C{pieces} are here: whoever lacks one hears of it, and our interest in who has it is judged again.
        """
        if not self._owner.running:
            return
        self.untold = pieces if self.untold is None else self.untold | pieces
        if self._call is None:
            wait = self._toldAt + PAUSE - self._clock.seconds()
            self._call = self._clock.callLater(max(0.0, wait), self._tell)

    def forget(self, index: int) -> None:
        """Piece C{index} is not here after all."""
        if self.untold is not None:
            self.untold[index] = 0

    def hurry(self) -> None:
        """Tell what is untold."""
        if self._call is not None:
            self._call.cancel()
            self._tell()

    def stop(self) -> None:
        """Nobody is there to be told."""
        if self._call is not None:
            self._call.cancel()
            self._call = None
        self.untold = None

    def _tell(self) -> None:
        self._call = None
        self._toldAt = self._clock.seconds()
        pieces, self.untold = self.untold, None
        if pieces is None:
            return
        indices = list(pieces.search(1))
        for peer in self._owner.establishedPeers():
            peer.hearOf(pieces, indices)
