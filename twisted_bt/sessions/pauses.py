"""
Which registered torrents are paused, and no longer: those are not announced.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted_bt.sessions.life import SwarmStatus
from twisted_bt.sessions.observers import SwarmObserver

if TYPE_CHECKING:
    from twisted_bt.sessions.swarm import SwarmSession


class Pauses(SwarmObserver):
    """
    @param tell: told of an info-hash, and whether it is paused now.
    """

    def __init__(self, tell: Callable[[bytes, bool], object]) -> None:
        self._tell = tell
        self._paused: set[bytes] = set()

    def statusChanged(self, swarm: SwarmSession, status: SwarmStatus) -> None:
        """See L{ISwarmObserver<twisted_bt.interfaces.ISwarmObserver>}."""
        if swarm.registered and status is SwarmStatus.PAUSED:
            self._paused.add(swarm.infoHash)
        elif status.running and swarm.infoHash in self._paused:
            self._paused.discard(swarm.infoHash)
        else:
            return
        self._tell(swarm.infoHash, status is SwarmStatus.PAUSED)
