"""
What a tracker knows: who is in which swarm, for as long as they keep announcing.

Bounded in torrents and in peers of each, so that nobody can fill the memory.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from twisted_bt.errors import TrackerError
from twisted_bt.interfaces import Random
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.tracker.announce import AnnounceRequest, Event, ScrapeEntry


@dataclass(frozen=True, slots=True)
class KnownPeer:
    """One peer of a swarm."""

    addr: PeerAddr
    peerId: bytes
    complete: bool
    seen: float
    """When it last announced, in seconds of the store's clock."""


@dataclass(slots=True)
class _Swarm:
    peers: OrderedDict[PeerAddr, KnownPeer] = field(default_factory=OrderedDict)  # longest silent first
    seeders: int = 0
    downloaded: int = 0

    def remove(self, addr: PeerAddr) -> KnownPeer | None:
        gone = self.peers.pop(addr, None)
        self.seeders -= gone is not None and gone.complete
        return gone

    def add(self, peer: KnownPeer) -> None:
        self.peers[peer.addr] = peer
        self.seeders += peer.complete

    def expire(self, before: float) -> None:
        while self.peers:
            addr, oldest = next(iter(self.peers.items()))
            if oldest.seen >= before:
                break
            self.remove(addr)


class PeerStore:
    """
    Peers by torrent.

    @param seconds: the clock.
    @param random: chooses whom to hand out.
    @param lifetime: seconds without an announce after which a peer is forgotten.
    @param maxTorrents: torrents known; one more is refused while each has somebody.
    @param maxPeers: peers known of each torrent; one more takes the place of the longest silent.
    """

    def __init__(
        self,
        seconds: Callable[[], float],
        random: Random,
        lifetime: float = 3600.0,
        maxTorrents: int = 10_000,
        maxPeers: int = 2_000,
    ) -> None:
        self._seconds = seconds
        self._random = random
        self._lifetime = lifetime
        self._maxTorrents = maxTorrents
        self._maxPeers = maxPeers
        self._swarms: OrderedDict[bytes, _Swarm] = OrderedDict()  # longest silent first

    def announce(self, request: AnnounceRequest, addr: PeerAddr | None) -> None:
        """
        Take in what a peer says of itself.

        @param addr: where it listens; C{None} if nobody can reach it there, so that it is not handed out.
        @raise TrackerError: no room for one torrent more.
        """
        now = self._seconds()
        swarm = self._swarmFor(request, now)
        if swarm is None or addr is None:
            return
        before = swarm.remove(addr)
        if request.event is Event.COMPLETED and not (before is not None and before.complete):
            swarm.downloaded += 1
        if request.event is not Event.STOPPED:
            if len(swarm.peers) >= self._maxPeers:
                swarm.remove(next(iter(swarm.peers)))
            swarm.add(KnownPeer(addr, request.peerId, request.left == 0, now))

    def _swarmFor(self, request: AnnounceRequest, now: float) -> _Swarm | None:
        while self._swarms:
            oldest = next(iter(self._swarms.values()))
            oldest.expire(now - self._lifetime)
            if oldest.peers:
                break
            self._swarms.popitem(last=False)
        swarm = self._swarms.get(request.infoHash)
        if swarm is None:
            if request.event is Event.STOPPED:
                return None
            if len(self._swarms) >= self._maxTorrents:
                raise TrackerError("this tracker has no room for one more torrent")
            swarm = self._swarms[request.infoHash] = _Swarm()
        swarm.expire(now - self._lifetime)
        self._swarms.move_to_end(request.infoHash)
        return swarm

    def sample(
        self, request: AnnounceRequest, addr: PeerAddr | None, count: int, ipv6: bool | None = None
    ) -> list[KnownPeer]:
        """
        Up to C{count} peers for whoever announced, chosen at random: not itself, and for a seeder no seeders.

        @param ipv6: only peers of that family; C{None}: of both.
        """
        swarm = self._swarms.get(request.infoHash)
        if swarm is None or request.event is Event.STOPPED:
            return []
        found = [
            each
            for each in swarm.peers.values()
            if each.addr != addr
            and not (request.left == 0 and each.complete)
            and ipv6 in (None, each.addr.isIPv6)
        ]
        count = max(0, min(count, len(found)))
        for position in range(count if count < len(found) else 0):
            other = position + self._random.randrange(len(found) - position)
            found[position], found[other] = found[other], found[position]
        return found[:count]

    def counts(self, infoHash: bytes) -> ScrapeEntry | None:
        """How many there are in the swarm of C{infoHash}; C{None}: it is not known."""
        swarm = self._swarms.get(infoHash)
        if swarm is None:
            return None
        swarm.expire(self._seconds() - self._lifetime)
        return ScrapeEntry(swarm.seeders, len(swarm.peers) - swarm.seeders, swarm.downloaded)

    def __len__(self) -> int:
        return len(self._swarms)
