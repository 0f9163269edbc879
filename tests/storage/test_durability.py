"""
What survives a loss of power, on a simulated disk that loses all it may; also after a process was killed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.sessions.metafiles import Metafiles
from twisted_bt.storage.database import StateDatabase
from twisted_bt.storage.diskqueue import ImmediateDisk
from twisted_bt.storage.filepool import FilePool
from twisted_bt.storage.files import FileStorage
from twisted_bt.storage.folder import DataFolder
from twisted_bt.testing.filesystem import SimulatedFiles
from twisted_bt.testing.storages import Sample
from twisted_bt.testing.swarm import makeTorrent

FOLDER = Path("/home/somebody/state")


def disks() -> Iterator[SimulatedFiles]:
    """Disks that lose one thing and another."""
    for seed in range(25):
        yield SimulatedFiles(random=Random(seed))


class StateTests(SynchronousTestCase):
    """The database and the torrent files."""

    def database(self, files: SimulatedFiles) -> StateDatabase:
        """One that is open, with a table."""
        database = StateDatabase(FOLDER / "state.sqlite", ImmediateDisk(), calls=files)
        database.ensure("CREATE TABLE IF NOT EXISTS numbers (number INTEGER)")
        database.openNow()
        return database

    def count(self, files: SimulatedFiles) -> int:
        """How many numbers a new process finds."""
        database = self.database(files)
        found: int = database.look(lambda sql: sql.execute("SELECT count(*) FROM numbers").fetchone()[0])
        self.successResultOf(database.close())
        return found

    def test_committed(self) -> None:
        """What was committed is there, folders and all."""
        for files in disks():
            database = self.database(files)
            for _ in range(3):
                self.successResultOf(database.run(lambda sql: sql.execute("INSERT INTO numbers VALUES (1)")))
            files.crash()
            self.assertEqual(self.count(files), 3)

    def test_committedAfterKill(self) -> None:
        """So it is if a process before was killed when it had just made the folders."""
        for files in disks():
            for folder in (FOLDER.parent.parent, FOLDER.parent, FOLDER):
                files.makeFolder(str(folder))
            files.kill()
            database = self.database(files)
            self.successResultOf(database.run(lambda sql: sql.execute("INSERT INTO numbers VALUES (1)")))
            files.crash()
            self.assertEqual(self.count(files), 1)

    def test_metafile(self) -> None:
        """A torrent file that was kept is there, and nothing half written."""
        metainfo = makeTorrent(b"content" * 10_000)
        for files in disks():
            files.makeFolder("/home")  # by one that was killed then
            path = self.successResultOf(Metafiles(FOLDER, ImmediateDisk(), files).keep(metainfo))
            files.crash()
            again = Metafiles(FOLDER, ImmediateDisk(), files)
            self.assertEqual(self.successResultOf(again.read(path)).encode(), metainfo.encode())
            self.assertEqual(files.names(), [str(path)])


class PiecesTests(SynchronousTestCase):
    """Pieces in files."""

    def setUp(self) -> None:
        self.sample = Sample([3000, 5000, 0, 20_000], 4096)

    def storage(self, files: SimulatedFiles) -> FileStorage:
        """Of a new process."""
        sample = self.sample
        pool = FilePool(8, files)
        return FileStorage(
            ImmediateDisk(), pool, FOLDER / "data", sample.files, sample.layout, sample.check, calls=files
        )

    def write(self, storage: FileStorage, pieces: range) -> None:
        """Store C{pieces}."""
        for index in pieces:
            self.successResultOf(storage.writePiece(index, self.sample.piece(index)))

    def check(self, files: SimulatedFiles, pieces: range) -> None:
        """C{pieces} are there."""
        storage = self.storage(files)
        for index in pieces:
            self.assertTrue(self.successResultOf(storage.verifyPiece(index)), index)

    def test_flushed(self) -> None:
        """What was flushed is there, whatever was written since."""
        for files in disks():
            storage = self.storage(files)
            self.write(storage, range(4))
            self.successResultOf(storage.flush())
            self.write(storage, range(4, self.sample.layout.pieceCount))
            files.crash()
            self.check(files, range(4))

    def test_signature(self) -> None:
        """Files are shown as they were flushed: so they look after a crash that takes back the rest."""
        now = [100.0]
        files = SimulatedFiles(wallClock=lambda: now[0])
        storage = self.storage(files)
        self.write(storage, range(3))
        self.successResultOf(storage.flush())
        flushed = self.successResultOf(storage.signature())
        now[0] += 1000
        self.write(storage, range(3, 5))
        self.assertEqual(self.successResultOf(storage.signature()), flushed)
        now[0] += 1
        self.successResultOf(storage.flush())
        shown = self.successResultOf(storage.signature())
        self.assertNotEqual(shown, flushed)
        self.assertEqual(self.successResultOf(self.storage(files).signature()), shown)

    def test_notFlushed(self) -> None:
        """What was not flushed is lost on some disks, and not on all: or these tests show nothing."""
        there = 0
        for files in disks():
            self.write(self.storage(files), range(1))
            files.crash()
            there += self.successResultOf(self.storage(files).verifyPiece(0))
        self.assertTrue(0 < there < 25, there)

    def test_foundAfterKill(self) -> None:
        """
        Pieces that a killed process wrote and did not flush are on the disk once they were verified and
        flushed.
        """
        count = self.sample.layout.pieceCount
        for files in disks():
            self.write(self.storage(files), range(count))
            files.kill()
            storage = self.storage(files)
            for index in range(count):
                self.assertTrue(self.successResultOf(storage.verifyPiece(index)))
            self.successResultOf(storage.flush())
            files.crash()
            self.check(files, range(count))

    def test_lookedAtAfterKill(self) -> None:
        """
        Files that a killed process left, and in which nothing new was found, are as they are shown once they
        were flushed.
        """
        for files in disks():
            storage = self.storage(files)
            self.write(storage, range(1))
            self.successResultOf(storage.flush())
            folder = DataFolder(FOLDER / "data", files, FilePool(8, files))
            fd, _ = folder.openFile(self.sample.files[1].path, True)
            files.write(fd, [memoryview(b"half a piece")], 2000)
            files.kill()
            storage = self.storage(files)
            self.assertFalse(self.successResultOf(storage.verifyPiece(1)))
            self.successResultOf(storage.flush())
            shown = self.successResultOf(storage.signature())
            files.crash()
            self.assertEqual(self.successResultOf(self.storage(files).signature()), shown)

    def test_namesAfterKill(self) -> None:
        """A file that a killed process made is on the disk, by name, once others wrote to it and flushed."""
        for files in disks():
            self.write(self.storage(files), range(2))
            files.kill()
            storage = self.storage(files)
            self.write(storage, range(2, 4))
            self.successResultOf(storage.flush())
            files.crash()
            self.check(files, range(2, 4))

    def test_foundAndGone(self) -> None:
        """A flush has nothing to say of a verified file that is gone since."""
        files = SimulatedFiles()
        self.write(self.storage(files), range(1))
        storage = self.storage(files)
        self.assertTrue(self.successResultOf(storage.verifyPiece(0)))
        for name in files.names():
            files.remove(name)
        self.successResultOf(storage.flush())
