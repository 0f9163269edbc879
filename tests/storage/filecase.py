"""
What the tests of storages in files have in common.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.storage.doubles import FaultyCalls, folderFor, openFiles
from twisted_bt.errors import StorageError
from twisted_bt.interfaces import IDiskQueue
from twisted_bt.storage.diskqueue import ImmediateDisk
from twisted_bt.storage.filepool import FilePool
from twisted_bt.storage.files import FileStorage
from twisted_bt.testing.storages import Sample

PIECE = 1 << 14


class FileStorageTestCase(SynchronousTestCase):
    """What these tests have in common: a folder, and storages in it whose disk can be made to fail."""

    def setUp(self) -> None:
        self.folder = folderFor(self) / "data"
        self.calls = FaultyCalls()
        self.pool = FilePool(16, self.calls)
        self.before = openFiles()

    def storage(
        self, sample: Sample, disk: IDiskQueue | None = None, preallocate: bool = False
    ) -> FileStorage:
        """A storage for C{sample}; another call is what another run would find."""
        storage = FileStorage(
            disk if disk is not None else ImmediateDisk(),
            self.pool,
            self.folder,
            sample.files,
            sample.layout,
            sample.check,
            preallocate=preallocate,
            calls=self.calls,
        )
        self.addCleanup(storage.close)
        return storage

    def fill(self, sample: Sample, **options: Any) -> FileStorage:
        """A storage with all of C{sample}."""
        storage = self.storage(sample, **options)
        for index in range(sample.layout.pieceCount):
            self.successResultOf(storage.writePiece(index, sample.piece(index)))
        return storage

    def path(self, sample: Sample, number: int) -> Path:
        """Where file C{number} is."""
        return self.folder.joinpath(*sample.files[number].path)

    def fails(self, deferred: Deferred[Any], *words: str) -> None:
        """C{deferred} failed with a message for people that has all C{words}."""
        reason = self.failureResultOf(deferred, StorageError)
        for word in words:
            self.assertIn(word, reason.getErrorMessage())
