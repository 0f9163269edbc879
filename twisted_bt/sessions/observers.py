"""
Who hears what happens in a swarm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.logger import Logger
from zope.interface import implementer

from twisted_bt.interfaces import ISwarmObserver

if TYPE_CHECKING:
    from twisted_bt.sessions.life import SwarmStatus
    from twisted_bt.sessions.metadatasession import MetadataSession
    from twisted_bt.sessions.peer import PeerSession
    from twisted_bt.sessions.swarm import SwarmSession

_log = Logger()


@implementer(ISwarmObserver)
class SwarmObserver:
    """Hears everything and does nothing; override what you need.  See L{ISwarmObserver}."""

    def statusChanged(self, swarm: SwarmSession, status: SwarmStatus) -> None: ...

    def metadataProgressed(self, fetching: MetadataSession, done: int, total: int) -> None: ...

    def pieceVerified(self, swarm: SwarmSession, index: int) -> None: ...

    def checkProgressed(self, swarm: SwarmSession, done: int, total: int) -> None: ...

    def completed(self, swarm: SwarmSession) -> None: ...

    def peerConnected(self, swarm: SwarmSession, peer: PeerSession) -> None: ...

    def peerDisconnected(self, swarm: SwarmSession, peer: PeerSession, reason: BaseException) -> None: ...

    def trackerAnswered(self, swarm: SwarmSession, url: str, peers: int, warning: str) -> None: ...

    def trackerFailed(self, swarm: SwarmSession, url: str, reason: str) -> None: ...


class Observers:
    """The observers of one swarm, told in the order they came; then those of all its client's."""

    def __init__(self, parent: Observers | None = None) -> None:
        self._parent = parent
        self._observers: list[ISwarmObserver] = []

    def add(self, observer: ISwarmObserver) -> Callable[[], None]:
        """Tell C{observer} from now on; the result ends that (and may be called twice)."""
        self._observers = [*self._observers, observer]

        def remove() -> None:
            self._observers = [each for each in self._observers if each is not observer]

        return remove

    def tell(self, event: str, *args: object) -> None:
        """Call method C{event} of each; what one raises is logged, and the others hear it still."""
        told: Observers | None = self
        while told is not None:
            for observer in told._observers:
                try:
                    getattr(observer, event)(*args)
                except Exception:
                    _log.failure("observer {observer} failed on {event}", observer=observer, event=event)
            told = told._parent
