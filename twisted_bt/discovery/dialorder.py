"""
Two heaps: those who wait until a time, and those whose turn it is, best first.

What is in a heap cannot be taken out of its middle; so every entry carries the number of its last
place (C{ticket}), and a place with another number is passed over.  The heaps are swept when more than
half of their places are such.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from twisted_bt.torrent.addresses import PeerAddr

#: Places below which sweeping is not worth while.
_FEW = 64


@dataclass(slots=True, eq=False)
class KnownPeer:
    """
    One address heard of.

    @ivar sources: who told of it, for example C{"tracker"}.
    @ivar rank: how much its best source counts; the lower the sooner it is dialled.
    @ivar priority: 32 bits, BEP 40; by chance while our own address is not known.
    @ivar failures: in a row.
    @ivar retryAt: from when on it may be dialled.
    @ivar connected: there is a session with it, or an attempt on it.
    @ivar wasConnected: it completed a handshake.
    @ivar seed: it has everything, as far as we heard.
    @ivar ticket: of its place in the queues; 0: it is in none.
    """

    addr: PeerAddr
    sources: frozenset[str]
    rank: int
    priority: int = 0
    failures: int = 0
    retryAt: float = 0.0
    connected: bool = False
    wasConnected: bool = False
    seed: bool = False
    ticket: int = 0


class DialOrder:
    """
    The queue of one kind of peers.

    Of those whose turn it is: the best source first, then the fewest failures, then by priority.
    """

    __slots__ = ("_ready", "_waiting")

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, KnownPeer]] = []
        self._ready: list[tuple[int, int, int, int, KnownPeer]] = []

    def push(self, peer: KnownPeer) -> None:
        """C{peer}, with a new ticket, waits for its time."""
        heappush(self._waiting, (peer.retryAt, peer.ticket, peer))

    def pop(self, now: float) -> KnownPeer | None:
        """The best of those whose time has come by C{now}, taken out."""
        first = self.first(now)
        if first is not None:
            heappop(self._ready)
        return first

    def first(self, now: float) -> KnownPeer | None:
        """The best of those whose time has come by C{now}."""
        waiting, ready = self._waiting, self._ready
        while waiting and waiting[0][0] <= now:
            _, ticket, peer = heappop(waiting)
            if peer.ticket == ticket:
                heappush(ready, (peer.rank, peer.failures, -peer.priority, ticket, peer))
        while ready:
            *_, ticket, peer = ready[0]
            if peer.ticket == ticket:
                return peer
            heappop(ready)
        return None

    def nextAt(self) -> float | None:
        """When L{pop} will have something; in the past if it has now."""
        while self._ready:
            *_, ticket, peer = self._ready[0]
            if peer.ticket == ticket:
                return peer.retryAt
            heappop(self._ready)
        while self._waiting:
            at, ticket, peer = self._waiting[0]
            if peer.ticket == ticket:
                return at
            heappop(self._waiting)
        return None

    def sweep(self, most: int) -> None:
        """Have no more than about twice C{most} places."""
        if len(self._waiting) + len(self._ready) > 2 * most + _FEW:
            self._waiting = [place for place in self._waiting if place[2].ticket == place[1]]
            self._ready = [place for place in self._ready if place[4].ticket == place[3]]
            heapify(self._waiting)
            heapify(self._ready)


class WorstFirst:
    """Who leaves a full list first: most failures, then the worst source, then who came first."""

    __slots__ = ("_places",)

    def __init__(self) -> None:
        self._places: list[tuple[int, int, int, KnownPeer]] = []

    def push(self, peer: KnownPeer) -> None:
        """C{peer}, with a new ticket, may be asked to leave."""
        heappush(self._places, (-peer.failures, -peer.rank, peer.ticket, peer))

    def worst(self) -> KnownPeer | None:
        """Who would leave first; it stays until its ticket is taken back."""
        while self._places:
            *_, ticket, peer = self._places[0]
            if peer.ticket == ticket:
                return peer
            heappop(self._places)
        return None

    def sweep(self, most: int) -> None:
        """Have no more than about twice C{most} places."""
        if len(self._places) > 2 * most + _FEW:
            self._places = [place for place in self._places if place[3].ticket == place[2]]
            heapify(self._places)
