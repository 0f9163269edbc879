"""
Registered torrents take turns in the DHT (BEP 5): as many a minute as the budget says, round and round.

Nodes forget a peer after half an hour or more; where there are more torrents than turns in that time,
each is found for a part of it.  Private torrents never have a turn (BEP 27).
"""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_bt.errors import BitTorrentError
from twisted_bt.sessions.engine import Engine
from twisted_bt.sessions.joining import holding
from twisted_bt.sessions.seeking import ANNOUNCE_AGAIN
from twisted_bt.sessions.timetable import Timetable

#: Info-hashes read at a time.
PAGE = 100
#: Seconds between two looks where there is nothing to announce, or nobody to tell.
LOOK_AGAIN = 30.0


class DhtTurns:
    """
    @ivar announced: announces that some node took.
    """

    _log = Logger()

    def __init__(self, engine: Engine, timetable: Timetable) -> None:
        self._engine = engine
        self._timetable = timetable
        self._page: deque[bytes] = deque()
        self._after = b""
        self._againAt = 0.0  # when the next round may begin
        self._call: IDelayedCall | None = None
        self._turn: Deferred[None] | None = None
        self.announced = 0

    def start(self) -> None:
        """Announce from now on, where the settings want a node."""
        settings = self._engine.settings
        if settings.dht and settings.dhtAnnouncesPerMinute > 0:
            # Each run begins elsewhere, or those at the end might never have a turn.
            self._after = self._engine.random.randbytes(20)
            self._later(self._pace)

    def stop(self) -> None:
        """No more."""
        if self._call is not None:
            self._call.cancel()
            self._call = None
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.cancel()

    @property
    def _pace(self) -> float:
        return 60.0 / self._engine.settings.dhtAnnouncesPerMinute

    def _later(self, delay: float) -> None:
        self._call = self._engine.reactor.callLater(delay, self._go)

    def _go(self) -> None:
        self._call = None
        self._turn = Deferred.fromCoroutine(self._next())
        self._turn.addErrback(self._failed)

    async def _next(self) -> None:
        """One turn; then wait for the next."""
        begun = self._engine.reactor.seconds()
        node = self._engine.dht()
        if node is None or not node.nodeCount:
            self._later(LOOK_AGAIN)
            return
        infoHash = await self._draw(begun)
        if infoHash is None:
            self._later(min(LOOK_AGAIN, max(1.0, self._againAt - begun)))
            return
        async with holding(self._engine.dhtSlots):
            taken = await node.announce(infoHash, self._engine.listenerPort(), seed=True)
        self.announced += bool(taken)
        self._later(max(0.0, begun + self._pace - self._engine.reactor.seconds()))

    async def _draw(self, now: float) -> bytes | None:
        """Whose turn it is; C{None}: all had theirs lately, or there is none."""
        for _ in range(2):
            if not self._page:
                self._page.extend(await self._timetable.public(self._after, PAGE))
            if self._page:
                self._after = self._page.popleft()
                return self._after
            if now < self._againAt:
                break
            self._after, self._againAt = b"", now + ANNOUNCE_AGAIN
        return None

    def _failed(self, reason: Failure) -> None:
        if reason.check(CancelledError):
            return
        if not reason.check(BitTorrentError):
            self._log.failure("announcing a registered torrent in the DHT", reason)
        self._later(LOOK_AGAIN)
