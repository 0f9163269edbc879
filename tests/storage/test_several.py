"""Tests of how L{FileStorage.writePieces} writes many pieces at a time."""

from __future__ import annotations

import errno

from tests.storage.filecase import PIECE, FileStorageTestCase
from twisted_bt.errors import StorageError
from twisted_bt.storage.files import HELD, FileStorage, PieceHashes
from twisted_bt.testing.storages import Sample


class SeveralTests(FileStorageTestCase):
    """Files whose system calls are noted, and may fail."""

    def write(self, storage: FileStorage, sample: Sample, *indices: int) -> list[Exception | None]:
        """Store these pieces at a time."""
        self.calls.log.clear()
        return self.successResultOf(storage.writePieces([(index, sample.piece(index)) for index in indices]))

    def test_neighbours(self) -> None:
        """Pieces that follow one another in a file are one write, in whatever order they came."""
        sample = Sample([20 * PIECE], PIECE)
        storage = self.storage(sample)
        self.assertEqual(self.write(storage, sample, 7, 3, 6, 2, 5, 19), [None] * 6)
        self.assertEqual(self.calls.log.count("write"), 3)
        content = self.path(sample, 0).read_bytes()
        for first, last in ((2, 3), (5, 7), (19, 19)):
            begin, end = first * PIECE, (last + 1) * PIECE
            self.assertEqual(content[begin:end], sample.content[begin:end])

    def test_severalFiles(self) -> None:
        """What lies in several files is one write to each."""
        sample = Sample([PIECE + 100, 3 * PIECE, 50], PIECE)
        storage = self.storage(sample)
        count = sample.layout.pieceCount
        self.assertEqual(self.write(storage, sample, *range(count)), [None] * count)
        self.assertEqual(self.calls.log.count("write"), 3)
        for number in range(3):
            self.assertEqual(self.path(sample, number).read_bytes(), sample.fileContent(number))

    def test_shortWrites(self) -> None:
        """A system that takes less than it is given gets the rest, piece by piece of it."""
        sample = Sample([9 * PIECE], PIECE)
        storage = self.storage(sample)
        self.calls.most = PIECE + 1000
        self.write(storage, sample, *range(9))
        self.assertEqual(self.path(sample, 0).read_bytes(), sample.content)

    def test_full(self) -> None:
        """When there is no room, the pieces written before are stored, and the others are not."""
        sample = Sample([9 * PIECE], PIECE)
        storage = self.storage(sample)
        self.calls.room = 2 * PIECE
        outcomes = self.write(storage, sample, 0, 2, 4, 6)
        self.assertEqual(outcomes[:2], [None, None])
        for each in outcomes[2:]:
            self.assertIsInstance(each, StorageError)
            self.assertIn("disk full", str(each))
        good = [self.successResultOf(storage.verifyPiece(index)) for index in (0, 2, 4, 6)]
        self.assertEqual(good, [True, True, False, False])

    def test_oneFileFails(self) -> None:
        """A file that cannot be written to keeps only the pieces that lie in it from being stored."""
        sample = Sample([PIECE, 2 * PIECE, PIECE], PIECE)
        storage = self.storage(sample)
        self.path(sample, 1).mkdir(parents=True)
        outcomes = self.write(storage, sample, 0, 1, 2, 3)
        self.assertEqual([outcomes[0], outcomes[3]], [None, None])
        for each in outcomes[1:3]:
            self.assertIsInstance(each, StorageError)

    def test_nothingAtAll(self) -> None:
        """Where not even the folder can be made, no piece is stored."""
        sample = Sample([3 * PIECE], PIECE)
        storage = self.storage(sample)
        self.calls.faults["makeFolder"] = errno.EROFS
        for each in self.write(storage, sample, 0, 1, 2):
            self.assertIsInstance(each, StorageError)

    def test_hashes(self) -> None:
        """Short pieces are hashed another way than long ones, to the same end."""
        for size in (1, 1983, 1984, 1985, HELD - 1, HELD, HELD + 1):
            sample = Sample([size], 1 << 20)
            hashes = PieceHashes(sample.layout, sample.hashes.__getitem__)
            self.assertTrue(hashes.check(0, sample.content))
            self.assertTrue(hashes.check(0, memoryview(bytearray(sample.content))))
            self.assertFalse(hashes.check(0, sample.content[:-1] + bytes([sample.content[-1] ^ 1])))
