"""
Who announced which torrent here (BEP 5), bounded in torrents and in peers.

A million announces fit in some 15 MB: those of a torrent are one run of bytes in the order they came.
"""

from __future__ import annotations

from array import array
from itertools import islice
from typing import NamedTuple

from twisted_bt.dht.bloom import bloom
from twisted_bt.interfaces import Random

#: Seconds an announce is kept; peers announce again after 15 to 30 minutes.  libtorrent's.
LIFETIME = 2700

#: Announces of one host for one torrent: a few clients behind one address, not a flood of ports.
PER_HOST = 4

#: Torrents looked at when one must go.
_CANDIDATES = 8

#: Seconds a sample of info-hashes stays the same (BEP 51: at most 21600).
SAMPLE_INTERVAL = 300
_SAMPLE_SIZE = 20


class _Peers:
    """
    The announces of one torrent in one family, oldest first.

    @ivar data: compact addresses, one after another.
    @ivar stamps: for each, when it expires in whole seconds; the lowest bit is set for a seed.
    """

    __slots__ = ("data", "size", "stamps")

    def __init__(self, size: int) -> None:
        self.data = bytearray()
        self.stamps = array("Q")
        self.size = size

    def __len__(self) -> int:
        return len(self.stamps)

    def find(self, prefix: bytes, start: int = 0) -> int:
        """The place from C{start} on of the first address that begins with C{prefix}; -1: there is none."""
        size = self.size
        at = self.data.find(prefix, start * size)
        while at % size and at > 0:
            at = self.data.find(prefix, at + 1)
        return -1 if at < 0 else at // size

    def remove(self, place: int, count: int = 1) -> None:
        """Forget those from C{place} on."""
        del self.data[place * self.size : (place + count) * self.size]
        del self.stamps[place : place + count]

    def append(self, peer: bytes, stamp: int) -> None:
        """C{peer} announced now."""
        self.data += peer
        self.stamps.append(stamp)

    def expire(self, now: float) -> None:
        """Forget what is too old."""
        old = 0
        for stamp in self.stamps:
            if stamp >> 1 > now:
                break
            old += 1
        if old:
            self.remove(0, old)

    def places(self, places: range | list[int]) -> list[bytes]:
        """The addresses there."""
        data, size = bytes(self.data), self.size
        return [data[place * size : (place + 1) * size] for place in places]

    def kind(self, seeds: bool) -> list[int]:
        """The places of seeds, or of the others."""
        return [place for place, stamp in enumerate(self.stamps) if stamp & 1 == seeds]


class Scraped(NamedTuple):
    """Two filters of BEP 33."""

    seeds: bytes
    peers: bytes


class PeerStore:
    """
    @param random: for samples.
    @param maxTorrents: info-hashes kept (for each family); one more drops one of those announced longest
        ago, that with the fewest peers among a few.
    @param maxPeers: addresses kept for each; one more drops the oldest.
    """

    def __init__(self, random: Random, maxTorrents: int = 2000, maxPeers: int = 500) -> None:
        self._random = random
        self._maxTorrents = maxTorrents
        self._maxPeers = maxPeers
        #: By info-hash, in the order of the last announce; IPv4 and IPv6.
        self._families: tuple[dict[bytes, _Peers], dict[bytes, _Peers]] = ({}, {})
        self._sample: list[bytes] = []
        self._sampled = 0
        self._sampledAt: float | None = None

    def __len__(self) -> int:
        """Torrents, those of each family."""
        return sum(map(len, self._families))

    @property
    def peerCount(self) -> int:
        """Addresses, with those that expired and were not looked at since."""
        return sum(len(peers) for family in self._families for peers in family.values())

    def add(self, infoHash: bytes, peer: bytes, seed: bool, now: float) -> None:
        """C{peer} (compact: 6 or 18 bytes) announced C{infoHash}."""
        family = self._families[len(peer) == 18]
        peers = family.pop(infoHash, None)
        if peers is None:
            if len(family) >= self._maxTorrents:
                self._evict(family, now)
            peers = _Peers(len(peer))
        family[infoHash] = peers
        peers.expire(now)
        place = peers.find(peer)
        if place < 0 and len(peers) >= PER_HOST:
            place = self._spare(peers, peer[:-2])
        if place >= 0:
            peers.remove(place)
        peers.append(peer, (int(now) + LIFETIME) << 1 | seed)

    def _spare(self, peers: _Peers, host: bytes) -> int:
        """Whose place a new announce of C{host} takes; -1: there is room."""
        first = at = peers.find(host)
        count = 0
        while at >= 0:
            count += 1
            at = peers.find(host, at + 1)
        if count >= PER_HOST:
            return first
        return 0 if len(peers) >= self._maxPeers else -1

    def _evict(self, family: dict[bytes, _Peers], now: float) -> None:
        oldest = list(islice(family, _CANDIDATES))
        for infoHash in oldest:
            family[infoHash].expire(now)
        del family[min(oldest, key=lambda infoHash: len(family[infoHash]))]

    def peers(self, infoHash: bytes, ipv6: bool, most: int, now: float, noSeed: bool = False) -> list[bytes]:
        """
        Up to C{most} peers of that family, compact; others each time where there are more.

        @param noSeed: only those that did not say they are seeds (BEP 33).
        """
        peers = self._families[ipv6].get(infoHash)
        if peers is None:
            return []
        peers.expire(now)
        chosen = peers.kind(seeds=False) if noSeed else range(len(peers))
        if len(chosen) > most:
            # A window from anywhere costs less than a sample, and each is as likely to be in it.
            start = self._random.randrange(len(chosen))
            chosen = [*chosen[start : start + most], *chosen[: max(0, start + most - len(chosen))]]
        return peers.places(chosen)

    def scrape(self, infoHash: bytes, now: float) -> Scraped | None:
        """The filters over all we know of C{infoHash}, both families; C{None}: nothing."""
        seeds: list[bytes] = []
        others: list[bytes] = []
        for family in self._families:
            peers = family.get(infoHash)
            if peers is not None:
                peers.expire(now)
                seeds += peers.places(peers.kind(seeds=True))
                others += peers.places(peers.kind(seeds=False))
        if not seeds and not others:
            return None
        return Scraped(bloom(peer[:-2] for peer in seeds), bloom(peer[:-2] for peer in others))

    def sample(self, now: float) -> tuple[list[bytes], int, int]:
        """
        BEP 51: some of our info-hashes, how many there are, and seconds until others are given.
        """
        since = self._sampledAt
        if since is None or now - since >= SAMPLE_INTERVAL or self._sampled <= _SAMPLE_SIZE:
            self.expire(now)
            known = list(dict.fromkeys(infoHash for family in self._families for infoHash in family))
            self._sampled = len(known)
            self._random.shuffle(known)
            self._sample = known[:_SAMPLE_SIZE]
            self._sampledAt = since = now
        left = int(SAMPLE_INTERVAL - (now - since)) if self._sampled > _SAMPLE_SIZE else 0
        return self._sample, self._sampled, left

    def expire(self, now: float, most: int = 1 << 30) -> None:
        """Drop torrents nobody announced lately: of the C{most} oldest, those with no peer left."""
        for family in self._families:
            for infoHash in list(islice(family, most)):
                family[infoHash].expire(now)
                if len(family[infoHash]):
                    break  # ordered by the last announce: those after it have one too
                del family[infoHash]
