"""
One end of a simulated TCP connection, as a Twisted transport.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IConsumer, IPushProducer, ITCPTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_bt.testing.connection import READ_SIZE, Connection, StreamAddress
from twisted_bt.testing.sender import WINDOW

__all__ = ["READ_SIZE", "WINDOW", "Stream", "StreamAddress"]


@implementer(ITCPTransport, IConsumer, IPushProducer)
class Stream(Connection):
    """
    See L{Connection<twisted_bt.testing.connection.Connection>}.

    @cvar bufferSize: bytes written and not sent above which the producer is paused.
    """

    bufferSize = 1 << 16
    _noDelay = False
    _keepAlive = False

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
