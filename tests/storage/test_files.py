"""Tests of L{twisted_bt.storage.files} and L{twisted_bt.storage.diskfiles}."""

from __future__ import annotations

import errno
import os
import resource
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.storage.doubles import FaultyCalls, folderFor, openFiles
from twisted_bt.errors import StorageError
from twisted_bt.interfaces import IDiskQueue, IStorageFactory
from twisted_bt.storage.diskqueue import ImmediateDisk
from twisted_bt.storage.filemap import FileSpan
from twisted_bt.storage.filepool import FilePool
from twisted_bt.storage.files import FileStorage, FileStorageFactory, PieceHashes
from twisted_bt.storage.resume import ResumeState
from twisted_bt.storage.trust import Verdict, trust
from twisted_bt.testing.storages import HeldDisk, Sample
from twisted_bt.torrent.pieces import PieceLayout

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


class TroubleTests(FileStorageTestCase):
    """What the disk refuses."""

    def test_full(self) -> None:
        """A full disk is told by name; no other piece suffers, and with room again it goes on."""
        sample = Sample([3 * PIECE, 3 * PIECE], PIECE)
        storage = self.storage(sample)
        self.successResultOf(storage.writePiece(0, sample.piece(0)))
        self.calls.room = PIECE // 2
        self.fails(storage.writePiece(4, sample.piece(4)), "disk full while writing", "file-1")
        self.assertIs(self.successResultOf(storage.verifyPiece(0)), True)
        self.assertIs(self.successResultOf(storage.verifyPiece(4)), False)
        self.calls.room = None
        self.successResultOf(storage.writePiece(4, sample.piece(4)))
        self.assertIs(self.successResultOf(storage.verifyPiece(4)), True)

    def test_limit(self) -> None:
        """A file that the system does not let grow is told; what was written before is there."""
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        sample = Sample([64 * PIECE], PIECE)
        storage = self.storage(sample)
        self.successResultOf(storage.writePiece(0, sample.piece(0)))
        resource.setrlimit(resource.RLIMIT_FSIZE, (32 * PIECE + 5, hard))
        try:
            half, beyond = (storage.writePiece(index, sample.piece(index)) for index in (32, 50))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        self.fails(half, "file-0", "limit")
        self.fails(beyond, "file-0", "limit")
        self.assertIs(self.successResultOf(storage.verifyPiece(0)), True)
        self.assertIs(self.successResultOf(storage.verifyPiece(32)), False)

    def test_reasons(self) -> None:
        """Each usual refusal has its sentence, with the path."""
        sample = Sample([PIECE], PIECE)
        for number, words in {
            errno.EACCES: "permission denied",
            errno.EROFS: "read-only",
            errno.EIO: "disk fails",
            errno.EDQUOT: "quota",
            errno.EFBIG: "larger than",
            errno.ENOTEMPTY: os.strerror(errno.ENOTEMPTY),
        }.items():
            self.calls.faults["write"] = number
            self.fails(self.storage(sample).writePiece(0, sample.piece(0)), words, "file-0")

    def test_denied(self) -> None:
        """Where the folder may not be used, that is told, and is no missing data."""
        sample = Sample([PIECE], PIECE)
        storage = self.fill(sample)
        self.successResultOf(storage.close())
        self.calls.faults["open"] = errno.EACCES
        storage = self.storage(sample)
        self.fails(storage.verifyPiece(0), "permission denied", "file-0")
        self.fails(storage.read(0, 0, 1), "permission denied")
        self.fails(storage.writePiece(0, sample.piece(0)), "permission denied")
        self.fails(storage.allocated(), "permission denied")

    def test_readFails(self) -> None:
        """A disk that cannot read is no missing data either."""
        sample = Sample([PIECE], PIECE)
        storage = self.fill(sample)
        self.calls.faults["read"] = errno.EIO
        self.fails(storage.verifyPiece(0), "disk fails", "file-0")

    def test_folderGone(self) -> None:
        """A data folder that vanished is told, and not made again: it may be an unplugged disk."""
        sample = Sample([PIECE, PIECE], PIECE)
        storage = self.storage(sample)
        self.successResultOf(storage.writePiece(0, sample.piece(0)))
        shutil.rmtree(self.folder)
        self.fails(storage.writePiece(1, sample.piece(1)), f"folder {self.folder} is gone")
        self.assertFalse(self.folder.exists())

    def test_folderGoneWhileOpen(self) -> None:
        """So it is for a file that is still open."""
        sample = Sample([2 * PIECE], PIECE)
        storage = self.storage(sample)
        self.successResultOf(storage.writePiece(0, sample.piece(0)))
        shutil.rmtree(self.folder)
        self.fails(storage.writePiece(1, sample.piece(1)), "is gone")
        self.fails(storage.read(0, 0, 1), "is gone")
        self.fails(storage.verifyPiece(0), "is gone")
        self.assertFalse(self.folder.exists())

    def test_fileGone(self) -> None:
        """A file that was there is not made again: its other pieces would be missing unnoticed."""
        sample = Sample([2 * PIECE], PIECE)
        storage = self.storage(sample)
        self.successResultOf(storage.writePiece(0, sample.piece(0)))
        self.path(sample, 0).unlink()
        self.fails(storage.writePiece(1, sample.piece(1)), "file-0", "is gone")
        self.assertIs(self.successResultOf(storage.verifyPiece(0)), False)
        self.fails(storage.read(0, 0, 1), "file-0", "is gone")

    def test_anotherRun(self) -> None:
        """A new storage makes the folder and the files anew."""
        sample = Sample([2 * PIECE], PIECE)
        self.fill(sample)
        shutil.rmtree(self.folder)
        self.fill(sample)
        self.assertEqual(self.path(sample, 0).read_bytes(), sample.content)

    def test_inTheWay(self) -> None:
        """A folder where a file must be, and the reverse, are told."""
        sample = Sample([PIECE], PIECE)
        self.path(sample, 0).mkdir(parents=True)
        self.fails(self.storage(sample).writePiece(0, sample.piece(0)), "a folder is where a file must be")
        shutil.rmtree(self.folder)
        self.folder.mkdir()
        (self.folder / "sample").touch()
        self.fails(self.storage(sample).writePiece(0, sample.piece(0)), "a file is where a folder must be")
        self.assertIs(self.successResultOf(self.storage(sample).verifyPiece(0)), False)

    def test_longName(self) -> None:
        """So is a name that the file system does not take."""
        sample = Sample([PIECE], PIECE)
        sample.files[0] = replace(sample.files[0], path=("n" * 300,))
        self.fails(self.storage(sample).writePiece(0, sample.piece(0)), "too long")

    def test_unspeakableName(self) -> None:
        """And one that the system cannot express at all."""
        sample = Sample([PIECE], PIECE)
        sample.files[0] = replace(sample.files[0], path=("\ud800",))
        self.fails(self.storage(sample).writePiece(0, sample.piece(0)), "name")

    def test_nothingLeftOpen(self) -> None:
        """Failures leave no file open."""
        sample = Sample([PIECE, PIECE], 2 * PIECE)
        storage = self.storage(sample)
        for name in ("write", "makeFolder", "sync", "open"):
            self.calls.faults = {name: errno.EIO}
            storage.writePiece(0, sample.piece(0)).addErrback(lambda reason: None)
            storage.flush().addErrback(lambda reason: None)
        self.successResultOf(storage.close())
        self.assertEqual(openFiles(), self.before)


class FlushTests(FileStorageTestCase):
    """What survives a loss of power."""

    def synced(self, storage: FileStorage) -> int:
        """How many files and folders the next flush syncs."""
        self.calls.log.clear()
        self.successResultOf(storage.flush())
        return self.calls.log.count("sync")

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
        sample = Sample([2 * PIECE], PIECE)
        storage = self.storage(sample)
        self.successResultOf(storage.writePiece(0, sample.piece(0)))
        sync = self.calls.sync

        def meanwhile(fd: int) -> None:
            self.calls.sync = sync  # type: ignore[method-assign]
            sync(fd)
            self.successResultOf(storage.writePiece(1, sample.piece(1)))

        self.calls.sync = meanwhile  # type: ignore[method-assign]
        self.successResultOf(storage.flush())
        self.assertEqual(self.synced(storage), 1)

    def test_flushedMeanwhile(self) -> None:
        """What is flushed while a write is under way is dirty nevertheless, once that is done."""
        sample = Sample([2 * PIECE], PIECE)
        storage = self.storage(sample)
        self.successResultOf(storage.writePiece(0, sample.piece(0)))
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
        sample = Sample([2 * PIECE], PIECE)
        storage = self.storage(sample)
        self.successResultOf(storage.writePiece(0, sample.piece(0)))
        sync = self.calls.sync

        def meanwhile(fd: int) -> None:
            self.calls.sync = sync  # type: ignore[method-assign]
            sync(fd)
            self.successResultOf(storage.flush())
            self.successResultOf(storage.writePiece(1, sample.piece(1)))

        self.calls.sync = meanwhile  # type: ignore[method-assign]
        self.successResultOf(storage.flush())
        self.assertEqual(self.synced(storage), 1)

    def test_fails(self) -> None:
        """After a failed flush none succeeds: the system tells of lost data only once.  A new storage can."""
        sample = Sample([2 * PIECE], PIECE)
        storage = self.storage(sample)
        self.successResultOf(storage.writePiece(0, sample.piece(0)))
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


class LinkAttackTests(FileStorageTestCase):
    """Symbolic links on the disk that lead out of the data folder."""

    def setUp(self) -> None:
        super().setUp()
        self.outside = folderFor(self)
        self.sample = Sample([PIECE], PIECE)
        self.folder.mkdir()

    def attacked(self, word: str) -> None:
        """Neither reading nor writing follows the link; both say so.  Nothing outside is changed."""
        before = sorted(each.name for each in self.outside.iterdir())
        storage = self.storage(self.sample)
        self.fails(storage.writePiece(0, self.sample.piece(0)), word)
        self.fails(storage.verifyPiece(0), word)
        self.fails(storage.read(0, 0, 1), word)
        self.fails(storage.allocated(), word)
        self.assertEqual(sorted(each.name for each in self.outside.iterdir()), before)
        self.assertEqual(openFiles(), self.before)

    def test_folder(self) -> None:
        """A link in place of a folder."""
        (self.folder / "sample").symlink_to(self.outside)
        (self.outside / "file-0").write_bytes(self.sample.content)
        self.attacked("symbolic link")

    def test_file(self) -> None:
        """A link in place of a file."""
        (self.outside / "secret").write_bytes(self.sample.content)
        (self.folder / "sample").mkdir()
        (self.folder / "sample" / "file-0").symlink_to(self.outside / "secret")
        self.attacked("link")

    def test_dangling(self) -> None:
        """A link to a file that does not exist makes none."""
        (self.folder / "sample").mkdir()
        (self.folder / "sample" / "file-0").symlink_to(self.outside / "new")
        self.attacked("link")

    def test_pipe(self) -> None:
        """A named pipe is no file, and nobody waits for its other end."""
        (self.folder / "sample").mkdir()
        os.mkfifo(self.folder / "sample" / "file-0")
        self.attacked("not a file")

    def test_dataFolderItself(self) -> None:
        """The data folder may be a link: the user said so."""
        self.folder.rmdir()
        self.folder.symlink_to(self.outside)
        self.fill(self.sample)
        self.assertEqual((self.outside / "sample" / "file-0").read_bytes(), self.sample.content)


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
