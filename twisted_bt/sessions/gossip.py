"""
Peer exchange in a swarm (BEP 11): tells each peer of the others, and hears of theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from twisted_bt.discovery.pex import PexRoster, PexState
from twisted_bt.interfaces import IExtension
from twisted_bt.peerwire.pex import PexFlags, PexMessage

if TYPE_CHECKING:
    from twisted_bt.sessions.peer import PeerSession
    from twisted_bt.sessions.swarm import SwarmSession


@implementer(IExtension)
class PeerExchange:
    """The extension C{ut_pex} of one swarm.  Only peers we really reached are told of."""

    name = PexMessage.name

    def __init__(self, swarm: SwarmSession) -> None:
        self._swarm = swarm
        self._roster: PexRoster | None = None  # as long as nobody came, which is so for most of thousands
        self._states: dict[PeerSession, PexState] = {}

    def met(self, peer: PeerSession) -> None:
        """C{peer} is past its handshake, or told more of itself."""
        if peer.listenAddr is not None:
            flags = PexFlags.SEED if peer.isSeed else PexFlags(0)
            if not peer.incoming:
                flags |= PexFlags.REACHABLE
            self._rosterNow().joined(peer.listenAddr, flags)
            if peer in self._states:
                self._states[peer].alsoAt(peer.listenAddr)

    def parted(self, peer: PeerSession) -> None:
        """The session with C{peer} ended."""
        if peer.listenAddr is not None and self._roster is not None:
            self._roster.left(peer.listenAddr, alive=peer.partedWell)

    def started(self, peer: PeerSession) -> None:
        """See L{IExtension}."""
        now = self._swarm.engine.reactor.seconds()
        state = self._states[peer] = PexState(self._rosterNow(), peer.connectedPeerAddr, now)
        if peer.listenAddr is not None:
            state.alsoAt(peer.listenAddr)

    def received(self, peer: PeerSession, payload: bytes) -> None:
        """See L{IExtension}."""
        state = self._states.get(peer)
        if state is None:
            return
        message = PexMessage.decode(payload)
        believed = state.heard(message.added, self._swarm.engine.reactor.seconds())
        self._swarm.peersFound([addr for addr, _ in believed], "pex")
        seeds = set(message.seeds())
        for addr, _ in believed:
            if addr in seeds:
                self._swarm.meeting.known.markSeed(addr)

    def stopped(self, peer: PeerSession) -> None:
        """See L{IExtension}."""
        self._states.pop(peer, None)

    def tick(self, now: float) -> None:
        """Once a second: tell those whose minute is over what is new."""
        for peer, state in list(self._states.items()):
            news = state.news(now)
            if news is not None:
                peer.sendExtended(self.name, PexMessage(news.added, news.dropped).encode())

    def _rosterNow(self) -> PexRoster:
        if self._roster is None:
            self._roster = PexRoster()
        return self._roster
