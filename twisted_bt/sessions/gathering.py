"""
What a swarm is to those who find and meet peers for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred

from twisted_bt.interfaces import ChokeCandidate, IPeerPolicy
from twisted_bt.peerwire.protocol import PeerProtocol
from twisted_bt.sessions.engine import Engine, ITicking
from twisted_bt.sessions.vacancy import Vacancy
from twisted_bt.sessions.wiresession import WireSession
from twisted_bt.torrent.addresses import PeerAddr

if TYPE_CHECKING:
    from twisted_bt.sessions.meeting import Meeting


class IGathering(ITicking, Protocol):
    """What a meeting needs of its swarm, whatever its peers talk about."""

    infoHash: bytes
    connectedPeers: dict[PeerAddr, Any]

    @property
    def engine(self) -> Engine:
        """What the swarms of the client share."""

    @property
    def slots(self) -> Vacancy:
        """For peer sessions."""

    @property
    def priority(self) -> int:
        """In the queue for client slots; lower comes first."""

    @property
    def peerPolicy(self) -> IPeerPolicy:
        """Whom to talk to."""

    @property
    def meeting(self) -> Meeting:
        """Who meets for it."""

    @property
    def running(self) -> bool:
        """Whether peers are talked to now."""

    @property
    def leeching(self) -> bool:
        """Whether peers are dialled: there is something to get."""

    def newSession(
        self, addr: PeerAddr, incoming: bool, now: float, protocol: PeerProtocol | None
    ) -> WireSession[Any]:
        """A session of its kind."""

    def establishedPeers(self) -> Iterable[WireSession[Any]]:
        """The peers past their handshake."""

    def candidates(self, now: float) -> Sequence[ChokeCandidate]:
        """The established peers as policies and chokers see them; the keys are the sessions."""

    def whenChecked(self) -> Deferred[Any]:
        """Fires once peers can be talked to."""
