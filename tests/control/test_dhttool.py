"""Tests for L{twisted_bt.control.dhttool}.  With real nodes: C{tests.interop.test_frontdoor_magnets}."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.control import dhttool
from twisted_bt.control.dhttool import PATIENCE, getPeers, parseHash, ping, sample, withNode
from twisted_bt.control.options import HostPort
from twisted_bt.dht.messages import NodeInfo, Samples
from twisted_bt.dht.routing import K
from twisted_bt.dht.settings import DhtSettings
from twisted_bt.errors import KrpcError, KrpcSilence
from twisted_bt.torrent.addresses import PeerAddr

HASH = b"\x07" * 20
NODES = [PeerAddr("127.0.0.1", 1), PeerAddr("127.0.0.1", 2)]


class FakeNode(Service):
    """A node of the DHT that answers as a test says."""

    made: Any = None

    def __init__(self, reactor: object = None, random: object = None, settings: object = None) -> None:
        type(self).made = self
        self.settings = settings
        self.nodeCount = 1
        self.joined: Deferred[None] = succeed(None)
        self.search: Deferred[list[PeerAddr]] = Deferred()
        self.found: Callable[[Any], object] = lambda addresses: None
        self.asked: dict[PeerAddr, Deferred[Any]] = {}

    def whenJoined(self) -> Deferred[None]:
        return self.joined

    def getPeers(self, infoHash: bytes, found: Any) -> Deferred[list[PeerAddr]]:
        self.found = found
        return self.search

    def findNode(self, target: bytes) -> Deferred[list[NodeInfo]]:
        return succeed([NodeInfo(bytes(20), addr) for addr in NODES])

    def ping(self, addr: PeerAddr) -> Deferred[Any]:
        self.asked[addr] = Deferred()
        return self.asked[addr]

    sample = ping


class HashTests(SynchronousTestCase):
    """Which torrent is meant."""

    def test_forms(self) -> None:
        """A hash in digits or a magnet link."""
        for text in ("07" * 20, "magnet:?xt=urn:btih:" + "07" * 20, "a4dqobyh" * 4):
            self.assertEqual(parseHash(text), HASH)

    def test_refused(self) -> None:
        """Anything else is a ValueError."""
        for text in ("", "07", "magnet:?dn=x", "x" * 40):
            self.assertRaises(ValueError, parseHash, text)


class DhtToolTestCase(SynchronousTestCase):
    """A clock, a node, and what is printed."""

    def setUp(self) -> None:
        self.clock: Any = Clock()
        self.node: Any = FakeNode()
        self.out = StringIO()

    @property
    def lines(self) -> list[str]:
        """What was printed."""
        return self.out.getvalue().splitlines()

    def refused(self, work: Deferred[None]) -> str:
        """Why there was no result."""
        return str(self.failureResultOf(work, KrpcError).value)


class GetPeersTests(DhtToolTestCase):
    """C{get-peers}."""

    def get(self) -> Deferred[None]:
        """Search."""
        return Deferred.fromCoroutine(getPeers(self.node, self.clock, HASH, self.out))

    def test_atOnce(self) -> None:
        """Peers are printed as they come, one a line."""
        work = self.get()
        self.node.found([PeerAddr("1.2.3.4", 5), PeerAddr("::1", 6)])
        self.assertEqual(self.lines, ["1.2.3.4:5", "[::1]:6"])
        self.assertNoResult(work)
        self.node.search.callback([])
        self.successResultOf(work)

    def test_none(self) -> None:
        """No peers are an error, and so is nobody to ask."""
        work = self.get()
        self.node.search.callback([])
        self.assertEqual(self.refused(work), "no peers found")
        self.node.nodeCount = 0
        self.assertIn("--bootstrap", self.refused(self.get()))

    def test_joining(self) -> None:
        """The search begins with many nodes at once, with one after a moment, and not with none."""
        for count, seconds in ((K, 0.0), (1, PATIENCE), (0, None)):
            self.node.joined, self.node.search, self.node.nodeCount = Deferred(), Deferred(), 0
            work = self.get()
            self.node.nodeCount = count
            began = self.clock.seconds()
            for _ in range(50):
                self.clock.advance(0.1)
                if self.node.joined.called:
                    break
            self.assertEqual(self.node.joined.called, seconds is not None)
            if seconds is not None:
                self.assertLess(self.clock.seconds() - began, seconds + 0.2)
            work.cancel()
            self.failureResultOf(work, CancelledError)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cutJoining(self) -> None:
        """To be cut short before the search is no reason to begin it."""
        self.node.joined = Deferred()
        work = self.get()
        work.cancel()
        self.failureResultOf(work, CancelledError)

    def test_cut(self) -> None:
        """A search that is cut short has a result if it has peers."""
        work = self.get()
        self.node.found([PeerAddr("1.2.3.4", 5)])
        work.cancel()
        self.successResultOf(work)
        self.node.search = Deferred()
        work = self.get()
        work.cancel()
        self.failureResultOf(work, CancelledError)


class PingTests(DhtToolTestCase):
    """C{ping}."""

    def setUp(self) -> None:
        super().setUp()
        self.addresses = NODES
        self.patch(dhttool, "resolve", lambda *args: succeed(self.addresses))

    def ping(self) -> Deferred[None]:
        """Ping a name of two addresses."""
        return Deferred.fromCoroutine(ping(self.node, self.clock, HostPort("host", 1), self.out))

    def test_answer(self) -> None:
        """Who answers is printed with id and time; one answer is enough."""
        work = self.ping()
        self.clock.advance(0.25)
        self.node.asked[NODES[1]].callback(HASH)
        self.node.asked[NODES[0]].errback(KrpcSilence("no answer"))
        self.successResultOf(work)
        self.assertEqual(self.lines, [f"127.0.0.1:2 {HASH.hex()} 250 ms"])

    def test_silence(self) -> None:
        """No answer is an error."""
        work = self.ping()
        for each in self.node.asked.values():
            each.errback(KrpcSilence("no answer"))
        self.assertEqual(self.refused(work), "no answer")
        self.assertEqual(self.lines, [])

    def test_noName(self) -> None:
        """So is a name without an address."""
        self.addresses = []
        self.assertEqual(self.refused(self.ping()), "host:1: the name is not known")


class SampleTests(DhtToolTestCase):
    """C{sample}."""

    def sample(self, asked: HostPort | None) -> Deferred[None]:
        """Ask for samples."""
        return Deferred.fromCoroutine(sample(self.node, self.clock, asked, self.out))

    def test_near(self) -> None:
        """Those near a random place are asked, and what they give is printed once."""
        work = self.sample(None)
        other = bytes(20)
        self.node.asked[NODES[0]].callback(Samples((HASH,), 1, 0, ()))
        self.node.asked[NODES[1]].callback(Samples((HASH, other), 2, 0, ()))
        self.successResultOf(work)
        self.assertEqual(self.lines, [HASH.hex(), other.hex()])

    def test_one(self) -> None:
        """A node that was named is asked alone; that it knows nothing is an error."""
        work = self.sample(HostPort("127.0.0.1", 1))
        self.assertEqual(list(self.node.asked), NODES[:1])
        self.node.asked[NODES[0]].callback(Samples((), 0, 0, ()))
        self.assertIn("no info-hash", self.refused(work))


class WithNodeTests(DhtToolTestCase):
    """A node for as long as it is needed."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(dhttool, "DhtNode", FakeNode)
        self.work: Deferred[None] = Deferred()

    def run_(self) -> Deferred[None]:
        """Do something with a node."""

        async def work(node: Any, reactor: object) -> None:
            self.assertTrue(node.running)
            await self.work

        return Deferred.fromCoroutine(withNode(self.clock, DhtSettings(), 10.0, work))

    def tearDown(self) -> None:
        """It is stopped then, and no timer is left."""
        self.assertFalse(FakeNode.made.running)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_done(self) -> None:
        """What is done in time is done."""
        running = self.run_()
        self.work.callback(None)
        self.successResultOf(running)

    def test_late(self) -> None:
        """What is not is an error."""
        running = self.run_()
        self.clock.advance(10.0)
        self.assertEqual(self.refused(running), "no answer within 10 seconds")
