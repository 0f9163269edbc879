"""
Vocabulary: SwarmSession that cannot go on, or not with its disk; the others are not touched.
"""

from __future__ import annotations

from twisted.internet.defer import fail

from tests.sessions.case import SwarmCase
from twisted_bt.errors import PeerDisconnected, StorageError
from twisted_bt.sessions.life import SwarmStatus
from twisted_bt.storage.memory import MemoryStorageFactory
from twisted_bt.testing.faults import FaultyStorageFactory
from twisted_bt.testing.swarm import FOLDER, makeTorrent


class FailureTests(SwarmCase):
    """The disk says no: that swarm stops with a plain reason, and nothing else."""

    def setUp(self) -> None:
        """A seeder, and a leecher whose disk can fail."""
        super().setUp()
        self.faults = FaultyStorageFactory(MemoryStorageFactory())
        self.seeder = self.swarm.seeder()
        self.leecher = self.swarm.leecher(storageFactory=self.faults)
        self.noted = self.observed(self.leecher)

    def fail_(self, operation: str) -> None:
        """From now on C{operation} fails."""
        self.faults.refusals[operation] = StorageError("no space left on the disk")

    def assertFailed(self, active: int = 0) -> None:
        """The swarm failed with that reason and holds nothing; C{active} others go on."""
        swarm = self.leecher.session
        self.assertEqual((swarm.status, swarm.reason), (SwarmStatus.FAILED, "no space left on the disk"))
        self.assertEqual(swarm.connectedPeers, {})
        self.assertEqual(self.leecher.client.engine.activeSlots.taken, active)
        self.assertEqual(self.leecher.client.engine.buffers.out, 0)
        self.failureResultOf(swarm.whenComplete(), StorageError)
        self.failureResultOf(swarm.whenChecked(), StorageError)

    def assertGoesOn(self) -> None:
        """Resumed with a disk that works, it looks at it and completes."""
        self.faults.refusals.clear()
        swarm = self.leecher.session
        swarm.resume()
        self.assertEqual(swarm.reason, "")
        self.swarm.run(swarm.whenChecked())
        if not swarm.connectedPeers:  # it may have dialled by itself
            self.swarm.run(self.leecher.connect(self.seeder))
        self.swarm.run(swarm.whenComplete())
        self.assertEqual(self.leecher.content, self.swarm.content)

    def test_diskFull(self) -> None:
        """A full disk: FAILED with the reason; who waits for completion hears it; resuming works."""
        waiting = self.leecher.session.whenComplete()
        self.swarm.run(self.leecher.connect(self.seeder))
        self.network.runWhile(lambda: len(self.noted.pieces()) < 3)
        self.fail_("writePiece")
        reason = self.assertRaises(StorageError, self.swarm.run, waiting)
        self.assertEqual(str(reason), "no space left on the disk")
        self.advance(1)
        self.assertFailed()
        self.assertGoesOn()

    def test_othersGoOn(self) -> None:
        """Other torrents of the client go on."""
        other = makeTorrent(b"another", name="other")
        self.swarm.run(self.leecher.client.addTorrent(other, FOLDER))
        self.advance(1)
        self.fail_("writePiece")
        self.swarm.run(self.leecher.connect(self.seeder))
        self.advance(5)
        self.assertFailed(active=1)
        self.assertEqual(self.leecher.client.swarmSessions[other.wireHash].status, SwarmStatus.DOWNLOADING)
        self.assertEqual(self.leecher.client.getSwarmCount(), 2)

    def test_cannotRead(self) -> None:
        """A seeder that cannot read stops, and its peers lose their session."""
        faults = FaultyStorageFactory(MemoryStorageFactory())
        seeder = self.swarm.seeder(storageFactory=faults)
        faults.refusals["read"] = StorageError("input/output error")
        self.swarm.run(self.leecher.connect(seeder))
        self.advance(5)
        self.assertEqual(
            (seeder.session.status, seeder.session.reason), (SwarmStatus.FAILED, "input/output error")
        )
        self.assertEqual(self.leecher.session.status, SwarmStatus.DOWNLOADING)
        self.assertIsInstance(self.noted.ended[0], PeerDisconnected)

    def test_cannotFlush(self) -> None:
        """If what was written cannot be saved it stops too."""
        self.fail_("flush")
        self.swarm.run(self.leecher.connect(self.seeder))
        self.advance(60)
        self.assertFailed()
        self.assertGoesOn()

    def test_cannotCheck(self) -> None:
        """If files cannot be looked at it fails, and can be resumed."""
        self.fail_("allocated")
        checking = self.leecher.session.verify()
        self.assertRaises(StorageError, self.swarm.run, checking)
        self.assertFailed()
        self.assertGoesOn()

    def test_unexpected(self) -> None:
        """What a storage may not raise is logged and treated as its failure."""
        self.faults.refusals["writePiece"] = ZeroDivisionError("a bug")
        self.swarm.run(self.leecher.connect(self.seeder))
        self.advance(5)
        self.assertEqual(self.leecher.session.status, SwarmStatus.FAILED)
        self.assertGreater(len(self.flushLoggedErrors(ZeroDivisionError)), 0)
        self.assertGoesOn()

    def test_stateNotSaved(self) -> None:
        """If the state cannot be saved from time to time the swarm stops with that reason."""
        self.swarm.run(self.leecher.connect(self.seeder))
        self.network.runWhile(lambda: len(self.noted.pieces()) < 2)
        resume = self.leecher.client.engine.resume
        self.patch(resume, "save", lambda infoHash, state: fail(StorageError("database is full")))
        self.advance(60)
        self.assertEqual(
            (self.leecher.session.status, self.leecher.session.reason),
            (SwarmStatus.FAILED, "database is full"),
        )

    def test_stateNotSavedAtTheEnd(self) -> None:
        """If it cannot be saved at the end, that is logged and stops no stopping."""
        self.swarm.run(self.leecher.connect(self.seeder))
        self.network.runWhile(lambda: len(self.noted.pieces()) < 2)
        self.fail_("flush")
        self.fail_("close")
        self.swarm.run(self.leecher.client.stopService())
        self.assertEqual(self.leecher.host.leftovers(), [])

    def test_brokenRead(self) -> None:
        """What a storage may not raise when read is logged, and treated as its failure."""
        faults = FaultyStorageFactory(MemoryStorageFactory())
        seeder = self.swarm.seeder(storageFactory=faults)
        faults.refusals["read"] = ZeroDivisionError("a bug")
        self.swarm.run(self.leecher.connect(seeder))
        self.advance(5)
        self.assertEqual(seeder.session.status, SwarmStatus.FAILED)
        self.assertGreater(len(self.flushLoggedErrors(ZeroDivisionError)), 0)

    def test_removed(self) -> None:
        """A failed torrent can be removed, and the client stopped."""
        self.fail_("writePiece")
        self.swarm.run(self.leecher.connect(self.seeder))
        self.advance(5)
        self.swarm.run(self.leecher.client.removeTorrent(self.infoHash))
        self.assertEqual(self.leecher.client.getSwarmCount(), 0)
