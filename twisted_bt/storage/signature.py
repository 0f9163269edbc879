"""
What files look like from outside: size and modification time of each, and which pieces lie in it.

An L{IStorage<twisted_bt.interfaces.IStorage>} may have any signature; the files' one can be taken apart,
so that a change of one file leaves the pieces of all others trusted.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct, error
from typing import NamedTuple

_MAGIC = b"files1"
#: More would be no signature of ours; a torrent file of 16 MiB does not name that many files.
_MAX_PARTS = 1 << 20
_WIRE = Struct(">IIqq")


class FileState(NamedTuple):
    """
    One file, when it was looked at.

    @ivar first: the first piece that lies in it, if only partly.
    @ivar last: the last such piece.
    @ivar size: bytes; -1: there was no file.
    @ivar changed: when it was last changed, nanoseconds since 1970.
    """

    first: int
    last: int
    size: int
    changed: int


def encodeSignature(parts: Iterable[FileState]) -> bytes:
    """The inverse of L{decodeSignature}; 24 bytes a file."""
    pack = _WIRE.pack
    return _MAGIC + b"".join([pack(*part) for part in parts])


def decodeSignature(signature: bytes, pieceCount: int) -> list[FileState] | None:
    """The parts of a signature, or C{None} if it is of another kind or not of C{pieceCount} pieces."""
    body = signature[len(_MAGIC) :]
    if not signature.startswith(_MAGIC) or len(body) > _MAX_PARTS * _WIRE.size:
        return None
    try:
        parts = [FileState(*numbers) for numbers in _WIRE.iter_unpack(body)]
    except error:
        return None
    if any(not part.first <= part.last < pieceCount for part in parts):
        return None
    return parts
