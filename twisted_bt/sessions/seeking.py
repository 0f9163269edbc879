"""
A swarm and those who know of peers without being trackers: the DHT (BEP 5), and the local network (BEP 14).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_bt.errors import BitTorrentError
from twisted_bt.sessions.engine import Engine
from twisted_bt.sessions.joining import holding
from twisted_bt.torrent.addresses import PeerAddr

if TYPE_CHECKING:
    from twisted_bt.dht.service import DhtNode

#: Seconds between two announces where all is well; nodes keep one for half an hour or more.
ANNOUNCE_AGAIN = 900.0
#: While there is nobody to talk to.
LOOK_AGAIN = 60.0
#: Where no node took it: it may be that we have only just begun.  Doubled each time, up to L{LOOK_AGAIN}.
TRY_AGAIN = 0.5


class ISeeker(Protocol):
    """What seeking needs of its swarm."""

    infoHash: bytes
    connectedPeers: dict[PeerAddr, Any]

    @property
    def engine(self) -> Engine:
        """What the swarms of the client share."""

    @property
    def complete(self) -> bool:
        """Whether it wants nothing more."""

    def peersFound(self, addresses: Sequence[PeerAddr], source: str) -> None:
        """Hear of peers."""


class Seeking:
    """
    Tells them that we are a peer of one swarm, and hears of others.

    @param private: BEP 27: never to be found like that.
    """

    _log = Logger()

    def __init__(self, swarm: ISeeker, private: bool) -> None:
        self._swarm = swarm
        self._private = private
        self._running = False
        self._next: IDelayedCall | None = None
        self._search: Deferred[int] | None = None
        self._inVain = 0

    def start(self) -> None:
        """Announce from now on."""
        if self._running or self._private:
            return
        self._inVain = 0
        self._running = True
        local = self._swarm.engine.local()
        if local is not None:
            local.register(self._swarm.infoHash)
        if self._swarm.engine.settings.dht:
            self._go()

    def stop(self) -> None:
        """No more."""
        local = self._swarm.engine.local()
        if local is not None and self._running:
            local.unregister(self._swarm.infoHash)
        self._running = False
        search, self._search = self._search, None
        if search is not None:
            search.cancel()
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _go(self) -> None:
        self._next = None
        engine = self._swarm.engine
        node = engine.dht()
        if node is None:
            self._announced(0)
            return
        search = self._search = Deferred.fromCoroutine(self._announce(node))
        search.addCallbacks(self._announced, self._failed)

    async def _announce(self, node: DhtNode) -> int:
        """Announce when it is our turn; how many nodes took it."""
        swarm, engine = self._swarm, self._swarm.engine
        async with holding(engine.dhtSlots):
            return await node.announce(
                swarm.infoHash, engine.listenerPort(), self._found, seed=swarm.complete
            )

    def _found(self, addresses: Sequence[PeerAddr]) -> None:
        if self._running:
            self._swarm.peersFound(addresses, "dht")

    def _announced(self, nodes: int) -> None:
        self._search = None
        if not nodes:
            self._later(min(TRY_AGAIN * 2**self._inVain, LOOK_AGAIN))
            self._inVain = min(self._inVain + 1, 10)
            return
        self._inVain = 0
        starving = not self._swarm.complete and not self._swarm.connectedPeers
        self._later(LOOK_AGAIN if starving else ANNOUNCE_AGAIN)

    def _failed(self, reason: Failure) -> None:
        self._search = None
        if not reason.check(BitTorrentError, CancelledError):
            self._log.failure("looking for peers in the DHT", reason)
        self._later(LOOK_AGAIN)

    def _later(self, delay: float) -> None:
        if self._running:
            jitter = self._swarm.engine.random.uniform(0.9, 1.1)
            self._next = self._swarm.engine.reactor.callLater(delay * jitter, self._go)
