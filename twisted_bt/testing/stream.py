"""
One end of a simulated TCP connection, as a Twisted transport.

What is modelled: bytes arrive in order, in pieces that say nothing about the writes they came from;
at most a window of bytes is on its way or waits to be read, so that who pauses reading stops who
sends; a full buffer pauses the producer; each side closes for itself; an end with bytes left
unread, an abort, and bytes for somebody who is gone make a reset.  What is lost with a host that
goes off line is noticed by nobody but by timeouts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from math import inf
from typing import TYPE_CHECKING, Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    IPushProducer,
    ITCPTransport,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_bt.testing.flow import FlowSender
from twisted_bt.testing.sender import WINDOW, Sender
from twisted_bt.testing.tcpsender import TcpSender

if TYPE_CHECKING:
    from twisted_bt.testing.host import Host
    from twisted_bt.testing.route import Way

StreamAddress = IPv4Address | IPv6Address

__all__ = ["READ_SIZE", "WINDOW", "Stream", "StreamAddress"]

#: The most handed to a protocol at a time, as by a real reactor.
READ_SIZE = 1 << 16
#: Seconds from one reset to the next of a connection.
_REFUSALS = 0.1


@implementer(ITCPTransport, IConsumer, IPushProducer)
class Stream:
    """
    @ivar bufferSize: bytes written and not sent above which the producer is paused.
    @ivar connected: its protocol was told of the connection, and not yet of its loss.
    @ivar unsent: bytes written that wait for the window.
    @cvar repeated: what is sent of a connection comes once.
    @ivar way: how it goes, once that is known.
    @ivar other: the other end, likewise.
    @ivar sender: what brings there what is written here.
    """

    _log = Logger()
    bufferSize = 1 << 16
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
        self.other: Stream | None = None
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
        self._noDelay = False
        self._keepAlive = False

    def __repr__(self) -> str:
        return f"<Stream {self._here.host}:{self._here.port} {self._there.host}:{self._there.port}>"

    @property
    def gone(self) -> bool:
        """Whether what comes now meets nobody."""
        return self._gone

    @property
    def unsent(self) -> int:
        return len(self.sender.unsent)

    # -- ITransport

    def write(self, data: bytes) -> None:
        """See C{ITransport}."""
        if not isinstance(data, bytes):
            raise TypeError(f"data must be bytes, not {type(data)!r}")
        if not data or not self.connected or self._gone or self._ending or self.disconnecting:
            return
        self.sender.unsent.add(data)
        self._pumpSoon()
        self._judgeProducer()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """See C{ITransport}."""
        self.write(b"".join(data))

    def getHost(self) -> StreamAddress:
        """See C{ITransport}."""
        return self._here

    def getPeer(self) -> StreamAddress:
        """See C{ITransport}."""
        return self._there

    def loseConnection(self) -> None:
        """See C{ITransport}: what was written is sent before."""
        if self.connected and not self.disconnecting:
            self.disconnecting = True
            self._reading = False
            self._pumpSoon()

    def loseWriteConnection(self) -> None:
        """See C{ITCPTransport}."""
        self._ending = True
        self._pumpSoon()

    def abortConnection(self) -> None:
        """See C{ITCPTransport}: what waits is dropped, the other side hears of a reset."""
        if self.disconnected or not self.connected or self._gone:
            return
        self._reading = False
        self._leave(reset=True)
        self._soon(self._lose, Failure(ConnectionAborted()))

    def getTcpNoDelay(self) -> bool:
        """See C{ITCPTransport}."""
        return self._noDelay

    def setTcpNoDelay(self, enabled: bool) -> None:
        """See C{ITCPTransport}."""
        self._noDelay = bool(enabled)

    def getTcpKeepAlive(self) -> bool:
        """See C{ITCPTransport}."""
        return self._keepAlive

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """See C{ITCPTransport}."""
        self._keepAlive = bool(enabled)

    # -- reading: IPushProducer

    def pauseProducing(self) -> None:
        """Take nothing more off the network; that the other side closed is not noticed meanwhile."""
        self._reading = False

    def resumeProducing(self) -> None:
        """Go on."""
        if self.connected and not self.disconnecting and not self._gone:
            self._reading = True
            self._deliverSoon()

    def stopProducing(self) -> None:
        """See C{IPushProducer}."""
        self.loseConnection()

    # -- writing: IConsumer

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """See C{IConsumer}."""
        if self._producer is not None:
            raise RuntimeError(f"{self._producer} was never unregistered")
        if self.disconnected:
            producer.stopProducing()
            return
        self._producer = producer
        self._streaming = streaming
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """See C{IConsumer}."""
        self._producer = None
        self._producerPaused = False
        if self.disconnecting:
            self._pumpSoon()

    def _judgeProducer(self) -> None:
        if self._producer is not None and self._streaming and self.unsent > self.bufferSize:
            self._producerPaused = True
            self._producer.pauseProducing()

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

    def joined(self, other: Stream) -> None:
        """C{other} is the other end."""
        self.other = other

    def begin(self, protocol: Any) -> None:
        """The connection is made."""
        self.protocol = protocol
        self.connected = True
        self.host.streams[self] = None
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
        self.host.streams.pop(self, None)

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
        self.host.streams.pop(self, None)
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
