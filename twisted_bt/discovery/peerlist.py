"""
The peers a swarm has heard of, and the order in which to dial them.

Pure: callers pass the time.  An address is in the list once, whoever told of it and however
often; it waits after each failure, longer every time, and is dropped after some.  The list is
bounded: what was least useful goes when it is full.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from ipaddress import ip_address

from twisted_bt.interfaces import Random
from twisted_bt.torrent.addresses import PeerAddr

#: Seconds before the second try; doubled after each further failure.  libtorrent waits a minute.
FIRST_RETRY = 60.0
#: Failures in a row after which an address is forgotten; libtorrent's.
MAX_FAILURES = 3
#: Addresses kept; libtorrent's.
MAX_PEERS = 3000


@dataclass(slots=True)
class KnownPeer:
    """One address heard of."""

    addr: PeerAddr
    sources: set[str] = field(default_factory=set)
    failures: int = 0
    retryAt: float = 0.0
    connected: bool = False
    wasConnected: bool = False


def dialable(addr: PeerAddr) -> bool:
    """Whether C{addr} may be a peer's: no multicast, unspecified, or reserved address, and a port."""
    try:
        address = ip_address(addr.host)
    except ValueError:
        return False
    return 0 < addr.port < 65536 and not (
        address.is_multicast or address.is_unspecified or (address.is_reserved and address.version == 4)
    )


class PeerList:
    """
    Addresses with what is known of each.

    An address is in exactly one of these states: connected (or being dialled), waiting for its
    next try, or ready.
    """

    def __init__(self, random: Random, limit: int = MAX_PEERS) -> None:
        self._random = random
        self._limit = limit
        self._known: dict[PeerAddr, KnownPeer] = {}
        self._queue: list[tuple[float, float, PeerAddr]] = []

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, addr: PeerAddr) -> bool:
        return addr in self._known

    def add(self, addresses: Iterable[PeerAddr], source: str, now: float) -> int:
        """Hear of C{addresses} from C{source}; how many are new.  Impossible ones are left out."""
        new = 0
        for addr in addresses:
            known = self._known.get(addr)
            if known is None:
                if not dialable(addr) or (len(self._known) >= self._limit and not self._makeRoom()):
                    continue
                known = self._known[addr] = KnownPeer(addr)
                self._enqueue(known, now)
                new += 1
            known.sources.add(source)
        return new

    def next(self, now: float) -> PeerAddr | None:
        """An address to dial at C{now}, which then counts as connected; C{None} if none is ready."""
        while self._queue and self._queue[0][0] <= now:
            retryAt, _, addr = heappop(self._queue)
            known = self._known.get(addr)
            if known is not None and not known.connected and known.retryAt == retryAt:
                known.connected = True
                return addr
        return None

    def nextReadyAt(self) -> float | None:
        """When L{next} will have something, if nothing is heard of before."""
        return self._queue[0][0] if self._queue else None

    def connected(self, addr: PeerAddr) -> None:
        """A session with C{addr} is under way: it is not to be dialled."""
        known = self._known.get(addr)
        if known is not None:
            known.connected = True

    def established(self, addr: PeerAddr) -> None:
        """C{addr} completed a handshake: its failures are forgiven."""
        known = self._known.get(addr)
        if known is not None:
            known.failures = 0
            known.wasConnected = True

    def ended(self, addr: PeerAddr, now: float, useful: bool) -> None:
        """The session with (or the attempt on) C{addr} ended; C{useful}: not a failure."""
        known = self._known.get(addr)
        if known is None:
            return
        known.connected = False
        known.failures += not useful
        if known.failures >= MAX_FAILURES:
            del self._known[addr]
            return
        wait = FIRST_RETRY * 2 ** max(0, known.failures - 1)
        self._enqueue(known, now + wait * self._random.uniform(0.8, 1.2))

    def forget(self, addr: PeerAddr) -> None:
        """Never mind C{addr}: it is banned, or ourselves."""
        self._known.pop(addr, None)

    def retryNow(self, addr: PeerAddr, now: float) -> None:
        """Somebody insists on C{addr}: dial it as soon as there is room."""
        known = self._known.get(addr)
        if known is not None and not known.connected:
            self._enqueue(known, now)

    def _enqueue(self, known: KnownPeer, at: float) -> None:
        known.retryAt = at
        heappush(self._queue, (at, self._random.random(), known.addr))

    def _makeRoom(self) -> bool:
        """Drop an address that failed most, if any failed."""
        worst = max(
            (known for known in self._known.values() if not known.connected),
            key=lambda known: known.failures,
            default=None,
        )
        if worst is None or worst.failures == 0:
            return False
        del self._known[worst.addr]
        return True
