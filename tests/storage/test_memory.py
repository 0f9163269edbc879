"""Tests of L{twisted_bt.storage.memory}; the contract is in C{test_storages}."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_bt.interfaces import IStorageFactory
from twisted_bt.storage.memory import MemoryStorageFactory
from twisted_bt.testing.storages import HeldDisk, Sample


class Metainfo:
    """As much of one as the factory looks at."""

    def __init__(self, sample: Sample, infoHash: bytes) -> None:
        self.layout = sample.layout
        self.pieceHash = sample.hashes.__getitem__
        self.wireHash = infoHash


class MemoryStorageFactoryTests(SynchronousTestCase):
    """Storages that share a memory."""

    def setUp(self) -> None:
        self.sample = Sample([40_000], 1 << 14)
        self.factory = MemoryStorageFactory()

    def test_outlives(self) -> None:
        """What one storage wrote is there for the next of the same torrent and folder, and no other."""
        verifyObject(IStorageFactory, self.factory)
        one, two = Metainfo(self.sample, b"1"), Metainfo(self.sample, b"2")
        storage = self.factory.storageFor(one, Path("a"))
        self.successResultOf(storage.writePiece(0, self.sample.piece(0)))
        signature = self.successResultOf(storage.signature())
        self.successResultOf(storage.close())
        again = self.factory.storageFor(one, Path("a"))
        self.assertIs(self.successResultOf(again.verifyPiece(0)), True)
        self.assertEqual(self.successResultOf(again.signature()), signature)
        for metainfo, folder in ((one, "b"), (two, "a")):
            other = self.factory.storageFor(metainfo, Path(folder))
            self.assertIs(self.successResultOf(other.verifyPiece(0)), False)

    def test_damage(self) -> None:
        """A piece that is damaged or taken away behind the storage's back is noticed."""
        storage = self.factory.storageFor(Metainfo(self.sample, b"1"), Path("a"))
        content = self.factory.contents[b"1", Path("a")]
        self.successResultOf(storage.writePiece(0, self.sample.piece(0)))
        seen = {self.successResultOf(storage.signature())}
        for data in (b"other", None):
            content.change(0, data)
            self.assertIs(self.successResultOf(storage.verifyPiece(0)), False)
            seen.add(self.successResultOf(storage.signature()))
        self.assertEqual(len(seen), 3)

    def test_disk(self) -> None:
        """The work may be held back."""
        disk = HeldDisk()
        storage = MemoryStorageFactory(disk).storageFor(Metainfo(self.sample, b"1"), Path("a"))
        writing = storage.writePiece(0, self.sample.piece(0))
        self.assertNoResult(writing)
        disk.releaseAll()
        self.assertIsNone(self.successResultOf(writing))
