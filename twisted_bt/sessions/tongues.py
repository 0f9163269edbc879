"""
What a swarm speaks with its peers beside the peer wire (BEP 10): our own extensions, and the application's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.logger import Logger

from twisted_bt.errors import PeerDisconnected, SessionException
from twisted_bt.interfaces import IExtension
from twisted_bt.peerwire.extended import DontHave, LocalExtensions
from twisted_bt.sessions.gossip import PeerExchange
from twisted_bt.sessions.metadataserving import MetadataServing

if TYPE_CHECKING:
    from twisted_bt.sessions.peer import PeerSession
    from twisted_bt.sessions.swarm import SwarmSession


class Tongues:
    """
    @ivar extensions: by name; an application's own takes the place of ours.
    @ivar local: the numbers that we give them.
    """

    _log = Logger()

    def __init__(self, swarm: SwarmSession) -> None:
        engine, metainfo = swarm.engine, swarm.metainfo
        own: list[IExtension] = [MetadataServing(swarm)]
        self._gossip: PeerExchange | None = None
        if engine.settings.pex and not metainfo.private:
            self._gossip = PeerExchange(swarm)
            own.append(self._gossip)
        self.extensions: dict[bytes, IExtension] = {
            each.name: each for each in (*own, *engine.plugins.extensions(metainfo))
        }
        self.local = LocalExtensions([DontHave.name, *self.extensions])

    def met(self, peer: PeerSession) -> None:
        """C{peer} is past its handshake, or told more of itself."""
        if self._gossip is not None:
            self._gossip.met(peer)

    def parted(self, peer: PeerSession) -> None:
        """The session with C{peer} ended."""
        if self._gossip is not None:
            self._gossip.parted(peer)

    def tick(self, now: float) -> None:
        """Once a second while peers are talked to."""
        if self._gossip is not None:
            self._gossip.tick(now)

    def guarded(self, call: Callable[[PeerSession], None], peer: PeerSession, what: bytes) -> None:
        """Call an extension; what it raises ends the session and nothing else."""
        try:
            call(peer)
        except SessionException as reason:
            peer.close(reason)
        except Exception:
            self._log.failure("extension {what} failed", what=what)
            peer.close(PeerDisconnected(f"our extension {what!r} failed"))
