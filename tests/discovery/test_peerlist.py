"""Tests of L{twisted_bt.discovery.peerlist}."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.discovery.peerlist import FIRST_RETRY, MAX_FAILURES, PeerList, dialable
from twisted_bt.torrent.addresses import PeerAddr

#: More than the first wait can be, and less than the second.
WAIT = FIRST_RETRY * 1.2


def addrs(count: int, start: int = 1) -> list[PeerAddr]:
    """C{count} addresses."""
    return [PeerAddr(f"10.0.{number >> 8}.{number & 255}", 6881) for number in range(start, start + count)]


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
