"""
What one end of a TCP connection has received: puts it in order, and acknowledges it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from twisted.internet.interfaces import IDelayedCall

from twisted_bt.testing.sender import WINDOW

if TYPE_CHECKING:
    from twisted_bt.testing.connection import Connection

#: Seconds that an acknowledgement waits for company, and how many segments do not wait for the next.
_DELAY, _TOGETHER = 0.04, 2
#: Segments ahead of a hole that an acknowledgement names.
_NAMED = 4


class Acknowledgement(NamedTuple):
    """
    @ivar upTo: all before this came.
    @ivar edge: what is from here on would not be taken.
    @ivar ahead: where segments begin that came ahead of others; the newest.
    """

    upTo: int
    edge: int
    ahead: tuple[int, ...]


class TcpReceiver:
    """
    @ivar next: the first byte that did not come.
    """

    def __init__(self, stream: Connection, acknowledge: Callable[[], object]) -> None:
        """
        @param stream: who gets it, in order.
        @param acknowledge: sends what L{take} gives.
        """
        self._stream = stream
        self._acknowledge = acknowledge
        self.next = 0
        self._early: dict[int, bytes] = {}
        self._ahead: deque[int] = deque(maxlen=_NAMED)
        self._unread = 0
        self._edge = WINDOW  # as they know it
        self._pending = 0
        self._timer: IDelayedCall | None = None

    def arrived(self, number: int, data: bytes) -> None:
        """A segment came that begins with byte C{number}; an empty one is the end, and counts as a byte."""
        if number != self.next:
            if number > self.next and number not in self._early:
                self._early[number] = data
                self._ahead.append(number)
            self._acknowledge()  # they should know at once that something is missing, or came twice
            return
        filled = bool(self._early)
        self._deliver(data)
        while self.next in self._early:
            self._deliver(self._early.pop(self.next))
        if not self._early:
            self._ahead.clear()
        self._pending += 1
        if filled or self._pending >= _TOGETHER:
            self._acknowledge()
        elif self._timer is None:
            host = self._stream.host
            self._timer = host.network.clock.callLater(_DELAY, self._late, host=host)

    def _deliver(self, data: bytes) -> None:
        self.next += len(data) or 1
        if not data:
            self._stream.receiveEnd()
        elif self._stream.gone:
            self._stream.refuse()  # it was left while something ahead of this was read
        elif not self._stream.receive(data):
            self._unread += len(data)

    def read(self, size: int) -> None:
        """C{size} bytes were read that had waited."""
        self._unread -= size
        # They are told when that helps: with each byte, it would be of too many packets for nothing.
        if self._edge - self.next < WINDOW // 2 <= WINDOW - self._unread:
            self._acknowledge()

    def take(self) -> Acknowledgement:
        """What is to be said to the other side; this is being said."""
        self._pending = 0
        self._stopTimer()
        self._edge = self.next + WINDOW - self._unread
        return Acknowledgement(self.next, self._edge, tuple(self._ahead))

    def stop(self) -> None:
        """Nobody is here any more."""
        self._stopTimer()

    def _stopTimer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():  # it is not after the host crashed
            timer.cancel()

    def _late(self) -> None:
        self._timer = None
        if self._pending:
            self._acknowledge()
