"""The contract of L{twisted_bt.interfaces.IStorage}, for each of ours."""

from __future__ import annotations

import unittest
from random import Random
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.storage.doubles import ThreadReactor, folderFor
from twisted_bt.interfaces import IDiskQueue, IStorage
from twisted_bt.storage.diskqueue import DiskThreads, ImmediateDisk
from twisted_bt.storage.filepool import FilePool
from twisted_bt.storage.files import FileStorage
from twisted_bt.storage.memory import MemoryStorage
from twisted_bt.testing.storages import BatchStorageContract, Sample, StorageContract

T = TypeVar("T")


class MemoryStorageTests(BatchStorageContract, SynchronousTestCase):
    """L{MemoryStorage}."""

    def makeStorage(self, sample: Sample) -> IStorage:
        """See L{StorageContract}."""
        return MemoryStorage(sample.layout, sample.check)


class FileStorageTests(BatchStorageContract, SynchronousTestCase):
    """L{FileStorage}, whose disk work is done at once."""

    preallocate = False

    def disk(self) -> IDiskQueue:
        """Where the work goes."""
        return ImmediateDisk()

    def makeStorage(self, sample: Sample) -> IStorage:
        """See L{StorageContract}."""
        pool = FilePool(2)  # fewer than there are files
        folder = folderFor(self) / "data"
        return FileStorage(
            self.disk(), pool, folder, sample.files, sample.layout, sample.check, preallocate=self.preallocate
        )


class PreallocatedFileStorageTests(FileStorageTests):
    """L{FileStorage} that reserves room."""

    preallocate = True


class ThreadedFileStorageTests(FileStorageTests):
    """L{FileStorage} on real threads."""

    def setUp(self) -> None:
        self.reactor = ThreadReactor()

    def disk(self) -> IDiskQueue:
        """Two threads, ended with the test."""
        disk = DiskThreads(self.reactor, 2, 1 << 20)
        self.addCleanup(lambda: self.successResultOf(self.reactor.wait(disk.stop())))
        return disk

    def result(self, deferred: Deferred[T]) -> T:
        """See L{StorageContract}."""
        return self.successResultOf(self.reactor.wait(deferred))

    def failure(self, deferred: Deferred[Any], *kinds: type[Exception]) -> Failure:
        """See L{StorageContract}."""
        return super().failure(self.reactor.wait(deferred), *kinds)

    def test_allAtOnce(self) -> None:
        """Pieces, reads and flushes under way at once, over few open files, do not harm one another."""
        sample = Sample([1000, 0, 70_000, 3, 90_000, 1, 50_001] * 3, 5000)
        count = sample.layout.pieceCount
        storage = self.makeStorage(sample)
        order = list(range(count))
        Random(1).shuffle(order)
        waiting: list[Deferred[Any]] = []
        for index in order:
            waiting.append(storage.writePiece(index, sample.piece(index)))
            if index % 20 == 0:
                waiting += [storage.flush(), storage.signature(), storage.allocated()]
        for each in waiting:
            self.result(each)
        reads = [storage.read(index, 0, sample.layout.pieceSize(index)) for index in order]
        good = [storage.verifyPiece(index) for index in order]
        closed = storage.close()
        self.assertEqual([self.result(each) for each in reads], [sample.piece(index) for index in order])
        self.assertEqual([self.result(each) for each in good], [True] * count)
        self.assertIsNone(self.result(closed))


class BrokenStorageTests(SynchronousTestCase):
    """The contract tests themselves."""

    def test_noticesCarelessStorage(self) -> None:
        """A storage that checks nothing does not pass."""

        class Careless(StorageContract, SynchronousTestCase):
            def makeStorage(self, sample: Sample) -> IStorage:
                return MemoryStorage(sample.layout, lambda index, data: True)

        for method in ("test_corrupt", "test_corruptChangesNothing"):
            result = unittest.TestResult()
            Careless(method).run(result)
            self.assertEqual((result.testsRun, result.wasSuccessful()), (1, False))
