"""Tests of the store of peers."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.dht.bloom import bloom
from twisted_bt.dht.peerstore import LIFETIME, PER_HOST, SAMPLE_INTERVAL, PeerStore

HASH = b"h" * 20


def peer(number: int, port: int = 6881) -> bytes:
    """A compact address of IPv4."""
    return bytes([1]) + number.to_bytes(3, "big") + port.to_bytes(2, "big")


class PeerStoreTests(SynchronousTestCase):
    """Who announced what."""

    def setUp(self) -> None:
        self.store = PeerStore(Random(1), maxTorrents=20, maxPeers=50)

    def peers(self, now: float = 0.0, most: int = 100) -> list[bytes]:
        """Those of C{HASH}."""
        return self.store.peers(HASH, False, most, now)

    def test_kept(self) -> None:
        """What is announced is found, each family apart."""
        self.store.add(HASH, peer(1), False, 0.0)
        self.store.add(HASH, b"6" * 18, False, 0.0)
        self.assertEqual(self.peers(), [peer(1)])
        self.assertEqual(self.store.peers(HASH, True, 10, 0.0), [b"6" * 18])
        self.assertEqual(self.store.peers(b"x" * 20, False, 10, 0.0), [])

    def test_expires(self) -> None:
        """After 45 minutes it is gone, unless it was announced again; and so is a torrent without any."""
        self.store.add(HASH, peer(1), False, 0.0)
        self.store.add(HASH, peer(2), False, 0.0)
        self.store.add(HASH, peer(1), False, 1000.0)
        self.assertEqual(self.peers(LIFETIME - 1), [peer(2), peer(1)])
        self.assertEqual(self.peers(LIFETIME + 1), [peer(1)])
        self.store.expire(LIFETIME + 1001.0)
        self.assertEqual((len(self.store), self.store.peerCount), (0, 0))

    def test_bounded(self) -> None:
        """No more torrents and peers than it is told; the oldest peer goes first."""
        for number in range(60):
            self.store.add(HASH, peer(number), False, 0.0)
        self.assertEqual(self.peers(), [peer(number) for number in range(10, 60)])
        for number in range(100):
            self.store.add(number.to_bytes(20, "big"), peer(1), False, 0.0)
        self.assertEqual(len(self.store), 20)

    def test_popularStays(self) -> None:
        """A flood of torrents with one peer each does not drive out one with many."""
        for number in range(30):
            self.store.add(HASH, peer(number), False, 0.0)
        for number in range(1000):
            self.store.add(number.to_bytes(20, "big"), peer(1), False, 0.0)
        self.assertEqual(len(self.peers()), 30)

    def test_oneHost(self) -> None:
        """A host is there a few times at most, with its latest ports."""
        self.store.add(HASH, peer(2), False, 0.0)
        for port in range(1, 30):
            self.store.add(HASH, peer(1, port), False, 0.0)
        self.assertEqual(self.peers(), [peer(2)] + [peer(1, port) for port in range(30 - PER_HOST, 30)])

    def test_window(self) -> None:
        """Where there are more than fit, others are given each time, none twice, and all sooner or later."""
        for number in range(50):
            self.store.add(HASH, peer(number), False, 0.0)
        seen: set[bytes] = set()
        for _ in range(100):
            given = self.peers(most=20)
            self.assertEqual(len(set(given)), 20)
            seen.update(given)
        self.assertEqual(len(seen), 50)

    def test_noSeed(self) -> None:
        """BEP 33: without those that said they are seeds."""
        for number in range(10):
            self.store.add(HASH, peer(number), number % 2 == 0, 0.0)
        odd = [peer(number) for number in range(1, 10, 2)]
        self.assertEqual(self.store.peers(HASH, False, 10, 0.0, noSeed=True), odd)
        self.assertEqual(len(set(self.store.peers(HASH, False, 3, 0.0, noSeed=True)) & set(odd)), 3)

    def test_scrape(self) -> None:
        """BEP 33: filters of both families' addresses, ports left out."""
        self.store.add(HASH, peer(1), True, 0.0)
        self.store.add(HASH, peer(2), False, 0.0)
        self.store.add(HASH, b"6" * 18, False, 0.0)
        scraped = self.store.scrape(HASH, 0.0)
        self.assertEqual(scraped, (bloom([peer(1)[:4]]), bloom([peer(2)[:4], b"6" * 16])))
        self.assertIsNone(self.store.scrape(b"x" * 20, 0.0))

    def test_sample(self) -> None:
        """BEP 51: at most twenty, others after a while; all at once where there are no more."""
        store = PeerStore(Random(1), maxTorrents=100)
        for number in range(3):
            store.add(number.to_bytes(20, "big"), peer(1), False, 0.0)
        hashes, total, interval = store.sample(0.0)
        self.assertEqual((len(hashes), total, interval), (3, 3, 0))
        for number in range(60):
            store.add(number.to_bytes(20, "big"), peer(1), False, 0.0)
        hashes, total, interval = store.sample(1.0)
        self.assertEqual((len(set(hashes)), total, interval), (20, 60, SAMPLE_INTERVAL))
        self.assertEqual(store.sample(100.0), (hashes, 60, SAMPLE_INTERVAL - 99))
        self.assertNotEqual(store.sample(1.0 + SAMPLE_INTERVAL)[0], hashes)

    @settings(derandomize=True, deadline=None, max_examples=100)
    @given(st.lists(st.tuples(st.integers(0, 8), st.integers(1, 6), st.integers(0, 2000)), max_size=80))
    def test_likeADict(self, announces: list[tuple[int, int, int]]) -> None:
        """It holds what a dictionary in the order of announces would, within its bounds."""
        store = PeerStore(Random(1), maxPeers=10)
        model: dict[bytes, float] = {}
        now = 0.0
        for host, port, later in announces:
            now += later
            model = {each: at for each, at in model.items() if at + LIFETIME > now}
            new = peer(host, port)
            if model.pop(new, None) is None:
                same = [each for each in model if each[:4] == new[:4]]
                if len(same) >= PER_HOST:
                    del model[same[0]]
                elif len(model) >= 10:
                    del model[next(iter(model))]
            model[new] = now
            store.add(HASH, new, False, now)
            self.assertEqual(store.peers(HASH, False, 100, now), list(model))
