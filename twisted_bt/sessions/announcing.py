"""
A swarm and its trackers: what an announce says of it, and what comes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from twisted_bt.sessions.engine import Engine
from twisted_bt.sessions.meeting import Meeting
from twisted_bt.sessions.observers import Observers
from twisted_bt.sessions.trackercounts import TrackerCounts
from twisted_bt.sessions.vacancy import Vacancy
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.progress import Progress
from twisted_bt.tracker.announce import AnnounceRequest, Event
from twisted_bt.tracker.service import Announcer, State


class IAnnounced(Protocol):
    """What announcing needs of its swarm, which must be an C{IPeerSink} too."""

    infoHash: bytes
    observers: Observers

    @property
    def engine(self) -> Engine:
        """What the swarms of the client share."""

    @property
    def meeting(self) -> Meeting:
        """Who knows whom to dial."""

    @property
    def slots(self) -> Vacancy:
        """For peer sessions."""

    @property
    def complete(self) -> bool:
        """Whether it wants nothing more."""

    @property
    def progress(self) -> Progress:
        """Bytes exchanged, and to get."""


class Announcing:
    """
    The announcer of one swarm; what it hears goes to the swarm and its observers.

    @ivar counts: what a tracker said last of how many there are; C{None}: none did.
    """

    def __init__(self, swarm: IAnnounced, trackers: Sequence[Sequence[str]]) -> None:
        engine = swarm.engine
        sink: Any = swarm
        self._swarm = swarm
        self.counts: TrackerCounts | None = None
        self._announcer = Announcer(
            engine.trackers,
            trackers,
            self._request,
            sink,
            engine.reactor,
            engine.random,
            self,
            numwant=engine.settings.numwant,
            stopTimeout=engine.settings.stopTimeout,
            externalIp=self._seenAt,
            counted=self._count,
        )

    @property
    def running(self) -> bool:
        """Whether it announces, or is taking leave."""
        return self._announcer.state is not State.IDLE

    def start(self, within: float = 0.0) -> None:
        """Announce from now on, the first time C{within} so many seconds."""
        self._announcer.start(within)

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

    def _count(self, complete: int | None, incomplete: int | None) -> None:
        told = TrackerCounts.told(complete, incomplete, self._swarm.engine.wallClock())
        if told is not None:
            self.counts = told.after(self.counts)

    def _seenAt(self, host: str) -> None:
        """A tracker sees us at C{host} (BEP 24), which decides whom to dial first (BEP 40)."""
        port = self._swarm.engine.listenerPort()
        if port is not None:
            self._swarm.meeting.known.externalAddress(PeerAddr(host, port))

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
            min(numwant, max(0, swarm.slots.vacant)) if swarm.complete else numwant,
            engine.settings.announceIP,
        )
