"""Tests of the search itself."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.dht.lookup import ALPHA, Candidate, Lookup
from twisted_bt.dht.messages import NodeInfo
from twisted_bt.dht.nodeid import distance, idWithPrefix, packed, secureId
from twisted_bt.torrent.addresses import PeerAddr

TARGET = bytes(20)


def local(number: int, shared: int, random: Random) -> NodeInfo:
    """A node on our own network that shares so many bits with the target."""
    addr = PeerAddr(f"10.0.{number >> 8}.{number & 255}", 6881)
    return NodeInfo(idWithPrefix(TARGET, shared, random), addr)


class LookupTests(SynchronousTestCase):
    """Whom a search asks, and when it ends."""

    def setUp(self) -> None:
        self.random = Random(1)
        self.lookup = Lookup(TARGET, b"o" * 20)

    def nodes(self, count: int, shared: int = 0, first: int = 1) -> list[NodeInfo]:
        """So many."""
        return [local(first + number, shared, self.random) for number in range(count)]

    def answer(self, candidate: Candidate, nodes: list[NodeInfo] | None = None) -> None:
        """C{candidate} answers."""
        assert candidate.id is not None
        self.lookup.answered(candidate, candidate.id, nodes or [], b"token")

    def test_nobody(self) -> None:
        """With nobody to ask it is over."""
        self.assertEqual(self.lookup.toAsk(), [])
        self.assertTrue(self.lookup.finished)

    def test_nearestFirst(self) -> None:
        """The nearest are asked first, so many at a time."""
        nodes = self.nodes(20)
        self.lookup.offer(nodes)
        asked = [candidate.id for candidate in self.lookup.toAsk()]
        nearest = sorted((node.id for node in nodes), key=lambda each: distance(each, TARGET))
        self.assertEqual(asked, nearest[:ALPHA])
        self.assertEqual(self.lookup.toAsk(), [])
        self.assertFalse(self.lookup.finished)

    def test_whole(self) -> None:
        """In a network where everybody knows those a bit nearer it ends with the nearest of all."""
        everybody = {depth: self.nodes(12, depth, 100 * depth) for depth in range(10)}
        shared = {node.id: depth for depth, nodes in everybody.items() for node in nodes}
        self.lookup.offer(everybody[0])
        while chosen := self.lookup.toAsk():
            for candidate in chosen:
                assert candidate.id is not None
                self.answer(candidate, everybody.get(shared[candidate.id] + 1))
        self.assertTrue(self.lookup.finished)
        nearest = sorted(everybody[9], key=lambda node: distance(node.id, TARGET))[:8]
        self.assertEqual([candidate.id for candidate in self.lookup.closest()], [node.id for node in nearest])
        self.assertEqual(self.lookup.hops, 9)
        self.assertLess(self.lookup.asked, 70)

    def test_slow(self) -> None:
        """One that takes long makes room for another, and counts if it answers in the end."""
        self.lookup.offer(self.nodes(ALPHA + 1))
        first, *_ = self.lookup.toAsk()
        self.lookup.slow(first)
        self.assertEqual(len(self.lookup.toAsk()), 1)
        self.answer(first)
        self.assertIn(first, self.lookup.closest())

    def test_waitsForSlow(self) -> None:
        """Slow ones are waited for where too few answered, and not where enough did."""
        self.lookup.offer(self.nodes(9))
        asked = self.lookup.toAsk()
        slow = asked.pop()
        self.lookup.slow(slow)
        while asked:
            for candidate in asked[:-1]:
                self.answer(candidate)
            self.assertFalse(self.lookup.finished)
            self.answer(asked[-1])
            asked = self.lookup.toAsk()
        self.assertEqual(len(self.lookup.closest()), 8)
        self.assertTrue(self.lookup.finished)
        self.lookup.failed(slow)
        self.assertTrue(self.lookup.finished)

    def test_fewWaits(self) -> None:
        """With too few answers it ends when the last slow one failed."""
        self.lookup.offer(self.nodes(2))
        one, other = self.lookup.toAsk()
        self.answer(one)
        self.lookup.slow(other)
        self.assertFalse(self.lookup.finished)
        self.lookup.failed(other)
        self.assertTrue(self.lookup.finished)
        self.assertEqual(self.lookup.closest(), [one])

    def test_onceEach(self) -> None:
        """An id or an address that is known already is not taken again, nor are we."""
        (node,) = self.nodes(1)
        other = PeerAddr("10.9.9.9", 9)
        self.lookup.offer(
            [node, NodeInfo(node.id, other), NodeInfo(b"x" * 20, node.addr), NodeInfo(b"o" * 20, other)]
        )
        self.assertEqual([candidate.addr for candidate in self.lookup.toAsk()], [node.addr])

    def test_unknownId(self) -> None:
        """A node of which the address alone is known is asked last, and takes its place when it answers."""
        self.lookup.offerAddresses([PeerAddr("10.9.9.9", 9)])
        self.lookup.offer(self.nodes(3))
        *_, router = self.lookup.toAsk()
        self.assertIsNone(router.id)
        nearest = idWithPrefix(TARGET, 50, self.random)
        self.lookup.answered(router, nearest, [])
        self.assertEqual([candidate.id for candidate in self.lookup.closest()], [nearest])

    def test_greedy(self) -> None:
        """One answer adds no more than sixteen; however much others say, so many are asked and no more."""
        self.lookup.offer(self.nodes(1))
        self.answer(self.lookup.toAsk()[0], self.nodes(100, 10, 10))
        self.assertEqual(len(self.lookup._candidates), 17)
        number = 1000
        while chosen := self.lookup.toAsk():
            for candidate in chosen:
                number += 16
                depth = min(150, 10 + number // 100)
                self.answer(candidate, self.nodes(16, depth, number))
            self.assertLess(number, 10_000)
        self.assertTrue(self.lookup.finished)
        self.assertLessEqual(len(self.lookup._candidates), 400)

    def test_near(self) -> None:
        """Worth asking twice are those with less than eight nearer ones that did not fail."""
        nodes = sorted(self.nodes(9), key=lambda node: distance(node.id, TARGET))
        self.lookup.offer(nodes)
        first, last = self.lookup._candidates[0], self.lookup._candidates[-1]
        self.assertTrue(self.lookup.isNear(first))
        self.assertFalse(self.lookup.isNear(last))
        self.lookup.failed(first)
        self.assertTrue(self.lookup.isNear(last))


class SecureTests(SynchronousTestCase):
    """BEP 42 in a search."""

    def setUp(self) -> None:
        self.random = Random(1)
        self.target = self.random.randbytes(20)

    def _honest(self, count: int) -> list[NodeInfo]:
        hosts = [f"8.{number}.1.1" for number in range(count)]
        return [NodeInfo(secureId(packed(host), self.random), PeerAddr(host, 1)) for host in hosts]

    def _made(self, count: int) -> list[NodeInfo]:
        return [
            NodeInfo(idWithPrefix(self.target, 60, self.random), PeerAddr(f"9.{number}.1.1", 1))
            for number in range(count)
        ]

    def askAll(self, lookup: Lookup) -> list[NodeInfo]:
        asked = []
        while chosen := lookup.toAsk():
            for candidate in chosen:
                assert candidate.id is not None
                asked.append(NodeInfo(candidate.id, candidate.addr))
                lookup.answered(candidate, candidate.id, [], b"t")
        self.assertTrue(lookup.finished)
        return asked

    def test_madeUpIds(self) -> None:
        """Ids that do not fit: a few are asked, none of them is among the nearest."""
        honest, made = self._honest(30), self._made(100)
        lookup = Lookup(self.target)
        lookup.offer(honest + made)
        asked = self.askAll(lookup)
        self.assertEqual(sum(node in made for node in asked), 8)
        nearest = sorted(honest, key=lambda node: distance(node.id, self.target))[:8]
        self.assertEqual([each.id for each in lookup.closest()], [node.id for node in nearest])

    def test_off(self) -> None:
        """Without BEP 42 they are the nearest."""
        lookup = Lookup(self.target, secure=False)
        made = self._made(100)
        lookup.offer(self._honest(30) + made)
        self.askAll(lookup)
        self.assertTrue({each.id for each in lookup.closest()} <= {node.id for node in made})

    def test_oneForAnAddress(self) -> None:
        """An address out in the world has one voice, whatever its ports; and no false id takes it away."""
        host = "8.8.8.8"
        real = NodeInfo(secureId(packed(host), self.random), PeerAddr(host, 1))
        again = NodeInfo(secureId(packed(host), self.random), PeerAddr(host, 2))
        false = NodeInfo(idWithPrefix(self.target, 60, self.random), PeerAddr(host, 1))
        lookup = Lookup(self.target)
        lookup.offer([false, real, again])
        self.assertEqual(self.askAll(lookup), [false, real])

    def test_routerThatDoesNotFit(self) -> None:
        """A node whose id was not known is judged when it tells it."""
        lookup = Lookup(self.target)
        lookup.offerAddresses([PeerAddr("8.8.8.8", 1)])
        (router,) = lookup.toAsk()
        lookup.answered(router, idWithPrefix(self.target, 60, self.random), self._honest(1))
        self.assertEqual(lookup.closest(), [])
        self.assertEqual(len(lookup.toAsk()), 1)
