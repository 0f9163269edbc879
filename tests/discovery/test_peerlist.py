"""Tests of L{twisted_bt.discovery.peerlist}."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.discovery.peers import addrs
from twisted_bt.discovery.peerlist import (
    FIRST_RETRY,
    GIVEN_UP,
    MAX_FAILURES,
    MAX_FAILURES_MET,
    MAX_PEERS,
    MAX_PER_HOST,
    MAX_RETRY,
    PeerList,
    dialable,
)
from twisted_bt.torrent.addresses import PeerAddr

#: More than the first wait can be, and less than the second.
WAIT = FIRST_RETRY * 1.2


class DialableTests(SynchronousTestCase):
    """Addresses that may be a peer's."""

    def test_usual(self) -> None:
        """Public, private and local addresses may be."""
        for host in ("1.2.3.4", "10.0.0.1", "127.0.0.1", "2001:db8::1", "fd00::1", "::1"):
            self.assertTrue(dialable(PeerAddr(host, 1)), host)

    def test_impossible(self) -> None:
        """Groups, no address at all, reserved ones, names and no port may not."""
        for host in ("224.0.0.1", "255.255.255.255", "0.0.0.0", "240.0.0.1", "ff02::1", "::", "name.test"):
            self.assertFalse(dialable(PeerAddr(host, 6881)), host)
        self.assertFalse(dialable(PeerAddr("1.2.3.4", 0)))
        self.assertFalse(dialable(PeerAddr("1.2.3.4", 65536)))


class PeerListTests(SynchronousTestCase):
    """What is known, and the order of dialling."""

    def setUp(self) -> None:
        """An empty list."""
        self.peers = PeerList(Random(1), limit=5)

    def take(self, now: float) -> list[PeerAddr]:
        """All that are ready."""
        taken = []
        while (addr := self.peers.next(now)) is not None:
            taken.append(addr)
        return taken

    def test_once(self) -> None:
        """An address told of by several sources is in the list once, and dialled once."""
        (addr,) = addrs(1)
        self.assertEqual(self.peers.add([addr, addr], "tracker", 0.0), 1)
        self.assertEqual(self.peers.add([addr], "pex", 0.0), 0)
        self.assertEqual(len(self.peers), 1)
        self.assertIn(addr, self.peers)
        self.assertEqual(self.take(0.0), [addr])
        self.assertEqual(self.peers.add([addr], "dht", 1.0), 0)
        self.assertEqual(self.take(1000.0), [])

    def test_new(self) -> None:
        """It knows whether the next is somebody who did not fail or disappoint us."""
        one, two = addrs(2)
        self.assertFalse(self.peers.hasNew(0.0))
        self.peers.add([one], "tracker", 0.0)
        self.assertTrue(self.peers.hasNew(0.0))
        self.peers.next(0.0)
        self.assertFalse(self.peers.hasNew(0.0))
        self.peers.established(one)
        self.peers.disappointed(one, 0.0)
        self.assertIsNone(self.peers.next(1.0))
        self.assertFalse(self.peers.hasNew(WAIT))
        self.peers.add([two], "tracker", WAIT)
        self.assertTrue(self.peers.hasNew(WAIT))
        self.assertEqual(self.take(WAIT), [two, one])

    def test_lastAttempts(self) -> None:
        """The last attempts are not for hearsay, and the very last for the user's peers only."""
        hearsay, heard, named = addrs(3)
        self.peers.add([hearsay], "pex", 0.0)
        self.assertIsNone(self.peers.next(0.0, free=0.3))
        self.peers.add([heard], "tracker", 0.0)
        self.assertIsNone(self.peers.next(0.0, free=0.05))
        self.assertEqual(self.peers.next(0.0, free=0.3), heard)
        self.peers.add([named], "user", 0.0)
        self.assertEqual(self.peers.next(0.0, free=0.01), named)
        self.assertEqual(self.peers.next(0.0, free=0.5), hearsay)

    def test_byChance(self) -> None:
        """Those heard of together are dialled in an order that is nobody's."""
        heard = addrs(5)
        orders = set()
        for seed in range(20):
            self.peers = PeerList(Random(seed))
            self.peers.add(heard, "tracker", 0.0)
            orders.add(tuple(self.take(0.0)))
        self.assertGreater(len(orders), 10)
        self.assertTrue(all(sorted(order) == sorted(heard) for order in orders))

    def test_waits(self) -> None:
        """After a failure an address waits, longer each time, and after some it is forgotten."""
        (addr,) = addrs(1)
        self.peers.add([addr], "tracker", 0.0)
        now, waits = 0.0, []
        for _ in range(MAX_FAILURES):
            self.assertEqual(self.take(now), [addr])
            self.peers.ended(addr, now, useful=False)
            ready = self.peers.nextReadyAt()
            if ready is not None:
                waits.append(ready - now)
                self.assertIsNone(self.peers.next(ready - 0.1))
                now = ready
        self.assertEqual(len(waits), MAX_FAILURES - 1)
        self.assertTrue(0.8 * FIRST_RETRY <= waits[0] <= 1.2 * FIRST_RETRY)
        self.assertTrue(1.6 * FIRST_RETRY <= waits[1] <= 2.4 * FIRST_RETRY)
        self.assertNotIn(addr, self.peers)

    def test_metBefore(self) -> None:
        """Who was there once is tried for two hours: it may be our own network that is down."""
        (addr,) = addrs(1)
        self.peers.add([addr], "tracker", 0.0)
        self.take(0.0)
        self.peers.established(addr)
        self.peers.ended(addr, 0.0, useful=True)
        now, tries = 0.0, 0
        while (ready := self.peers.nextReadyAt()) is not None:
            now, tries = ready, tries + 1
            self.assertEqual(self.take(now), [addr])
            self.peers.ended(addr, now, useful=False)
        self.assertEqual(tries, MAX_FAILURES_MET)
        self.assertTrue(6000 < now < 12000)
        self.assertNotIn(addr, self.peers)

    def test_useful(self) -> None:
        """A session that was useful is no failure, and forgives those before."""
        (addr,) = addrs(1)
        self.peers.add([addr], "tracker", 0.0)
        now = 0.0
        for _ in range(10):
            self.take(now)
            self.peers.ended(addr, now, useful=False)
            now += 3 * WAIT
            self.assertEqual(self.take(now), [addr])
            self.peers.established(addr)
            self.peers.ended(addr, now, useful=True)
            now += WAIT
        self.assertEqual(self.take(now), [addr])

    def test_incoming(self) -> None:
        """One with whom there is a session is not dialled, until it ended."""
        (addr,) = addrs(1)
        self.peers.add([addr], "incoming", 0.0)
        self.peers.connected(addr)
        self.assertEqual(self.take(0.0), [])
        self.peers.ended(addr, 1.0, useful=True)
        self.assertEqual(self.take(1.0), [])
        self.assertEqual(self.take(1.0 + WAIT), [addr])

    def test_insisted(self) -> None:
        """One that waits is dialled at once if somebody insists; one that is connected is not."""
        (addr,) = addrs(1)
        self.peers.add([addr], "tracker", 0.0)
        self.take(0.0)
        self.peers.retryNow(addr, 1.0)
        self.assertEqual(self.take(1.0), [])
        self.peers.ended(addr, 2.0, useful=False)
        self.peers.retryNow(addr, 3.0)
        self.assertEqual(self.take(3.0), [addr])
        self.assertEqual(self.take(1000.0), [])

    def test_forgotten(self) -> None:
        """A forgotten address is not dialled, and may be heard of again."""
        (addr,) = addrs(1)
        self.peers.add([addr], "tracker", 0.0)
        self.peers.forget(addr)
        self.assertEqual(self.take(0.0), [])
        for call in (self.peers.connected, self.peers.established, self.peers.forget):
            call(addr)
        self.peers.ended(addr, 0.0, useful=False)
        self.peers.retryNow(addr, 0.0)
        self.assertEqual(len(self.peers), 0)
        self.peers.add([addr], "tracker", 1.0)
        self.assertEqual(self.take(1.0), [addr])

    def test_impossible(self) -> None:
        """What cannot be a peer is left out."""
        self.assertEqual(self.peers.add([PeerAddr("0.0.0.0", 1)], "tracker", 0.0), 0)
        self.assertEqual(len(self.peers), 0)

    def test_bounded(self) -> None:
        """A full list takes nobody new while none of its addresses failed."""
        self.assertEqual(self.peers.add(addrs(10_000), "tracker", 0.0), 5)
        self.assertEqual(len(self.peers), 5)
        self.assertLessEqual(len(self.take(0.0)), 5)

    def test_roomForOthers(self) -> None:
        """In a full list, the one that failed most makes room; not one that is connected."""
        first = addrs(5)
        self.peers.add(first, "tracker", 0.0)
        self.take(0.0)
        self.peers.ended(first[0], 0.0, useful=False)
        self.assertEqual(self.peers.add(addrs(2, start=100), "tracker", 1.0), 1)
        self.assertNotIn(first[0], self.peers)
        self.assertTrue(all(addr in self.peers for addr in first[1:]))


class GivingUpTests(SynchronousTestCase):
    """Addresses that fail."""

    def giveUp(self, peers: PeerList, addr: PeerAddr) -> float:
        """Dial C{addr} in vain until it is given up; when that is."""
        now = 0.0
        while (at := peers.nextReadyAt()) is not None:
            now = max(now, at)
            self.assertEqual(peers.next(now), addr)
            peers.ended(addr, now, useful=False)
        return now

    def test_givenUp(self) -> None:
        """An address given up is not believed of hearsay for a while, and has then one more chance."""
        (addr,) = addrs(1)
        peers = PeerList(Random(1))
        peers.add([addr], "pex", 0.0)
        now = self.giveUp(peers, addr)
        self.assertNotIn(addr, peers)
        self.assertEqual(peers.add([addr], "tracker", now + GIVEN_UP - 1), 0)
        now += GIVEN_UP
        self.assertEqual(peers.add([addr], "tracker", now), 1)
        self.assertEqual(peers.next(now), addr)
        peers.ended(addr, now, useful=False)
        self.assertNotIn(addr, peers)

    def test_alive(self) -> None:
        """Whoever comes to us, or is wanted by the user, is there again at once."""
        (addr,) = addrs(1)
        for source in ("incoming", "user", "lsd"):
            peers = PeerList(Random(1))
            peers.add([addr], "tracker", 0.0)
            now = self.giveUp(peers, addr)
            self.assertEqual(peers.add([addr], source, now), 1)
            known = peers.get(addr)
            assert known is not None
            self.assertEqual(known.failures, 0)

    def test_usersPeer(self) -> None:
        """The user's peer is never given up; the waits grow to an hour."""
        (addr,) = addrs(1)
        peers = PeerList(Random(1))
        peers.add([addr], "user", 0.0)
        now = 0.0
        for _ in range(2000):
            at = peers.nextReadyAt()
            assert at is not None
            self.assertLessEqual(at - now, 1.2 * MAX_RETRY)
            now = at
            self.assertEqual(peers.next(now), addr)
            peers.ended(addr, now, useful=False)
        self.assertGreater(now, 1900 * 0.8 * MAX_RETRY)

    def test_ports(self) -> None:
        """Of one public host so many ports are believed; of a private one all; who comes is believed."""
        peers = PeerList(Random(1))
        for host, count in (("8.8.8.8", MAX_PER_HOST), ("10.0.0.1", 100), ("::1", 100)):
            self.assertEqual(peers.add([PeerAddr(host, n) for n in range(1, 101)], "dht", 0.0), count)
        self.assertEqual(peers.add([PeerAddr("8.8.8.8", 101)], "incoming", 0.0), 1)
        for port in (*range(1, MAX_PER_HOST + 1), 101):
            peers.forget(PeerAddr("8.8.8.8", port))
        self.assertEqual(peers.add([PeerAddr("8.8.8.8", n) for n in range(1, 101)], "dht", 0.0), MAX_PER_HOST)

    def test_flood(self) -> None:
        """A list full of hearsay still takes those of better sources; one full of those takes no hearsay."""
        peers = PeerList(Random(1), limit=100)
        peers.add(addrs(100), "pex", 0.0)
        self.assertEqual(peers.add(addrs(150, 1000), "tracker", 0.0), 100)
        self.assertEqual(peers.add(addrs(100, 2000), "dht", 0.0), 0)
        self.assertEqual(peers.add(addrs(1, 3000), "user", 0.0), 1)
        self.assertEqual(len(peers), 100)


class ModelTests(SynchronousTestCase):
    """The list against what it should be, whatever happens."""

    def test_anyHistory(self) -> None:
        """No address is dialled while it is connected or waits, none is lost, and the list is bounded."""
        for seed in range(20):
            self._history(Random(seed))

    def _history(self, random: Random) -> None:
        limit = random.choice((5, 40, 400))
        peers, now = PeerList(random, limit), 0.0
        pool = addrs(random.choice((3, 50, 600)))
        busy: set[PeerAddr] = set()
        for _ in range(1500):
            now += random.choice((0.0, 1.0, 100.0))
            addr, what = random.choice(pool), random.randrange(8)
            if what < 2:
                peers.add(random.sample(pool, 3), random.choice(("pex", "tracker", "user", "incoming")), now)
            elif what == 2 and (found := peers.next(now, random.random() < 0.3)) is not None:
                known = peers.get(found)
                assert known is not None
                self.assertNotIn(found, busy)
                self.assertLessEqual(known.retryAt, now)
                busy.add(found)
            elif what == 3 and busy:
                done = random.choice(sorted(busy))
                busy.discard(done)
                peers.ended(done, now, random.random() < 0.3)
            elif what == 4:
                peers.markSeed(addr, random.random() < 0.5)
            elif what == 5:
                peers.retryNow(addr, now)
            elif what == 6 and addr not in busy and addr in peers:
                peers.connected(addr)
                busy.add(addr)
            elif what == 7 and random.random() < 0.1:
                peers.externalAddress(PeerAddr("8.8.8.8", random.randrange(1, 9)))
            self.assertLessEqual(len(peers), limit)
            self.assertEqual({known.addr for known in peers if known.connected}, busy)
        now += 2 * MAX_RETRY
        ready = {known.addr for known in peers} - busy
        found_ = set()
        while (last := peers.next(now)) is not None:
            found_.add(last)
        self.assertEqual(found_, ready)

    def test_manyOperations(self) -> None:
        """A full list does not slow down, nor do its queues grow, with what happens to it."""
        random = Random(1)
        peers = PeerList(random)
        everybody = addrs(MAX_PEERS)
        peers.add(everybody, "tracker", 0.0)
        for n in range(20_000):
            peers.retryNow(random.choice(everybody), float(n % 7))
        places = sum(len(queue._waiting) + len(queue._ready) for queue in (peers._leeches, peers._seeds))
        self.assertLessEqual(places, 3 * MAX_PEERS)
        self.assertLessEqual(len(peers._worst._places), 3 * MAX_PEERS)
