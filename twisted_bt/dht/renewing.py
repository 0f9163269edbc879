"""
Announces that are renewed as long as a torrent is there (BEP 5: nodes forget them after half an hour).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from twisted_bt.dht.finding import Found
from twisted_bt.errors import BitTorrentError
from twisted_bt.interfaces import Random

#: Seconds after an announce that nobody took, at first; each further one takes twice as long.
RETRY = 30.0


class Announcer(Protocol):
    """What is needed of a L{DhtNode<twisted_bt.dht.service.DhtNode>}."""

    def announce(
        self, infoHash: bytes, port: int | None = None, found: Found | None = None, seed: bool = False
    ) -> Deferred[int]: ...


class _Entry:
    """
    One torrent.

    @ivar due: when it is announced next.
    @ivar failures: announces in a row that nobody took.
    """

    def __init__(self, port: int | None, found: Found | None, seed: Callable[[], bool], due: float) -> None:
        self.port = port
        self.found = found
        self.seed = seed
        self.due = due
        self.failures = 0
        self.announcing: Deferred[None] | None = None


class RenewedAnnounces(Service):
    """
    Announces torrents again and again; what peers are found on the way is handed on.

    @param interval: seconds between two announces of a torrent, about.
    @param most: announces under way at a time; the others wait for their turns.
    """

    name = "renewed announces"
    _log = Logger()

    def __init__(
        self, reactor: IReactorTime, dht: Announcer, random: Random, interval: float = 900.0, most: int = 5
    ) -> None:
        self._reactor = reactor
        self._dht = dht
        self._random = random
        self._interval = interval
        self._most = most
        self._entries: dict[bytes, _Entry] = {}
        self._underWay = 0
        self._call: IDelayedCall | None = None

    def add(
        self,
        infoHash: bytes,
        port: int | None,
        found: Found | None = None,
        seed: Callable[[], bool] = lambda: False,
    ) -> None:
        """
        Announce C{infoHash} from now on.

        @param port: of the peer listener; C{None}: the DHT's own.
        @param found: told of peers as they come, each once for each announce.
        @param seed: asked each time whether we have all of it (BEP 33).
        """
        self.remove(infoHash)
        self._entries[infoHash] = _Entry(port, found, seed, self._reactor.seconds())
        self._schedule()

    def remove(self, infoHash: bytes) -> None:
        """No longer; one that is under way ends.  Unknown ones are no error."""
        entry = self._entries.pop(infoHash, None)
        if entry is not None and entry.announcing is not None:
            entry.announcing.cancel()

    def hurry(self, infoHash: bytes) -> None:
        """Peers are wanted: announce (and search) as soon as it is its turn."""
        entry = self._entries.get(infoHash)
        if entry is not None:
            entry.due = min(entry.due, self._reactor.seconds())
            self._schedule()

    def startService(self) -> None:
        """Begin."""
        super().startService()
        self._schedule()

    def stopService(self) -> Deferred[None]:
        """End all that is under way; torrents stay known."""
        super().stopService()
        if self._call is not None:
            self._call.cancel()
            self._call = None
        for entry in self._entries.values():
            if entry.announcing is not None:
                entry.announcing.cancel()
        return succeed(None)

    def _schedule(self) -> None:
        """Look at what is due, at the time that something is."""
        if not self.running:
            return
        if self._call is not None:
            self._call.cancel()
            self._call = None
        if self._underWay >= self._most:
            return
        due = min((each.due for each in self._entries.values() if each.announcing is None), default=None)
        if due is not None:
            self._call = self._reactor.callLater(max(0.0, due - self._reactor.seconds()), self._look)

    def _look(self) -> None:
        self._call = None
        now = self._reactor.seconds()
        waiting = [
            (entry.due, infoHash)
            for infoHash, entry in self._entries.items()
            if entry.announcing is None and entry.due <= now
        ]
        for _, infoHash in sorted(waiting)[: self._most - self._underWay]:
            self._announce(infoHash)
        self._schedule()

    def _announce(self, infoHash: bytes) -> None:
        entry = self._entries[infoHash]
        self._underWay += 1

        async def work() -> None:
            took = 0
            try:
                took = await self._dht.announce(infoHash, entry.port, entry.found, entry.seed())
            except BitTorrentError as reason:
                self._log.debug("not announced in the DHT: {reason}", reason=reason)
            finally:
                self._underWay -= 1
                self._ended(entry, took)

        entry.announcing = Deferred.fromCoroutine(work())
        entry.announcing.addErrback(lambda _: None)  # cancelled
        if entry.due > self._reactor.seconds():
            entry.announcing = None  # it was over at once

    def _ended(self, entry: _Entry, took: int) -> None:
        entry.announcing = None
        entry.failures = 0 if took else entry.failures + 1
        wait = self._interval if took else min(self._interval, RETRY * 2 ** min(entry.failures - 1, 10))
        entry.due = self._reactor.seconds() + wait * self._random.uniform(0.9, 1.1)
        self._schedule()
