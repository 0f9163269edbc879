"""Tests for L{twisted_bt.tracker.peerstore}."""

from __future__ import annotations

from random import Random

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.tracker.requests import announcing
from twisted_bt.errors import TrackerError
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.tracker.announce import Event, ScrapeEntry
from twisted_bt.tracker.peerstore import PeerStore

HASH = b"i" * 20


def addr(number: int) -> PeerAddr:
    """One of many addresses."""
    return PeerAddr(f"10.0.{number // 256}.{number % 256}", 6881)


class PeerStoreTests(SynchronousTestCase):
    """L{PeerStore}."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = PeerStore(self.clock.seconds, Random(1), lifetime=100, maxTorrents=3, maxPeers=20)

    def sampled(self, asker: PeerAddr | None = None, left: int = 1, count: int = 50) -> set[PeerAddr]:
        """Whom somebody is told of."""
        return {each.addr for each in self.store.sample(announcing(left=left), asker, count)}

    def test_told(self) -> None:
        """Whoever announces is told to others, and not to itself."""
        for number in range(3):
            self.store.announce(announcing(), addr(number))
        self.assertEqual(self.sampled(addr(1)), {addr(0), addr(2)})

    def test_counts(self) -> None:
        """Seeders, leechers and downloads are counted, each download once."""
        self.assertIsNone(self.store.counts(HASH))
        self.store.announce(announcing(left=0, event=Event.STARTED), addr(0))
        self.store.announce(announcing(left=5), addr(1))
        self.assertEqual(self.store.counts(HASH), ScrapeEntry(1, 1, 0))
        for _ in range(2):
            self.store.announce(announcing(left=0, event=Event.COMPLETED), addr(1))
        self.assertEqual(self.store.counts(HASH), ScrapeEntry(2, 0, 1))
        self.store.announce(announcing(left=0, event=Event.STOPPED), addr(1))
        self.assertEqual(self.store.counts(HASH), ScrapeEntry(1, 0, 1))

    def test_stopped(self) -> None:
        """Whoever stops is forgotten and told of nobody; of an unknown torrent nothing is kept."""
        self.store.announce(announcing(event=Event.STOPPED), addr(0))
        self.assertEqual(len(self.store), 0)
        self.store.announce(announcing(), addr(0))
        self.store.announce(announcing(), addr(1))
        stop = announcing(event=Event.STOPPED)
        self.store.announce(stop, addr(0))
        self.assertEqual(self.store.sample(stop, addr(0), 50), [])
        self.assertEqual(self.sampled(), {addr(1)})

    def test_seeders(self) -> None:
        """A seeder is told of leechers only."""
        self.store.announce(announcing(left=0), addr(0))
        self.store.announce(announcing(left=1), addr(1))
        self.assertEqual(self.sampled(left=0), {addr(1)})
        self.assertEqual(self.sampled(left=1), {addr(0), addr(1)})

    def test_families(self) -> None:
        """Peers of one family can be asked for."""
        six = PeerAddr("2001:db8::1", 1)
        for each in (addr(0), six):
            self.store.announce(announcing(), each)
        for ipv6, expected in ((None, {addr(0), six}), (True, {six}), (False, {addr(0)})):
            found = self.store.sample(announcing(), None, 50, ipv6)
            self.assertEqual({each.addr for each in found}, expected)

    def test_unreachable(self) -> None:
        """Whoever cannot be reached is told of others, and is not told of."""
        self.store.announce(announcing(), None)
        self.store.announce(announcing(), addr(0))
        self.assertEqual(self.sampled(None), {addr(0)})

    def test_random(self) -> None:
        """Each peer has its chance; nobody is told of twice."""
        for number in range(20):
            self.store.announce(announcing(), addr(number))
        seen: dict[PeerAddr, int] = dict.fromkeys(map(addr, range(20)), 0)
        for _ in range(400):
            found = [each.addr for each in self.store.sample(announcing(), None, 5)]
            self.assertEqual(len(set(found)), 5)
            for each in found:
                seen[each] += 1
        self.assertTrue(min(seen.values()) > 60 and max(seen.values()) < 140, sorted(seen.values()))
        self.assertEqual(self.store.sample(announcing(), None, 0), [])
        self.assertEqual(self.store.sample(announcing(), None, -1), [])

    def test_expiry(self) -> None:
        """Whoever is silent for the lifetime is forgotten, and so is a torrent without anybody."""
        self.store.announce(announcing(left=0), addr(0))
        self.clock.advance(60)
        self.store.announce(announcing(), addr(1))
        self.clock.advance(40)
        self.assertEqual(self.store.counts(HASH), ScrapeEntry(1, 1, 0))
        self.clock.advance(1)
        self.assertEqual(self.store.counts(HASH), ScrapeEntry(0, 1, 0))
        self.clock.advance(60)
        self.store.announce(announcing(infoHash=b"j" * 20), addr(1))
        self.assertIsNone(self.store.counts(HASH))

    def test_notTold(self) -> None:
        """Of those who are forgotten nobody is told."""
        self.store.announce(announcing(), addr(0))
        self.clock.advance(60)
        self.store.announce(announcing(), addr(1))
        self.clock.advance(41)
        self.store.announce(announcing(), addr(2))
        self.assertEqual(self.sampled(), {addr(1), addr(2)})

    def test_fullSwarm(self) -> None:
        """One peer too many takes the place of the longest silent."""
        for number in range(20):
            self.store.announce(announcing(left=0), addr(number))
        self.store.announce(announcing(left=0), addr(0))  # no longer the longest silent
        self.store.announce(announcing(left=0), addr(99))
        self.assertEqual(self.sampled(), {addr(n) for n in (0, *range(2, 20), 99)})
        self.assertEqual(self.store.counts(HASH), ScrapeEntry(20, 0, 0))

    def test_fullStore(self) -> None:
        """One torrent too many is refused while all others are alive."""
        for letter in b"abc":
            self.store.announce(announcing(infoHash=bytes([letter]) * 20), addr(0))
        with self.assertRaises(TrackerError):
            self.store.announce(announcing(infoHash=b"d" * 20), addr(0))
        self.assertIsNone(self.store.counts(b"d" * 20))
        self.store.announce(announcing(infoHash=b"a" * 20), addr(1))
        self.clock.advance(101)
        self.store.announce(announcing(infoHash=b"d" * 20), addr(0))
        self.assertEqual(len(self.store), 1)

    def test_busyTorrent(self) -> None:
        """A torrent that somebody announces is not in the way of forgetting another."""
        for letter in b"abc":
            self.store.announce(announcing(infoHash=bytes([letter]) * 20), addr(0))
        self.clock.advance(60)
        self.store.announce(announcing(infoHash=b"a" * 20), addr(0))
        self.clock.advance(41)
        self.store.announce(announcing(infoHash=b"d" * 20), addr(0))
        self.assertEqual(len(self.store), 2)
