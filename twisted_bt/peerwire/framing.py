"""
Messages cut from a stream of bytes.

The rules of this file:

  1. What a peer claims is checked against a limit as soon as it is known, and before anything is
     kept or allocated for it.
  2. A frame that lies whole in what was fed is read where it lies.  Only a frame that straddles two
     feeds is copied, and only its own bytes.
  3. L{ProtocolError} leaves and nothing else; any other exception is a bug of ours.
  4. Nothing is called or made for each block that can be for each read: blocks come in runs, and so do
     requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from struct import Struct
from typing import Any, NamedTuple

from twisted_bt.errors import ProtocolError
from twisted_bt.interfaces import Buffer
from twisted_bt.peerwire.messages import (
    AllowedFast,
    Bitfield,
    Cancel,
    Choke,
    Extended,
    Have,
    HaveAll,
    HaveNone,
    Interested,
    KeepAlive,
    Message,
    NotInterested,
    Piece,
    Port,
    RejectRequest,
    Request,
    SuggestPiece,
    Unchoke,
)

_BARE = (Choke, Unchoke, Interested, NotInterested, HaveAll, HaveNone)
_INDEXED = (Have, SuggestPiece, AllowedFast, Request, Cancel, RejectRequest)


class _Fixed(NamedTuple):
    """What there is to know of a message of one size."""

    length: int  # with the id
    make: Callable[..., Message]
    unpack: Callable[[memoryview, int], tuple[Any, ...]]
    indexed: bool  # the first number is a piece


#: Messages of one size, by id.
_FIXED: dict[int, _Fixed] = {
    each.id: _Fixed(1 + each.payload.size, each, each.payload.unpack_from, each in _INDEXED)
    for each in (*_BARE, *_INDEXED, Port)
}

_LENGTH = Struct(">I")
_HEAD = Struct(">IB")
_REQUEST = Struct(">IBIII")
_PIECE_HEAD = Struct(">IBII")

#: A buffer up to this size is kept for the next frame: a usual block with its header fits.
_KEEP = 1 << 15

#: Where nothing is kept.  Never written to, having no room.
_EMPTY = memoryview(bytearray())

#: More pieces than a message can name.
_ANY_INDEX = 1 << 32


class PieceRun(list[tuple[int, int, Buffer]]):
    """
    What L{Piece} messages brought, each right behind the other: index, begin and data of each.

    A fast peer sends little else, and 16 blocks come with a read.  Handing them on together spares a
    handful of calls for each.
    """

    __slots__ = ()


class RequestRun(list[tuple[int, int, int]]):
    """
    What L{Request} messages asked for, each right behind the other: index, begin and length of each.

    Who downloads quickly asks for dozens of blocks at a time.
    """

    __slots__ = ()


class WireDecoder:
    """
    Yields the messages of one direction of one connection, from after the handshake.

    @ivar maxMessageLength: bytes in a message at most, where nothing tighter holds.  Also what is
        skipped of a message nobody knows.
    @ivar maxBlockLength: bytes of data in a L{Piece} at most.
    @ivar skipped: messages of kinds that nobody knows.
    """

    __slots__ = (
        "_buffer",
        "_filled",
        "_indexLimit",
        "_longestPiece",
        "_needed",
        "_pieceCount",
        "_skip",
        "maxBlockLength",
        "maxMessageLength",
        "skipped",
    )

    def __init__(self, maxMessageLength: int, maxBlockLength: int) -> None:
        self.maxMessageLength = maxMessageLength
        self.maxBlockLength = maxBlockLength
        self.skipped = 0
        self._longestPiece = 9 + maxBlockLength
        self._pieceCount: int | None = None
        self._indexLimit = _ANY_INDEX
        self._buffer = _EMPTY  # begins with the frame that is not whole yet
        self._filled = 0  # bytes of it that are there
        self._needed = 0  # bytes it will have; 0 while that is not known
        self._skip = 0  # bytes to come that belong to an unknown message

    @property
    def pieceCount(self) -> int | None:
        """
        How many pieces there are, so that indices and bitfields can be checked; C{None} while that
        is unknown (a magnet link without its metadata).  May be set between two messages.
        """
        return self._pieceCount

    @pieceCount.setter
    def pieceCount(self, count: int | None) -> None:
        self._pieceCount = count
        self._indexLimit = _ANY_INDEX if count is None else count

    def feed(self, data: bytes | memoryview) -> Iterator[Message]:
        """
        Yield each message that C{data} completes, one at a time.  Otherwise like L{feedRuns}.

        @raise ProtocolError: the peer broke a rule; the decoder is of no more use.
        """
        for message in self.feedRuns(data):
            if isinstance(message, PieceRun):
                for index, begin, block in message:
                    yield Piece(index, begin, block)
            elif isinstance(message, RequestRun):
                for numbers in message:
                    yield Request(*numbers)
            else:
                yield message

    def feedRuns(self, data: bytes | memoryview) -> Iterator[Message | PieceRun | RequestRun]:
        """
        Yield what C{data} completes: L{PieceRun}s instead of L{Piece}s, L{RequestRun}s instead of
        L{Request}s, and all other messages.

        The data of blocks are views, valid until the next is asked for; C{data} must stay as it is
        until the iterator is exhausted, and not longer.  Always exhaust it, or the connection is over.

        @raise ProtocolError: the peer broke a rule; the decoder is of no more use.
        """
        view = memoryview(data)
        size = len(view)
        position = 0
        run = PieceRun()
        if self._skip or self._filled:
            position = self._gather(view)
            if self._needed and self._filled == self._needed:
                self._filled = 0
                message = self._decode(self._buffer, 0, self._needed - 4)
                if len(self._buffer) > _KEEP:
                    self._buffer = memoryview(bytearray())
                if isinstance(message, Piece):
                    run.append((message.index, message.begin, message.data))
                elif isinstance(message, Request):
                    yield RequestRun([(message.index, message.begin, message.length)])
                else:
                    yield message

        # Most of a stream is blocks, then numbers: try these first, reading one header for all.  That
        # header may reach into the next frame, so nothing in it counts before the length is looked at.
        unpackPieceHead, fixedMessages, longestPiece = _PIECE_HEAD.unpack_from, _FIXED, self._longestPiece
        while position + 13 <= size:
            length, kind, index, begin = unpackPieceHead(view, position)
            end = position + 4 + length
            if end > size:
                break
            if kind == 7 and 9 <= length <= longestPiece and index < self._indexLimit:
                run.append((index, begin, view[position + 13 : end]))
                position = end
                continue
            if run:
                yield run
                run = PieceRun()
            if kind == 6 and length == 13:
                asked = self._requests(view, position)
                yield asked
                position += 17 * len(asked)
                continue
            fixed = fixedMessages.get(kind)
            if (
                fixed is not None
                and length == fixed.length
                and (index < self._indexLimit or not fixed.indexed)
            ):
                yield fixed.make(*fixed.unpack(view, position + 5))
            elif length == 0 or self._check(length, kind):
                yield self._decode(view, position, length)
            position = end
        if run:
            yield run  # before more is gathered, over its first block perhaps
        while position + 4 <= size:
            length = _LENGTH.unpack_from(view, position)[0]
            end = position + 4 + length
            if end > size:
                break
            if length == 0 or self._check(length, view[position + 4]):
                yield self._decode(view, position, length)
            position = end
        rest = size - position
        if rest >= 5:
            length, kind = _HEAD.unpack_from(view, position)
            if self._check(length, kind):
                self._needed = 4 + length
                self._keep(view[position:])
            else:
                self._needed, self._skip = 0, 4 + length - rest
        elif rest:
            self._gather(view[position:])

    def _requests(self, view: memoryview, position: int) -> RequestRun:
        """The requests at C{position} and right behind it; the first is one, and whole."""
        run = RequestRun()
        limit = self._indexLimit
        whole = (len(view) - position) // 17 * 17
        for length, kind, index, begin, size in _REQUEST.iter_unpack(view[position : position + whole]):
            if kind != 6 or length != 13:
                break
            if index >= limit:
                if run:
                    break  # those before it count
                raise ProtocolError(f"no piece {index} of {limit}")
            run.append((index, begin, size))
        return run

    def _check(self, length: int, kind: int) -> bool:
        """
        Whether to read on, as C{length} and C{kind} of a frame are known and no more.  C{False}: its
        kind is unknown, skip it.

        @raise ProtocolError: no such message can be of that length.
        """
        fixed = _FIXED.get(kind)
        if fixed is not None:
            shortest = longest = fixed.length
        elif kind == Piece.id:
            shortest, longest = 9, self._longestPiece
        elif kind == Bitfield.id and self._pieceCount is not None:
            shortest = longest = 1 + (self._pieceCount + 7) // 8
        elif kind == Extended.id:
            shortest, longest = 2, self.maxMessageLength
        else:
            shortest, longest = 1, self.maxMessageLength
        if not shortest <= length <= longest:
            raise ProtocolError(f"message {kind} of {length} bytes; it has {shortest} to {longest}")
        if fixed is not None or kind in (Piece.id, Bitfield.id, Extended.id):
            return True
        self.skipped += 1
        return False

    def _decode(self, view: memoryview, position: int, length: int) -> Message:
        """The message of the whole, checked frame at C{position}."""
        if length == 0:
            return KeepAlive()
        kind = view[position + 4]
        fixed = _FIXED.get(kind)
        if fixed is not None:
            numbers = fixed.unpack(view, position + 5)
            if fixed.indexed and numbers[0] >= self._indexLimit:
                raise ProtocolError(f"no piece {numbers[0]} of {self._indexLimit}")
            return fixed.make(*numbers)
        payload = view[position + 5 : position + 4 + length]
        if kind == Extended.id:
            return Extended.decode(payload)
        if kind == Bitfield.id:
            bitfield = Bitfield.decode(payload)
            return bitfield if self._pieceCount is None else bitfield.check(self._pieceCount)
        piece = Piece.decode(payload)
        if piece.index >= self._indexLimit:
            raise ProtocolError(f"no piece {piece.index} of {self._indexLimit}")
        return piece

    def _gather(self, view: memoryview) -> int:
        """
        Take what C{view} begins with of a frame that is not whole; how many bytes that were.

        Afterwards the frame is whole if C{_filled} is C{_needed}, else all of C{view} was taken.
        """
        taken = 0
        if not self._skip and (self._filled == 0 or not self._needed):
            taken = 5 - self._filled  # length and id, in as many feeds as it takes
            head = bytes(self._buffer[: self._filled]) + view[:taken]
            if len(head) >= 4 and not any(head[:4]):
                taken, head = 4 - self._filled, head[:4]  # a keep-alive; what follows is not its
                self._needed = 4
            elif len(head) < 5:
                taken, self._needed = len(view), 0
            else:
                length = _LENGTH.unpack_from(head)[0]
                self._needed = 4 + length
                if not self._check(length, head[4]):
                    self._needed, self._skip = 0, length - 1  # which may be nothing
                    head = b""
            self._filled = 0
            self._keep(memoryview(head))
        if self._skip:
            skipped = min(self._skip, len(view) - taken)
            self._skip -= skipped
            return taken + skipped
        if self._needed:
            more = min(self._needed - self._filled, len(view) - taken)
            self._keep(view[taken : taken + more])
            taken += more
        return taken

    def _keep(self, part: memoryview) -> None:
        """Copy C{part} behind what is there of the frame."""
        end = self._filled + len(part)
        room = len(self._buffer)
        if room < end:
            # Claims are not believed: over a usual block, room grows as the bytes really come.
            # Always a new buffer, since views of the old one may be about.
            wanted = self._needed if self._needed <= _KEEP else min(self._needed, max(_KEEP, 2 * end))
            grown = memoryview(bytearray(max(wanted, end)))
            grown[: self._filled] = self._buffer[: self._filled]
            self._buffer = grown
        self._buffer[self._filled : end] = part
        self._filled = end
