"""Tests of nodes among nodes."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from tests.dht.net import PORT, World
from tests.sim.dhtnet import SimReactor
from tests.tracker.names import Names
from twisted_bt.dht.krpc import decodeMessage, encodeResponse
from twisted_bt.dht.messages import NodeInfo, Response
from twisted_bt.dht.nodeid import isSecure, packed
from twisted_bt.dht.service import DhtNode
from twisted_bt.dht.settings import DhtSettings
from twisted_bt.dht.state import DhtState
from twisted_bt.errors import KrpcError, KrpcSilence, SessionStopped
from twisted_bt.torrent.addresses import PeerAddr

HASH = b"h" * 20


class WorldTestCase(SynchronousTestCase):
    """A network; nothing is left of it when all are stopped."""

    def setUp(self) -> None:
        self.world = World()
        self.net = self.world.net

    def tearDown(self) -> None:
        self.assertEqual(self.world.stop(), [])


class JoinTests(WorldTestCase):
    """How a node becomes one of many."""

    def test_fromOne(self) -> None:
        """Each that joined through one other knows many, and is found by any of them."""
        nodes = self.world.grow(30)
        self.assertGreater(min(node.nodeCount for node in nodes), 12)
        for node in nodes[:10]:
            found = self.net.result(nodes[-1].findNode(node.nodeId))
            if node is not nodes[-1]:
                self.assertEqual(found[0].id, node.nodeId)

    def test_whenJoined(self) -> None:
        """It says when it has joined, and at once if it has."""
        self.world.grow(5)
        node = self.world.node()
        joined = node.whenJoined()
        self.assertNoResult(joined)
        self.net.result(joined)
        self.assertGreater(node.nodeCount, 0)
        self.successResultOf(node.whenJoined())

    def test_nobody(self) -> None:
        """With nobody to ask it has joined at once; it tries again, less and less often."""
        node = self.world.node()
        self.successResultOf(node.whenJoined())
        self.assertEqual(node.nodeCount, 0)
        lonely = self.world.node(routers=(("9.9.9.9", 9),))
        self.net.advance(3600.0)
        self.assertLess(self.net.sent, 60)
        self.assertGreater(self.net.sent, 8)
        lonely.addNode(next(iter(self.world.nodes)), PORT)
        self.net.advance(60.0)
        self.assertEqual(lonely.nodeCount, 1)

    def test_saved(self) -> None:
        """With its state it joins without a router, under its id."""
        self.world.grow(12)
        host, node = list(self.world.nodes.items())[3]
        self.net.result(node.stopService())
        again = self.world.node(host, node.state(), routers=())
        self.net.advance(30.0)
        self.assertEqual(again.nodeId, node.nodeId)
        self.assertGreater(again.nodeCount, 6)

    def test_startedAgain(self) -> None:
        """The same service goes on where it stopped."""
        *_, node = self.world.grow(12)
        nodeId = node.nodeId
        self.net.result(node.stopService())
        node.startService()
        self.net.advance(30.0)
        self.assertEqual(node.nodeId, nodeId)
        self.assertGreater(node.nodeCount, 6)

    def test_stateKeepsNodes(self) -> None:
        """While nobody answers, the nodes that were known are kept."""
        state = DhtState({}, (NodeInfo(b"n" * 20, PeerAddr("9.9.9.9", 9)),))
        node = self.world.node(state=state.encode())
        self.net.advance(100.0)
        self.assertEqual(DhtState.decode(node.state()).nodes, state.nodes)

    def test_aloneForLong(self) -> None:
        """A week with nobody: it tries every few minutes still."""
        self.world.node()
        node = self.world.node(routers=(("9.9.9.9", 9),))
        (only,) = node._nodes.values()
        only.failedJoins = 5000
        self.net.advance(1000.0)
        self.assertGreater(only.failedJoins, 5001)

    def test_addNode(self) -> None:
        """Nodes from torrents and peers, also before the start; what cannot be one is nothing."""
        self.world.grow(8)
        host = next(iter(self.world.nodes))
        for early in (True, False):
            node = self.world.node(start=not early, routers=())
            node.addNode(host, 0)
            node.addNode(host, PORT)
            node.startService()
            self.net.advance(30.0)
            self.assertGreater(node.nodeCount, 3)

    def test_routerNames(self) -> None:
        """Routers by name; those that have no address are left out."""
        self.world.grow(8)
        host = next(iter(self.world.nodes))
        node = self.world.node(start=False, routers=(("router.example", PORT), ("gone.example", 1)))
        node._reactor.nameResolver = Names({"router.example": [host], "gone.example": None})
        node.startService()
        self.net.advance(40.0)
        self.assertGreater(node.nodeCount, 3)


class FindTests(WorldTestCase):
    """What can be asked for."""

    def setUp(self) -> None:
        super().setUp()
        self.nodes = self.world.grow(30)

    def host(self, node: DhtNode) -> str:
        """Where C{node} is."""
        return next(host for host, each in self.world.nodes.items() if each is node)

    def test_announced(self) -> None:
        """What one announced another finds, as it comes and each once."""
        self.assertEqual(self.net.result(self.nodes[3].announce(HASH, 1234)), 8)
        self.assertEqual(self.net.result(self.nodes[4].announce(HASH)), 8)
        early: list[PeerAddr] = []
        peers = self.net.result(self.nodes[20].getPeers(HASH, early.extend))
        expected = {PeerAddr(self.host(self.nodes[3]), 1234), PeerAddr(self.host(self.nodes[4]), PORT)}
        self.assertEqual(set(peers), expected)
        self.assertEqual(sorted(early), sorted(peers))

    def test_early(self) -> None:
        """Peers are handed on before the search is over."""
        self.net.result(self.nodes[3].announce(HASH, 1234))
        early: list[PeerAddr] = []
        searching = self.nodes[20].getPeers(HASH, early.extend)
        self.net.advance(100.0, lambda: early)
        self.assertNoResult(searching)
        self.net.result(searching)

    def test_badListener(self) -> None:
        """What whoever is told of peers raises is logged; the search goes on to its end."""
        self.net.result(self.nodes[3].announce(HASH, 1234))

        def bad(peers: object) -> None:
            raise RuntimeError("no")

        self.assertEqual(len(self.net.result(self.nodes[20].getPeers(HASH, bad))), 1)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_nothing(self) -> None:
        """Of what nobody announced nothing is found."""
        self.assertEqual(self.net.result(self.nodes[3].getPeers(HASH)), [])
        self.assertIsNone(self.net.result(self.nodes[3].scrape(HASH)))

    def test_cancelled(self) -> None:
        """A search can be cancelled; no peer comes after that."""
        self.net.result(self.nodes[3].announce(HASH, 1234))
        early: list[PeerAddr] = []
        searching = self.nodes[20].getPeers(HASH, early.extend)
        searching.cancel()
        self.failureResultOf(searching, CancelledError)
        self.net.advance(60.0)
        self.assertEqual(early, [])

    def test_stored(self) -> None:
        """What was announced to ourselves is found too."""
        self.net.result(self.nodes[3].announce(HASH, 1234))
        keepers = [node for node in self.nodes if len(node._store)]
        self.assertEqual(len(keepers), 8)
        keeper = keepers[0]
        early: list[PeerAddr] = []
        searching = keeper.getPeers(HASH, early.extend)
        self.assertEqual(early, [PeerAddr(self.host(self.nodes[3]), 1234)])
        self.assertEqual(self.net.result(searching), early)

    def test_scrape(self) -> None:
        """BEP 33: seeds and others, about; those that look for others are not given seeds."""
        for place, node in enumerate(self.nodes[:12]):
            self.net.result(node.announce(HASH, 1234, seed=place < 4))
        self.assertEqual(self.net.result(self.nodes[20].scrape(HASH)), (4, 8))
        self.assertEqual(len(self.net.result(self.nodes[20].getPeers(HASH, noSeed=True))), 8)

    def test_sample(self) -> None:
        """BEP 51: what one node stores."""
        self.net.result(self.nodes[3].announce(HASH, 1234))
        near = self.net.result(self.nodes[20].findNode(HASH))[0]
        samples = self.net.result(self.nodes[20].sample(near.addr, HASH))
        self.assertEqual(samples.infoHashes, (HASH,))
        self.assertEqual(len(samples.nodes), 8)

    def test_sampleUnknown(self) -> None:
        """A node that does not know samples is an error."""
        addr = PeerAddr("9.9.9.9", 9)
        sampling = self.nodes[0].sample(addr)

        class Old:
            """Answers with nothing but an id."""

            transport: Any = None

            def makeConnection(self, transport: Any) -> None:
                self.transport = transport

            def datagramReceived(self, datagram: bytes, source: Any) -> None:
                self.transport.write(encodeResponse(decodeMessage(datagram).transaction, b"x" * 20), source)

            def doStop(self) -> None:
                pass

        port = SimReactor(self.net, addr.host).listenUDP(addr.port, Old())
        self.assertRaises(KrpcError, self.net.result, sampling)
        port.stopListening()

    def test_ping(self) -> None:
        """The id of a node; nobody at an address, and a family we are not in, are errors."""
        addr = PeerAddr(self.host(self.nodes[5]), PORT)
        self.assertEqual(self.net.result(self.nodes[0].ping(addr)), self.nodes[5].nodeId)
        self.assertRaises(KrpcSilence, self.net.result, self.nodes[0].ping(PeerAddr("9.9.9.9", 9)))
        self.assertRaises(KrpcSilence, self.net.result, self.nodes[0].ping(PeerAddr("2001:db8::1", 9)))

    def test_stopped(self) -> None:
        """When it is stopped searches end; nothing can be asked for after."""
        node = self.nodes[20]
        waiting = [node.getPeers(HASH), node.announce(HASH, 1), node.findNode(HASH), node.scrape(HASH)]
        waiting.append(node.ping(PeerAddr("9.9.9.9", 9)))
        self.net.advance(0.03)
        self.net.result(node.stopService())
        for each in waiting:
            self.failureResultOf(each, SessionStopped)
        self.failureResultOf(node.getPeers(HASH), SessionStopped)
        self.failureResultOf(node.whenJoined(), SessionStopped)
        self.assertEqual(node.port, 0)
        self.successResultOf(node.stopService())


class UpkeepTests(WorldTestCase):
    """What happens by itself."""

    def test_deadAreForgotten(self) -> None:
        """An hour after half of all went, tables hold those that are there."""
        nodes = self.world.grow(30)
        hosts = list(self.world.nodes)
        self.net.dead |= set(hosts[:15])
        self.net.advance(3600.0)
        for node in nodes[15:]:
            (only,) = node._nodes.values()
            alive = [contact for contact in only.table if contact.node.addr.host not in self.net.dead]
            self.assertEqual(len(only.table.closest(HASH, 100)), len(alive))
            self.assertGreater(len(alive), 10)

    def test_knownLater(self) -> None:
        """Who came early comes to know who came late."""
        first, *_ = self.world.grow(3)
        self.world.grow(12)
        self.net.advance(1800.0)
        self.assertGreater(first.nodeCount, 10)

    def test_readOnly(self) -> None:
        """BEP 43: who only asks finds, is in nobody's table, and answers nobody."""
        nodes = self.world.grow(10)
        shy = self.world.node(readOnly=True)
        self.net.advance(30.0)
        self.assertGreater(shy.nodeCount, 4)
        self.net.result(nodes[0].announce(HASH, 1))
        self.assertEqual(len(self.net.result(shy.getPeers(HASH))), 1)
        for node in nodes:
            (only,) = node._nodes.values()
            self.assertIsNone(only.table.find(shy.nodeId))
        (host,) = [host for host, each in self.world.nodes.items() if each is shy]
        self.assertRaises(KrpcSilence, self.net.result, nodes[0].ping(PeerAddr(host, PORT)))

    def test_newAddress(self) -> None:
        """BEP 42: a node whose id does not fit its address takes one that does once others tell it."""
        self.world.grow(20)
        reactor = SimReactor(self.net, "5.6.7.8")
        routers = ((next(iter(self.world.nodes)), PORT),)
        node = DhtNode(reactor, Random(9), PORT, ("0.0.0.0",), settings=DhtSettings(routers=routers))
        self.world.nodes["5.6.7.8"] = node
        node.startService()
        before = node.nodeId
        self.assertFalse(isSecure(before, packed("5.6.7.8")))
        self.net.advance(60.0)
        self.assertEqual(node.externalAddress, "5.6.7.8")
        self.assertTrue(isSecure(node.nodeId, packed("5.6.7.8")))
        self.assertGreater(node.nodeCount, 8)
        someone = self.world.node()
        self.net.advance(30.0)
        self.assertEqual(self.net.result(someone.findNode(node.nodeId))[0].id, node.nodeId)

    def test_falseIds(self) -> None:
        """BEP 42: nodes whose ids do not fit are in nobody's table and get no announces."""
        nodes = self.world.grow(10)
        false = self.world.node("6.6.6.6", secure=False)
        (only,) = false._nodes.values()
        only.id = only.table.ownId = HASH
        self.net.advance(600.0)
        self.net.result(nodes[0].announce(HASH, 1))
        self.assertEqual(len(false._store), 0)
        for node in nodes:
            (each,) = node._nodes.values()
            self.assertIsNone(each.table.find(HASH))

    def test_localFromAfar(self) -> None:
        """Who is out in the world sends us to nobody on our own network."""
        node = self.world.node()
        (only,) = node._nodes.values()
        nodes = NodeInfo(b"x" * 20, PeerAddr("192.168.1.1", 80)).compact()
        response = Response(b"t", b"y" * 20, {b"nodes": nodes})
        self.assertEqual(only.named(response, PeerAddr("8.8.8.8", 1)), [])
        self.assertEqual(len(only.named(response, PeerAddr("192.168.1.2", 1))), 1)
