"""
A swarm and its trackers: what an announce says of it, and what comes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from twisted_bt.tracker.announce import AnnounceRequest, Event
from twisted_bt.tracker.service import Announcer

if TYPE_CHECKING:
    from twisted_bt.sessions.swarm import SwarmSession


class Announcing:
    """The announcer of one swarm; what it hears goes to the swarm and its observers."""

    def __init__(self, swarm: SwarmSession) -> None:
        engine = swarm.engine
        self._swarm = swarm
        self._announcer = Announcer(
            engine.trackers,
            swarm.metainfo.trackers,
            self._request,
            swarm,
            engine.reactor,
            engine.random,
            self,
            numwant=engine.settings.numwant,
            stopTimeout=engine.settings.stopTimeout,
        )

    def start(self) -> None:
        """Announce from now on."""
        self._announcer.start()

    def completed(self) -> None:
        """The download is complete."""
        self._announcer.completed()

    def starving(self) -> None:
        """There are fewer peers than slots."""
        self._announcer.needPeers()

    def stop(self) -> Deferred[None]:
        """Say goodbye; fires once heard, or after C{stopTimeout}."""
        return self._announcer.stop()

    def trackerAnswered(self, url: str, peers: int, warning: str) -> None:
        """See L{ITrackerListener}."""
        self._swarm.observers.tell("trackerAnswered", self._swarm, url, peers, warning)

    def trackerFailed(self, url: str, reason: str) -> None:
        """See L{ITrackerListener}."""
        self._swarm.observers.tell("trackerFailed", self._swarm, url, reason)

    def _request(self, event: Event, numwant: int) -> AnnounceRequest:
        swarm, engine = self._swarm, self._swarm.engine
        progress = swarm.progress
        return AnnounceRequest(
            swarm.infoHash,
            engine.peerId,
            engine.listenerPort() or 0,
            progress.uploaded,
            progress.downloaded,
            progress.left,
            event,
            engine.announceKey,
            0 if swarm.complete else numwant,
            engine.settings.announceIP,
        )
