"""
The socket's side of a peer session: moves bytes, decides nothing.

A connection has two phases.  In the first a handshake is read (and, whenever its owner likes,
sent): L{PeerProtocol.whenInfoHash} fires after 48 bytes, L{PeerProtocol.whenHandshake} after 68,
and then reading stops until L{PeerProtocol.begin} names the session.  In the second, each message is
handed to the session; what the session or the decoder raises as a C{SessionException} ends the
connection, and this is the one place where that happens.

Runs on any stream transport that is a producer and consumer: TCP, TLS, UNIX, a simulated one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, cast
from typing import Protocol as TypingProtocol

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer, ITCPTransport, ITransport
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_bt.errors import PeerDisconnected, SessionException
from twisted_bt.interfaces import Buffer
from twisted_bt.peerwire.allowance import Allowance
from twisted_bt.peerwire.framing import PieceRun, RequestRun, WireDecoder
from twisted_bt.peerwire.handshake import Handshake, HandshakeReader

#: Writes the parts of something one after another.
Sender = Callable[[Sequence[Buffer]], None]


class IMessageSink(TypingProtocol):
    """What a session is to its connection."""

    handlers: ClassVar[Mapping[type, Callable[[Any, Any], None]]]
    """By class of what the decoder yields; called with the session and it; may raise C{SessionException}."""

    def turnBegan(self, received: int) -> Allowance | None:
        """
        C{received} bytes arrived; their messages follow.  Gives what the messages beside blocks are
        charged to, if they are.
        """

    def turnEnded(self) -> None:
        """All messages of those bytes were handed over; may raise C{SessionException}."""

    def sendingPaused(self, paused: bool) -> None:
        """Whether the transport asks to send no more for now."""

    def ended(self, reason: SessionException) -> None:
        """The connection is gone; called once."""


#: The reader of connections whose handshake is over, which is not kept.
_READ = HandshakeReader()


@implementer(IPushProducer)
class PeerProtocol(Protocol):
    """
    One connection to a peer.

    @ivar reason: why the connection ended, or C{None} while it has not.
    """

    def __init__(
        self,
        maxMessageLength: int,
        maxBlockLength: int,
        connected: Callable[[PeerProtocol], None] | None = None,
        adopt: Callable[[object, Callable[[memoryview], object]], Sender | None] | None = None,
    ) -> None:
        """
        @param maxMessageLength: bytes of the longest message kept, blocks excepted.
        @param maxBlockLength: bytes of the longest block accepted in a C{piece} message.
        @param connected: told once the connection is made.
        @param adopt: may give the transport a faster way to deliver what it reads, once messages
            begin, and gives a faster way to write; does nothing for a transport it does not know.
        """
        self._made = connected
        self._adopt = adopt
        self._send: Sender | None = None
        self.decoder = WireDecoder(maxMessageLength, maxBlockLength)
        self.reason: SessionException | None = None
        self._reader = HandshakeReader()
        self._rest = b""
        self._session: IMessageSink | None = None
        self._waiters: list[tuple[Deferred[Any], Callable[[], Any]]] = []
        self._pauses: tuple[str, ...] = ()
        self._lost: list[Deferred[None]] = []
        self._connected = False

    # -- the handshake phase

    def whenInfoHash(self) -> Deferred[bytes]:
        """Fires with the info-hash the peer asks for; fails with C{SessionException}."""
        return self._when(lambda: self._reader.infoHash)

    def whenHandshake(self) -> Deferred[Handshake]:
        """Fires with the peer's whole handshake; fails with C{SessionException}."""
        return self._when(lambda: self._reader.handshake)

    def whenLost(self) -> Deferred[None]:
        """Fires once the connection is gone (at once, if it is)."""
        if self.reason is not None and not self._connected:
            return succeed(None)
        waiter: Deferred[None] = Deferred()
        self._lost.append(waiter)
        return waiter

    def begin(self, session: IMessageSink) -> None:
        """
        The handshake is over: hand messages to C{session}.  What came already is handed over before
        this returns.
        """
        self._session = session
        self._reader = _READ
        cast(Any, self.transport).registerProducer(self, True)
        if self._adopt is not None:
            self._send = self._adopt(self.transport, self.dataReceived)
        rest, self._rest = self._rest, b""
        self.resumeReading("handshake")
        if rest:
            self.dataReceived(rest)

    def _when(self, look: Callable[[], Any]) -> Deferred[Any]:
        found = look()
        if found is not None:
            return succeed(found)
        if self.reason is not None:
            return fail(self.reason)
        waiter: Deferred[Any] = Deferred(self._forget)
        self._waiters.append((waiter, look))
        return waiter

    def _forget(self, waiter: Deferred[Any]) -> None:
        self._waiters = [each for each in self._waiters if each[0] is not waiter]

    def _handshakeReceived(self, data: bytes) -> None:
        self._rest += self._reader.feed(data)
        if self._reader.handshake is not None:
            self.pauseReading("handshake")
        waiting, self._waiters = self._waiters, []
        for waiter, look in waiting:
            found = look()
            if found is None:
                self._waiters.append((waiter, look))
            else:
                waiter.callback(found)

    # -- what the transport calls

    def connectionMade(self) -> None:
        """The transport is ready."""
        self._connected = True
        if ITCPTransport.providedBy(self.transport):
            # All that a turn says goes out in one write; held back for the other side's
            # acknowledgement, it would come up to 40 ms late.
            self.transport.setTcpNoDelay(True)
        if self._made is not None:
            self._made(self)

    def dataReceived(self, data: bytes | memoryview) -> None:
        """Hand up each message; the first broken rule ends the connection."""
        if self.reason is not None:
            return
        session = self._session
        try:
            if session is None:
                self._handshakeReceived(bytes(data))
                return
            allowance = session.turnBegan(len(data))
            handlers = session.handlers
            skipped = self.decoder.skipped
            for message in self.decoder.feedRuns(data):
                kind = message.__class__
                if kind is not PieceRun and allowance is not None:
                    allowance.spend(kind, len(message) if isinstance(message, RequestRun) else 1)
                handlers[kind](session, message)
            if allowance is not None:
                allowance.take(self.decoder.skipped - skipped)
            session.turnEnded()
        except SessionException as reason:  # the one place where a session dies of what it read
            self.close(reason)

    def connectionLost(self, reason: Failure | None = None) -> None:
        """The transport is gone."""
        self._connected = False
        if self.reason is None:
            said = reason.getErrorMessage() if reason is not None else "closed"
            if reason is not None and reason.check(ConnectionDone):
                said = "closed by the peer"
            self.reason = PeerDisconnected(said)
        waiting, self._waiters = self._waiters, []
        for waiter, _ in waiting:
            waiter.errback(self.reason)
        session, self._session = self._session, None
        if session is not None:
            session.ended(self.reason)
        lost, self._lost = self._lost, []
        for each in lost:
            each.callback(None)

    def pauseProducing(self) -> None:
        """The transport's buffer is full."""
        if self._session is not None:
            self._session.sendingPaused(True)

    def resumeProducing(self) -> None:
        """There is room again."""
        if self._session is not None and self.reason is None:
            try:
                self._session.sendingPaused(False)
            except SessionException as reason:
                self.close(reason)

    def stopProducing(self) -> None:
        """The transport wants nothing more; C{connectionLost} follows."""

    # -- what the session calls

    def write(self, data: bytes) -> None:
        """Send C{data}; dropped once the connection is ending."""
        if self.reason is not None:
            return
        if self._send is not None:
            self._send((data,))
        else:
            cast(ITransport, self.transport).write(data)

    def writeSequence(self, parts: Sequence[Buffer]) -> None:
        """Send C{parts} one after another; dropped once the connection is ending."""
        if self.reason is not None:
            return
        if self._send is not None:
            self._send(parts)
        else:
            cast(ITransport, self.transport).write(b"".join(parts))

    def pauseReading(self, why: str) -> None:
        """Read nothing until L{resumeReading} was called for each C{why}."""
        if not self._pauses and self._connected:
            cast(Any, self.transport).pauseProducing()
        if why not in self._pauses:
            self._pauses += (why,)

    def resumeReading(self, why: str) -> None:
        """Take back L{pauseReading}."""
        if why in self._pauses:
            self._pauses = tuple(each for each in self._pauses if each != why)
            if not self._pauses and self._connected and self.reason is None:
                cast(Any, self.transport).resumeProducing()

    def part(self, reason: SessionException) -> None:
        """
        End the connection once what was written is sent: in the handshake phase, so that the peer
        hears who we are and knows better next time.
        """
        if self.reason is None:
            self.reason = reason
            if self._connected:
                cast(ITransport, self.transport).loseConnection()

    def close(self, reason: SessionException) -> None:
        """End the connection now; what waits to be sent is dropped.  Twice is the same as once."""
        if self.reason is None:
            self.reason = reason
            if self._connected:
                cast(Any, self.transport).abortConnection()
