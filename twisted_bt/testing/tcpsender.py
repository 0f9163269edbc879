"""
TCP packet by packet: one end of a connection, without its interface to programs.

Slow start, additive increase and halving; the windows of who receives, probed while they are shut;
acknowledgements that wait for company or go with data, and name what came ahead; what three later
ones overtook is sent again, and so is all that is not acknowledged in time, each time after twice as
long, until the sender gives up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IDelayedCall

from twisted_bt.testing.congestion import CongestionWindow, RoundTrip
from twisted_bt.testing.link import HEADERS
from twisted_bt.testing.sender import Sender
from twisted_bt.testing.tcpreceiver import Acknowledgement, TcpReceiver

if TYPE_CHECKING:
    from twisted_bt.testing.connection import Connection

#: What was sent before so many others that came is lost.
_OVERTAKEN = 3
#: Numbers of packets that bring an acknowledgement alone, and of those that want one.
_NOTHING, _PROBE = -1, -2
#: How often in a row it is tried in vain, which with growing timeouts is about a quarter of an hour.
_TRIES = 15


class _Segment:
    """
    @ivar number: of its first byte.
    @ivar data: empty: the end.
    @ivar size: how far it counts.
    @ivar order: its place among all that was sent, those sent again included.
    @ivar flying: it is neither known to have come nor to be lost.
    """

    __slots__ = ("came", "data", "flying", "number", "order", "sentAt", "size", "tries")

    def __init__(self, number: int, data: bytes) -> None:
        self.number = number
        self.data = data
        self.size = len(data) or 1
        self.order = self.tries = 0
        self.sentAt = 0.0
        self.flying = self.came = False


class TcpSender(Sender):
    """
    See L{Sender<twisted_bt.testing.sender.Sender>}.

    @ivar window: what it takes the network to bear.
    @ivar trip: what it knows of delays.
    @ivar sentAgain: segments that were sent more than once.
    """

    def __init__(self, stream: Connection) -> None:
        super().__init__(stream)
        self.inbound = TcpReceiver(stream, self._acknowledge)
        self.trip = RoundTrip()
        self.sentAgain = 0
        self._segment = 0  # bytes; 0: the way is not known yet
        self.window = CongestionWindow(0)
        self._next = 0
        self._edge = self.room
        self._flight: dict[int, _Segment] = {}  # all that is not acknowledged, in order
        self._lost: dict[int, _Segment] = {}  # those to be sent again
        self._flying = 0  # bytes
        self._order = self._newest = 0
        self._recovered = 0  # what was lost before this byte is no new reason to slow down
        self._grows = 0  # the window does not grow before this byte came
        self._inVain = 0
        self._timer: IDelayedCall | None = None

    def push(self) -> None:
        """See L{Sender.push}."""
        if not self._segment:
            legs = self.way.legsFrom(self.host)
            mtu = min(min(leg.source.link.mtu, leg.target.link.mtu) for leg in legs)
            self._segment = mtu - HEADERS
            self.window = CongestionWindow(self._segment)
        while not self.stopped and self._one():
            pass
        self._judgeTimer()

    # -- sending

    def _one(self) -> bool:
        """Send one segment, if one may be sent."""
        if self._lost:
            segment = next(iter(self._lost.values()))
            if not self._fits(segment.size):
                return False
            del self._lost[segment.number]
            self.sentAgain += 1
        else:
            wanted = min(self._segment, len(self.unsent))
            size = min(wanted, self._edge - self._next)
            if wanted and size > 0 and (size == wanted or not self._flight) and self._fits(size):
                data = self.unsent.take(size)
            elif self.ending and not self.ended and not self.unsent:
                self.ended = True
                data = b""
            else:
                return False
            segment = _Segment(self._next, data)
            self._next += segment.size
            self._flight[segment.number] = segment
            self.stream.announce("data" if data else "end", data)
        self._order += 1
        segment.order = self._order
        segment.sentAt = self.now
        segment.tries += 1
        segment.flying = True
        self._flying += segment.size
        self._transmit(segment.number, segment.data)
        return True

    def _fits(self, size: int) -> bool:
        return not self._flying or self._flying + size <= self.window.size

    def _transmit(self, number: int, data: bytes) -> None:
        said, other = self.inbound.take(), self._other
        self.way.send(self.host, self, HEADERS + len(data), lambda: other._arrived(number, data, said))

    def _acknowledge(self) -> None:
        if not self.stopped:
            self._transmit(_NOTHING, b"")

    @property
    def _other(self) -> TcpSender:
        sender = self.receiver.sender
        assert isinstance(sender, TcpSender), "both ends are of one kind"
        return sender

    def reset(self) -> None:
        """See L{Sender.reset}."""
        self.drop()
        self.host.drop(self)
        self.way.send(self.host, self, HEADERS, self.receiver.receiveReset)

    def drop(self) -> None:
        """See L{Sender.drop}."""
        super().drop()
        self._flight.clear()
        self._lost.clear()
        self._flying = 0
        self.inbound.stop()
        self._judgeTimer()

    # -- receiving

    def _arrived(self, number: int, data: bytes, said: Acknowledgement) -> None:
        if self.stream.gone and (self.stopped or data) and not _NOTHING <= number < self.inbound.next:
            self.stream.refuse()
        if self.stopped:
            return
        self._heard(said)
        if number == _PROBE:
            self._acknowledge()
        elif number != _NOTHING:
            self.inbound.arrived(number, data)

    def wasRead(self, size: int) -> None:
        """See L{Sender.wasRead}."""
        self._other.inbound.read(size)

    # -- what comes back

    def _heard(self, said: Acknowledgement) -> None:
        flight = self._flight
        before, came = self._flying, 0
        while flight:
            segment = next(iter(flight.values()))
            if segment.number >= said.upTo:
                break
            del flight[segment.number]
            came += self._came(segment)
        for number in said.ahead:
            ahead = flight.get(number)
            if ahead is not None:
                came += self._came(ahead)
        opened = said.edge > self._edge
        self._edge = max(self._edge, said.edge)
        self._inVain = 0
        if came:
            if said.upTo >= self._grows:
                self.window.acknowledged(came, before)
            if said.ahead:
                self._findLost()
        if (came or opened) and (self.unsent or self._lost or self.ending):
            self.push()
            self.stream.wasSent()
        if came:
            self._judgeTimer(again=True)

    def _came(self, segment: _Segment) -> int:
        if segment.came:
            return 0
        segment.came = True
        self._lost.pop(segment.number, None)
        if segment.flying:
            segment.flying = False
            self._flying -= segment.size
        if segment.order > self._newest:
            self._newest = segment.order
            if segment.tries == 1:  # else nobody knows which of them was answered
                self.trip.measured(self.now - segment.sentAt)
        return segment.size

    def _findLost(self) -> None:
        flying, last = self._flying, self._newest - _OVERTAKEN
        found = [each for each in self._flight.values() if each.flying and each.order <= last]
        for each in found:
            self._lose(each)
        if any(each.number >= self._recovered for each in found):
            self.window.lost(flying)
            self._recovered = self._grows = self._next

    def _lose(self, segment: _Segment) -> None:
        segment.flying = False
        self._flying -= segment.size
        self._lost[segment.number] = segment

    # -- nothing comes back

    def _judgeTimer(self, again: bool = False) -> None:
        # There is one while something is not acknowledged, or waits for a window that is shut.
        wanted = bool(self._flight or (self.unsent and self._edge <= self._next))
        if self._timer is not None and not self._timer.active():
            self._timer = None  # the host crashed
        if not wanted:
            timer, self._timer = self._timer, None
            if timer is not None:
                timer.cancel()
        elif self._timer is None:
            self._timer = self.clock.callLater(self.trip.timeout, self._expired, host=self.host)
        elif again:
            self._timer.reset(self.trip.timeout)

    def _expired(self) -> None:
        self._timer = None
        self._inVain += 1
        if self._inVain > _TRIES:
            self.stream.giveUp()
            return
        if self._flight:
            self.window.expired(self._flying, self._inVain == 1)
            self._recovered, self._grows = self._next, 0
            lost = [each for each in self._flight.values() if not each.came]
            for each in lost:
                if each.flying:
                    self._lose(each)
        else:
            self._transmit(_PROBE, b"")  # the answer says whether the window is open
        self.trip.expired()
        self.push()
