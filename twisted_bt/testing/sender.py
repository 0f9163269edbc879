"""
What the two ways over the network have in common: one direction of a connection, without its content.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twisted_bt.testing.connection import Connection
    from twisted_bt.testing.route import Way

#: The most bytes of one direction that are on their way or wait to be read: what systems begin with.
WINDOW = 256 << 10
#: Who hears nothing of what it sent tries again after one second, two, four ...; and above this gives up.
GIVE_UP = 600.0


class Unsent:
    """Bytes that were written and not sent, in the parts in which they were written."""

    def __init__(self) -> None:
        self._parts: deque[bytes] = deque()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, data: bytes) -> None:
        """C{data} was written."""
        self._parts.append(data)
        self._size += len(data)

    def take(self, most: int) -> bytes:
        """The first C{most} bytes, or all."""
        parts = self._parts
        taken = [parts.popleft()]
        size = len(taken[0])
        while size < most and parts:
            taken.append(parts.popleft())
            size += len(taken[-1])
        if size > most:
            kept = len(taken[-1]) - (size - most)
            parts.appendleft(taken[-1][kept:])
            taken[-1] = taken[-1][:kept]
            size = most
        self._size -= size
        return taken[0] if len(taken) == 1 else b"".join(taken)

    def clear(self) -> None:
        """Nothing of it is wanted."""
        self._parts.clear()
        self._size = 0


class Sender(ABC):
    """
    One direction of a connection.

    @ivar stream: whose it is; it knows its way, and the other end, before anything is sent.
    @ivar host: where that is.
    @ivar unsent: what waits.
    @ivar room: bytes that the other side would take.
    @ivar ending: nothing more will be written.
    @ivar ended: the other side is being told so.
    @ivar stopped: nothing more is sent.
    """

    def __init__(self, stream: Connection) -> None:
        self.stream = stream
        self.host = stream.host
        self.clock = stream.host.network.clock
        self.unsent = Unsent()
        self.room = WINDOW
        self.ending = self.ended = self.stopped = False

    @property
    def now(self) -> float:
        """Seconds."""
        return self.clock.now

    @property
    def way(self) -> Way:
        """How it goes."""
        way = self.stream.way
        assert way is not None, "nothing is sent before the way is known"
        return way

    @property
    def receiver(self) -> Connection:
        """The other end."""
        other = self.stream.other
        assert other is not None, "nothing is sent before there is somebody"
        return other

    @abstractmethod
    def push(self) -> None:
        """Something was written, or the end is to be told: send what may be sent."""

    @abstractmethod
    def wasRead(self, size: int) -> None:
        """The other side read C{size} bytes that it had not read when they arrived."""

    @abstractmethod
    def reset(self) -> None:
        """Drop what was not sent, and tell the other side that the connection is gone."""

    def drop(self) -> None:
        """Send nothing more."""
        self.stopped = True
        self.unsent.clear()
