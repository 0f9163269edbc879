"""
Vocabulary: SwarmSession, C{available}, which files are wanted, observers.
"""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from tests.sessions.case import Noted, SwarmCase
from twisted_bt.interfaces import IPiecePicker
from twisted_bt.peerwire.messages import Bitfield, Have, HaveAll, HaveNone, Interested, NotInterested
from twisted_bt.sessions.life import SwarmStatus
from twisted_bt.sessions.observers import SwarmObserver
from twisted_bt.sessions.swarm import SwarmSession
from twisted_bt.settings import Settings
from twisted_bt.testing.swarm import FOLDER, makeTorrent
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
