"""
A storage of your own: pieces in any mapping, here one in memory.

Yours may be slow, and elsewhere: each method returns a Deferred, which may fire when it likes.
"""

from collections.abc import MutableMapping
from hashlib import sha1
from pathlib import Path

from bitarray import bitarray
from twisted.internet.defer import Deferred, execute, succeed
from zope.interface import implementer

from twisted_bt import Metainfo, PieceCorrupt, Plugins, StorageError
from twisted_bt.interfaces import Buffer, IStorage, IStorageFactory


@implementer(IStorage)
class MappingStorage:
    """The pieces of one torrent, by index."""

    def __init__(self, hashes: list[bytes], pieces: MutableMapping[int, bytes]) -> None:
        self._hashes = hashes
        self._pieces = pieces
        self._changes = 0

    def writePiece(self, index: int, data: Buffer) -> Deferred[None]:
        """See L{IStorage}."""
        return execute(self._write, index, bytes(data))

    def _write(self, index: int, data: bytes) -> None:
        if sha1(data).digest() != self._hashes[index]:
            raise PieceCorrupt(index)
        self._pieces[index] = data
        self._changes += 1

    def read(self, index: int, begin: int, length: int) -> Deferred[bytes]:
        """See L{IStorage}."""
        return execute(self._read, index, begin, length)

    def _read(self, index: int, begin: int, length: int) -> bytes:
        data = self._pieces.get(index, b"")[begin : begin + length]
        if len(data) != length:
            raise StorageError(f"piece {index} is not here")
        return data

    def verifyPiece(self, index: int) -> Deferred[bool]:
        """See L{IStorage}."""
        data = self._pieces.get(index)
        return succeed(data is not None and sha1(data).digest() == self._hashes[index])

    def allocated(self) -> Deferred[bitarray]:
        """See L{IStorage}."""
        return succeed(bitarray(index in self._pieces for index in range(len(self._hashes))))

    def signature(self) -> Deferred[bytes]:
        """See L{IStorage}."""
        return succeed(b"%d changes" % self._changes)

    def flush(self) -> Deferred[None]:
        """See L{IStorage}."""
        return succeed(None)

    def close(self) -> Deferred[None]:
        """See L{IStorage}."""
        return succeed(None)


@implementer(IStorageFactory)
class InMemory:
    """Forgets everything at the end of the process."""

    def storageFor(self, metainfo: Metainfo, dataDirPath: Path) -> IStorage:
        """See L{IStorageFactory}."""
        count = metainfo.layout.pieceCount
        return MappingStorage([metainfo.pieceHash(index) for index in range(count)], {})


plugins = Plugins(storageFactory=InMemory())
