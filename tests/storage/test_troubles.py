"""
Storages in files when something is wrong with the disk, the folder, or what others put into it.
"""

from __future__ import annotations

import errno
import os
import resource
import shutil
from dataclasses import replace

from tests.storage.doubles import folderFor, openFiles
from tests.storage.filecase import PIECE, FileStorageTestCase
from twisted_bt.testing.storages import Sample


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
