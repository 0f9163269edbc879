"""Tests of L{twisted_bt.storage.files} and L{twisted_bt.storage.diskfiles}, on a healthy disk."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from tests.storage.doubles import openFiles
from tests.storage.filecase import PIECE, FileStorageTestCase
from twisted_bt.interfaces import IStorageFactory
from twisted_bt.storage.diskqueue import ImmediateDisk
from twisted_bt.storage.filemap import FileSpan
from twisted_bt.storage.files import FileStorageFactory, PieceHashes
from twisted_bt.testing.storages import HeldDisk, Sample
from twisted_bt.torrent.pieces import PieceLayout


class LayoutTests(FileStorageTestCase):
    """What is on the disk."""

    def test_files(self) -> None:
        """Each file has its bytes, empty ones are there, pad files are not."""
        sample = Sample([5, 0, 40_000, 3, 1, 0, 20_001], PIECE, pads=[3])
        self.fill(sample)
        for number in (0, 1, 2, 4, 5, 6):
            self.assertEqual(self.path(sample, number).read_bytes(), sample.fileContent(number))
        self.assertFalse(self.path(sample, 3).exists())

    @settings(derandomize=True, deadline=None, max_examples=60)
    @given(
        st.lists(st.sampled_from([0, 0, 1, 2, 7, 100, 1023, 1024, 1025, 3001]), min_size=1, max_size=9),
        st.integers(1, 2000),
        st.data(),
    )
    def test_model(self, lengths: list[int], pieceLength: int, data: st.DataObject) -> None:
        """Pieces written in any order make files that hold the content, and any range reads as it is."""
        sample = Sample([*lengths, 1], pieceLength)
        count = sample.layout.pieceCount
        storage = self.storage(sample)
        for index in data.draw(st.permutations(range(count))):
            self.successResultOf(storage.writePiece(index, sample.piece(index)))
        for number in range(len(sample.files)):
            self.assertEqual(self.path(sample, number).read_bytes(), sample.fileContent(number))
        for _ in range(5):
            index = data.draw(st.integers(0, count - 1))
            begin = data.draw(st.integers(0, sample.layout.pieceSize(index)))
            length = data.draw(st.integers(0, sample.layout.pieceSize(index) - begin))
            read = self.successResultOf(storage.read(index, begin, length))
            self.assertEqual(read, sample.piece(index)[begin : begin + length])
        self.successResultOf(storage.close())
        shutil.rmtree(self.folder)

    def test_nothingUntilWritten(self) -> None:
        """To look makes nothing on the disk."""
        sample = Sample([0, 100], PIECE)
        storage = self.storage(sample)
        self.successResultOf(storage.allocated())
        self.successResultOf(storage.signature())
        self.assertIs(self.successResultOf(storage.verifyPiece(0)), False)
        self.successResultOf(storage.flush())
        self.assertFalse(self.folder.exists())

    def test_prepare(self) -> None:
        """Empty files and their folders can be made without writing anything."""
        sample = Sample([0, 100], PIECE)
        self.successResultOf(self.storage(sample).prepare())
        self.assertTrue(self.path(sample, 0).exists())
        self.assertFalse(self.path(sample, 1).exists())

    def test_sparse(self) -> None:
        """A file takes no room for what was not written."""
        sample = Sample([100 * PIECE], PIECE)
        self.successResultOf(self.storage(sample).writePiece(99, sample.piece(99)))
        self.assertLess(os.stat(self.path(sample, 0)).st_blocks * 512, 20 * PIECE)

    def test_preallocate(self) -> None:
        """If told so, the room is reserved when the file is made; its holes are still no pieces."""
        sample = Sample([100 * PIECE, 10], PIECE)
        storage = self.storage(sample, preallocate=True)
        self.successResultOf(storage.writePiece(0, sample.piece(0)))
        self.assertGreaterEqual(os.stat(self.path(sample, 0)).st_blocks * 512, 100 * PIECE)
        self.assertEqual(self.calls.log.count("allocate"), 1)
        self.assertIs(self.successResultOf(storage.verifyPiece(5)), False)

    def test_preallocateImpossible(self) -> None:
        """Where the file system cannot reserve room, files are sparse."""
        sample = Sample([2 * PIECE], PIECE)
        self.calls.faults["allocate"] = errno.EOPNOTSUPP
        self.fill(sample, preallocate=True)
        self.assertEqual(self.path(sample, 0).read_bytes(), sample.content)

    def test_preallocateFull(self) -> None:
        """No room to reserve is told as a full disk."""
        sample = Sample([2 * PIECE], PIECE)
        self.calls.faults["allocate"] = errno.ENOSPC
        storage = self.storage(sample, preallocate=True)
        self.fails(storage.writePiece(0, sample.piece(0)), "disk full", "file-0")
        self.assertEqual(openFiles(), self.before)

    def test_executable(self) -> None:
        """A file with the attribute (BEP 47) can be run, by those who may read it; the others cannot."""
        sample = Sample([10, 10], PIECE)
        sample.files[0] = replace(sample.files[0], executable=True)
        umask = os.umask(0o022)
        self.addCleanup(os.umask, umask)
        self.fill(sample)
        self.assertEqual(self.path(sample, 0).stat().st_mode & 0o777, 0o755)
        self.assertEqual(self.path(sample, 1).stat().st_mode & 0o777, 0o644)

    def test_executableExisting(self) -> None:
        """One that was there already becomes so when it is written to."""
        sample = Sample([10], PIECE)
        sample.files[0] = replace(sample.files[0], executable=True)
        self.path(sample, 0).parent.mkdir(parents=True)
        self.path(sample, 0).write_bytes(b"")
        self.path(sample, 0).chmod(0o640)
        self.fill(sample)
        self.assertEqual(self.path(sample, 0).stat().st_mode & 0o777, 0o750)

    def test_links(self) -> None:
        """A symbolic link of the torrent (BEP 47) is made relative, and may be there already."""
        sample = Sample([10], PIECE)
        sample.files.append(FileSpan(("sample", "deep", "link"), 10, 0, link=sample.files[0].path))
        for _ in range(2):
            self.fill(sample)
            link = self.folder / "sample" / "deep" / "link"
            self.assertEqual(os.readlink(link), "../file-0")
            self.assertEqual(link.read_bytes(), sample.content)

    def test_longerFile(self) -> None:
        """A foreign file that is longer is cut to length when it is written to, not when it is read."""
        sample = Sample([PIECE + 5], PIECE)
        self.path(sample, 0).parent.mkdir(parents=True)
        self.path(sample, 0).write_bytes(bytes(3 * PIECE))
        storage = self.storage(sample)
        self.successResultOf(storage.verifyPiece(0))
        self.assertEqual(self.path(sample, 0).stat().st_size, 3 * PIECE)
        self.successResultOf(storage.writePiece(0, sample.piece(0)))
        self.assertEqual(self.path(sample, 0).stat().st_size, PIECE + 5)

    def test_shortTransfers(self) -> None:
        """Reads and writes that the system does only partly are continued."""
        self.calls.most = 1000
        sample = Sample([5 * PIECE, 777], 4 * PIECE)
        storage = self.fill(sample)
        self.assertEqual(self.path(sample, 0).read_bytes(), sample.fileContent(0))
        self.assertIs(self.successResultOf(storage.verifyPiece(1)), True)
        self.assertEqual(self.successResultOf(storage.read(0, 5, 5000)), sample.content[5:5005])

    def test_mismatch(self) -> None:
        """Files and pieces of different total lengths are refused."""
        sample = Sample([100], PIECE)
        sample.layout = PieceLayout(101, PIECE)
        self.assertRaises(ValueError, self.storage, sample)


class ClosingTests(FileStorageTestCase):
    """The end of a storage."""

    def test_waits(self) -> None:
        """Closing waits for what is under way, cancelled or not, and leaves no file open."""
        disk = HeldDisk()
        sample = Sample([2 * PIECE], PIECE)
        storage = self.storage(sample, disk=disk)
        writing = storage.writePiece(0, sample.piece(0))
        storage.writePiece(1, sample.piece(1))
        writing.cancel()
        writing.addErrback(lambda reason: None)
        closed = storage.close()
        again = storage.close()
        self.assertEqual(len(disk.held), 2)  # the writing, and not yet the closing
        disk.release(1)
        self.assertNoResult(closed)
        disk.releaseAll()
        self.assertIsNone(self.successResultOf(closed))
        self.assertIsNone(self.successResultOf(again))
        self.assertIsNone(self.successResultOf(storage.close()))
        self.assertEqual(openFiles(), self.before)
        self.assertEqual(self.path(sample, 0).read_bytes(), sample.content)

    def test_afterwards(self) -> None:
        """A closed storage refuses."""
        sample = Sample([PIECE], PIECE)
        storage = self.fill(sample)
        self.successResultOf(storage.close())
        self.fails(storage.read(0, 0, 1), "closed")

    def test_diskStopped(self) -> None:
        """It closes its files even if the disk queue is no more."""
        disk = ImmediateDisk()
        storage = self.fill(Sample([PIECE], PIECE), disk=disk)
        disk.stop()
        self.assertIsNone(self.successResultOf(storage.close()))
        self.assertEqual(openFiles(), self.before)


class SignatureTests(FileStorageTestCase):
    """What a change of files does to the signature."""

    def test_unchanged(self) -> None:
        """Another run finds the same signature."""
        sample = Sample([PIECE, PIECE], PIECE)
        storage = self.fill(sample)
        self.successResultOf(storage.flush())
        before = self.successResultOf(storage.signature())
        self.successResultOf(storage.close())
        self.assertEqual(self.successResultOf(self.storage(sample).signature()), before)

    def test_changes(self) -> None:
        """A file that was made longer, touched or deleted makes it another."""
        sample = Sample([PIECE, PIECE], PIECE)
        storage = self.fill(sample)
        self.successResultOf(storage.flush())
        seen = {self.successResultOf(storage.signature())}
        os.utime(self.path(sample, 1), ns=(5, 5))
        seen.add(self.successResultOf(storage.signature()))
        os.truncate(self.path(sample, 0), PIECE + 1)
        seen.add(self.successResultOf(storage.signature()))
        self.path(sample, 0).unlink()
        seen.add(self.successResultOf(storage.signature()))
        self.assertEqual(len(seen), 4)


class FactoryTests(FileStorageTestCase):
    """From a torrent to its storage."""

    class Metainfo:
        """As much of one as the factory looks at."""

        def __init__(self, sample: Sample) -> None:
            self.layout = sample.layout
            self.pieceHash = sample.hashes.__getitem__
            self.files = [FactoryTests.Entry(each) for each in sample.files]

    class Entry:
        """One of its files."""

        def __init__(self, span: FileSpan) -> None:
            self.path, self.offset, self.length, self.isPad = span.path, span.offset, span.length, span.isPad
            self.isExecutable = False
            self.symlink = None

    def test_storageFor(self) -> None:
        """The storage checks the torrent's hashes and writes its files; making it touches no disk."""
        sample = Sample([20_000, 5], PIECE)
        factory = FileStorageFactory(ImmediateDisk(), self.pool)
        verifyObject(IStorageFactory, factory)
        storage = factory.storageFor(self.Metainfo(sample), self.folder)
        self.assertFalse(self.folder.exists())
        self.successResultOf(storage.writePiece(1, sample.piece(1)))
        self.assertIs(self.successResultOf(storage.verifyPiece(1)), True)
        self.assertEqual(self.path(sample, 1).read_bytes(), sample.fileContent(1))
        self.successResultOf(storage.close())

    def test_blank(self) -> None:
        """Pieces of zeros are known by their hash, the short last one too."""
        sample = Sample([PIECE, PIECE, 100], PIECE, pads=[1, 2])
        hashes = PieceHashes(sample.layout, sample.hashes.__getitem__)
        self.assertEqual([hashes.isBlank(index) for index in range(3)], [False, True, True])
