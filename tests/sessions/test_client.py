"""
Vocabulary: ClientSession, Progress, and what a user interface asks.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet.defer import gatherResults
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from zope.interface.verify import verifyObject

from tests.sessions.case import SwarmCase
from twisted_bt.errors import PeerDisconnected, SessionStopped, StorageError
from twisted_bt.sessions.client import ClientSession
from twisted_bt.sessions.life import SwarmStatus
from twisted_bt.settings import Extension, Settings
from twisted_bt.testing.invariants import endFaults
from twisted_bt.testing.swarm import FOLDER, SimulatedStorages, makeTorrent
from twisted_bt.torrent.progress import Progress


class IdentityTests(SwarmCase):
    """Who a client session is."""

    def client(self, random: Random, **settings: Any) -> ClientSession:
        """A session that does not run."""
        host = self.network.host()
        return ClientSession(host, Settings(**settings), host.plugins(), random)

    def test_service(self) -> None:
        """It is an C{IService}, and can be given a parent."""
        client = self.client(Random(1))
        verifyObject(IService, client)
        parent = MultiService()
        client.setServiceParent(parent)
        parent.startService()
        self.assertTrue(client.running)
        self.swarm.run(parent.stopService())
        self.assertFalse(client.running)

    def test_equality(self) -> None:
        """Equality is by peer id."""
        one, same, other = self.client(Random(1)), self.client(Random(1)), self.client(Random(2))
        self.assertEqual(one, same)
        self.assertEqual(hash(one), hash(same))
        self.assertNotEqual(one, other)
        self.assertNotEqual(one, one.clientPeerId)

    def test_peerIdFixed(self) -> None:
        """The peer id is fixed for life: the same after a stop and a start."""
        client = self.client(Random(1))
        peerId = client.clientPeerId
        self.assertEqual(len(peerId), 20)
        for _ in range(2):
            client.startService()
            self.assertEqual(client.engine.peerId, peerId)
            self.swarm.run(client.stopService())
        self.assertEqual(client.clientPeerId, peerId)

    def test_extensionsFixed(self) -> None:
        """What it offers is fixed by its settings, and is what peers hear."""
        member = self.swarm.leecher(Settings(allowedExtensions=frozenset({Extension.FAST})))
        self.assertEqual(member.client.allowedExtensions, {Extension.FAST})
        self.assertRaises(AttributeError, setattr, member.client, "allowedExtensions", frozenset())
        peer = self.met(member)
        assert peer.handshake is not None
        self.assertEqual(peer.handshake.extensions, {Extension.FAST})
        self.assertEqual(self.sessionOf(member, peer).enabledExtensions, {Extension.FAST})

    def test_randomHandedIn(self) -> None:
        """The same random source makes the same client; without one, each is another."""
        host = self.network.host()
        self.assertNotEqual(ClientSession(host).clientPeerId, ClientSession(host).clientPeerId)


class AskingTests(SwarmCase):
    """What a user interface asks."""

    def test_notRunning(self) -> None:
        """Before the start there is nothing, and what needs it running says so."""
        host = self.network.host()
        client = ClientSession(host, Settings(), host.plugins())
        self.assertIsNone(client.listenerPort)
        self.assertIsNone(client.dhtPort)
        self.assertEqual((client.getSwarmCount(), client.getPeerCount(), client.activeSessions), (0, 0, 0))
        self.assertEqual(client.getCurrentProgress(), Progress(0, 0, 0))
        self.assertRaises(SessionStopped, lambda: client.engine)
        self.assertRaises(SessionStopped, lambda: client.torrentMap)
        self.failureResultOf(client.removeTorrent(bytes(20)), SessionStopped)

    def test_running(self) -> None:
        """While it runs: its port, its swarms, its peers, its active slots."""
        one, two = self.swarm.leecher(), self.swarm.leecher(Settings(listenPort=6881, maxActive=7))
        self.assertEqual(two.client.listenerPort, 6881)
        self.assertEqual(two.client.peerListener.port, 6881)
        self.assertIsNone(two.client.dhtPort)
        self.assertEqual((two.client.maxActive, two.client.activeSessions), (7, 1))
        self.assertEqual((two.client.getSwarmCount(), two.client.getPeerCount()), (1, 0))
        self.swarm.run(one.connect(two))
        self.advance(1)
        self.assertEqual(two.client.getPeerCount(), 1)
        self.assertEqual(two.client.swarmSessions, {self.infoHash: two.session})


class ProgressTests(SwarmCase):
    """Bytes, over swarms and runs."""

    def test_counted(self) -> None:
        """Both sides count what was exchanged; the short last piece at its own length."""
        seeder, leecher = self.swarm.seeder(), self.swarm.leecher()
        self.assertEqual(leecher.session.progress, Progress(0, 0, self.size))
        self.assertEqual(seeder.session.progress, Progress(0, 0, 0))
        self.swarm.run(leecher.connect(seeder))
        self.swarm.finish()
        self.assertEqual(leecher.session.progress, Progress(0, self.size, 0))
        self.assertEqual(seeder.session.progress, Progress(self.size, 0, 0))

    def test_summed(self) -> None:
        """The client's is the sum over its swarms."""
        leecher = self.swarm.leecher()
        other = makeTorrent(b"x" * 1000)
        self.swarm.run(leecher.client.addTorrent(other, FOLDER))
        self.advance(1)
        self.assertEqual(leecher.client.getCurrentProgress(), Progress(0, 0, self.size + 1000))
        seeder = self.swarm.seeder()
        self.swarm.run(leecher.connect(seeder))
        self.swarm.run(leecher.session.whenComplete())
        self.assertEqual(leecher.client.getCurrentProgress(), Progress(0, self.size, 1000))

    def test_persisted(self) -> None:
        """It goes on in the next run where it was: trackers penalise who does not accumulate."""
        folder = Path(self.mktemp())
        seeder, leecher = self.swarm.seeder(), self.swarm.leecher(Settings(stateDir=folder))
        storages = leecher.client.engine.storages
        assert isinstance(storages, SimulatedStorages)
        self.swarm.run(leecher.connect(seeder))
        self.swarm.finish()
        third = self.swarm.leecher()
        self.swarm.run(third.connect(leecher))
        self.swarm.finish()
        self.swarm.run(leecher.client.stopService())
        again = ClientSession(
            leecher.host,
            Settings(stateDir=folder),
            leecher.host.plugins(storageFactory=storages),
            leecher.host.random,
        )
        storages.client = again
        again.startService()
        self.swarm.run(again.whenRestored())
        swarm = again.swarmSessions[self.infoHash]
        self.swarm.run(swarm.whenComplete())
        self.assertEqual(swarm.progress, Progress(self.size, self.size, 0))
        self.assertEqual(again.getCurrentProgress(), Progress(self.size, self.size, 0))
        self.swarm.run(again.stopService())


class LifeTests(SwarmCase):
    """Starting and stopping."""

    def test_several(self) -> None:
        """Several client sessions in one process, on one host even, know nothing of each other."""
        host = self.network.host()
        one, two = self.swarm.seeder(host=host), self.swarm.leecher(host=host)
        self.assertNotEqual(one.client, two.client)
        self.assertNotEqual(one.client.listenerPort, two.client.listenerPort)
        self.assertIsNot(one.client.engine.bans, two.client.engine.bans)
        self.swarm.run(two.connect(one))
        self.swarm.finish()
        self.swarm.run(one.client.stopService())
        self.assertEqual(two.session.status, SwarmStatus.SEEDING)

    def test_startedTwice(self) -> None:
        """To start twice is to start once."""
        member = self.swarm.leecher()
        engine = member.client.engine
        member.client.startService()
        self.assertIs(member.client.engine, engine)

    def test_stoppedTwice(self) -> None:
        """To stop what does not run is done at once."""
        member = self.swarm.leecher()
        self.swarm.run(member.client.stopService())
        self.successResultOf(member.client.stopService())

    def test_portTaken(self) -> None:
        """If the port is taken the start fails, and leaves nothing behind."""
        host = self.network.host()
        host.listenTCP(6881, Factory())
        client = ClientSession(host, Settings(listenPort=6881), host.plugins())
        self.assertRaises(CannotListenError, client.startService)
        self.advance(1)
        self.assertFalse(client.running)
        self.assertEqual(host.leftovers(), ["1 TCP ports"])

    def test_stateUnusable(self) -> None:
        """If the state folder cannot be used the start fails with a sentence."""
        path = Path("/state")
        host = self.network.host()
        host.files.put(path, b"")
        client = ClientSession(host, Settings(stateDir=path), host.plugins())
        reason = self.assertRaises(StorageError, client.startService)
        self.assertIn(str(path), str(reason))
        self.assertFalse(client.running)
        self.assertEqual(host.leftovers(), [])

    def test_interfaces(self) -> None:
        """It listens at the addresses of its settings, all on one port."""
        host = self.network.host("10.0.7.1", "10.0.7.2", "fd00::7")
        member = self.swarm.leecher(Settings(interfaces=("10.0.7.1", "fd00::7")), host)
        ports = member.client.peerListener.ports
        self.assertEqual(len(ports), 2)
        self.assertEqual({port.getHost().port for port in ports}, {member.client.listenerPort})  # type: ignore[attr-defined]
        other = self.swarm.leecher(host=self.network.host("10.0.7.9", "fd00::9"))
        port = member.client.listenerPort
        assert port is not None
        for address in ("10.0.7.1", "fd00::7"):
            session = self.swarm.run(other.session.connectPeer(address, port))
            session.close(PeerDisconnected("seen"))
            self.advance(1)
        self.assertRaises(PeerDisconnected, self.swarm.run, other.session.connectPeer("10.0.7.2", port))

    def test_oneInterface(self) -> None:
        """With one address in its settings it also dials from there."""
        host = self.network.host("10.0.7.1", "10.0.7.2")
        member = self.swarm.leecher(Settings(interfaces=("10.0.7.2",)), host)
        other = self.swarm.leecher()
        self.swarm.run(member.connect(other))
        self.advance(1)
        self.assertEqual([addr.host for addr in other.session.connectedPeers], ["10.0.7.2"])

    def test_stopOrder(self) -> None:
        """It stops in an order: listeners, peers, state."""
        seeder, leecher = self.swarm.seeder(), self.swarm.leecher(Settings(stateDir=Path(self.mktemp())))
        noted = self.observed(leecher)
        order: list[str] = []
        engine = leecher.client.engine
        save = engine.resume.save

        def saved(*args: Any) -> Any:
            order.append(f"saved with {len(leecher.session.connectedPeers)} peers")
            return save(*args)

        self.patch(engine.resume, "save", saved)
        stop = engine.disk.stop

        def stopDisk() -> Any:
            order.append(f"disk stopped with {len(leecher.host.tcpPorts)} ports")
            return stop()

        self.patch(engine.disk, "stop", stopDisk)
        self.swarm.run(leecher.connect(seeder))
        self.network.runWhile(lambda: not noted.pieces())
        order.clear()
        self.swarm.run(leecher.client.stopService())
        self.assertEqual(order, ["saved with 0 peers", "disk stopped with 0 ports"])
        self.assertEqual(noted.statuses[-1], "stopped")

    def test_nothingLeft(self) -> None:
        """Stopped in the middle of everything, nothing is left, and the moment it has fired."""
        seeder = self.swarm.seeder()
        leechers = [self.swarm.leecher() for _ in range(4)]
        for each in leechers:
            each.meet(seeder, *leechers)
        silent = self.dialled(leechers[0])
        self.network.runWhile(lambda: not any(each.session.clientBitfield.any() for each in leechers))
        engines = [each.client.engine for each in leechers]
        done = gatherResults([each.client.stopService() for each in leechers])
        self.swarm.run(done)
        for each, engine in zip(leechers, engines, strict=True):
            self.assertEqual(each.host.leftovers(), [])
            self.assertEqual(endFaults(engine), [])
            self.assertEqual(each.client.swarmSessions, {})
        self.advance(1)
        self.assertIsNotNone(silent.lost)

    def test_stoppedWhileChecking(self) -> None:
        """It can be stopped while files are checked; who waits is told."""
        host = self.network.host()
        host.disk.latency = 1.0
        client = ClientSession(host, Settings(), host.plugins(), host.random)
        client.startService()
        adding = client.addTorrent(self.metainfo, self.mktemp())
        swarm = self.swarm.run(adding)
        waiting = swarm.whenChecked()
        self.advance(0.5)
        self.swarm.run(client.stopService())
        self.failureResultOf(waiting, SessionStopped)
        self.assertEqual(host.leftovers(), [])

    def test_stoppedWhileAdding(self) -> None:
        """It can be stopped while a torrent is being added; that fails then."""
        host = self.network.host()
        host.disk.latency = 1.0
        client = ClientSession(host, Settings(), host.plugins(), host.random)
        client.startService()
        adding = client.addTorrent(self.metainfo.encode(), self.mktemp())
        stopping = client.stopService()
        self.swarm.run(stopping)
        self.failureResultOf(adding, SessionStopped)
        self.assertEqual((client.swarmSessions, host.leftovers()), ({}, []))
