"""
Who announced which torrent here (BEP 5), bounded in torrents and in peers.
"""

from __future__ import annotations

from itertools import islice
from typing import NamedTuple

from twisted_bt.dht.bloom import bloom
from twisted_bt.interfaces import Random

#: Seconds an announce is kept; peers announce again after 15 to 30 minutes.  libtorrent's.
LIFETIME = 2700.0

#: Announces of one host for one torrent: a few clients behind one address, not a flood of ports.
PER_HOST = 4

#: Torrents looked at when one must go.
_CANDIDATES = 8

#: Seconds a sample of info-hashes stays the same (BEP 51: at most 21600).
SAMPLE_INTERVAL = 300
_SAMPLE_SIZE = 20


class _Announce(NamedTuple):
    expires: float
    seed: bool


class Scraped(NamedTuple):
    """Two filters of BEP 33."""

    seeds: bytes
    peers: bytes


class PeerStore:
    """
    @param random: for samples.
    @param maxTorrents: info-hashes kept; one more drops one of those announced longest ago, that with the
        fewest peers among a few.
    @param maxPeers: addresses kept for each; one more drops the oldest.
    """

    def __init__(self, random: Random, maxTorrents: int = 2000, maxPeers: int = 500) -> None:
        self._random = random
        self._maxTorrents = maxTorrents
        self._maxPeers = maxPeers
        # Both in the order of the last announce.  Peers by their compact address; each family apart.
        self._torrents: dict[tuple[bytes, bool], dict[bytes, _Announce]] = {}
        self._sample: list[bytes] = []
        self._sampled = 0
        self._sampledAt: float | None = None

    def __len__(self) -> int:
        """Torrents, of each family."""
        return len(self._torrents)

    @property
    def peerCount(self) -> int:
        """Addresses, expired ones that were not seen to be so included."""
        return sum(map(len, self._torrents.values()))

    def add(self, infoHash: bytes, peer: bytes, seed: bool, now: float) -> None:
        """C{peer} (compact: 6 or 18 bytes) announced C{infoHash}."""
        key = (infoHash, len(peer) == 18)
        peers = self._torrents.pop(key, None)
        if peers is None:
            if len(self._torrents) >= self._maxTorrents:
                self._evict(now)
            peers = {}
        self._torrents[key] = peers
        if peers.pop(peer, None) is None:
            self._makeRoom(peers, peer[:-2])
        peers[peer] = _Announce(now + LIFETIME, seed)

    def _makeRoom(self, peers: dict[bytes, _Announce], host: bytes) -> None:
        same = [each for each in peers if each.startswith(host)]
        if len(same) >= PER_HOST:
            del peers[same[0]]
        elif len(peers) >= self._maxPeers:
            del peers[next(iter(peers))]

    def _evict(self, now: float) -> None:
        oldest = islice(self._torrents, _CANDIDATES)
        fewest = min(oldest, key=lambda key: len(self._live(key, now)))
        del self._torrents[fewest]

    def _live(self, key: tuple[bytes, bool], now: float) -> dict[bytes, _Announce]:
        """The peers of C{key}, without those that expired: they are the first, each being put last."""
        peers = self._torrents.get(key)
        if peers is None:
            return {}
        while peers:
            first = next(iter(peers))
            if peers[first].expires > now:
                break
            del peers[first]
        return peers

    def peers(self, infoHash: bytes, ipv6: bool, most: int, now: float, noSeed: bool = False) -> list[bytes]:
        """
        Up to C{most} peers of that family, compact; others each time where there are more.

        @param noSeed: only those that did not say they are seeds (BEP 33).
        """
        found = self._live((infoHash, ipv6), now)
        if not found:
            return []
        chosen = [peer for peer in found if not (noSeed and found[peer].seed)]
        if len(chosen) <= most:
            return chosen
        # A window from anywhere costs less than a sample, and each is as likely to be in it.
        start = self._random.randrange(len(chosen))
        return (chosen[start:] + chosen[: max(0, start + most - len(chosen))])[:most]

    def scrape(self, infoHash: bytes, now: float) -> Scraped | None:
        """The filters over all we know of C{infoHash}, both families; C{None}: nothing."""
        seeds: list[bytes] = []
        peers: list[bytes] = []
        for ipv6 in (False, True):
            for peer, announce in self._live((infoHash, ipv6), now).items():
                (seeds if announce.seed else peers).append(peer[:-2])
        return Scraped(bloom(seeds), bloom(peers)) if seeds or peers else None

    def sample(self, now: float) -> tuple[list[bytes], int, int]:
        """
        BEP 51: some of our info-hashes, how many there are, and seconds until others are given.
        """
        self.expire(now, 64)
        since = self._sampledAt
        if since is None or now - since >= SAMPLE_INTERVAL:
            known = list(dict.fromkeys(infoHash for infoHash, _ in self._torrents))
            self._sampled = len(known)
            self._random.shuffle(known)
            self._sample = known[:_SAMPLE_SIZE]
            self._sampledAt = since = now
        left = int(SAMPLE_INTERVAL - (now - since)) if self._sampled > _SAMPLE_SIZE else 0
        return self._sample, self._sampled, max(0, left)

    def expire(self, now: float, most: int = 1 << 30) -> None:
        """Drop torrents nobody announced lately: of the C{most} oldest, those with no peer left."""
        for key in list(islice(self._torrents, most)):
            if self._live(key, now):
                break  # ordered by the last announce: those after it have one too
            del self._torrents[key]
