"""
The cheap way over the network, for big swarms: chunks in place of packets, and times that are computed.

A chunk is about a block.  It costs an event when it arrives, and one more when others wait for the
same uplink, which its connections use in turns.  When it gets through the downlink follows from what
was sent there before, so that nothing happens there; what is read is acknowledged without an event
as long as nobody waits for that.  A sender has as much on its way as TCP would: a window that grows
until the downlink's queue is full, or until losses would have stopped it (Mathis et al., "The
macroscopic behavior of the TCP congestion avoidance algorithm"; its 1.22 segments / sqrt(loss)).

What differs from packets: small messages slip in between the packets that a chunk stands for; there
are no acknowledgements on the wire; losses slow a connection down and hold up nothing; two links of
very different delay take their turns at a downlink as if they were equally far.
"""

from __future__ import annotations

from collections import deque
from math import inf, sqrt
from typing import TYPE_CHECKING

from twisted_bt.testing.link import PAYLOAD, wireSize
from twisted_bt.testing.sender import GIVE_UP, WINDOW, Sender

if TYPE_CHECKING:
    from twisted_bt.testing.host import Host
    from twisted_bt.testing.route import Leg
    from twisted_bt.testing.stream import Stream

#: Bytes of a chunk: a block and its message.
CHUNK = 17 << 10
#: What is no longer than this does not wait for its turn.
SMALL = PAYLOAD
#: Bytes on their way to begin with, and at least.
FIRST_WINDOW, LEAST_WINDOW = 2 * CHUNK, PAYLOAD


class FlowUplink:
    """
    What one host sends: one chunk at a time, its senders in turns.

    @ivar freeAt: when all that was begun is through.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._clock = host.network.clock
        self.freeAt = 0.0
        self._turns: deque[FlowSender] = deque()
        self._waking = False

    @property
    def rate(self) -> float:
        """Bytes a second."""
        return self._host.link.up

    @property
    def chunk(self) -> int:
        """The most that goes at a time: a block, more where that is a moment, less where it takes long."""
        rate = self._host.link.up
        return int(max(PAYLOAD, min(CHUNK, rate * 0.25), min(1 << 16, rate * 0.01)))

    def enter(self, sender: FlowSender) -> None:
        """C{sender} has something to send: it gets its turn."""
        self._turns.append(sender)
        if not self._waking:
            self._wake()

    def leave(self, sender: FlowSender) -> None:
        """C{sender} wants no turn any more."""
        self._turns.remove(sender)

    def small(self, size: int) -> float:
        """
        When C{size} bytes are through that may go between the packets of others; -1.0: not now, there
        was too much of that.
        """
        now, rate = self._clock.now, self._host.link.up
        busy = self.freeAt - now
        if busy <= 0:
            self.freeAt = now + size / rate
            return self.freeAt
        if busy > self.chunk / rate + 0.05:
            return -1.0
        self.freeAt += size / rate
        return now + min(busy, (len(self._turns) + 1) * PAYLOAD / rate) + size / rate

    def queue(self, size: int) -> float:
        """When C{size} bytes are through that wait behind all others."""
        self.freeAt = max(self.freeAt, self._clock.now) + size / self._host.link.up
        return self.freeAt

    def _wake(self) -> None:
        if self._turns:
            self._waking = True
            self._clock.post(self.freeAt, self._host, self._next)

    def _next(self) -> None:
        self._waking = False
        if self._turns:
            sender = self._turns.popleft()
            sender.turn(self.freeAt)
            if sender.wants:
                self._turns.append(sender)
            else:
                sender.listed = False
            self._wake()
            sender.sent()


class FlowDownlink:
    """
    What one host receives, first come, first served.

    @ivar freeAt: when all that was sent would be through if it had not to travel.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self.freeAt = 0.0

    def take(self, begun: float, done: float, size: int) -> tuple[float, bool]:
        """
        When C{size} bytes are through that were sent from C{begun} to C{done}, travelling not
        counted; and whether there is too much in the queue.
        """
        link = self._host.link
        rate = link.down
        if rate == inf:
            return done, False
        self.freeAt = max(self.freeAt, begun) + size / rate
        if self.freeAt <= done:
            return done, False
        return self.freeAt, (self.freeAt - done) * rate > link.queueDown


class FlowSender(Sender):
    """
    One direction of a connection, in chunks.

    @ivar listed: it waits for a turn.
    """

    def __init__(self, stream: Stream) -> None:
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
            return self._outstanding < self._limit and self.room > 0
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
        return sum(a.link.latency + b.link.latency for a, b in self._legs if a is not b)

    @property
    def _limit(self) -> float:
        loss = sum(leg.source.link.loss + leg.target.link.loss for leg in self._legs)
        return min(self._window, max(LEAST_WINDOW, 1.22 * PAYLOAD / sqrt(loss))) if loss else self._window

    def _transmit(self, begun: float, done: float) -> None:
        uplink = self._uplink
        if self._again:
            kind, data = self._again.popleft()
        elif self.unsent:
            most = min(uplink.chunk if uplink else CHUNK, self.room, int(max(LEAST_WINDOW, self._limit)))
            kind, data = "data", self.unsent.take(most)
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
