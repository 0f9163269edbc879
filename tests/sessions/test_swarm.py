"""
Vocabulary: SwarmSession, C{available}; and its life: pausing, verifying, failing, observers.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import fail
from zope.interface import implementer

from tests.sessions.case import Noted, SwarmCase
from twisted_bt.errors import PeerDisconnected, SessionStopped, StorageError
from twisted_bt.interfaces import IPiecePicker
from twisted_bt.peerwire.messages import Bitfield, Have, HaveAll, HaveNone, Interested, NotInterested
from twisted_bt.sessions.life import SwarmStatus
from twisted_bt.sessions.observers import SwarmObserver
from twisted_bt.sessions.swarm import SwarmSession
from twisted_bt.settings import Settings
from twisted_bt.storage.memory import MemoryStorageFactory
from twisted_bt.testing.disk import Disk
from twisted_bt.testing.faults import FaultyStorageFactory
from twisted_bt.testing.swarm import FOLDER, Member, makeTorrent
from twisted_bt.torrent.progress import Progress


class SwarmSessionTests(SwarmCase):
    """newSeeder and newLeecher, equality, slots."""

    def test_equality(self) -> None:
        """Equality is by info-hash."""
        engine = self.swarm.leecher().client.engine
        one = SwarmSession.newLeecher(engine, self.metainfo, FOLDER)
        two = SwarmSession.newSeeder(engine, self.metainfo, FOLDER / "elsewhere")
        other = SwarmSession.newLeecher(engine, makeTorrent(b"other"), FOLDER)
        self.assertEqual(one, two)
        self.assertEqual(hash(one), hash(two))
        self.assertNotEqual(one, other)
        self.assertNotEqual(one, one.infoHash)
        for each in (one, two, other):
            self.swarm.run(each.stop())

    def test_defaults(self) -> None:
        """Default slots: a seeder has the unchoke slots (4), a leecher numwant (50)."""
        engine = self.swarm.leecher().client.engine
        seeder = SwarmSession.newSeeder(engine, self.metainfo, FOLDER)
        leecher = SwarmSession.newLeecher(engine, self.metainfo, FOLDER)
        self.assertEqual((seeder.maxPeers, seeder.vacantPeers), (4, 4))
        self.assertEqual((leecher.maxPeers, leecher.vacantPeers), (50, 50))
        self.assertEqual((seeder.clientBitfield.count(), leecher.clientBitfield.count()), (10, 0))
        for each in (seeder, leecher):
            self.swarm.run(each.stop())

    def test_setting(self) -> None:
        """C{maxPeersPerTorrent} takes the place of both."""
        seeder = self.swarm.seeder(Settings(maxPeersPerTorrent=9))
        leecher = self.swarm.leecher(Settings(maxPeersPerTorrent=9))
        self.assertEqual((seeder.session.maxPeers, leecher.session.maxPeers), (9, 9))

    def test_slotsFollow(self) -> None:
        """When a leecher becomes a seeder its slots follow the policy; who has one keeps it."""
        seeder, leecher = self.swarm.seeder(), self.swarm.leecher()
        others = [
            self.met(leecher, HaveNone(), peerId=b"-SC0001-scripted00%02d" % number) for number in range(6)
        ]
        self.swarm.run(leecher.connect(seeder))
        self.assertEqual(leecher.session.vacantPeers, 43)
        self.swarm.finish()
        self.advance(1)
        self.assertEqual((leecher.session.maxPeers, leecher.session.vacantPeers), (4, -2))
        for peer in others[:4]:
            peer.close()
        self.advance(1)
        self.assertEqual(leecher.session.vacantPeers, 2)

    def test_rates(self) -> None:
        """Rates show what goes in and out."""
        seeder, leecher = self.swarm.seeder(), self.swarm.leecher()
        self.assertEqual((leecher.session.downloadRate, seeder.session.uploadRate), (0.0, 0.0))
        self.swarm.run(leecher.connect(seeder))
        self.swarm.finish()
        self.assertGreater(leecher.session.downloadRate, 0)
        self.assertGreater(seeder.session.uploadRate, 0)

    def test_repr(self) -> None:
        """It says what it is, for logs."""
        self.assertIn("'content' downloading", repr(self.swarm.leecher().session))


class AvailableTests(SwarmCase):
    """available(bitfield): new pieces are here."""

    def test_together(self) -> None:
        """Bitfield and progress change together: whoever is told sees both."""
        leecher = self.swarm.leecher()
        seen: list[tuple[bool, int]] = []

        class Looks(SwarmObserver):
            def pieceVerified(self, swarm: SwarmSession, index: int) -> None:
                seen.append((bool(swarm.clientBitfield[index]), swarm.progress.left))

        leecher.session.observe(Looks())
        self.arrive(leecher, [0, 9])
        left = self.size - self.pieceLength - (self.size - 9 * self.pieceLength)
        self.assertEqual(seen, [(True, left), (True, left)])

    def test_shortLastPiece(self) -> None:
        """The last piece counts its own length, not that of a full one."""
        leecher = self.swarm.leecher()
        self.arrive(leecher, [9])
        short = self.size - 9 * self.pieceLength
        self.assertLess(short, self.pieceLength)
        self.assertEqual(leecher.session.progress, Progress(0, short, self.size - short))

    def test_haveToWhoLacks(self) -> None:
        """C{have} goes to those who lack the piece, and to no one else."""
        leecher = self.swarm.leecher()
        seed = self.met(leecher, HaveAll())
        empty = self.met(leecher, HaveNone(), peerId=b"-SC0001-scripted0002")
        has3 = self.met(leecher, Bitfield(b"\x10\x00"), peerId=b"-SC0001-scripted0003")
        self.arrive(leecher, [3])
        self.advance(1)
        self.assertEqual(empty.heardOf(Have), [Have(3)])
        self.assertEqual((seed.heardOf(Have), has3.heardOf(Have)), ([], []))

    def test_again(self) -> None:
        """What is here already is no news."""
        leecher = self.swarm.leecher()
        noted = self.observed(leecher)
        empty = self.met(leecher, HaveNone())
        self.arrive(leecher, [3])
        self.arrive(leecher, [3])
        self.advance(1)
        self.assertEqual(noted.pieces(), [3])
        self.assertEqual(empty.heardOf(Have), [Have(3)])
        self.assertEqual(leecher.session.progress.downloaded, self.pieceLength)

    def test_interestJudgedAgain(self) -> None:
        """Whoever had nothing else for us hears that we are not interested any more."""
        leecher = self.swarm.leecher()
        has3 = self.met(leecher, Bitfield(b"\x10\x00"))
        self.assertEqual(len(has3.heardOf(Interested)), 1)
        self.arrive(leecher, [3])
        self.advance(1)
        self.assertEqual(len(has3.heardOf(NotInterested)), 1)

    def test_complete(self) -> None:
        """With the last piece the leecher is a seeder, and says so once."""
        leecher = self.swarm.leecher()
        noted = self.observed(leecher)
        waiting = leecher.session.whenComplete()
        self.arrive(leecher, range(9))
        self.assertNoResult(waiting)
        self.arrive(leecher, [9])
        self.assertIs(self.successResultOf(waiting), leecher.session)
        self.assertEqual(leecher.session.status, SwarmStatus.SEEDING)
        self.assertEqual([event for event in noted.events if event == ("completed",)], [("completed",)])
        self.assertTrue(leecher.session.complete)


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


class SelectionTests(SwarmCase):
    """Files can be selected (here there is one)."""

    def test_nothing(self) -> None:
        """With no file selected nothing is missing, and nothing is asked for; selected again, it is."""
        seeder, leecher = self.swarm.seeder(), self.swarm.leecher()
        leecher.session.selectFiles([])
        self.assertTrue(leecher.session.complete)
        self.assertEqual(leecher.session.status, SwarmStatus.SEEDING)
        self.assertEqual(leecher.session.progress.left, 0)
        leecher.session.selectFiles([7])
        self.assertTrue(leecher.session.complete)
        leecher.session.selectFiles([0])
        self.assertEqual(leecher.session.progress.left, self.size)
        self.assertEqual(leecher.session.status, SwarmStatus.DOWNLOADING)
        self.swarm.run(leecher.connect(seeder))
        self.swarm.finish()
        self.assertEqual(leecher.content, self.swarm.content)

    def test_midway(self) -> None:
        """Deselected in the middle of it, the rest is left; what is here stays and is served."""
        seeder, leecher = self.swarm.seeder(), self.swarm.leecher()
        noted = self.observed(leecher)
        self.swarm.run(leecher.connect(seeder))
        self.network.runWhile(lambda: len(noted.pieces()) < 3)
        leecher.session.selectFiles([])
        self.advance(5)
        here = leecher.session.clientBitfield.count()
        self.assertLess(here, self.pieceCount)
        self.assertEqual(leecher.client.engine.buffers.out, 0)
        leecher.session.selectFiles(None)
        if not leecher.session.connectedPeers:
            self.swarm.run(leecher.connect(seeder))
        self.swarm.finish()
        self.assertEqual(leecher.content, self.swarm.content)


class ObserverTests(SwarmCase):
    """Observers."""

    def test_story(self) -> None:
        """They hear the whole story, in order."""
        seeder, leecher = self.swarm.seeder(), self.swarm.leecher()
        noted = self.observed(leecher)
        self.swarm.run(leecher.connect(seeder))
        self.swarm.finish()
        self.advance(1)
        self.assertEqual(noted.events[0], ("connected", seeder.address))
        self.assertEqual(sorted(noted.pieces()), list(range(self.pieceCount)))
        self.assertEqual(
            [event for event in noted.events[1:] if event[0] != "piece"],
            [("completed",), ("status", "seeding"), ("disconnected", seeder.address)],
        )

    def test_raising(self) -> None:
        """One that raises is logged, and neither the others nor the swarm notice."""
        seeder, leecher = self.swarm.seeder(), self.swarm.leecher()

        class Broken(SwarmObserver):
            def pieceVerified(self, swarm: SwarmSession, index: int) -> None:
                raise ZeroDivisionError

            def completed(self, swarm: SwarmSession) -> None:
                raise ZeroDivisionError

            def peerDisconnected(self, swarm: SwarmSession, peer: Any, reason: BaseException) -> None:
                raise ZeroDivisionError

        leecher.session.observe(Broken())
        noted = self.observed(leecher)
        self.swarm.run(leecher.connect(seeder))
        self.swarm.finish()
        self.advance(1)
        self.assertEqual(len(noted.pieces()), self.pieceCount)
        self.assertEqual(leecher.content, self.swarm.content)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), self.pieceCount + 2)

    def test_forgotten(self) -> None:
        """One that has enough hears nothing more; to say so twice is as good as once."""
        leecher = self.swarm.leecher()
        noted = Noted()
        forget = leecher.session.observe(noted)
        self.arrive(leecher, [1])
        forget()
        forget()
        self.arrive(leecher, [2])
        self.assertEqual(noted.pieces(), [1])

    def test_pickerOfOnesOwn(self) -> None:
        """An application's own picker decides the order of pieces."""
        picked: list[int] = []

        @implementer(IPiecePicker)
        class Backwards:
            def pick(self, candidates: Any, availability: Any) -> int | None:
                picked.append(int(candidates.find(1, right=True)))
                return picked[-1]

        seeder = self.swarm.seeder()
        settings = Settings(allowedExtensions=frozenset())  # nothing is allowed fast, out of order
        leecher = self.swarm.leecher(settings, picker=lambda random: Backwards())
        self.swarm.run(leecher.connect(seeder))
        self.swarm.finish()
        self.assertEqual(picked, list(range(self.pieceCount))[::-1])
