"""
Pieces in memory: for tests, for simulations, and for applications that keep nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bitarray import bitarray
from twisted.internet.defer import Deferred
from zope.interface import implementer

from twisted_bt.errors import PieceCorrupt, StorageError
from twisted_bt.interfaces import Buffer, IBatchStorage, IDiskQueue, IStorage, IStorageFactory
from twisted_bt.storage.diskqueue import ImmediateDisk
from twisted_bt.storage.files import PieceHashes
from twisted_bt.torrent.pieces import PieceLayout


class MemoryContent:
    """
    What a "disk" holds of one torrent; outlives the storages that write to it, as a disk does.

    @ivar pieces: bytes by piece index.  To damage or lose one as a disk would, use L{change}.
    @ivar revision: how often anything was changed.
    """

    def __init__(self) -> None:
        self.pieces: dict[int, bytes] = {}
        self.revision = 0

    def change(self, index: int, data: bytes | None) -> None:
        """Put C{data} in place of piece C{index}, or (C{None}) take it away.  Nothing is checked."""
        if data is None:
            self.pieces.pop(index, None)
        else:
            self.pieces[index] = data
        self.revision += 1


@implementer(IBatchStorage)
class MemoryStorage:
    """
    The pieces of one torrent in memory.

    @param check: whether bytes are the content of a piece.
    @param content: where they are kept; left out: in a new place.
    @param disk: what the work is handed to, for tests that hold it back; left out: done at once.
    """

    def __init__(
        self,
        layout: PieceLayout,
        check: Callable[[int, Buffer], bool],
        content: MemoryContent | None = None,
        disk: IDiskQueue | None = None,
    ) -> None:
        self._layout = layout
        self._check = check
        self._content = content if content is not None else MemoryContent()
        self._disk = disk if disk is not None else ImmediateDisk()

    def writePiece(self, index: int, data: Buffer) -> Deferred[None]:
        """See L{IStorage}."""
        return self._disk.submit(lambda: self._write(index, data), len(data))

    def writePieces(self, pieces: Sequence[tuple[int, Buffer]]) -> Deferred[list[Exception | None]]:
        """See L{IBatchStorage}."""

        def write() -> list[Exception | None]:
            outcomes: list[Exception | None] = []
            for index, data in pieces:
                try:
                    self._write(index, data)
                except PieceCorrupt as reason:
                    outcomes.append(reason)
                else:
                    outcomes.append(None)
            return outcomes

        return self._disk.submit(write, sum([len(data) for _, data in pieces]))

    def _write(self, index: int, data: Buffer) -> None:
        if len(data) != self._layout.pieceSize(index) or not self._check(index, data):
            raise PieceCorrupt(index)
        self._content.change(index, bytes(data))

    def read(self, index: int, begin: int, length: int) -> Deferred[bytes]:
        """See L{IStorage}."""

        def read() -> bytes:
            if begin < 0 or length < 0 or begin + length > self._layout.pieceSize(index):
                raise ValueError(f"no {length} bytes at {begin} in piece {index}")
            data = self._content.pieces.get(index, b"")[begin : begin + length]
            if len(data) < length:
                raise StorageError(f"piece {index} is not here")
            return data

        return self._disk.submit(read)

    def verifyPiece(self, index: int) -> Deferred[bool]:
        """See L{IStorage}."""

        def verify() -> bool:
            data = self._content.pieces.get(index, b"")
            return len(data) == self._layout.pieceSize(index) and self._check(index, data)

        return self._disk.submit(verify)

    def allocated(self) -> Deferred[bitarray]:
        """See L{IStorage}."""

        def allocated() -> bitarray:
            bits = bitarray(self._layout.pieceCount)
            for index in self._content.pieces:
                bits[index] = True
            return bits

        return self._disk.submit(allocated)

    def signature(self) -> Deferred[bytes]:
        """See L{IStorage}."""
        return self._disk.submit(lambda: b"memory%d" % self._content.revision)

    def flush(self) -> Deferred[None]:
        """See L{IStorage}.  Memory survives no loss of power; it is as good as it gets."""
        return self._disk.submit(lambda: None)

    def close(self) -> Deferred[None]:
        """See L{IStorage}."""

        def forget() -> None:
            self._content = MemoryContent()

        return self._disk.submit(forget)


@implementer(IStorageFactory)
class MemoryStorageFactory:
    """
    Makes L{MemoryStorage}s, and keeps what they hold: opened again, a torrent has its pieces.

    @ivar contents: by info-hash and data folder.
    """

    def __init__(self, disk: IDiskQueue | None = None) -> None:
        self._disk = disk
        self.contents: dict[tuple[bytes, Path], MemoryContent] = {}

    def storageFor(self, metainfo: Any, dataDirPath: Path) -> IStorage:
        """See L{IStorageFactory}."""
        content = self.contents.setdefault((metainfo.wireHash, dataDirPath), MemoryContent())
        hashes = PieceHashes(metainfo.layout, metainfo.pieceHash)
        return MemoryStorage(metainfo.layout, hashes.check, content, self._disk)
