"""
What of the content in files is on the disk, and what a crash leaves.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace

from tests.storage.filecase import PIECE, FileStorageTestCase
from twisted_bt.storage.filepool import FilePool
from twisted_bt.storage.files import FileStorage
from twisted_bt.storage.resume import ResumeState
from twisted_bt.storage.trust import Verdict, trust
from twisted_bt.testing.storages import Sample


class AllocatedTests(FileStorageTestCase):
    """Which pieces might be there."""

    def bits(self, storage: FileStorage) -> str:
        """What L{FileStorage.allocated} says."""
        return self.successResultOf(storage.allocated()).to01()

    def test_holes(self) -> None:
        """Pieces wholly in holes or beyond the end are left out."""
        sample = Sample([40 * PIECE], 4 * PIECE)
        storage = self.storage(sample)
        for index in (2, 5):
            self.successResultOf(storage.writePiece(index, sample.piece(index)))
        self.assertEqual(self.bits(storage), "0010010000")

    def test_missingFile(self) -> None:
        """A piece that lies only partly in a missing file is left out."""
        sample = Sample([2 * PIECE + 1, 2 * PIECE], PIECE)
        self.fill(sample)
        self.path(sample, 1).unlink()
        self.assertEqual(self.bits(self.storage(sample)), "11000")

    def test_short(self) -> None:
        """So is one that lies partly beyond a file's end."""
        sample = Sample([3 * PIECE], PIECE)
        self.fill(sample)
        os.truncate(self.path(sample, 0), 2 * PIECE - 1)
        self.assertEqual(self.bits(self.storage(sample)), "100")

    def test_zeros(self) -> None:
        """A piece of zeros is never left out: a file system may store it as a hole."""
        sample = Sample([4 * PIECE, 4 * PIECE, 4 * PIECE], 4 * PIECE, pads=[1])
        sample.files[1] = replace(sample.files[1], isPad=False)  # zeros, but in a file
        self.path(sample, 0).parent.mkdir(parents=True)
        for number in range(3):
            with self.path(sample, number).open("wb") as file:
                file.truncate(4 * PIECE)
        storage = self.storage(sample)
        self.assertEqual(self.bits(storage), "010")
        self.assertIs(self.successResultOf(storage.verifyPiece(1)), True)

    def test_neverTooFew(self) -> None:
        """Whatever was written, a piece that verifies is allocated."""
        sample = Sample([3000, 0, 5000, 12_345, 1, 9000, 20_000], 2048, pads=[4])
        storage = self.storage(sample)
        for index in range(0, sample.layout.pieceCount, 3):
            self.successResultOf(storage.writePiece(index, sample.piece(index)))
        allocated = self.successResultOf(storage.allocated())
        for index in range(sample.layout.pieceCount):
            if self.successResultOf(storage.verifyPiece(index)):
                self.assertTrue(allocated[index], index)


class FlushTests(FileStorageTestCase):
    """What survives a loss of power."""

    def synced(self, storage: FileStorage) -> int:
        """How many files and folders the next flush syncs."""
        self.calls.log.clear()
        self.successResultOf(storage.flush())
        return self.calls.log.count("sync")

    def half(self) -> tuple[Sample, FileStorage]:
        """A file of two pieces, of which the first is written."""
        sample = Sample([2 * PIECE], PIECE)
        storage = self.storage(sample)
        self.successResultOf(storage.writePiece(0, sample.piece(0)))
        return sample, storage

    def afterSync(self, meanwhile: Callable[[], object]) -> None:
        """Do something once the next file was synced, before the flush that asked for it goes on."""
        sync = self.calls.sync

        def syncOnce(fd: int) -> None:
            self.calls.sync = sync  # type: ignore[method-assign]
            sync(fd)
            meanwhile()

        self.calls.sync = syncOnce  # type: ignore[method-assign]

    def test_dirtyOnly(self) -> None:
        """A flush syncs the files written since the last one, and the folders that lead to new ones."""
        sample = Sample([PIECE, PIECE, PIECE], PIECE)
        storage = self.storage(sample)
        self.successResultOf(storage.writePiece(0, sample.piece(0)))
        self.successResultOf(storage.writePiece(1, sample.piece(1)))
        # Two files, the folder they are in, the data folder, and those above it.
        self.assertEqual(self.synced(storage), 4 + len(self.folder.parents))
        self.assertEqual(self.synced(storage), 0)
        self.successResultOf(storage.writePiece(1, sample.piece(1)))
        self.assertEqual(self.synced(storage), 1)

    def test_writtenMeanwhile(self) -> None:
        """What is written while a flush is under way is dirty for the next."""
        sample, storage = self.half()
        self.afterSync(lambda: self.successResultOf(storage.writePiece(1, sample.piece(1))))
        self.successResultOf(storage.flush())
        self.assertEqual(self.synced(storage), 1)

    def test_flushedMeanwhile(self) -> None:
        """What is flushed while a write is under way is dirty nevertheless, once that is done."""
        sample, storage = self.half()
        write = self.calls.write

        def meanwhile(fd: int, buffers: list[memoryview], offset: int) -> int:
            self.calls.write = write  # type: ignore[method-assign]
            self.successResultOf(storage.flush())
            return write(fd, buffers, offset)

        self.calls.write = meanwhile  # type: ignore[method-assign]
        self.successResultOf(storage.writePiece(1, sample.piece(1)))
        self.assertEqual(self.synced(storage), 1)

    def test_twoFlushes(self) -> None:
        """A flush that outlasts another, and a write, leaves that write for the next."""
        sample, storage = self.half()

        def meanwhile() -> None:
            self.successResultOf(storage.flush())
            self.successResultOf(storage.writePiece(1, sample.piece(1)))

        self.afterSync(meanwhile)
        self.successResultOf(storage.flush())
        self.assertEqual(self.synced(storage), 1)

    def test_fails(self) -> None:
        """After a failed flush none succeeds: the system tells of lost data only once.  A new storage can."""
        sample, storage = self.half()
        self.calls.faults["sync"] = errno.EIO
        self.fails(storage.flush(), "disk fails", "may be lost")
        self.calls.faults.clear()
        self.fails(storage.flush(), "disk fails", "may be lost")
        another = self.fill(sample)
        self.successResultOf(another.flush())

    def test_cannotOpen(self) -> None:
        """A flush that failed before it began to sync has lost nothing: the next one can do it."""
        self.pool = FilePool(1, self.calls)
        sample = Sample([PIECE, PIECE], PIECE)
        storage = self.fill(sample)
        self.calls.faults["open"] = errno.EMFILE
        self.fails(storage.flush(), "too many open files")
        self.calls.faults.clear()
        self.assertGreaterEqual(self.synced(storage), 2)

    def test_evicted(self) -> None:
        """A dirty file that was closed meanwhile, because too many were open, is synced nevertheless."""
        self.pool = FilePool(1, self.calls)
        sample = Sample([PIECE, PIECE], PIECE)
        storage = self.fill(sample)
        self.assertGreaterEqual(self.synced(storage), 2)


class CrashTests(FileStorageTestCase):
    """A run that was killed, as the next one finds it."""

    WINDOW = 45.0

    def test_midDownload(self) -> None:
        """
        What was flushed is claimed, what was written later is found by hashing, and only that is hashed.
        """
        sample = Sample([5 * PIECE, 5 * PIECE, 5 * PIECE + 3], PIECE)
        count = sample.layout.pieceCount
        storage = self.storage(sample)
        for index in (0, 1, 7):
            self.successResultOf(storage.writePiece(index, sample.piece(index)))
        self.successResultOf(storage.flush())
        verified = self.successResultOf(storage.allocated())
        signature = self.successResultOf(storage.signature())
        savedAt = self.path(sample, 1).stat().st_mtime
        state = ResumeState(verified, signature, True, savedAt, 0, 0)
        for index in (3, 12):
            self.successResultOf(storage.writePiece(index, sample.piece(index)))
        # Killed here; and the next run:
        storage = self.storage(sample)
        found = trust(state, self.successResultOf(storage.signature()), count, self.WINDOW)
        found = found.within(self.successResultOf(storage.allocated()))
        self.assertEqual(found.verdict, Verdict.CRASHED)
        self.assertEqual(list(found.claim.search(1)), [0, 1, 7])
        self.assertEqual(list(found.check.search(1)), [3, 12])
