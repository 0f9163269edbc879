"""
The messages peers send one another, as values.

BEP 3, BEP 5 (port), BEP 6 (fast extension) and BEP 10 (extended).  A message travels as four bytes
of length, one of C{id} and the payload, all numbers big-endian; a keep-alive is the four bytes
alone.  Every class here knows both directions: C{encode} gives the whole frame, C{decode} takes the
payload and raises L{ProtocolError} and nothing else.  Whether a message may come now is for
L{twisted_bt.peerwire.state} to say, and how frames are cut from a stream for
L{twisted_bt.peerwire.framing}.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from struct import Struct
from typing import ClassVar, Self

from twisted_bt.errors import ProtocolError
from twisted_bt.interfaces import Buffer
from twisted_bt.torrent.pieces import Block

_HEAD = Struct(">IB")
_ONE = Struct(">IBI")
_PIECE_HEAD = Struct(">IBII")
_THREE = Struct(">IBIII")


def _numbers(name: str, payload: Buffer, wire: Struct) -> tuple[int, ...]:
    """The numbers that a payload of fixed size holds."""
    if len(payload) != wire.size:
        raise ProtocolError(f"{name} with a payload of {len(payload)} bytes, not {wire.size}")
    return wire.unpack(payload)


# ---------------------------------------------------------------- shapes


@dataclass(frozen=True, slots=True)
class BareMessage:
    """The shape of messages that say all by their id."""

    id: ClassVar[int]
    payload: ClassVar[Struct] = Struct(">")

    def encode(self) -> bytes:
        """The whole frame."""
        return _HEAD.pack(1, self.id)

    @classmethod
    def decode(cls, payload: Buffer) -> Self:
        """The inverse of L{encode}.  @raise ProtocolError: there is a payload."""
        _numbers(cls.__name__, payload, cls.payload)
        return cls()


@dataclass(frozen=True, slots=True)
class PieceMessage:
    """The shape of messages about piece C{index}."""

    id: ClassVar[int]
    payload: ClassVar[Struct] = Struct(">I")
    index: int

    def encode(self) -> bytes:
        """The whole frame."""
        return _ONE.pack(5, self.id, self.index)

    @classmethod
    def decode(cls, payload: Buffer) -> Self:
        """The inverse of L{encode}.  @raise ProtocolError: the payload is not one number."""
        return cls(*_numbers(cls.__name__, payload, cls.payload))


@dataclass(frozen=True, slots=True)
class BlockMessage:
    """The shape of messages about C{length} bytes from C{begin} in piece C{index}."""

    id: ClassVar[int]
    payload: ClassVar[Struct] = Struct(">III")
    index: int
    begin: int
    length: int

    def encode(self) -> bytes:
        """The whole frame."""
        return _THREE.pack(13, self.id, self.index, self.begin, self.length)

    @classmethod
    def decode(cls, payload: Buffer) -> Self:
        """The inverse of L{encode}.  @raise ProtocolError: the payload is not three numbers."""
        return cls(*_numbers(cls.__name__, payload, cls.payload))


# ---------------------------------------------------------------- BEP 3


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Still here.  The one message that has no id."""

    def encode(self) -> bytes:
        """The whole frame: a length of zero."""
        return bytes(4)


class Choke(BareMessage):
    """No more blocks for you for now.  Without BEP 6 it also drops what you asked for."""

    __slots__ = ()
    id: ClassVar[int] = 0


class Unchoke(BareMessage):
    """You may ask for blocks."""

    __slots__ = ()
    id: ClassVar[int] = 1


class Interested(BareMessage):
    """You have something I want."""

    __slots__ = ()
    id: ClassVar[int] = 2


class NotInterested(BareMessage):
    """You have nothing I want."""

    __slots__ = ()
    id: ClassVar[int] = 3


class Have(PieceMessage):
    """I have piece C{index} now, verified."""

    __slots__ = ()
    id: ClassVar[int] = 4


@dataclass(frozen=True, slots=True)
class Bitfield:
    """
    All I have: the highest bit of the first byte is piece 0; spare bits at the end are zero.

    BEP 3 has it first of all messages.  Here it may come again, and replaces what was said.
    """

    id: ClassVar[int] = 5
    bits: bytes

    def encode(self) -> bytes:
        """The whole frame."""
        return _HEAD.pack(1 + len(self.bits), self.id) + self.bits

    @classmethod
    def decode(cls, payload: Buffer) -> Self:
        """The inverse of L{encode}.  How many bits there must be, only L{check} can say."""
        return cls(bytes(payload))

    def check(self, pieceCount: int) -> Self:
        """This, if it can speak of C{pieceCount} pieces.  @raise ProtocolError: wrong size, or spare bits."""
        size = (pieceCount + 7) // 8
        if len(self.bits) != size:
            raise ProtocolError(f"bitfield of {len(self.bits)} bytes for {pieceCount} pieces")
        if pieceCount % 8 and self.bits[-1] & (0xFF >> pieceCount % 8):
            raise ProtocolError(f"bitfield with bits beyond the last of {pieceCount} pieces")
        return self


class Request(BlockMessage):
    """Send me that block."""

    __slots__ = ()
    id: ClassVar[int] = 6


class Piece:
    """
    Here is a block: C{data} from C{begin} in piece C{index}.

    The one message that is neither frozen nor a copy, since tens of thousands are made each second.
    As received, C{data} is a view that is valid only until the decoder goes on.
    """

    __slots__ = ("begin", "data", "index")

    id: ClassVar[int] = 7

    def __init__(self, index: int, begin: int, data: Buffer) -> None:
        self.index = index
        self.begin = begin
        self.data = data

    def encodeHeader(self) -> bytes:
        """The 13 bytes of the frame that come before C{data}."""
        return _PIECE_HEAD.pack(9 + len(self.data), 7, self.index, self.begin)

    def encode(self) -> bytes:
        """The whole frame; copies the block."""
        return b"".join((self.encodeHeader(), self.data))

    @classmethod
    def decode(cls, payload: Buffer) -> Self:
        """The inverse of L{encode}; C{data} views C{payload}.  @raise ProtocolError: it is too short."""
        if len(payload) < 8:
            raise ProtocolError(f"Piece with a payload of {len(payload)} bytes")
        view = memoryview(payload)
        return cls(int.from_bytes(view[:4], "big"), int.from_bytes(view[4:8], "big"), view[8:])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Piece):
            return NotImplemented
        return (self.index, self.begin, self.data) == (other.index, other.begin, other.data)

    __hash__ = None  # type: ignore[assignment]  # what it shows may change under it

    def __repr__(self) -> str:
        return f"Piece(index={self.index}, begin={self.begin}, data=<{len(self.data)} bytes>)"


class Cancel(BlockMessage):
    """I no longer need that block."""

    __slots__ = ()
    id: ClassVar[int] = 8


# ---------------------------------------------------------------- BEP 5


@dataclass(frozen=True, slots=True)
class Port:
    """My DHT node listens on UDP port C{port}."""

    id: ClassVar[int] = 9
    payload: ClassVar[Struct] = Struct(">H")
    port: int

    def encode(self) -> bytes:
        """The whole frame."""
        return _HEAD.pack(3, self.id) + self.payload.pack(self.port)

    @classmethod
    def decode(cls, payload: Buffer) -> Self:
        """The inverse of L{encode}.  @raise ProtocolError: the payload is not one port."""
        return cls(*_numbers(cls.__name__, payload, cls.payload))


# ---------------------------------------------------------------- BEP 6


class SuggestPiece(PieceMessage):
    """Ask me for piece C{index} first: it is fresh in memory here."""

    __slots__ = ()
    id: ClassVar[int] = 13


class HaveAll(BareMessage):
    """Instead of a bitfield: I have every piece."""

    __slots__ = ()
    id: ClassVar[int] = 14


class HaveNone(BareMessage):
    """Instead of a bitfield: I have no piece."""

    __slots__ = ()
    id: ClassVar[int] = 15


class RejectRequest(BlockMessage):
    """That block which you asked for will not come."""

    __slots__ = ()
    id: ClassVar[int] = 16


class AllowedFast(PieceMessage):
    """You may ask for blocks of piece C{index} even while choked."""

    __slots__ = ()
    id: ClassVar[int] = 17


# ---------------------------------------------------------------- BEP 10


@dataclass(frozen=True, slots=True)
class Extended:
    """A message of an extension; C{extensionId} 0 is the extended handshake, others are as agreed there."""

    id: ClassVar[int] = 20
    extensionId: int
    payload: bytes

    def encode(self) -> bytes:
        """The whole frame."""
        return b"%b%c%b" % (_HEAD.pack(2 + len(self.payload), self.id), self.extensionId, self.payload)

    @classmethod
    def decode(cls, payload: Buffer) -> Self:
        """The inverse of L{encode}.  @raise ProtocolError: not even an extension's id is there."""
        if not len(payload):
            raise ProtocolError("Extended with an empty payload")
        return cls(payload[0], bytes(payload[1:]))


#: What a peer may say.  Ids 21 to 23 are those of BEP 52's hash messages.
Message = (
    KeepAlive
    | Choke
    | Unchoke
    | Interested
    | NotInterested
    | Have
    | Bitfield
    | Request
    | Piece
    | Cancel
    | Port
    | SuggestPiece
    | HaveAll
    | HaveNone
    | RejectRequest
    | AllowedFast
    | Extended
)


def encodeRequests(blocks: Iterable[Block]) -> bytes:
    """The frames of a L{Request} for each of C{blocks}, to go out in one write."""
    pack = _THREE.pack
    return b"".join([pack(13, 6, block.index, block.begin, block.length) for block in blocks])


def encodeHaves(indices: Iterable[int]) -> bytes:
    """The frames of a L{Have} for each of C{indices}."""
    pack = _ONE.pack
    return b"".join([pack(5, 4, index) for index in indices])


def encodePieces(blocks: Iterable[tuple[int, int, Buffer]]) -> list[Buffer]:
    """
    The frames of a L{Piece} for each of C{blocks} (index, begin and data), in parts to be written one
    after another; copies no data.
    """
    parts: list[Buffer] = []
    for index, begin, data in blocks:
        parts.append(_PIECE_HEAD.pack(9 + len(data), 7, index, begin))
        parts.append(data)
    return parts
