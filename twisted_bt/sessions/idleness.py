"""
Closes swarms that were opened because somebody knocked, once nobody is there any more.

What an application opened it holds: such a swarm stays open until it is let go of.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from twisted_bt.sessions.observers import SwarmObserver

if TYPE_CHECKING:
    from twisted_bt.sessions.swarm import SwarmSession


class Idleness(SwarmObserver):
    """
    @param timeout: seconds without peers after which a swarm is closed.
    @param close: closes one.
    """

    def __init__(self, clock: IReactorTime, timeout: float, close: Callable[[SwarmSession], object]) -> None:
        self._clock = clock
        self._timeout = timeout
        self._close = close
        self._since: dict[SwarmSession, float] = {}  # those that nobody holds, longest idle first
        self._call: IDelayedCall | None = None

    def __len__(self) -> int:
        """How many swarms may be closed some day."""
        return len(self._since)

    def watches(self, swarm: SwarmSession) -> bool:
        """Whether it may be closed some day."""
        return swarm in self._since

    def watch(self, swarm: SwarmSession) -> None:
        """C{swarm} was opened, and nobody holds it; if it was watched, its time begins anew."""
        self._since.pop(swarm, None)
        self._since[swarm] = self._clock.seconds()
        if self._call is None:
            self._call = self._clock.callLater(self._timeout, self._look)

    def forget(self, swarm: SwarmSession) -> None:
        """C{swarm} is closed, or somebody holds it."""
        self._since.pop(swarm, None)

    def peerDisconnected(self, swarm: SwarmSession, peer: object, reason: BaseException) -> None:
        """Its time begins anew."""
        if swarm in self._since:
            self.watch(swarm)

    def makeRoom(self) -> SwarmSession | None:
        """The swarm that has been idle the longest is closed, to leave its slot to another."""
        for swarm in self._since:
            if self._idle(swarm):
                self._end(swarm)
                return swarm
        return None

    def stop(self) -> None:
        """Close no more."""
        self._since.clear()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    @staticmethod
    def _idle(swarm: SwarmSession) -> bool:
        return not (swarm.connectedPeers or swarm.downloader.writing)

    def _end(self, swarm: SwarmSession) -> None:
        del self._since[swarm]
        self._close(swarm)

    def _look(self) -> None:
        self._call = None
        now = self._clock.seconds()
        for swarm, since in list(self._since.items()):
            if now < since + self._timeout - 1e-6:
                break
            if self._idle(swarm):
                self._end(swarm)
            else:
                self.watch(swarm)
        if self._since and self._call is None:
            first = next(iter(self._since.values()))
            self._call = self._clock.callLater(max(0.0, first + self._timeout - now), self._look)
