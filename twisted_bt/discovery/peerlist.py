"""
The peers a swarm has heard of, and the order in which to dial them.

Pure: callers pass the time.  An address is in the list once, whoever told of it and however
often; it waits after each failure, longer every time, and is dropped after some.  The list is
bounded: what was least useful goes when it is full.  No operation takes longer than the logarithm of
their number, but for the two that are rare: our own address changes, the queues are swept.

What a liar can do who tells of addresses (BEP 11 and 40 warn of it): fill the places that nobody better
wants, of a public host a few ports only, and make us dial each of them three times.  Who answers is
tried more often: after all it was there.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from itertools import count

from twisted_bt.discovery.dialorder import DialOrder, KnownPeer, WorstFirst
from twisted_bt.discovery.priority import peerPriority
from twisted_bt.discovery.scopes import Scope, dialable, scopeOf
from twisted_bt.interfaces import Random
from twisted_bt.torrent.addresses import PeerAddr

__all__ = [
    "FIRST_RETRY",
    "GIVEN_UP",
    "MAX_FAILURES",
    "MAX_FAILURES_MET",
    "MAX_PEERS",
    "MAX_RETRY",
    "PeerList",
    "dialable",
]

#: Seconds before the second try; doubled after each further failure.  libtorrent waits a minute.
FIRST_RETRY = 60.0
#: The same for a peer that the user or a magnet link named: it may not be up yet, or not have noticed that
#: our last connection, by which it gave us the metadata, has ended.
NAMED_RETRY = 2.0
#: The longest wait.
MAX_RETRY = 3600.0
#: Failures in a row after which an address is forgotten; libtorrent's.
MAX_FAILURES = 3
#: The same for a peer that we talked to: two hours, since it may well be our own network that is down.
MAX_FAILURES_MET = 8
#: Seconds for which those who tell of a forgotten address are not believed.
GIVEN_UP = 600.0
#: Addresses kept; libtorrent's.
MAX_PEERS = 3000
#: Of one public host: as many as may sit behind one NAT, and no more to knock at somebody's door.
MAX_PER_HOST = 8

#: Of our attempts to connect, the part that hearsay leaves to others, and that others leave to the user.
FOR_HEARD, FOR_NAMED = 1 / 3, 1 / 10

#: The user's wish comes first; then those in our own network, which are fast and cost nobody anything;
#: then who came to us, or was told of by somebody who has been to it or checks; then hearsay.
_INSISTED, _NEAR, _HEARD, _HEARSAY = range(4)
_RANKS = {"user": _INSISTED, "magnet": _INSISTED, "lsd": _NEAR, "pex": _HEARSAY, "dht": _HEARSAY}
#: Sources that prove that somebody is there, or must not be doubted.
_SURE = frozenset({"user", "magnet", "incoming", "lsd"})


class PeerList:
    """
    Addresses with what is known of each.

    An address is in exactly one of these states: connected (or being dialled), or queued: waiting for
    its next try, or ready.

    @param limit: addresses kept.
    @param own: addresses that are ourselves; looked at again and again, since they are found out.
    """

    def __init__(self, random: Random, limit: int = MAX_PEERS, own: Container[PeerAddr] = ()) -> None:
        self._random = random
        self._limit = limit
        self._own = own
        self._external: dict[bool, PeerAddr] = {}
        self._known: dict[PeerAddr, KnownPeer] = {}
        self._perHost: dict[str, int] = {}
        self._givenUp: dict[PeerAddr, float] = {}
        self._leeches, self._seeds, self._worst = DialOrder(), DialOrder(), WorstFirst()
        self._tickets = count(1)
        self._interned: dict[frozenset[str], frozenset[str]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, addr: PeerAddr) -> bool:
        return addr in self._known

    def __iter__(self) -> Iterator[KnownPeer]:
        return iter(self._known.values())

    def get(self, addr: PeerAddr) -> KnownPeer | None:
        """What is known of C{addr}, to look at."""
        return self._known.get(addr)

    # -- hearing of peers

    def add(self, addresses: Iterable[PeerAddr], source: str, now: float) -> int:
        """
        Hear of C{addresses} from C{source}; how many are new.  Left out are impossible ones, our own,
        those given up a moment ago, too many of one host, and those for whom there is no room.
        """
        new = 0
        for addr in addresses:
            known = self._known.get(addr)
            rank = self._rank(addr, source)
            if known is None:
                new += self._begin(addr, source, rank, now)
                continue
            if source not in known.sources:
                known.sources = self._sources(known.sources | {source})
                if rank < known.rank:
                    known.rank = rank
                    self._requeue(known)
        return new

    def _begin(self, addr: PeerAddr, source: str, rank: int, now: float) -> bool:
        if not dialable(addr) or self._isOwn(addr):
            return False
        failures = 0
        if addr in self._givenUp:
            if source not in _SURE:
                if now < self._givenUp[addr]:
                    return False
                failures = MAX_FAILURES - 1  # one more chance
            del self._givenUp[addr]
        world = scopeOf(addr.host) is Scope.WORLD
        if world and source not in _SURE and self._perHost.get(addr.host, 0) >= MAX_PER_HOST:
            return False
        if len(self._known) >= self._limit and not self._makeRoom(rank, failures):
            return False
        if world:
            self._perHost[addr.host] = self._perHost.get(addr.host, 0) + 1
        known = KnownPeer(addr, self._sources(frozenset({source})), rank, self._priority(addr), failures)
        self._known[addr] = known
        self._enqueue(known, now)
        return True

    @staticmethod
    def _rank(addr: PeerAddr, source: str) -> int:
        rank = _RANKS.get(source, _HEARD)
        # Whoever writes to our port for local discovery from afar is not near.
        return _HEARSAY if rank == _NEAR and scopeOf(addr.host) is Scope.WORLD else rank

    def _sources(self, sources: frozenset[str]) -> frozenset[str]:
        """One object for all that have the same sources."""
        return self._interned.setdefault(sources, sources)

    def _priority(self, addr: PeerAddr) -> int:
        ours = self._external.get(addr.isIPv6)
        return self._random.randrange(1 << 32) if ours is None else peerPriority(ours, addr)

    def _isOwn(self, addr: PeerAddr) -> bool:
        return addr in self._own or self._external.get(addr.isIPv6) == addr

    def externalAddress(self, addr: PeerAddr) -> None:
        """
        Others see us at C{addr} (one for each family): dial by BEP 40 priority, and not ourselves.
        """
        if self._external.get(addr.isIPv6) == addr:
            return
        self._external[addr.isIPv6] = addr
        self.forget(addr)
        for known in self._known.values():
            if known.addr.isIPv6 == addr.isIPv6:
                known.priority = peerPriority(addr, known.addr)
                self._requeue(known)

    def markSeed(self, addr: PeerAddr, seed: bool = True) -> None:
        """C{addr} has everything, or has not after all: a seed does not dial it then."""
        known = self._known.get(addr)
        if known is not None and known.seed != seed:
            known.seed = seed
            self._requeue(known)

    # -- dialling

    def next(self, now: float, seeding: bool = False, free: float = 1.0) -> PeerAddr | None:
        """
        An address to dial at C{now}, which then counts as connected; C{None} if none is ready.

        @param seeding: we have everything, and want nobody who has.
        @param free: the part of our attempts that are not under way: the last of them are not for hearsay,
            nor the very last for anybody but who was named by the user.  Or who tells us of enough that
            are not there keeps us from all others.
        """
        worst = _HEARSAY if free > FOR_HEARD else _HEARD if free > FOR_NAMED else _INSISTED
        while True:
            if worst < _HEARSAY and not any(each.rank <= worst for each in self._firsts(now)):
                return None
            known = self._leeches.pop(now)
            if not seeding:
                known = self._better(known, now)
            if known is None:
                return None
            known.ticket = 0
            if self._isOwn(known.addr):
                self.forget(known.addr)
                continue
            known.connected = True
            return known.addr

    def _better(self, leech: KnownPeer | None, now: float) -> KnownPeer | None:
        """C{leech} (taken out of its queue) or the first seed; the other stays, or goes back."""
        seed = self._seeds.pop(now)
        if leech is None or seed is None:
            return leech or seed
        both = sorted((leech, seed), key=lambda peer: (peer.rank, peer.failures, -peer.priority))
        self._enqueue(both[1], both[1].retryAt)
        return both[0]

    def hasNew(self, now: float) -> bool:
        """Whether L{next} would give somebody who did not fail or disappoint us (lately)."""
        return any(not each.failures for each in self._firsts(now))

    def _firsts(self, now: float) -> list[KnownPeer]:
        both = (self._leeches.first(now), self._seeds.first(now))
        return [each for each in both if each is not None]

    def nextReadyAt(self, seeding: bool = False) -> float | None:
        """When L{next} will have something, if nothing is heard of before."""
        times = [self._leeches.nextAt(), None if seeding else self._seeds.nextAt()]
        return min((at for at in times if at is not None), default=None)

    def connected(self, addr: PeerAddr) -> None:
        """A session with C{addr} is under way: it is not to be dialled."""
        known = self._known.get(addr)
        if known is not None:
            known.connected = True
            known.ticket = 0

    def established(self, addr: PeerAddr) -> None:
        """C{addr} completed a handshake: its failures are forgiven."""
        known = self._known.get(addr)
        if known is not None:
            known.failures = 0
            known.wasConnected = True
            self._requeue(known)

    def ended(self, addr: PeerAddr, now: float, useful: bool) -> None:
        """The session with (or the attempt on) C{addr} ended; C{useful}: not a failure."""
        known = self._known.get(addr)
        if known is None:
            return
        known.connected = False
        known.failures += not useful
        enough = MAX_FAILURES_MET if known.wasConnected else MAX_FAILURES
        if known.failures >= enough and known.rank != _INSISTED:
            self.forget(addr)
            self._givenUp[addr] = now + GIVEN_UP
            if len(self._givenUp) > self._limit:
                del self._givenUp[next(iter(self._givenUp))]
            return
        first = NAMED_RETRY if known.failures and known.rank == _INSISTED else FIRST_RETRY
        wait = min(MAX_RETRY, first * 2 ** min(12, max(0, known.failures - 1)))
        self._enqueue(known, now + wait * self._random.uniform(0.8, 1.2))

    def disappointed(self, addr: PeerAddr, now: float) -> None:
        """The session with C{addr} made room for better ones: dial those first."""
        known = self._known.get(addr)
        if known is not None:
            known.connected = False
            known.failures = max(1, known.failures)
            self._enqueue(known, now + FIRST_RETRY * self._random.uniform(0.8, 1.2))

    def forget(self, addr: PeerAddr) -> None:
        """Never mind C{addr}: it is banned, or ourselves."""
        known = self._known.pop(addr, None)
        if known is None:
            return
        known.ticket = 0
        left = self._perHost.get(addr.host, 0) - 1
        if left > 0:
            self._perHost[addr.host] = left
        else:
            self._perHost.pop(addr.host, None)

    def retryNow(self, addr: PeerAddr, now: float) -> None:
        """Somebody insists on C{addr}: dial it as soon as there is room, before others."""
        known = self._known.get(addr)
        if known is not None and not known.connected:
            known.rank = _INSISTED
            self._enqueue(known, now)

    # -- the queues

    def _requeue(self, known: KnownPeer) -> None:
        """What its place depends on changed."""
        if not known.connected:
            self._enqueue(known, known.retryAt)

    def _enqueue(self, known: KnownPeer, at: float) -> None:
        known.retryAt = at
        known.ticket = next(self._tickets)
        queue = self._seeds if known.seed else self._leeches
        queue.push(known)
        self._worst.push(known)
        queue.sweep(len(self._known))
        self._worst.sweep(len(self._known))

    def _makeRoom(self, rank: int, failures: int) -> bool:
        """Drop the least useful address, if it is less so than one of C{rank} that failed so often."""
        worst = self._worst.worst()
        if worst is None or (worst.failures, worst.rank) <= (failures, rank):
            return False
        self.forget(worst.addr)
        return True
