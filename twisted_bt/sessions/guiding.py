"""
What a seeder tells those it serves: which pieces to ask for, while nobody else has them (BEP 6, suggest).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from twisted_bt.exchange.spreading import Spreading
from twisted_bt.interfaces import Random
from twisted_bt.peerwire.messages import SuggestPiece
from twisted_bt.sessions.peer import PeerSession
from twisted_bt.torrent.pieces import PieceLayout

#: Seconds of a peer's rate for which it is told what to ask for: it asks about three ahead.
SECONDS = 4.0
#: The most pieces a peer is told of at a time; as many are remembered.
MOST = 16


class IGuidingOwner(Protocol):
    """What guiding needs of its swarm."""

    @property
    def complete(self) -> bool:
        """Whether all that is wanted is here."""

    def establishedPeers(self) -> Iterable[PeerSession]:
        """All peers past their handshake."""


class Guiding:
    """For one swarm; idle while that leeches, while it serves one peer alone, and once all is out."""

    def __init__(self, owner: IGuidingOwner, layout: PieceLayout, random: Random) -> None:
        self._owner = owner
        self._layout = layout
        self._random = random
        self._spreading: Spreading | None = None

    def tick(self, now: float) -> None:
        """Once a second, and when somebody is unchoked."""
        if not self._owner.complete or (self._spreading is not None and self._spreading.done):
            return
        peers = list(self._owner.establishedPeers())
        served = [peer for peer in peers if peer.wire.peerInterested and not peer.wire.amChoking]
        if len(served) < 2:
            return
        if self._spreading is None:
            self._spreading = Spreading(self._layout, self._random)
        for peer in peers:
            self._spreading.elsewhere(peer.download.have)
        for peer in served:
            if peer.wire.fast:
                self._tell(self._spreading, peer, now)

    def _tell(self, spreading: Spreading, peer: PeerSession, now: float) -> None:
        needs = round(peer.uploadRate.rate(now) * SECONDS / self._layout.pieceLength)
        for index in spreading.suggest(peer, peer.download.have, min(MOST, 1 + max(1, needs))):
            peer.send(SuggestPiece(index))

    def sent(self, index: int, length: int) -> None:
        """C{length} bytes of piece C{index} were sent to somebody."""
        if self._spreading is not None:
            self._spreading.sent(index, length)

    def leave(self, peer: PeerSession) -> None:
        """C{peer} is served no more."""
        if self._spreading is not None:
            self._spreading.forget(peer)
