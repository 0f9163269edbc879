"""Tests of how completed pieces get to the storage: L{twisted_bt.sessions.downloader}."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from tests.sessions.case import Noted, SwarmCase
from twisted_bt.errors import PieceCorrupt, StorageError
from twisted_bt.interfaces import IStorage
from twisted_bt.sessions.life import SwarmStatus
from twisted_bt.storage.memory import MemoryStorage, MemoryStorageFactory
from twisted_bt.testing.faults import FaultyStorageFactory
from twisted_bt.testing.swarm import Member


class SlowStorage(MemoryStorage):
    """
    Memory that stores when told to.

    @ivar batches: the pieces handed over and not dealt with, and how to say that they are.
    @ivar sizes: how many pieces each batch had.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.batches: list[tuple[list[tuple[int, bytes]], Deferred[list[Exception | None]]]] = []
        self.sizes: list[int] = []

    def writePieces(self, pieces: Any) -> Deferred[list[Exception | None]]:
        done: Deferred[list[Exception | None]] = Deferred()
        self.batches.append(([(index, bytes(data)) for index, data in pieces], done))
        self.sizes.append(len(pieces))
        return done

    def store(self, trouble: dict[int, Exception] | None = None) -> list[int]:
        """Deal with the oldest batch: its pieces are stored, or fail with what C{trouble} has for them."""
        pieces, done = self.batches.pop(0)
        outcomes: list[Exception | None] = []
        for index, data in pieces:
            outcome = (trouble or {}).get(index)
            if outcome is None:
                self.successful(super().writePiece(index, data))
            outcomes.append(outcome)
        done.callback(outcomes)
        return [index for index, _ in pieces]

    def successful(self, done: Deferred[None]) -> None:
        """It was stored."""
        results: list[Any] = []
        done.addBoth(results.append)
        assert results == [None], results


class SlowStorages(MemoryStorageFactory):
    """Makes one; C{storage} is the latest."""

    storage: SlowStorage

    def storageFor(self, metainfo: Any, dataDirPath: Path) -> IStorage:
        """See L{IStorageFactory<twisted_bt.interfaces.IStorageFactory>}."""
        made = super().storageFor(metainfo, dataDirPath)
        assert isinstance(made, MemoryStorage)
        self.storage = SlowStorage(made._layout, made._check, made._content)
        return self.storage


class BatchTests(SwarmCase):
    """A leecher whose storage stores when the test says so."""

    member: Member
    noted: Noted

    def setUp(self) -> None:
        """All was sent, and one piece is being stored."""
        super().setUp()
        self.storages = SlowStorages()
        self.member = self.swarm.leecher(storageFactory=self.storages)
        self.noted = self.observed(self.member)
        self.member.connect(self.swarm.seeder())
        self.advance(2)
        self.storage = self.storages.storage

    def finish(self) -> None:
        """Store all that comes."""
        for _ in range(20):
            while self.storage.batches:
                self.storage.store()
            self.advance(1)
        self.assertTrue(self.member.session.complete)
        self.assertEqual(self.member.content, self.swarm.content)

    def test_together(self) -> None:
        """What is completed while the storage is busy is handed over at once when it no longer is."""
        self.assertEqual(len(self.storage.batches), 1)
        first = self.storage.sizes[0]
        self.storage.store()
        self.assertEqual(self.storage.sizes, [first, self.pieceCount - first])
        self.assertEqual(len(self.noted.pieces()), first)
        self.finish()
        self.assertEqual(sorted(self.noted.pieces()), list(range(self.pieceCount)))

    def test_corrupt(self) -> None:
        """A piece of a batch that is wrong is got again, and the others are not."""
        self.storage.store()
        wrong = self.storage.batches[0][0][1][0]
        self.storage.store({wrong: PieceCorrupt(wrong)})
        self.assertEqual(self.member.session.downloader.download.missing.count(), 1)
        # Who sent it alone is banned; another has it too.
        self.member.connect(self.swarm.seeder())
        self.advance(2)
        self.assertEqual([index for index, _ in self.storage.batches[0][0]], [wrong])
        self.finish()

    def test_trouble(self) -> None:
        """One that could not be stored stops the swarm with that reason; what was stored counts."""
        self.storage.store()
        (good, _), (bad, _), *_ = self.storage.batches[0][0]
        self.storage.store({bad: StorageError("no room")})
        session = self.member.session
        self.assertEqual((session.status, session.reason), (SwarmStatus.FAILED, "no room"))
        self.assertEqual([session.clientBitfield[index] for index in (good, bad)], [1, 0])
        self.advance(1)

    def test_stopped(self) -> None:
        """To pause waits for what was handed over and for what waits behind it."""
        paused: list[None] = []
        self.member.session.pause().addCallback(paused.append)
        self.advance(1)
        self.assertEqual(paused, [])
        self.storage.store()
        self.advance(1)
        self.assertEqual(paused, [])
        self.storage.store()
        self.advance(1)
        self.assertEqual((paused, self.storage.batches), ([None], []))
        self.assertEqual(self.member.session.clientBitfield.count(), self.pieceCount)


class OneByOneTests(SwarmCase):
    """A storage that takes one piece at a time."""

    def test_completes(self) -> None:
        """It does not need to know of batches."""

        storages = FaultyStorageFactory(MemoryStorageFactory())
        leecher = self.swarm.leecher(storageFactory=storages)
        self.swarm.run(leecher.connect(self.swarm.seeder()))
        self.swarm.run(leecher.session.whenComplete())
        self.assertEqual(storages.asked.count("writePiece"), self.pieceCount)
        self.assertEqual(leecher.content, self.swarm.content)
