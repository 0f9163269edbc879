"""Tests of L{twisted_bt.discovery.dialorder}: who is dialled before whom."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.discovery.peers import addrs
from twisted_bt.discovery.peerlist import PeerList
from twisted_bt.discovery.priority import peerPriority
from twisted_bt.torrent.addresses import PeerAddr


class OrderTests(SynchronousTestCase):
    """Who is dialled first."""

    def setUp(self) -> None:
        """An empty list."""
        self.peers = PeerList(Random(1))

    def take(self, now: float, seeding: bool = False) -> list[PeerAddr]:
        """All that are ready."""
        taken = []
        while (addr := self.peers.next(now, seeding)) is not None:
            taken.append(addr)
        return taken

    def test_sources(self) -> None:
        """The user's peer first, then neighbours, then those whom somebody has checked, then hearsay."""
        heard = addrs(6)
        for addr, source in zip(heard, ("dht", "tracker", "pex", "lsd", "user", "incoming"), strict=True):
            self.peers.add([addr], source, 0.0)
        order = self.take(0.0)
        self.assertEqual(order[:2], [heard[4], heard[3]])
        self.assertEqual(set(order[2:4]), {heard[1], heard[5]})
        self.assertEqual(set(order[4:]), {heard[0], heard[2]})

    def test_bestSource(self) -> None:
        """The best of an address's sources counts, and all of them are remembered."""
        first, second = addrs(2)
        self.peers.add([first], "tracker", 0.0)
        self.peers.add([second], "pex", 0.0)
        self.peers.add([second], "user", 0.0)
        known = self.peers.get(second)
        assert known is not None
        self.assertEqual(known.sources, {"pex", "user"})
        self.assertEqual(self.take(0.0), [second, first])

    def test_farNeighbour(self) -> None:
        """A public address does not become a neighbour's because it came by local discovery."""
        far, told = PeerAddr("8.8.8.8", 1), addrs(1)[0]
        self.peers.add([far], "lsd", 0.0)
        self.peers.add([told], "tracker", 0.0)
        self.assertEqual(self.take(0.0), [told, far])

    def test_priority(self) -> None:
        """Of peers from equal sources the highest canonical priority goes first, once we know who we are."""
        four = PeerAddr("123.213.32.10", 6881)
        six = PeerAddr("2001:470::1", 6881)
        heard = addrs(50) + [PeerAddr(f"2001:db8::{n:x}", 1) for n in range(1, 50)]
        self.peers.add(heard[::2], "tracker", 0.0)
        self.peers.externalAddress(four)
        self.peers.externalAddress(six)
        self.peers.add(heard[1::2], "tracker", 0.0)
        order = [peerPriority(six if addr.isIPv6 else four, addr) for addr in self.take(0.0)]
        self.assertEqual(len(order), len(heard))
        self.assertEqual(order, sorted(order, reverse=True))

    def test_failuresLast(self) -> None:
        """Who failed goes after who did not, whatever its priority."""
        heard = addrs(10)
        self.peers.add(heard[:5], "tracker", 0.0)
        for addr in self.take(0.0):
            self.peers.ended(addr, 0.0, useful=False)
        self.peers.add(heard[5:], "tracker", 1000.0)
        self.assertEqual(set(self.take(1000.0)[:5]), set(heard[5:]))

    def test_seeds(self) -> None:
        """A seed does not dial seeds; a leech dials them in their turn."""
        heard = addrs(4)
        self.peers.add(heard, "pex", 0.0)
        for addr in heard[:3]:
            self.peers.markSeed(addr)
        self.peers.markSeed(heard[2], seed=False)
        self.peers.markSeed(PeerAddr("1.1.1.1", 1))
        self.assertEqual(set(self.take(0.0, seeding=True)), set(heard[2:]))
        self.assertIsNone(self.peers.nextReadyAt(seeding=True))
        self.assertEqual(self.peers.nextReadyAt(), 0.0)
        self.assertEqual(set(self.take(0.0)), set(heard[:2]))

    def test_seedsInOrder(self) -> None:
        """To a leech a seed is a peer like others: the order is the same."""
        ours = PeerAddr("123.213.32.10", 6881)
        heard = addrs(40)
        self.peers.externalAddress(ours)
        self.peers.add(heard, "tracker", 0.0)
        for addr in heard[::2]:
            self.peers.markSeed(addr)
        order = [peerPriority(ours, addr) for addr in self.take(0.0)]
        self.assertEqual(len(order), len(heard))
        self.assertEqual(order, sorted(order, reverse=True))

    def test_insistedFirst(self) -> None:
        """Whom somebody insists on goes before all others."""
        heard = addrs(20)
        self.peers.add(heard, "tracker", 0.0)
        self.peers.retryNow(heard[7], 0.0)
        self.assertEqual(self.take(0.0)[0], heard[7])

    def test_own(self) -> None:
        """We are not dialled: not where we know that we are, and not where we find out later."""
        own: dict[PeerAddr, None] = {}
        self.peers = PeerList(Random(1), own=own)
        heard = addrs(4)
        own[heard[0]] = None
        self.assertEqual(self.peers.add(heard, "tracker", 0.0), 3)
        own[heard[1]] = None
        self.peers.externalAddress(heard[2])
        self.assertEqual(self.peers.add([heard[2]], "pex", 0.0), 0)
        self.assertEqual(self.take(0.0), [heard[3]])
        self.assertEqual(len(self.peers), 1)
