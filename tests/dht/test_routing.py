"""Tests of the routing table."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.dht.messages import NodeInfo, decodeNodes
from twisted_bt.dht.nodeid import distance, idWithPrefix, packed, secureId, sharedBits
from twisted_bt.dht.routing import FRESH, GONE_FAILURES, MAX_FAILURES, K, RoutingTable
from twisted_bt.torrent.addresses import PeerAddr

OWN = bytes(20)


def node(number: int, nodeId: bytes) -> NodeInfo:
    """One at an address of its own, on our own network."""
    return NodeInfo(nodeId, PeerAddr(f"10.0.{number >> 8}.{number & 255}", 1000 + number))


class TableTestCase(SynchronousTestCase):
    """A table for C{OWN}, and nodes for its buckets."""

    def setUp(self) -> None:
        self.random = Random(1)
        self.table = RoutingTable(OWN, 0.0)
        self.made = 0

    def node(self, depth: int) -> NodeInfo:
        """A new one that shares so many bits with us."""
        self.made += 1
        return node(self.made, idWithPrefix(OWN, depth, self.random))

    def fill(self, depth: int, count: int = K, now: float = 0.0) -> list[NodeInfo]:
        """So many new ones answer."""
        made = [self.node(depth) for _ in range(count)]
        for each in made:
            self.table.answered(each, now)
        return made

    def deepen(self, now: float = 0.0) -> None:
        """Have the farthest bucket be one that is not split any more."""
        self.fill(1, 5, now)
        self.fill(2, 5, now)


class BucketTests(TableTestCase):
    """Who comes in, and who stays."""

    def test_onlyNearIsSplit(self) -> None:
        """Far from us eight are kept; near us all, in buckets that part."""
        self.fill(0, 20)
        self.fill(5, 6)
        self.assertEqual(self.table.bucketSizes()[0], K)
        self.assertEqual(len(self.table), K + 6)
        self.fill(3, 6)
        self.assertEqual(len(self.table), K + 12)
        self.assertGreater(self.table.depth, 3)

    def test_ourselves(self) -> None:
        """We are not in our own table."""
        self.table.answered(node(1, OWN), 0.0)
        self.assertEqual(len(self.table), 0)

    def test_goodStay(self) -> None:
        """A full bucket of good ones takes nobody; the newcomer waits until one of them is bad."""
        self.deepen()
        old = self.fill(0)
        new = self.node(0)
        self.assertIsNone(self.table.answered(new, 1.0))
        self.assertIsNone(self.table.find(new.id))
        for _ in range(MAX_FAILURES):
            self.table.failed(old[3].addr, 2.0)
        self.assertIsNone(self.table.find(old[3].id))
        self.assertIsNotNone(self.table.find(new.id))

    def test_latestReplaces(self) -> None:
        """Of those that wait the one that came last takes the place."""
        self.deepen()
        old = self.fill(0)
        waiting = self.fill(0, 3, 1.0)
        for _ in range(MAX_FAILURES):
            self.table.failed(old[0].addr, 2.0)
        there = [each.id for each in waiting if self.table.find(each.id)]
        self.assertEqual(there, [waiting[-1].id])

    def test_spareThatIsThereAlready(self) -> None:
        """One that waits twice comes in once."""
        self.deepen()
        old = self.fill(0)
        new = self.node(0)
        for _ in range(3):
            self.table.answered(new, 1.0)
        for each in old[:2]:
            for _ in range(MAX_FAILURES):
                self.table.failed(each.addr, 2.0)
        self.assertEqual(self.table.bucketSizes()[0], K)
        self.assertEqual(sum(each.node == new for each in self.table), 1)

    def test_questionableIsPinged(self) -> None:
        """A newcomer to a full bucket names the one that was silent for longest; an answer saves it."""
        self.deepen()
        old = self.fill(0)
        for each in old[1:]:
            self.table.asked(each, FRESH)
        new = self.node(0)
        self.assertEqual(self.table.answered(new, FRESH + 1), old[0])
        self.table.answered(old[0], FRESH + 2)
        self.assertIsNone(self.table.answered(new, FRESH + 3))

    def test_badGivesWay(self) -> None:
        """A newcomer takes the place of one that is bad at once."""
        self.deepen()
        old = self.fill(0)
        for _ in range(MAX_FAILURES):
            self.table.failed(old[2].addr, 1.0)
        self.assertIsNotNone(self.table.find(old[2].id))  # with nobody to replace it
        new = self.node(0)
        self.table.answered(new, 2.0)
        self.assertIsNone(self.table.find(old[2].id))
        self.assertIsNotNone(self.table.find(new.id))

    def test_answerHeals(self) -> None:
        """Who answers again begins anew."""
        (only,) = self.fill(0, 1)
        for _ in range(MAX_FAILURES - 1):
            self.table.failed(only.addr, 1.0)
        self.assertEqual(self.table.closest(OWN), [])
        self.table.answered(only, 2.0)
        self.assertEqual([each.node for each in self.table.closest(OWN)], [only])

    def test_gone(self) -> None:
        """Who never answers goes in the end, even with nobody to replace it."""
        (only,) = self.fill(0, 1)
        for _ in range(GONE_FAILURES):
            self.assertEqual(len(self.table), 1)
            self.table.failed(only.addr, 1.0)
        self.assertEqual(len(self.table), 0)

    def test_stranger(self) -> None:
        """The failure of somebody who is not there is nothing."""
        self.table.failed(PeerAddr("10.9.9.9", 9), 1.0)
        self.table.mistaken(node(7, b"x" * 20))

    @settings(derandomize=True, deadline=None, max_examples=60)
    @given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 60), st.booleans()), max_size=300))
    def test_anyOrder(self, events: list[tuple[int, int, bool]]) -> None:
        """Whoever answers or fails in whatever order: no bucket is too full, all is where it belongs."""
        random = Random(2)
        table = RoutingTable(OWN, 0.0)
        nodes = [node(number, idWithPrefix(OWN, number % 12, random)) for number in range(61)]
        for now, (depth, number, answers) in enumerate(events):
            if answers:
                table.answered(nodes[number], float(now * depth))
            else:
                table.failed(nodes[number].addr, float(now))
        self.assertTrue(all(size <= K for size in table.bucketSizes()))
        self.assertEqual(sum(table.bucketSizes()), len(table))
        for contact in table:
            place = min(sharedBits(OWN, contact.node.id), table.depth - 1)
            self.assertIn(contact, table._buckets[place].contacts)
            self.assertEqual(table.idAt(contact.node.addr), contact.node.id)


class IdentityTests(TableTestCase):
    """Ids and addresses that claim one another."""

    def test_anotherAddress(self) -> None:
        """A known id from another address changes nothing while the one we know is good."""
        (known,) = self.fill(0, 1)
        thief = NodeInfo(known.id, PeerAddr("10.7.7.7", 7))
        self.assertIsNone(self.table.answered(thief, 1.0))
        self.assertFalse(self.table.asked(thief, 1.0))
        self.assertEqual([each.node for each in self.table], [known])

    def test_anotherAddressLater(self) -> None:
        """If the one we know was silent for long, it is pinged."""
        (known,) = self.fill(0, 1)
        moved = NodeInfo(known.id, PeerAddr("10.7.7.7", 7))
        self.assertEqual(self.table.answered(moved, FRESH + 1), known)

    def test_anotherId(self) -> None:
        """A node that answers under a new id loses its old one."""
        (known,) = self.fill(0, 1)
        again = NodeInfo(idWithPrefix(OWN, 3, self.random), known.addr)
        self.table.answered(again, 1.0)
        self.assertEqual([each.node for each in self.table], [again])

    def test_mistaken(self) -> None:
        """An id whose address answers under another one is dropped."""
        (known,) = self.fill(0, 1)
        self.table.mistaken(NodeInfo(known.id, PeerAddr("10.7.7.7", 7)))
        self.assertEqual(len(self.table), 1)
        self.table.mistaken(known)
        self.assertEqual(len(self.table), 0)

    def test_asking(self) -> None:
        """A node that asks is worth a ping if there is room; asking alone brings nobody in."""
        new = self.node(0)
        self.assertTrue(self.table.asked(new, 0.0))
        self.assertEqual(len(self.table), 0)
        self.deepen()
        self.fill(0)
        self.assertFalse(self.table.asked(self.node(0), 1.0))
        self.assertTrue(self.table.asked(self.node(20), 1.0))


class SecureTests(SynchronousTestCase):
    """BEP 42 in the table."""

    def setUp(self) -> None:
        self.random = Random(1)
        self.table = RoutingTable(OWN, 0.0)

    def _info(self, host: str, port: int = 1, secure: bool = True) -> NodeInfo:
        made = secureId(packed(host), self.random) if secure else self.random.randbytes(20)
        return NodeInfo(made, PeerAddr(host, port))

    def test_idMustFit(self) -> None:
        """A node out in the world whose id does not fit its address stays outside."""
        wrong = self._info("8.8.8.8", secure=False)
        self.assertFalse(self.table.asked(wrong, 0.0))
        self.table.answered(wrong, 0.0)
        self.assertEqual(len(self.table), 0)
        right = self._info("8.8.8.8")
        self.assertTrue(self.table.asked(right, 0.0))
        self.table.answered(right, 0.0)
        self.assertEqual(len(self.table), 1)

    def test_oneForAnAddress(self) -> None:
        """An address is there once, whatever its ports; and again after it went."""
        first, second = self._info("8.8.8.8", 1), self._info("8.8.8.8", 2)
        self.table.answered(first, 0.0)
        self.table.answered(second, 0.0)
        self.assertFalse(self.table.hasRoom(second))
        self.assertEqual([each.node for each in self.table], [first])
        for _ in range(GONE_FAILURES):
            self.table.failed(first.addr, 1.0)
        self.table.answered(second, 2.0)
        self.assertEqual([each.node for each in self.table], [second])

    def test_oneForANeighbourhood(self) -> None:
        """A bucket has one of each /24."""
        self.table.answered(self._info("8.8.8.8"), 0.0)
        self.table.answered(self._info("8.8.8.9"), 0.0)
        self.table.answered(self._info("8.8.9.9"), 0.0)
        self.assertEqual(len(self.table), 2)

    def test_off(self) -> None:
        """Without it anybody comes in."""
        table = RoutingTable(OWN, 0.0, secure=False)
        for port in (1, 2):
            table.answered(self._info("8.8.8.8", port, secure=False), 0.0)
        self.assertEqual(len(table), 2)


class ClosestTests(TableTestCase):
    """Whom we name."""

    def setUp(self) -> None:
        super().setUp()
        for depth in (9, 6, 5, 4, 3, 2, 1, 0):
            self.fill(depth, 6 if depth % 3 else 3)

    def test_nearest(self) -> None:
        """For any target the nearest of all, in order."""
        nodes = [contact.node for contact in self.table]
        for _ in range(200):
            target = idWithPrefix(OWN, self.random.randrange(20), self.random)
            nearest = sorted(nodes, key=lambda each: distance(each.id, target))[:K]
            self.assertEqual([each.node for each in self.table.closest(target)], nearest)

    def test_packed(self) -> None:
        """As they go into an answer they are the same, in any order; also the second time."""
        for _ in range(100):
            target = idWithPrefix(OWN, self.random.randrange(12), self.random)
            named = decodeNodes(self.table.closestPacked(target))
            self.assertEqual(set(named), {each.node for each in self.table.closest(target)})

    def test_packedChanges(self) -> None:
        """One that leaves a query unanswered is no longer named, and again once it answers."""
        self.fill(0)
        target = idWithPrefix(OWN, 0, self.random)
        first = decodeNodes(self.table.closestPacked(target))[0]
        self.table.failed(first.addr, 1.0)
        self.assertNotIn(first, decodeNodes(self.table.closestPacked(target)))
        self.table.answered(first, 2.0)
        self.assertIn(first, decodeNodes(self.table.closestPacked(target)))

    def test_more(self) -> None:
        """As many as are asked for, if there are so many."""
        self.assertEqual(len(self.table.closest(OWN, 20)), 20)
        self.assertEqual(len(self.table.closest(OWN, 1000)), len(self.table))


class UpkeepTests(TableTestCase):
    """What time asks for."""

    def test_questionable(self) -> None:
        """The one that was silent for longest is to be pinged, once that is fifteen minutes."""
        first, second = self.fill(0, 1, 0.0)[0], self.fill(0, 1, 10.0)[0]
        self.assertIsNone(self.table.questionable(FRESH - 1))
        self.assertEqual(self.table.questionable(FRESH), first)
        self.table.asked(first, FRESH)
        self.assertEqual(self.table.questionable(FRESH + 10), second)

    def test_refresh(self) -> None:
        """A bucket that did not change for fifteen minutes is looked for once, with an id that is in it."""
        self.deepen()
        self.fill(0, 1, 100.0)
        self.assertIsNone(self.table.refreshTarget(FRESH - 1, self.random))
        targets = []
        while (target := self.table.refreshTarget(FRESH + 50, self.random)) is not None:
            targets.append(target)
        depths = sorted(min(sharedBits(OWN, target), self.table.depth - 1) for target in targets)
        self.assertEqual(depths, list(range(1, self.table.depth)))

    def test_gaps(self) -> None:
        """After joining the buckets with room are looked for, but not those nearer than our neighbours."""
        self.fill(12, 9)
        self.fill(3, 2)
        self.fill(0, 8)
        depths = [sharedBits(OWN, target) for target in self.table.gapTargets(self.random)]
        self.assertEqual(depths, list(range(1, 12)))
        self.assertEqual(RoutingTable(OWN, 0.0).gapTargets(self.random), [])
