"""
Vocabulary: SwarmSession: paused and resumed, and its content verified anew.
"""

from __future__ import annotations

from tests.sessions.case import SwarmCase
from twisted_bt.errors import SessionStopped
from twisted_bt.peerwire.messages import HaveNone
from twisted_bt.sessions.life import SwarmStatus
from twisted_bt.settings import Settings
from twisted_bt.testing.disk import Disk
from twisted_bt.testing.swarm import Member
from twisted_bt.torrent.progress import Progress


class PausingTests(SwarmCase):
    """pause, resume."""

    def pausedMidway(self) -> tuple[Member, Member]:
        """A seeder, and a leecher that was paused with two pieces."""
        seeder, leecher = self.swarm.seeder(), self.swarm.leecher()
        noted = self.observed(leecher)
        self.swarm.run(leecher.connect(seeder))
        self.network.runWhile(lambda: len(noted.pieces()) < 2)
        self.swarm.run(leecher.session.pause())
        return seeder, leecher

    def test_pause(self) -> None:
        """Paused, it talks to nobody, and answers nobody."""
        seeder, leecher = self.pausedMidway()
        self.assertEqual(leecher.session.status, SwarmStatus.PAUSED)
        self.assertEqual(leecher.session.connectedPeers, {})
        self.assertEqual(leecher.client.engine.activeSlots.taken, 0)
        leecher.meet(seeder)
        peer = self.met(leecher, HaveNone())
        self.assertTrue(peer.wasReset)
        self.assertEqual(leecher.session.connectedPeers, {})

    def test_memoryGivenBack(self) -> None:
        """Paused, it holds no memory that other torrents may want."""
        _, leecher = self.pausedMidway()
        self.assertEqual(leecher.client.engine.buffers.out, 0)

    def test_resume(self) -> None:
        """Resumed, it goes on where it was, without looking at the disk again, and completes."""
        seeder, leecher = self.pausedMidway()
        before = leecher.session.clientBitfield.count()
        self.assertGreaterEqual(before, 2)
        noted = self.observed(leecher)
        leecher.session.resume()
        self.swarm.run(leecher.session.whenChecked())
        self.assertEqual(leecher.session.clientBitfield.count(), before)
        self.swarm.run(leecher.connect(seeder))
        self.swarm.finish()
        self.assertEqual(leecher.content, self.swarm.content)
        self.assertEqual([event for event in noted.events if event[0] == "checked"], [])
        self.assertEqual(len(noted.pieces()), self.pieceCount - before)
        self.assertEqual(leecher.session.progress, Progress(0, self.size, 0))

    def test_twice(self) -> None:
        """To pause twice, or to resume what runs, changes nothing."""
        _, leecher = self.pausedMidway()
        noted = self.observed(leecher)
        self.swarm.run(leecher.session.pause())
        leecher.session.resume()
        leecher.session.resume()
        self.advance(1)
        self.assertEqual(noted.statuses, ["queued", "downloading"])

    def test_quickly(self) -> None:
        """What was asked last is what happens, however quickly one changes one's mind."""
        seeder, leecher = self.pausedMidway()
        leecher.session.resume()
        pausing = leecher.session.pause()
        leecher.session.resume()
        self.swarm.run(pausing)
        self.swarm.run(leecher.session.whenChecked())
        self.advance(1)
        self.assertEqual(leecher.session.status, SwarmStatus.DOWNLOADING)
        self.assertEqual(leecher.client.engine.activeSlots.taken, 1)
        self.swarm.run(leecher.connect(seeder))
        leecher.session.resume()
        last = leecher.session.pause()
        self.swarm.run(last)
        self.advance(1)
        self.assertEqual(leecher.session.status, SwarmStatus.PAUSED)
        self.assertEqual(leecher.client.engine.activeSlots.taken, 0)

    def test_whileChecking(self) -> None:
        """It can be paused while files are looked at; resumed, it looks again."""
        host = self.network.host(disk=Disk(latency=0.5))
        leecher = self.swarm.leecher(host=host)
        verifying = leecher.session.verify()
        self.network.runWhile(lambda: leecher.session.status is not SwarmStatus.CHECKING)
        self.swarm.run(leecher.session.pause())
        self.assertEqual(leecher.session.status, SwarmStatus.PAUSED)
        self.assertEqual(leecher.client.engine.activeSlots.taken, 0)
        leecher.session.resume()
        self.swarm.run(leecher.session.whenChecked())
        self.assertEqual(leecher.session.status, SwarmStatus.DOWNLOADING)
        self.swarm.run(verifying)

    def test_stopped(self) -> None:
        """A stopped swarm does not come back."""
        leecher = self.swarm.leecher()
        self.swarm.run(leecher.client.removeTorrent(self.infoHash))
        leecher.session.resume()
        self.successResultOf(leecher.session.pause())
        self.advance(1)
        self.assertEqual(leecher.session.status, SwarmStatus.STOPPED)
        self.failureResultOf(leecher.session.whenChecked(), SessionStopped)
        self.failureResultOf(leecher.session.whenComplete(), SessionStopped)

    def test_waitersCancelled(self) -> None:
        """Who waits for something may give up."""
        leecher = self.swarm.leecher()
        waiting = leecher.session.whenComplete()
        waiting.cancel()
        self.failureResultOf(waiting)
        self.arrive(leecher, range(self.pieceCount))

    def test_seedRatio(self) -> None:
        """With C{seedRatio} it is paused once it has given that often what it has."""
        seeder = self.swarm.seeder(Settings(seedRatio=2.0))
        for _ in range(2):
            leecher = self.swarm.leecher()
            self.swarm.run(leecher.connect(seeder))
            self.swarm.run(leecher.session.whenComplete())
        self.advance(2)
        self.assertEqual(seeder.session.status, SwarmStatus.PAUSED)
        self.assertEqual(seeder.session.progress.uploaded, 2 * self.size)


class VerifyTests(SwarmCase):
    """verify(): hash all that is on disk anew."""

    def test_allWell(self) -> None:
        """What is right stays; progress is told."""
        seeder = self.swarm.seeder()
        noted = self.observed(seeder)
        self.swarm.run(seeder.session.verify())
        self.assertEqual(noted.statuses, ["paused", "queued", "checking", "seeding"])
        checks = [event for event in noted.events if event[0] == "checked"]
        self.assertEqual(checks, [("checked", done, 10) for done in range(1, 11)])
        self.assertEqual(seeder.session.progress.left, 0)

    def test_damaged(self) -> None:
        """What is wrong is got again."""
        seeder, other = self.swarm.seeder(), self.swarm.seeder()
        seeder.stored.change(2, b"x" * self.pieceLength)
        seeder.stored.change(9, None)
        self.swarm.run(seeder.session.verify())
        self.assertEqual(list(seeder.session.clientBitfield.search(0)), [2, 9])
        short = self.size - 9 * self.pieceLength
        self.assertEqual(seeder.session.progress.left, self.pieceLength + short)
        self.assertEqual(seeder.session.status, SwarmStatus.DOWNLOADING)
        self.swarm.run(seeder.connect(other))
        self.swarm.finish()
        self.assertEqual(seeder.content, self.swarm.content)

    def test_whilePeersAreThere(self) -> None:
        """Peers are parted from meanwhile; afterwards all goes on."""
        seeder, leecher = self.swarm.seeder(), self.swarm.leecher()
        noted = self.observed(leecher)
        self.swarm.run(leecher.connect(seeder))
        self.network.runWhile(lambda: len(noted.pieces()) < 3)
        self.swarm.run(leecher.session.verify())
        self.swarm.run(leecher.connect(seeder))
        self.swarm.finish()
        self.assertEqual(leecher.content, self.swarm.content)
