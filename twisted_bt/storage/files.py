"""
Pieces in files, for the reactor thread: every method hands its work to the disk queue.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha1
from pathlib import Path
from typing import Any, TypeVar

from bitarray import bitarray
from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_bt.errors import SessionStopped, StorageError
from twisted_bt.interfaces import Buffer, IBatchStorage, IDiskQueue, IStorageFactory
from twisted_bt.storage.diskfiles import Check, DiskFiles
from twisted_bt.storage.fileio import FileCalls, Scratch
from twisted_bt.storage.filemap import FileSpan
from twisted_bt.storage.filepool import FilePool
from twisted_bt.storage.folder import DataFolder
from twisted_bt.torrent.pieces import PieceLayout

T = TypeVar("T")

#: Bytes of the longest piece that is hashed without letting other threads run meanwhile: it takes 20 us,
#: and to hand the interpreter over and get it back takes longer, several times over while others want it.
HELD = 1 << 15
#: Bytes that hashlib digests without letting go of the interpreter: fewer than 2,048; 31 blocks of SHA-1.
_QUIET = 1984


@implementer(IBatchStorage)
class FileStorage:
    """
    The files of one torrent below C{dataDirPath}.

    Files are sparse unless C{preallocate}; they, their folders and the data folder are made with the first
    piece written, and so are the empty ones.  After a failed L{flush}, or to have a vanished
    folder made anew: close this one and make another.

    @param check: whether bytes are the content of a piece; called on the disk threads.
    @param aside: where all but the writing of pieces is done, so that a flush or a slow read holds no piece
        up; C{None}: on C{disk} too.
    @param isBlank: whether a piece is all zeros, told without looking; makes L{allocated} faster.

    @raise ValueError: C{files} and C{layout} do not have the same length.
    """

    def __init__(
        self,
        disk: IDiskQueue,
        pool: FilePool,
        dataDirPath: Path,
        files: Sequence[FileSpan],
        layout: PieceLayout,
        check: Check,
        isBlank: Callable[[int], bool] | None = None,
        preallocate: bool = False,
        scratch: Scratch | None = None,
        calls: FileCalls | None = None,
        aside: IDiskQueue | None = None,
    ) -> None:
        calls = calls if calls is not None else FileCalls()
        folder = DataFolder(dataDirPath, calls, pool)
        self._files = DiskFiles(folder, pool, files, layout, check, isBlank, preallocate, scratch, calls)
        self._disk = disk
        self._aside = aside or disk
        self._pending = 0
        self._closing: list[Deferred[None]] | None = None
        self._closed = False

    def writePiece(self, index: int, data: Buffer) -> Deferred[None]:
        """See L{IStorage}."""
        return self._submit(lambda: self._files.write(index, data), len(data), self._disk)

    def writePieces(self, pieces: Sequence[tuple[int, Buffer]]) -> Deferred[list[Exception | None]]:
        """See L{IBatchStorage}."""
        cost = sum([len(data) for _, data in pieces])
        return self._submit(lambda: self._files.writeSeveral(pieces), cost, self._disk)

    def read(self, index: int, begin: int, length: int) -> Deferred[bytes]:
        """See L{IStorage}."""
        return self._submit(lambda: self._files.read(index, begin, length))

    def verifyPiece(self, index: int) -> Deferred[bool]:
        """See L{IStorage}."""
        return self._submit(lambda: self._files.verify(index))

    def allocated(self) -> Deferred[bitarray]:
        """See L{IStorage}."""
        return self._submit(self._files.allocated)

    def allocatedNow(self) -> bitarray:
        """The same on a thread that may wait for the disk; then the files are closed."""
        try:
            return self._files.allocated()
        finally:
            self._files.close()

    def signature(self) -> Deferred[bytes]:
        """See L{IStorage}; what is in it: L{twisted_bt.storage.signature}."""
        return self._submit(self._files.signature)

    def flush(self) -> Deferred[None]:
        """See L{IStorage}."""
        return self._submit(self._files.flush)

    def prepare(self) -> Deferred[None]:
        """Make the data folder and the files of no bytes, as the first L{writePiece} would."""
        return self._submit(self._files.prepare)

    def close(self) -> Deferred[None]:
        """See L{IStorage}.  A second call gets the same outcome."""
        if self._closed:
            return succeed(None)
        waiter: Deferred[None] = Deferred()
        if self._closing is None:
            self._closing = []
        self._closing.append(waiter)
        self._closeIfIdle()
        return waiter

    def _submit(self, job: Callable[[], T], cost: int = 0, queue: IDiskQueue | None = None) -> Deferred[T]:
        if self._closing is not None:
            return fail(StorageError("the storage is closed"))
        # A Deferred of their own for callers: when they cancel it, the job is still under way.
        outcome: Deferred[T] = Deferred()

        def finished(result: Any) -> None:
            self._pending -= 1
            if isinstance(result, Failure):
                outcome.errback(result)
            else:
                outcome.callback(result)
            self._closeIfIdle()

        self._pending += 1
        (queue or self._aside).submit(job, cost).addBoth(finished)
        return outcome

    def _closeIfIdle(self) -> None:
        if self._pending or not self._closing or self._closed:
            return
        self._closed = True
        self._disk.submit(self._files.close).addErrback(self._closeHere).addBoth(self._wasClosed)

    def _closeHere(self, reason: Failure) -> None:
        reason.trap(SessionStopped)  # no thread is left to do it; it is quickly done
        self._files.close()

    def _wasClosed(self, result: Any) -> None:
        waiters, self._closing = self._closing or [], []
        for waiter in waiters:
            waiter.callback(result)


@implementer(IStorageFactory)
class FileStorageFactory:
    """
    Makes L{FileStorage}s that share disk threads, open files and buffers.

    @param preallocate: reserve the room of files when they are made.
    @param calls: where files are.
    """

    def __init__(
        self,
        disk: IDiskQueue,
        pool: FilePool,
        preallocate: bool = False,
        aside: IDiskQueue | None = None,
        calls: FileCalls | None = None,
    ) -> None:
        self._disk = disk
        self._aside = aside
        self._pool = pool
        self._calls = calls
        self._preallocate = preallocate
        self._scratch = Scratch()

    def storageFor(self, metainfo: Any, dataDirPath: Path) -> FileStorage:
        """See L{IStorageFactory}."""
        hashes = PieceHashes(metainfo.layout, metainfo.pieceHash)
        return FileStorage(
            self._disk,
            self._pool,
            dataDirPath,
            spansOf(metainfo),
            metainfo.layout,
            hashes.check,
            hashes.isBlank,
            self._preallocate,
            self._scratch,
            self._calls,
            self._aside,
        )

    def allocatedNow(self, metainfo: Any, dataDirPath: Path) -> bitarray:
        """What L{IStorage.allocated} says of a torrent, on a thread that may wait for the disk."""
        storage = self.storageFor(metainfo, dataDirPath)
        return storage.allocatedNow()


class PieceHashes:
    """
    The SHA-1 of each piece (BEP 3), for L{FileStorage}.

    @param pieceHash: the 20 bytes for piece C{index}.
    """

    def __init__(self, layout: PieceLayout, pieceHash: Callable[[int], bytes]) -> None:
        self._layout = layout
        self._pieceHash = pieceHash
        self._blanks: dict[int, bytes] = {}  # at most two: a full piece and the last one

    def check(self, index: int, data: Buffer) -> bool:
        """Whether C{data} is piece C{index}."""
        if len(data) > HELD:
            return sha1(data, usedforsecurity=False).digest() == self._pieceHash(index)
        digest = sha1(usedforsecurity=False)
        view = memoryview(data)
        for begin in range(0, len(data), _QUIET):
            digest.update(view[begin : begin + _QUIET])
        return digest.digest() == self._pieceHash(index)

    def isBlank(self, index: int) -> bool:
        """Whether piece C{index} is all zeros."""
        size = self._layout.pieceSize(index)
        blank = self._blanks.get(size)
        if blank is None:
            blank = self._blanks[size] = sha1(bytes(size), usedforsecurity=False).digest()
        return blank == self._pieceHash(index)


def spansOf(metainfo: Any) -> list[FileSpan]:
    """The files of a L{Metainfo<twisted_bt.torrent.metainfo.Metainfo>} for L{FileStorage}."""
    return [
        FileSpan(each.path, each.offset, each.length, each.isPad, each.isExecutable, each.symlink)
        for each in metainfo.files
    ]
