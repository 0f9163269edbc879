"""Tests of L{twisted_bt.testing.swarm}, L{twisted_bt.testing.invariants}, L{twisted_bt.testing.scripted}."""

from __future__ import annotations

from twisted.internet.error import ConnectionRefusedError
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.errors import PeerDisconnected, StorageError
from twisted_bt.peerwire.messages import HaveAll, Piece
from twisted_bt.settings import Settings
from twisted_bt.storage.memory import MemoryStorageFactory
from twisted_bt.testing.disk import Disk
from twisted_bt.testing.faults import FaultyStorageFactory
from twisted_bt.testing.invariants import endFaults, slotFaults
from twisted_bt.testing.scripted import ScriptedPeer
from twisted_bt.testing.swarm import SimulatedSwarm, makeTorrent
from twisted_bt.torrent.addresses import PeerAddr


class SimulatedSwarmTests(SynchronousTestCase):
    """A swarm in a test."""

    def setUp(self) -> None:
        """A small swarm."""
        self.swarm = SimulatedSwarm(size=100_000, seed=1)

    def test_example(self) -> None:
        """The example in its documentation."""
        seeder, leecher = self.swarm.seeder(), self.swarm.leecher()
        leecher.connect(seeder)
        self.swarm.run(leecher.session.whenComplete())
        self.assertEqual(leecher.content, self.swarm.content)
        self.swarm.stop()

    def test_members(self) -> None:
        """Members have what they were given, checked."""
        some = self.swarm.member([1, 2])
        self.assertEqual(list(some.session.clientBitfield.search(1)), [1, 2])
        self.assertTrue(self.swarm.seeder().session.complete)
        self.assertFalse(self.swarm.leecher().session.clientBitfield.any())
        self.swarm.stop()

    def test_leftovers(self) -> None:
        """C{stop} fails where something is left."""
        leecher = self.swarm.leecher()
        call = leecher.host.callLater(1000, lambda: None)
        reason = self.assertRaises(AssertionError, self.swarm.stop)
        self.assertIn("VirtualCall", str(reason))
        call.cancel()
        self.swarm.stop()

    def test_raised(self) -> None:
        """C{stop} fails where something was raised that nobody handled."""
        leecher = self.swarm.leecher()
        leecher.host.callLater(1, lambda: 1 // 0)
        self.swarm.advance(2)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        reason = self.assertRaises(AssertionError, self.swarm.stop)
        self.assertIn("raised: integer division", str(reason))

    def test_invariant(self) -> None:
        """A slot that nobody holds is noticed with the next event."""
        leecher = self.swarm.leecher()
        self.assertEqual(slotFaults(leecher.client), [])
        leecher.session.slots.tryEnter()
        self.assertEqual(len(slotFaults(leecher.client)), 1)
        self.assertRaises(AssertionError, self.swarm.advance, 5)
        leecher.session.slots.leave()
        self.swarm.stop()

    def test_whoseEvent(self) -> None:
        """After an event the slots of its host are looked at, after one that is nobody's those of all."""
        one, two = self.swarm.leecher(), self.swarm.leecher()
        one.session.slots.tryEnter()
        two.host.callLater(0, lambda: None)
        self.swarm.advance(0.1)
        self.swarm.network.clock.callLater(0, lambda: None)
        self.assertRaises(AssertionError, self.swarm.advance, 0.1)
        one.session.slots.leave()
        self.swarm.stop()

    def test_flow(self) -> None:
        """It may be simulated the cheap way."""
        swarm = SimulatedSwarm(size=100_000, seed=1, mode="flow")
        self.assertEqual(swarm.network.mode, "flow")
        seeder, leecher = swarm.seeder(), swarm.leecher()
        leecher.connect(seeder)
        swarm.finish()
        self.assertEqual(leecher.content, swarm.content)
        swarm.stop()

    def test_otherFaults(self) -> None:
        """What else may be wrong with slots is told, and what a client still holds at its end."""
        one, two = self.swarm.leecher(), self.swarm.leecher()
        session = self.swarm.run(one.connect(two))
        swarm, engine = one.session, one.client.engine
        del swarm.connectedPeers[two.address]
        wrong = PeerAddr("10.9.9.9", 9)
        swarm.connectedPeers[wrong] = session
        self.assertIn("is filed under 10.9.9.9:9", " ".join(slotFaults(one.client)))
        swarm.connectedPeers[two.address] = session
        self.assertIn("talks to somebody twice", " ".join(slotFaults(one.client)))
        del swarm.connectedPeers[wrong]
        engine.clientSlots.leave()
        self.assertIn("0 of 1000 client slots", " ".join(slotFaults(one.client)))
        engine.clientSlots.tryEnter()
        view = engine.buffers.take(100)
        assert view is not None
        self.assertEqual(len(endFaults(engine)), 3)  # a client's slot, a swarm's, and memory
        engine.buffers.give(view)
        self.swarm.stop()
        self.assertEqual((endFaults(engine), slotFaults(one.client)), ([], []))

    def test_diskSpeed(self) -> None:
        """Content takes as long to store as the host's disk says."""
        slow = self.swarm.leecher(host=self.swarm.network.host(disk=Disk(rate=10e3)))
        seeder = self.swarm.seeder()
        self.swarm.run(slow.connect(seeder))
        self.swarm.finish()
        self.assertGreater(self.swarm.network.now, 5)
        self.swarm.stop()

    def test_sameEveryTime(self) -> None:
        """The same seed makes the same run."""
        runs = []
        for seed in (1, 1, 2):
            swarm = SimulatedSwarm(size=100_000, seed=seed)
            seeder, leecher = swarm.seeder(), swarm.leecher()
            leecher.meet(seeder)
            swarm.finish()
            swarm.stop()
            runs.append((swarm.network.now, swarm.network.events, swarm.content))
        self.assertEqual(runs[0], runs[1])
        self.assertNotEqual(runs[0][2], runs[2][2])

    def test_torrent(self) -> None:
        """A torrent of given bytes."""
        metainfo = makeTorrent(
            b"x" * 50_000, 1 << 14, "name", [["http://a.test/announce"], "udp://b.test:1/"]
        )
        self.assertEqual((metainfo.name, metainfo.layout.pieceCount), ("name", 4))
        self.assertEqual(len(metainfo.trackers), 2)


class FaultyStorageTests(SynchronousTestCase):
    """Storages that fail when a test wants it."""

    def test_refuses(self) -> None:
        """Named operations fail with what was given; the others do what the storage does."""
        swarm = SimulatedSwarm(size=100_000)
        faults = FaultyStorageFactory(MemoryStorageFactory())
        seeder = swarm.seeder(storageFactory=faults)
        self.assertIn("verifyPiece", faults.asked)
        faults.refusals["read"] = StorageError("broken")
        self.failureResultOf(seeder.session.storage.read(0, 0, 1), StorageError)
        self.assertTrue(self.successResultOf(seeder.session.storage.verifyPiece(0)))
        self.assertIsNone(self.successResultOf(seeder.session.storage.flush()))
        swarm.stop()


class ScriptedPeerTests(SynchronousTestCase):
    """A peer that says exactly what a test wants."""

    def setUp(self) -> None:
        """A seeder, and a host."""
        self.swarm = SimulatedSwarm(size=100_000)
        self.seeder = self.swarm.seeder()
        self.host = self.swarm.network.host()
        self.peer = ScriptedPeer(self.swarm.metainfo.wireHash)

    def tearDown(self) -> None:
        """All is over."""
        self.swarm.stop()

    def test_hears(self) -> None:
        """It remembers the handshake and the messages."""
        self.swarm.run(self.peer.dial(self.host, self.seeder.address))
        waiting = self.peer.whenHeard(HaveAll)
        self.peer.greet()
        self.swarm.run(waiting)
        assert self.peer.handshake is not None
        self.assertEqual(self.peer.handshake.peerId, self.seeder.client.clientPeerId)
        self.assertEqual(self.peer.heardOf(HaveAll), [HaveAll()])

    def test_lost(self) -> None:
        """It knows when it was left, and how."""
        self.swarm.run(self.peer.dial(self.host, self.seeder.address))
        waiting, lost = self.peer.whenHeard(Piece), self.peer.whenLost()
        self.assertFalse(self.peer.wasReset)
        self.peer.sendRaw(b"nonsense")
        self.swarm.run(lost)
        self.assertTrue(self.peer.wasReset)
        self.failureResultOf(waiting, PeerDisconnected)
        self.successResultOf(self.peer.whenLost())

    def test_refused(self) -> None:
        """To dial nobody fails."""
        dialling = self.peer.dial(self.host, PeerAddr(self.seeder.host.address, 9))
        self.assertRaises(ConnectionRefusedError, self.swarm.run, dialling)

    def test_oneAtATime(self) -> None:
        """A peer that listens takes one connection."""
        leecher = self.swarm.leecher(Settings(handshakeTimeout=5.0))
        self.peer.seed(self.swarm.metainfo, self.swarm.content)
        addr = self.peer.listen(self.host)
        self.swarm.run(leecher.session.connectPeer(*addr))
        other = self.swarm.leecher(Settings(handshakeTimeout=5.0))
        self.assertRaises(PeerDisconnected, self.swarm.run, other.session.connectPeer(*addr))
        self.swarm.run(leecher.session.whenComplete())
        self.assertEqual(leecher.content, self.swarm.content)
