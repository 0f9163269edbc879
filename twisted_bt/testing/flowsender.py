"""
One direction of a connection, where the network is simulated as flows.
"""

from __future__ import annotations

from collections import deque
from math import inf, sqrt
from typing import TYPE_CHECKING

from twisted_bt.testing.congestion import LEAST_TIMEOUT
from twisted_bt.testing.flow import CHUNK, FlowUplink
from twisted_bt.testing.link import PAYLOAD, wireSize
from twisted_bt.testing.sender import GIVE_UP, WINDOW, Sender

if TYPE_CHECKING:
    from twisted_bt.testing.connection import Connection
    from twisted_bt.testing.route import Leg

#: What is no longer than this does not wait for its turn.
SMALL = PAYLOAD
#: Bytes on their way to begin with, and at least.
FIRST_WINDOW, LEAST_WINDOW = 2 * CHUNK, CHUNK // 2
#: What goes at a time, at least.
LEAST_TURN = PAYLOAD


def lossWindow(loss: float, trip: float) -> float:
    """
    How many bytes TCP has on its way in the mean where it loses the share C{loss} of its segments: Padhye et
    al., "Modeling TCP throughput", with an acknowledgement for each segment.

    @param trip: seconds of a round trip.
    """
    timeout = trip + LEAST_TIMEOUT
    waits = timeout * min(1, 3 * sqrt(3 * loss / 8)) * loss * (1 + 32 * loss * loss)
    return max(PAYLOAD, PAYLOAD * trip / (trip * sqrt(2 * loss / 3) + waits))


class FlowSender(Sender):
    """
    One direction of a connection, in chunks.

    @ivar listed: it waits for a turn.
    """

    def __init__(self, stream: Connection) -> None:
        super().__init__(stream)
        self.listed = False
        self._legs: list[Leg] = []
        self._uplink: FlowUplink | None = None  # the narrowest of its way
        self._window: float = FIRST_WINDOW
        self._threshold = inf  # up to here the window grows quickly
        self._cutAt = -inf  # when the window last shrank
        self._flight: deque[tuple[str, bytes]] = deque()  # what was sent and has not arrived, in order
        self._outstanding = 0  # bytes that are not acknowledged
        self._again: deque[tuple[str, bytes]] = deque()  # was lost
        self._news: deque[tuple[float, int, int, bool]] = deque()  # to come: acknowledged, read, marked
        self._waking = False
        self._arrivesAt = self._leftAt = 0.0
        # A number for each attempt: what was sent behind something lost arrives for nothing.
        self._attempt = 0
        self._stalled = False
        self._patience = 1.0

    # -- for the stream

    def push(self) -> None:
        """See L{Sender.push}."""
        self._setOut()
        uplink = self._uplink
        while not self.listed and self.wants:
            done = self.now
            if uplink is not None:
                little = len(self.unsent) <= SMALL and not self._again
                done = uplink.small(wireSize(len(self.unsent))) if little else -1.0
            if uplink is not None and done < 0:
                self.listed = True
                uplink.enter(self)
            else:
                self._transmit(self.now, max(done, self._leftAt))
        self._waitForNews()

    def _setOut(self) -> None:
        if not self._legs:
            self._legs = self.way.legsFrom(self.host)
            if any(leg.source is not leg.target for leg in self._legs):
                self._uplink = min(self._legs, key=lambda leg: leg.source.link.up).source.access.flowUp

    @property
    def wants(self) -> bool:
        """Whether it would send something now."""
        if self.stopped or self._stalled:
            return False
        if self._again:
            return True
        if self.unsent:
            if self._news:
                self._hear()
            limit = self._limit
            free = limit - self._outstanding
            if free <= 0 or self.room <= 0:
                return False
            # Where losses are the limit it is kept to exactly, but not for the price of many small chunks.
            return limit >= self._window or free >= min(len(self.unsent), CHUNK // 2, limit / 4)
        return self.ending and not self.ended

    def turn(self, freeAt: float) -> None:
        """It is its turn: send a chunk, if it still wants to, from C{freeAt}."""
        if self.wants:
            self._transmit(max(freeAt, self.now), -1.0)

    def sent(self) -> None:
        """Its turn is over, and the next one's was made sure of."""
        self._waitForNews()
        self.stream.wasSent()

    def reset(self) -> None:
        """See L{Sender.reset}."""
        self._setOut()
        self.drop()
        uplink = self._uplink
        self._post("reset", b"", self.now, self.now if uplink is None else uplink.queue(wireSize(0)))

    def drop(self) -> None:
        """See L{Sender.drop}."""
        super().drop()
        self._again.clear()
        if self.listed and self._uplink is not None:
            self.listed = False
            self._uplink.leave(self)

    # -- sending

    @property
    def _delay(self) -> float:
        delay = 0.0
        for source, target in self._legs:
            if source is not target:
                delay += source.link.latency + target.link.latency
        return delay

    @property
    def _limit(self) -> float:
        loss = 0.0
        for source, target in self._legs:
            if source is not target:
                loss += source.link.loss + target.link.loss
        return min(self._window, lossWindow(loss, 2 * self._delay)) if loss else self._window

    def _transmit(self, begun: float, done: float) -> None:
        uplink = self._uplink
        if self._again:
            kind, data = self._again.popleft()
        elif self.unsent:
            kind, data = "data", self.unsent.take(min(self.room, self._most()))
            self.room -= len(data)
            self.stream.announce(kind, data)
        else:
            self.ended = True
            kind, data = "end", b""
            self.stream.announce(kind, data)
        self._flight.append((kind, data))
        self._outstanding += len(data)
        if uplink is not None and done < 0:
            uplink.freeAt = done = begun + wireSize(len(data)) / uplink.rate
        self._leftAt = done
        self._post(kind, data, begun, done)

    def _most(self) -> int:
        if len(self.unsent) <= LEAST_TURN:
            return LEAST_TURN
        uplink, limit = self._uplink, self._limit
        chunk = CHUNK if uplink is None else min(uplink.chunk, max(CHUNK, int(self._window / 4)))
        if limit < self._window:
            return max(LEAST_TURN, min(chunk, int(limit) - self._outstanding))
        return min(chunk, int(limit))

    def _post(self, kind: str, data: bytes, begun: float, done: float) -> None:
        marked = False
        size = wireSize(len(data))
        for source, target in self._legs:
            if source is not target:
                done, full = target.access.flowDown.take(begun, done, size)
                marked = marked or full
                done += source.link.latency + target.link.latency + source.access.jitter(target)
        self._arrivesAt = max(self._arrivesAt, done)
        host = self.receiver.host
        self.clock.post(self._arrivesAt, host, self._arrive, self._attempt, kind, data, marked)

    # -- at the other side

    def _arrive(self, attempt: int, kind: str, data: bytes, marked: bool) -> None:
        if attempt != self._attempt:
            return
        if not self.way.openFrom(self.host):
            self._stall(kind)
            return
        if kind == "reset":
            self.receiver.receiveReset()
            return
        self._flight.popleft()
        self._patience = 1.0
        if kind == "end":
            self.receiver.receiveEnd()
            return
        size = len(data)
        read = self.receiver.receive(data)
        self._tell(size, size if read else 0, marked)

    def wasRead(self, size: int) -> None:
        """See L{Sender.wasRead}."""
        self._tell(0, size, False)

    def _tell(self, arrived: int, read: int, marked: bool) -> None:
        if self.stopped:
            return
        self._news.append((self.now + self._delay, arrived, read, marked))
        if self.unsent and not self.listed:
            self._waitForNews()
        elif len(self._news) > 100:
            self._hear()

    # -- what comes back

    def _hear(self) -> None:
        """Take note of what the other side said until now."""
        news, now = self._news, self.now
        while news and news[0][0] <= now:
            _, arrived, read, marked = news.popleft()
            self.room += read
            if arrived:
                full = self._outstanding >= self._window / 2
                self._outstanding -= arrived
                if marked:
                    self._cut()
                elif full and self._window < WINDOW:
                    quick = self._window < self._threshold
                    self._window += arrived if quick else PAYLOAD * arrived / self._window

    def _cut(self) -> None:
        if self.now - self._cutAt > 2 * self._delay:
            self._cutAt = self.now
            self._window = self._threshold = max(LEAST_WINDOW, self._window * 0.7)

    def _waitForNews(self) -> None:
        if self.unsent and not self._waking and not self.listed and self._news and not self.stopped:
            self._waking = True
            self.clock.post(self._news[0][0], self.host, self._wake)

    def _wake(self) -> None:
        self._waking = False
        self._hear()
        if self.wants:
            self.push()
            self.stream.wasSent()
        else:
            self._waitForNews()

    # -- nothing gets through

    def _stall(self, kind: str) -> None:
        if kind == "reset" or self._stalled:
            return  # nobody repeats a reset; the rest is repeated with what was lost first
        self._attempt += 1
        self._stalled = True
        self._window = self._threshold = float(FIRST_WINDOW)
        self.clock.post(self.now + self._patience, self.host, self._repeat)

    def _repeat(self) -> None:
        self._stalled = False
        if self.stopped:
            return
        self._patience *= 2
        if self._patience > GIVE_UP:
            self.stream.giveUp()
            return
        self._outstanding -= sum(len(data) for _, data in self._flight)
        self._again.extendleft(reversed(self._flight))
        self._flight.clear()
        self._arrivesAt = self._leftAt = self.now
        self.push()
