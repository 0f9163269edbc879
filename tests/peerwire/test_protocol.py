"""Tests of L{twisted_bt.peerwire.protocol}."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import ClientFactory, ServerFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_bt.errors import PeerDisconnected, ProtocolError, SessionException
from twisted_bt.peerwire.handshake import Handshake
from twisted_bt.peerwire.messages import Choke, Have, Interested, KeepAlive, Unchoke
from twisted_bt.peerwire.protocol import PeerProtocol
from twisted_bt.testing.network import Network

GREETING = Handshake(b"h" * 20, b"p" * 20)


class Sink:
    """A session that notes what it is told."""

    handlers: ClassVar[Mapping[type, Callable[[Any, Any], None]]]

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.refuses: SessionException | None = None
        self.reason: SessionException | None = None

    def turnBegan(self, received: int) -> None:
        """Noted."""
        self.told.append(("turn", received))

    def turnEnded(self) -> None:
        """Noted."""
        self.told.append("end of turn")

    def message(self, message: Any) -> None:
        """Noted, or refused."""
        if self.refuses is not None:
            raise self.refuses
        self.told.append(message)

    def sendingPaused(self, paused: bool) -> None:
        """Noted, or refused."""
        self.told.append(("paused", paused))
        if self.refuses is not None:
            raise self.refuses

    def ended(self, reason: SessionException) -> None:
        """Noted."""
        self.told.append("ended")
        self.reason = reason


Sink.handlers = dict.fromkeys((Choke, Have, Interested, KeepAlive, Unchoke), Sink.message)


class PeerProtocolTests(SynchronousTestCase):
    """One connection to a peer."""

    def setUp(self) -> None:
        """Two ends, connected."""
        self.network = Network()
        one, two = self.network.host(), self.network.host()
        self.made: list[PeerProtocol] = []

        class Server(ServerFactory):
            def buildProtocol(self, addr: object) -> PeerProtocol:
                return PeerProtocol(1 << 20, 1 << 17, made.append)

        class Client(ClientFactory):
            def buildProtocol(self, addr: object) -> PeerProtocol:
                return client

        made = self.made
        self.client = client = PeerProtocol(1 << 20, 1 << 17)
        two.listenTCP(1, Server())
        one.connectTCP(two.address, 1, Client())
        self.network.advance(1)
        (self.server,) = self.made

    def begun(self) -> Sink:
        """The server's session, after both greeted."""
        self.client.write(GREETING.encode())
        self.network.advance(1)
        sink = Sink()
        self.server.begin(sink)
        return sink

    def say(self, *messages: Any) -> None:
        """The client says something."""
        self.client.write(b"".join(each.encode() for each in messages))
        self.network.advance(1)

    def test_interface(self) -> None:
        """It produces what its session has to send."""
        verifyObject(IPushProducer, self.client)

    def test_handshake(self) -> None:
        """The info-hash is known after 48 bytes, the whole after 68, however they come."""
        infoHash, whole = self.server.whenInfoHash(), self.server.whenHandshake()
        data = GREETING.encode()
        for at in range(68):
            self.assertEqual(infoHash.called, at >= 48)
            self.client.write(data[at : at + 1])
            self.network.advance(1)
        self.assertEqual(self.successResultOf(infoHash), b"h" * 20)
        self.assertEqual(self.successResultOf(whole), GREETING)
        self.assertEqual(self.successResultOf(self.server.whenInfoHash()), b"h" * 20)

    def test_readsNoFurther(self) -> None:
        """After the handshake nothing is read until there is a session; then nothing was lost."""
        self.client.write(GREETING.encode() + Have(1).encode())
        self.network.advance(1)
        self.say(Have(2))
        sink = Sink()
        self.server.begin(sink)
        self.network.advance(1)
        self.assertEqual([each for each in sink.told if isinstance(each, Have)], [Have(1), Have(2)])

    def test_notThisProtocol(self) -> None:
        """Another protocol fails whoever waits, and closes the connection."""
        waiting = self.server.whenInfoHash()
        self.client.write(b"GET / HTTP/1.0\r\n\r\n")
        self.network.advance(1)
        self.failureResultOf(waiting, ProtocolError)
        self.assertIsInstance(self.server.reason, ProtocolError)
        self.failureResultOf(self.server.whenHandshake(), ProtocolError)
        self.successResultOf(self.server.whenLost())

    def test_waiterCancelled(self) -> None:
        """Who waits for a handshake may give up; others still hear it."""
        first, second = self.server.whenHandshake(), self.server.whenHandshake()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.client.write(GREETING.encode())
        self.network.advance(1)
        self.assertEqual(self.successResultOf(second), GREETING)

    def test_turns(self) -> None:
        """What came in one read is handed over between the beginning and the end of a turn."""
        sink = self.begun()
        self.say(Unchoke(), Have(3), KeepAlive())
        size = 5 + 9 + 4
        self.assertEqual(sink.told, [("turn", size), Unchoke(), Have(3), KeepAlive(), "end of turn"])

    def test_illegal(self) -> None:
        """What the decoder refuses ends the connection with its reason; the session is told once."""
        sink = self.begun()
        self.client.write(Have(1).encode() + b"\0\0\0\7\4\0\0\0\0\0\0")
        self.network.advance(1)
        self.assertIsInstance(sink.reason, ProtocolError)
        self.assertEqual(sink.told.count("ended"), 1)
        self.assertIn(Have(1), sink.told)
        self.assertIsInstance(self.client.reason, PeerDisconnected)

    def test_refused(self) -> None:
        """So does what the session refuses; nothing more is handed to it."""
        sink = self.begun()
        sink.refuses = ProtocolError("no")
        self.say(Have(1), Have(2))
        self.assertIs(self.server.reason, sink.refuses)
        self.say(Have(3))
        self.assertEqual(sink.told[-1], "ended")

    def test_refusedWhenResumed(self) -> None:
        """So does what it refuses when there is room to send again."""
        sink = self.begun()
        sink.refuses = ProtocolError("no")
        self.server.resumeProducing()
        self.network.advance(1)
        self.assertIs(self.server.reason, sink.refuses)
        self.server.resumeProducing()
        self.server.stopProducing()

    def test_closedByPeer(self) -> None:
        """A connection that the peer closes is C{PeerDisconnected}, said in words."""
        sink = self.begun()
        lost = self.server.whenLost()
        self.assertNoResult(lost)
        assert self.client.transport is not None
        self.client.transport.loseConnection()
        self.network.advance(1)
        self.assertEqual(str(sink.reason), "closed by the peer")
        self.successResultOf(lost)

    def test_lost(self) -> None:
        """So is one that is lost."""
        sink = self.begun()
        self.client.close(PeerDisconnected("enough"))
        self.network.advance(1)
        self.assertIsInstance(sink.reason, PeerDisconnected)
        self.assertNotEqual(str(sink.reason), "closed by the peer")

    def test_lostUnsaid(self) -> None:
        """Transports say in various ways why."""
        for reason in (None, Failure(ConnectionDone()), Failure(ConnectionLost())):
            protocol = PeerProtocol(1 << 20, 1 << 17)
            waiting = protocol.whenHandshake()
            protocol.connectionLost(reason)
            self.failureResultOf(waiting, PeerDisconnected)

    def test_closedTwice(self) -> None:
        """To close twice is to close once: the first reason stays; nothing is sent after."""
        sink = self.begun()
        first = PeerDisconnected("first")
        self.server.close(first)
        self.server.close(PeerDisconnected("second"))
        self.server.part(PeerDisconnected("third"))
        self.server.write(Have(1).encode())
        self.server.writeSequence([Have(1).encode()])
        self.assertNotIn("ended", sink.told)
        self.network.advance(1)
        self.assertIs(sink.reason, first)

    def test_parted(self) -> None:
        """To part sends what was written before it closes."""
        heard = self.client.whenHandshake()
        self.server.write(GREETING.encode())
        reason = PeerDisconnected("we know each other")
        self.server.part(reason)
        self.network.advance(1)
        self.assertEqual(self.successResultOf(heard), GREETING)
        self.assertIs(self.server.reason, reason)
        self.successResultOf(self.server.whenLost())

    def test_backPressure(self) -> None:
        """The session hears when the transport is full, and when there is room again."""
        sink = self.begun()
        self.client.pauseReading("test")
        self.server.writeSequence([bytes(1 << 20), bytes(1 << 20)])
        self.network.advance(1)
        self.assertEqual(sink.told, [("paused", True)])
        self.client.resumeReading("test")
        self.client.dataReceived = lambda data: None  # type: ignore[method-assign]
        self.network.advance(10)
        self.assertEqual(sink.told, [("paused", True), ("paused", False)])

    def test_pausedForReasons(self) -> None:
        """Reading goes on once it was resumed for each reason it was paused for."""
        sink = self.begun()
        self.server.pauseReading("disk")
        self.server.pauseReading("rate")
        self.server.pauseReading("rate")
        self.say(Have(1))
        self.server.resumeReading("disk")
        self.network.advance(1)
        self.assertEqual(sink.told, [])
        self.server.resumeReading("never")
        self.server.resumeReading("rate")
        self.network.advance(1)
        self.assertIn(Have(1), sink.told)

    def test_notConnected(self) -> None:
        """A protocol without a connection can be paused and closed."""
        protocol = PeerProtocol(1 << 20, 1 << 17)
        protocol.pauseReading("x")
        protocol.resumeReading("x")
        protocol.close(PeerDisconnected("never"))
        self.successResultOf(protocol.whenLost())
        protocol.pauseProducing()
