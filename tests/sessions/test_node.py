"""
The DHT node of a client session: C{nodeListener}, C{dhtPort}, C{port} messages, and swarms that find
peers by it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol

from tests.sessions.case import SwarmCase
from tests.sessions.magnets import MagnetCase
from twisted_bt.dht.service import DhtNode
from twisted_bt.dht.settings import DhtSettings
from twisted_bt.dht.state import DhtState
from twisted_bt.peerwire.messages import HaveNone, Port
from twisted_bt.sessions.client import ClientSession
from twisted_bt.sessions.nodelistener import SAVE_EVERY, STATE
from twisted_bt.sessions.swarm import SwarmSession
from twisted_bt.settings import Extension, Settings
from twisted_bt.testing.host import Host
from twisted_bt.testing.network import Traffic
from twisted_bt.testing.scripted import EXTENSIONS, ScriptedPeer
from twisted_bt.testing.swarm import Member

WITH_DHT = EXTENSIONS | {Extension.DHT}
#: Enough for each to need the others.
NODES = 12


class DhtCase(MagnetCase):
    """A few nodes of others, and clients that know one of them."""

    def setUp(self) -> None:
        """They know each other."""
        super().setUp()
        self.nodes: list[DhtNode] = []
        self.addresses: list[tuple[str, int]] = []
        self.router = self.newNode()
        for _ in range(NODES - 1):
            self.newNode(self.router)
        self.advance(30)

    def tearDown(self) -> None:
        """They stop; clients that run still, before."""
        super().tearDown()
        for each in self.nodes:
            self.swarm.run(each.stopService())

    def newNode(self, *routers: tuple[str, int]) -> tuple[str, int]:
        """A node on a host of its own; where it is."""
        host = self.network.host()
        node = DhtNode(host, host.random, 0, ("",), b"", DhtSettings(routers=routers))
        node.startService()
        self.nodes.append(node)
        self.addresses.append((host.address, node.port))
        return self.addresses[-1]

    def withDht(self, *routers: tuple[str, int], **more: Any) -> Settings:
        """Of a client with a node."""
        return Settings(dht=True, dhtRouters=routers, **more)

    def announced(self) -> list[tuple[str, int]]:
        """Who is known to have the torrent."""
        found = self.swarm.run(self.nodes[-1].getPeers(self.infoHash))
        return sorted((each.host, each.port) for each in found)


class ListenerTests(DhtCase):
    """The second service of a client session."""

    def test_port(self) -> None:
        """While it runs, C{dhtPort} is the number of the peer port."""
        client = self.swarm.leecher(self.withDht(self.router, listenPort=6881)).client
        self.assertEqual((client.dhtPort, client.nodeListener.port), (6881, 6881))
        self.swarm.run(client.stopService())
        self.assertIsNone(client.dhtPort)

    def test_off(self) -> None:
        """Without C{dht} there is no node, and handshakes do not speak of it."""
        member = self.swarm.leecher()
        self.assertIsNone(member.client.dhtPort)
        self.assertFalse(member.client.nodeListener.running)
        self.assertNotIn(Extension.DHT, member.client.allowedExtensions)

    def test_taken(self) -> None:
        """If its UDP port is taken, a port that was asked for is an error."""
        host = self.network.host()
        host.listenUDP(6881, DatagramProtocol())
        client = ClientSession(host, self.withDht(listenPort=6881), host.plugins(), host.random)
        self.assertRaises(CannotListenError, client.startService)
        self.assertFalse(client.running)
        self.advance(1)
        self.assertEqual(host.leftovers(), ["1 UDP ports"])

    def test_again(self) -> None:
        """It can be stopped and started again."""
        member = self.swarm.leecher(self.withDht(self.router))
        for _ in range(2):
            self.swarm.run(member.client.stopService())
            self.assertEqual(member.host.leftovers(), [])
            member.client.startService()
            self.advance(30)
            assert member.client.nodeListener.node is not None
            self.assertGreater(member.client.nodeListener.node.nodeCount, 4)

    def test_remembers(self) -> None:
        """With a state folder, the next run joins under its id from the nodes it knew."""
        state, host = Path(self.mktemp()), self.network.host()
        member = self.swarm.member((), self.withDht(self.router, stateDir=state), host)
        self.advance(60)
        assert member.client.nodeListener.node is not None
        nodeId = member.client.nodeListener.node.nodeId
        self.swarm.run(member.client.stopService())
        client = ClientSession(host, self.withDht(stateDir=state), host.plugins(), host.random)
        client.startService()
        self.advance(60)
        assert client.nodeListener.node is not None
        self.assertEqual(client.nodeListener.node.nodeId, nodeId)
        self.assertGreater(client.nodeListener.node.nodeCount, 4)
        self.swarm.run(client.stopService())

    def test_killed(self) -> None:
        """What it knows is on record while it runs: not every program is stopped properly."""
        client = self.swarm.leecher(self.withDht(self.router)).client
        assert client.nodeListener.node is not None
        self.assertIsNone(client.assembly.notes.get(STATE))
        self.advance(SAVE_EVERY + 1)
        saved = DhtState.decode(client.assembly.notes.get(STATE) or b"")
        self.assertIn(client.nodeListener.node.nodeId, saved.ids.values())
        self.assertGreater(len(saved.nodes), 4)

    def test_stopWhileSearching(self) -> None:
        """C{stopService} in the middle of a search leaves nothing, and fails nothing."""
        for after in (0.0, 0.05, 0.3, 1.0):
            member = self.swarm.leecher(self.withDht(self.router))
            self.advance(after)
            self.swarm.run(member.client.stopService())
            self.assertEqual(member.host.leftovers(), [])


class SeekingTests(DhtCase):
    """Swarms that find peers by it."""

    def test_nothingButTheLink(self) -> None:
        """A seeder announces itself; who has an info-hash and nothing else finds it and gets everything."""
        seeder = self.swarm.seeder(self.withDht(self.router))
        self.advance(30)
        self.assertEqual(self.announced(), [tuple(seeder.address)])
        fetcher = self.fetcher(dht=True, dhtRouters=(self.addresses[3],))
        _, outcome = self.added(fetcher)
        self.advance(60)
        self.assertIsInstance(outcome[0], SwarmSession)
        self.assertComplete(fetcher)

    def test_bothWays(self) -> None:
        """Of two that want it, each finds the other, although neither has anything yet."""
        one, other = (self.fetcher(dht=True, dhtRouters=(self.router,)) for _ in range(2))
        self.added(one)
        self.added(other)
        self.advance(120)
        self.assertEqual(len(self.fetching(one).connectedPeers), 1)
        self.assertEqual(len(self.fetching(other).connectedPeers), 1)

    def test_announcedAgain(self) -> None:
        """An announce is renewed before nodes forget it, for as long as the swarm runs; then no more."""
        seeder = self.swarm.seeder(self.withDht(self.router))
        self.advance(3 * 3600)
        self.assertEqual(self.announced(), [tuple(seeder.address)])
        self.swarm.run(seeder.client.removeTorrent(self.infoHash))
        self.advance(2 * 3600)
        self.assertEqual(self.announced(), [])

    def test_paused(self) -> None:
        """Who is paused does not announce."""
        seeder = self.swarm.seeder(self.withDht(self.router))
        self.advance(60)
        self.swarm.run(seeder.session.pause())
        self.advance(2 * 3600)
        self.assertEqual(self.announced(), [])
        seeder.session.resume()
        self.advance(60)
        self.assertEqual(self.announced(), [tuple(seeder.address)])

    def test_nodesOfTheLink(self) -> None:
        """Without any router, a node that the link names is enough (C{dht})."""
        self.swarm.seeder(self.withDht(self.router))
        self.advance(30)
        fetcher = self.fetcher(dht=True, dhtRouters=())
        _, outcome = self.added(fetcher, nodes=(self.router,))
        self.advance(90)
        self.assertIsInstance(outcome[0], SwarmSession)


class PortMessageTests(DhtCase):
    """BEP 5: peers tell of their nodes."""

    def speaking(self, member: Member, host: Host, *said: Port) -> ScriptedPeer:
        """A peer from C{host}, after the handshakes."""
        peer = ScriptedPeer(self.infoHash, extensions=WITH_DHT)
        self.swarm.run(peer.dial(host, member.address))
        peer.greet()
        peer.say(HaveNone(), *said)
        self.advance(20)
        return peer

    def test_told(self) -> None:
        """Who says it speaks DHT is told our port; who does not is not."""
        member = self.swarm.leecher(self.withDht())
        peer = self.speaking(member, self.network.host())
        self.assertEqual(peer.heardOf(Port), [Port(member.client.dhtPort or 0)])
        self.assertEqual(self.met(member, peerId=b"-SC0001-nodht0000000").heardOf(Port), [])

    def test_heard(self) -> None:
        """A peer's node is asked, and by it the whole DHT is found."""
        member = self.swarm.leecher(self.withDht())
        node = member.client.nodeListener.node
        assert node is not None
        self.assertEqual(node.nodeCount, 0)
        host = self.network.hostAt(self.router[0])
        assert host is not None
        self.speaking(member, host, Port(self.router[1]))
        self.assertGreater(node.nodeCount, 4)

    def test_heardWhileFetching(self) -> None:
        """The same while the metadata is not here."""
        fetcher = self.fetcher(dht=True, dhtRouters=())
        self.added(fetcher)
        host = self.network.hostAt(self.router[0])
        assert host is not None
        peer = ScriptedPeer(self.infoHash, extensions=WITH_DHT)
        self.swarm.run(peer.dial(host, fetcher.address))
        peer.greet()
        peer.say(HaveNone(), Port(self.router[1]))
        self.advance(20)
        node = fetcher.client.nodeListener.node
        assert node is not None
        self.assertGreater(node.nodeCount, 4)

    def test_ours(self) -> None:
        """Two of ours that know nobody come to know each other's nodes by being peers."""
        one, other = self.swarm.leecher(self.withDht()), self.swarm.leecher(self.withDht())
        self.swarm.run(one.connect(other))
        self.advance(30)
        for each in (one, other):
            assert each.client.nodeListener.node is not None
            self.assertEqual(each.client.nodeListener.node.nodeCount, 1)


class PrivateTests(DhtCase):
    """BEP 27: a private torrent is none of the DHT's business."""

    private = True

    def test_neverAsked(self) -> None:
        """Its info-hash never leaves us in a datagram, and nobody is asked because of its peers."""
        sent: list[Traffic] = []
        member = self.swarm.seeder(self.withDht(self.router))
        self.network.watchers.append(lambda each: sent.append(each) if each.kind == "datagram" else None)
        self.advance(3600)
        self.assertEqual([each for each in sent if self.infoHash in each.data], [])
        self.assertTrue(any(each.source.host == member.host.address for each in sent))
        self.assertEqual(self.announced(), [])

    def test_portNotHeard(self) -> None:
        """A C{port} message of one of its peers is not followed."""
        member = self.swarm.leecher(self.withDht())
        host = self.network.hostAt(self.router[0])
        assert host is not None
        peer = ScriptedPeer(self.infoHash, extensions=WITH_DHT)
        self.swarm.run(peer.dial(host, member.address))
        peer.greet()
        peer.say(HaveNone(), Port(self.router[1]))
        self.advance(20)
        assert member.client.nodeListener.node is not None
        self.assertEqual(member.client.nodeListener.node.nodeCount, 0)


class HearNodeTests(SwarmCase):
    """A client without a node."""

    def test_ignored(self) -> None:
        """What peers say of theirs is ignored, although we never offered it."""
        member = self.swarm.leecher()
        peer = self.met(member, HaveNone(), Port(1234), extensions=WITH_DHT)
        self.assertIsNone(peer.lost)
        self.assertEqual(peer.heardOf(Port), [])
