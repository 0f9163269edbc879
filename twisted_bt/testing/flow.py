"""
The cheap way over the network, for big swarms: chunks in place of packets, and times that are computed.

A chunk is about a block.  It costs an event when it arrives, and one more when others wait for the
same uplink, which its connections use in turns.  When it gets through the downlink follows from what
was sent there before, so that nothing happens there; what is read is acknowledged without an event
as long as nobody waits for that.  A sender has as much on its way as TCP would: a window that grows
until the downlink's queue is full, or until losses would have stopped it.

What differs from packets: small messages slip in between the packets that a chunk stands for; there
are no acknowledgements on the wire; losses slow a connection down and hold up nothing; two links of
very different delay take their turns at a downlink as if they were equally far.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING

from twisted_bt.testing.link import PAYLOAD

if TYPE_CHECKING:
    from twisted_bt.testing.flowsender import FlowSender
    from twisted_bt.testing.host import Host

#: Bytes of a chunk: a block and its message.
CHUNK = 17 << 10


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
