"""
Garbage collection without long pauses, for a process that is a client and nothing else.

Python's collector looks at every object there is whenever their number has grown by a quarter; with ten
thousand torrents that is millions, and holds the reactor up for half a second.  What belongs to torrents
stays as long as they do, so it need not be looked at: it is I{frozen}, a bit whenever some were added.
What is garbage among the frozen is found in one thorough round, after many torrents were closed and when
nothing has changed for a while.

This is a matter of the whole process, so the daemon does it, and no L{ClientSession} by itself.
"""

from __future__ import annotations

import gc
from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from twisted_bt.sessions.client import ClientSession
from twisted_bt.sessions.life import SwarmStatus
from twisted_bt.sessions.observers import SwarmObserver
from twisted_bt.sessions.swarm import SwarmSession

#: Seconds between two looks, and while torrents are being added.
INTERVAL = 2.0
BUSY = 0.25
#: Open swarms more than at the last look that are frozen; each has some 150 objects.
GROWN = 64
#: Closed swarms that are worth a thorough round, some 20 kB each; and seconds of quiet before it.
CLOSED = 250
QUIET = 60.0


class Collecting(Service, SwarmObserver):
    """
    Freezes what the swarms of C{client} are made of.

    @ivar frozen: how often something was.
    @ivar thorough: how often everything was looked at.
    """

    def __init__(self, clock: IReactorTime, client: ClientSession) -> None:
        self._clock = clock
        self._client = client
        self._swarms = 0
        self._closed = 0
        self._quietSince = 0.0
        self._call: IDelayedCall | None = None
        self._unobserve: Callable[[], None] = lambda: None
        self.frozen = 0
        self.thorough = 0

    def startService(self) -> None:
        """From now on; modules and what else is here already stay."""
        super().startService()
        self._unobserve = self._client.observe(self)
        self._quietSince = self._clock.seconds()
        self._freeze()
        self._later(BUSY)  # those of earlier runs come now

    def stopService(self) -> None:
        """Freeze no more.  What is frozen stays so until L{thaw}: the collector would look at it at once."""
        super().stopService()
        self._unobserve()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def thaw(self) -> None:
        """The client has stopped, and the process may go on: the collector looks at everything again."""
        gc.unfreeze()

    def statusChanged(self, swarm: SwarmSession, status: SwarmStatus) -> None:
        """See L{ISwarmObserver<twisted_bt.interfaces.ISwarmObserver>}."""
        if status is SwarmStatus.STOPPED:
            self._closed += 1
            self._quietSince = self._clock.seconds()

    def _later(self, delay: float) -> None:
        self._call = self._clock.callLater(delay, self._look)

    def _look(self) -> None:
        count = len(self._client.swarmSessions)
        grown = count >= self._swarms + GROWN
        if grown:
            self._swarms = count
            self._quietSince = self._clock.seconds()
            self._freeze()
        elif self._closed >= CLOSED and self._clock.seconds() - self._quietSince >= QUIET:
            self._swarms, self._closed = count, 0
            gc.unfreeze()
            gc.collect()
            self._freeze()
            self.thorough += 1
        self._swarms = min(self._swarms, count)
        self._later(BUSY if grown else INTERVAL)

    def _freeze(self) -> None:
        gc.freeze()
        self.frozen += 1
