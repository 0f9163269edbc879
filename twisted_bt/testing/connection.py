"""
One end of a simulated TCP connection: what programs see of it is L{Stream<twisted_bt.testing.stream.Stream>}.

Bytes arrive in order, in pieces that say nothing about the writes they came from; at most a window of
bytes is on its way or waits to be read, so that who pauses reading stops who sends; a full buffer
pauses the producer; each side closes for itself; an end with bytes left unread, an abort, and bytes
for somebody who is gone make a reset.  Who goes off line is noticed by those who send to him, when
they give up.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING, Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_bt.testing.flowsender import FlowSender
from twisted_bt.testing.sender import Sender
from twisted_bt.testing.tcpsender import TcpSender

if TYPE_CHECKING:
    from twisted_bt.testing.host import Host
    from twisted_bt.testing.route import Way

StreamAddress = IPv4Address | IPv6Address

#: The most handed to a protocol at a time, as by a real reactor.
READ_SIZE = 1 << 16
#: Seconds from one reset to the next of a connection.
_REFUSALS = 0.1


class Connection:
    """
    @ivar host: where it is.
    @ivar protocol: who uses it.
    @ivar connected: its protocol was told of the connection, and not yet of its loss.
    @ivar unsent: bytes written that wait for the window.
    @cvar repeated: what is sent of a connection before its protocols know of it comes once.
    @ivar way: how it goes, once that is known.
    @ivar other: the other end, likewise.
    @ivar sender: what brings there what is written here.
    """

    _log = Logger()
    disconnecting = False
    disconnected = False
    connected = False
    repeated = False
    way: Way | None = None

    def __init__(self, host: Host, here: StreamAddress, there: StreamAddress) -> None:
        self.host = host
        self.protocol: Any = None
        self._here = here
        self._there = there
        self.other: Connection | None = None
        self.sender: Sender = FlowSender(self) if host.network.mode == "flow" else TcpSender(self)
        self._pumping = False
        self._producer: Any = None
        self._streaming = False
        self._producerPaused = False
        self._arrived: deque[bytes] = deque()
        self._reading = True
        self._delivering = False
        self._theirEnd = False  # all they will ever send has come
        self._ourEnd = False  # all we will ever send was said
        self._ending = False  # they hear of our end once all is sent
        self._gone = False  # what comes now meets nobody
        self._wasReset = False
        self._refusedAt = -inf  # when they were last told so

    def __repr__(self) -> str:
        here, there = self._here, self._there
        return f"<{type(self).__name__} {here.host}:{here.port} {there.host}:{there.port}>"

    @property
    def gone(self) -> bool:
        """Whether what comes now meets nobody."""
        return self._gone

    @property
    def _listed(self) -> dict[Any, None]:
        return self.host.streams

    @property
    def unsent(self) -> int:
        return len(self.sender.unsent)

    # -- sending

    def _soon(self, function: Any, *arguments: Any) -> None:
        self.host.network.clock.callLater(0, function, (arguments, {}), host=self.host)

    def _pumpSoon(self) -> None:
        if not self._pumping:
            self._pumping = True
            self.host.network.clock.atEnd(self.host, self._pump)

    def _pump(self) -> None:
        self._pumping = False
        if not self.connected or self._gone:
            return
        if self._wasReset:
            self._lose(Failure(ConnectionLost()))
            return
        self.sender.push()
        self.wasSent()

    def wasSent(self) -> None:
        """For the sender: it sent something, perhaps all."""
        if self.sender.unsent or not self.connected or self._gone:
            return
        if self._producer is not None and (not self._streaming or self._producerPaused):
            self._producerPaused = False
            self._guarded(self._producer.resumeProducing)
        elif self.disconnecting:
            self._lose(Failure(ConnectionDone()))
        elif self._ending and not self._ourEnd:
            self._sayEnd()
            protocol = self.protocol
            if IHalfCloseableProtocol.providedBy(protocol):
                self._guarded(protocol.writeConnectionLost)

    def announce(self, kind: str, data: bytes) -> None:
        """For the sender: it sends this for the first time."""
        if self.host.network.watchers:
            self.host.network.seen(kind, self._here, self._there, data)

    def giveUp(self) -> None:
        """For the sender: nothing gets through."""
        self.sender.drop()
        self._lose(Failure(ConnectionLost("nothing was acknowledged any more")))

    def _sayEnd(self) -> None:
        if not self._ourEnd and self.other is not None:
            self._ourEnd = True
            self.sender.ending = True
            self.sender.push()

    # -- receiving

    def receive(self, data: bytes) -> bool:
        """
        For the other side's sender: C{data} arrived.

        @return: whether it was read at once.
        """
        if self._gone:
            self.refuse()
            return True
        if not self._reading or not self.connected or self._delivering or self._arrived:
            self._arrived.append(data)
            self._deliverSoon()
            return False
        self._guarded(self.protocol.dataReceived, data)
        return True

    def receiveEnd(self) -> None:
        """For the other side's sender: nothing more comes."""
        self._theirEnd = True
        self._deliverSoon()

    def receiveReset(self) -> None:
        """For the other side's sender: it wants no more of this."""
        self._arrived.clear()
        self._wasReset = True
        looks = self._reading or self.unsent > 0
        self.sender.drop()
        if self.connected and not self._gone:
            if looks:
                self._lose(Failure(ConnectionLost()))
        else:
            self._gone = True

    def refuse(self) -> None:
        """For the other side's sender: something came for which nobody is here any more."""
        now = self.host.network.clock.now
        if self.other is not None and now >= self._refusedAt + _REFUSALS:
            self._refusedAt = now
            self._sendReset()

    def _sendReset(self) -> None:
        self.announce("reset", b"")
        self.sender.reset()

    def _deliverSoon(self) -> None:
        if self._reading and self.connected and not self._delivering:
            self._delivering = True
            self._soon(self._deliver)

    def _deliver(self) -> None:
        self._delivering = False
        if not self._reading or not self.connected:
            return
        if self._wasReset:
            self._lose(Failure(ConnectionLost()))
        elif self._arrived:
            self._handOver()
            self._deliverSoon()
        elif self._theirEnd:
            self._reading = False
            if IHalfCloseableProtocol.providedBy(self.protocol):
                self._guarded(self.protocol.readConnectionLost)
            else:
                self._lose(Failure(ConnectionDone()))

    def _handOver(self) -> None:
        parts = [self._arrived.popleft()]
        size = len(parts[0])
        while self._arrived and size + len(self._arrived[0]) <= READ_SIZE:
            parts.append(self._arrived.popleft())
            size += len(parts[-1])
        assert self.other is not None
        self.other.sender.wasRead(size)
        self._guarded(self.protocol.dataReceived, b"".join(parts))

    def _guarded(self, call: Any, *arguments: Any) -> None:
        """What a protocol raises ends its connection, as on a real reactor."""
        try:
            call(*arguments)
        except Exception:
            reason = Failure()
            self.host.network.failed(reason)
            self._lose(reason)

    # -- beginning and end; for the rest of the network

    def joined(self, other: Connection) -> None:
        """C{other} is the other end."""
        self.other = other

    def begin(self, protocol: Any) -> None:
        """The connection is made."""
        self.protocol = protocol
        self.connected = True
        self._listed[self] = None
        protocol.makeConnection(self)
        self._deliverSoon()

    def decline(self) -> None:
        """It is not wanted on this side (and was never told to a protocol)."""
        self._leave(reset=False)

    def reset(self) -> None:
        """Something on the way resets it: both sides hear of it."""
        for each in (self, self.other):
            if each is not None:
                each._soon(each.receiveReset)

    def vanish(self) -> None:
        """The host stopped dead: nobody is told."""
        self._gone = True
        self.connected = False
        self.sender.drop()
        self._listed.pop(self, None)

    def _leave(self, reset: bool) -> None:
        """From now on nobody is here."""
        if self._gone:
            return
        self._gone = True
        if self._wasReset or self.other is None:
            return
        if reset or self._arrived:
            self._sendReset()
        else:
            self._sayEnd()
        self._arrived.clear()

    def _lose(self, reason: Failure) -> None:
        if self.disconnected or not self.connected:
            return
        self.disconnected = True
        self.connected = False
        self.sender.unsent.clear()
        self._leave(reset=False)
        self._listed.pop(self, None)
        producer, self._producer = self._producer, None
        try:
            if producer is not None:
                producer.stopProducing()
            self.protocol.connectionLost(reason)
        except Exception:
            self.host.network.failed(Failure())
        self.lost(reason)

    def lost(self, reason: Failure) -> None:
        """The protocol was told; for who has more to tell."""
