"""
Rounds of choking: ask the choker, tell the peers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from twisted_bt.interfaces import IChoker
from twisted_bt.sessions.peer import PeerSession


class IChokingOwner(Protocol):
    """What choking needs of its swarm."""

    @property
    def complete(self) -> bool:
        """Whether we download nothing more."""

    def establishedPeers(self) -> Iterable[PeerSession]:
        """All peers past their handshake."""


class Choking:
    """
    Judges every C{interval} seconds, and at once while slots are free and somebody wants one.
    """

    def __init__(self, owner: IChokingOwner, choker: IChoker, slots: int, interval: float) -> None:
        self._owner = owner
        self._choker = choker
        self._slots = slots
        self._interval = interval
        self._dueAt = 0.0
        self._changed: tuple[PeerSession, float] | None = None

    def tick(self, now: float) -> None:
        """Once a second."""
        if now >= self._dueAt:
            self.rechoke(now)

    def interestChanged(self, peer: PeerSession, now: float) -> None:
        """C{peer} wants something of us, or no longer: a slot may be used that was free."""
        if (peer, now) == self._changed:
            self._dueAt = now  # it changes its mind in one breath: soon is early enough
            return
        self._changed = (peer, now)
        if peer.wire.peerInterested:
            if peer.wire.amChoking and self._free() > 0:
                self.rechoke(now)
        elif not peer.wire.amChoking:
            self.rechoke(now)

    def peerLost(self, peer: PeerSession, now: float) -> None:
        """C{peer} is gone: its slot may serve another."""
        self._changed = None
        if not peer.wire.amChoking:
            self.rechoke(now)

    def rechoke(self, now: float) -> None:
        """One round."""
        self._dueAt = now + self._interval
        peers = list(self._owner.establishedPeers())
        if not peers:
            return
        candidates = [peer.candidate(now) for peer in peers]
        keep = set(self._choker.rechoke(candidates, self._slots, self._owner.complete, now))
        for peer in peers:  # choke first, so that there are never more than allowed
            if peer not in keep:
                peer.choke(now)
        for peer in peers:
            if peer in keep:
                peer.unchoke(now)

    def _free(self) -> int:
        serving = sum(
            peer.wire.peerInterested and not peer.wire.amChoking for peer in self._owner.establishedPeers()
        )
        return self._slots - serving
