"""The contract of L{twisted_bt.interfaces.IStorage}, for each of ours."""

from __future__ import annotations

from typing import Any, TypeVar
from unittest import TestResult

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.storage.doubles import ThreadReactor, folderFor
from twisted_bt.interfaces import IDiskQueue, IStorage
from twisted_bt.storage.diskqueue import DiskThreads, ImmediateDisk
from twisted_bt.storage.filepool import FilePool
from twisted_bt.storage.files import FileStorage
from twisted_bt.storage.memory import MemoryStorage
from twisted_bt.testing.storages import Sample, StorageContract

T = TypeVar("T")


class MemoryStorageTests(StorageContract, SynchronousTestCase):
    """L{MemoryStorage}."""

    def makeStorage(self, sample: Sample) -> IStorage:
        """See L{StorageContract}."""
        return MemoryStorage(sample.layout, sample.check)


class FileStorageTests(StorageContract, SynchronousTestCase):
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


class BrokenStorageTests(SynchronousTestCase):
    """The contract tests themselves."""

    def test_noticesCarelessStorage(self) -> None:
        """A storage that checks nothing does not pass."""

        class Careless(StorageContract, SynchronousTestCase):
            def makeStorage(self, sample: Sample) -> IStorage:
                return MemoryStorage(sample.layout, lambda index, data: True)

        for method in ("test_corrupt", "test_corruptChangesNothing"):
            result = TestResult()
            Careless(method).run(result)
            self.assertEqual((result.testsRun, result.wasSuccessful()), (1, False))
