"""
The messages of C{ut_metadata} (BEP 9): the C{info} dictionary from peers, in pieces of 16 KiB.

Only the messages: whom to ask, and whether it all hashes to the info-hash, is decided elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Self

from twisted_bt.errors import BencodeError, ProtocolError
from twisted_bt.torrent.bencoding import asDict, decodePrefix, encode, intIn

#: Bytes in every piece of metadata but the last.
METADATA_PIECE_LENGTH = 1 << 14

#: Bytes in a message: a piece, and a dictionary of some fifty bytes in which others may put more.
_MAX_MESSAGE = METADATA_PIECE_LENGTH + (1 << 12)


class MetadataKind(IntEnum):
    """C{msg_type}."""

    REQUEST = 0
    DATA = 1
    REJECT = 2


@dataclass(frozen=True, slots=True)
class MetadataMessage:
    """
    One message about piece C{piece} of the metadata.

    @ivar totalSize: bytes in the whole of the metadata; with C{DATA} only.
    @ivar data: the piece; with C{DATA} only.
    """

    name: ClassVar[bytes] = b"ut_metadata"
    kind: MetadataKind
    piece: int
    totalSize: int | None = None
    data: bytes = b""

    def encode(self) -> bytes:
        """The payload of the extension's message."""
        fields = {b"msg_type": int(self.kind), b"piece": self.piece}
        if self.totalSize is not None:
            fields[b"total_size"] = self.totalSize
        return encode(fields) + self.data

    @classmethod
    def decode(cls, payload: bytes) -> Self | None:
        """
        The inverse of L{encode}.  C{None}: of a kind not known here, which BEP 9 wants ignored.

        @raise ProtocolError: there is no such dictionary, or the message is over a limit.
        """
        try:
            value, end = decodePrefix(payload, _MAX_MESSAGE, maxDepth=10)
            fields = asDict(value)
        except BencodeError as error:
            raise ProtocolError(f"ut_metadata: {error}") from error
        number = intIn(fields, b"msg_type", 0, 255, None)
        piece = intIn(fields, b"piece", 0, 1 << 20, None)
        if number is None or piece is None:
            raise ProtocolError("ut_metadata without a type or a piece")
        if number not in _KINDS:
            return None
        kind = MetadataKind(number)
        if kind is not MetadataKind.DATA:
            return cls(kind, piece)
        if not 0 < len(payload) - end <= METADATA_PIECE_LENGTH:
            raise ProtocolError(f"ut_metadata with {len(payload) - end} bytes in a piece")
        return cls(kind, piece, intIn(fields, b"total_size", 1, 1 << 30, None), payload[end:])


_KINDS = frozenset(each.value for each in MetadataKind)
