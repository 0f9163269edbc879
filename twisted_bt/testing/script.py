"""
What a recorded peer said, as a part to be played to a client that asks in another order, or at another pace.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from twisted_bt.testing.recording import Conversation

#: Bytes of a handshake, and of what comes before the payload of a C{piece}.
HANDSHAKE, _PIECE = 68, 13
_BLOCK = Struct(">III")
_REQUEST_ID, _PIECE_ID = 6, 7

#: Index, begin and length.
Key = tuple[int, int, int]


class Line(NamedTuple):
    """Bytes that were said after the client had said C{awaited} bytes."""

    awaited: int
    data: bytes


class Frames:
    """Cuts a stream into the handshake and frames; what is no frame is one at the end."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._greeted = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Those that C{data} completes."""
        buffer = self._buffer
        buffer += data
        while True:
            need = HANDSHAKE if not self._greeted else 4 + int.from_bytes(buffer[:4], "big")
            if len(buffer) < max(need, 4):
                return
            frame = bytes(buffer[:need])
            del buffer[:need]
            self._greeted = True
            yield frame

    def rest(self) -> bytes:
        """What is left of a frame that never ended."""
        return bytes(self._buffer)


def requested(frame: bytes) -> Key | None:
    """What a frame asks for; C{None}: it is no request."""
    if len(frame) == 17 and frame[4] == _REQUEST_ID:
        index, begin, length = _BLOCK.unpack_from(frame, 5)
        return index, begin, length
    return None


def _sent(frame: bytes) -> Key | None:
    if len(frame) >= _PIECE and len(frame) != HANDSHAKE and frame[4] == _PIECE_ID:
        return (*Struct(">II").unpack_from(frame, 5), len(frame) - _PIECE)
    return None


class Script:
    """
    @ivar lines: what was said of its own accord, in order.
    @ivar answers: what each request was answered with, each time.
    """

    def __init__(self, conversation: Conversation) -> None:
        self.lines: list[Line] = []
        self.answers: dict[Key, list[bytes]] = {}
        theirs, ours, awaited = Frames(), Frames(), 0
        asked: set[Key] = set()
        for said in conversation.said:
            if not said.received:
                awaited += len(said.data)
                asked.update(key for frame in ours.feed(said.data) if (key := requested(frame)) is not None)
                continue
            for frame in theirs.feed(said.data):
                key = _sent(frame)
                if key is not None and key in asked:
                    self.answers.setdefault(key, []).append(frame)
                else:
                    self.lines.append(Line(awaited, frame))
        if theirs.rest():
            self.lines.append(Line(awaited, theirs.rest()))

    def answer(self, key: Key) -> bytes | None:
        """What to say to a request; the last answer is good for ever.  C{None}: there was none."""
        answers = self.answers.get(key)
        if not answers:
            return None
        return answers.pop(0) if len(answers) > 1 else answers[0]
