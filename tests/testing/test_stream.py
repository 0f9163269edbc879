"""Tests of L{twisted_bt.testing.stream} and L{twisted_bt.testing.tcp}: TCP that behaves."""

from __future__ import annotations

from typing import Any, Literal

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    TCP6ClientEndpoint,
    connectProtocol,
)
from twisted.internet.error import (
    CannotListenError,
    ConnectBindError,
    ConnectError,
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    DNSLookupError,
    TimeoutError,
)
from twisted.internet.interfaces import (
    IConnector,
    IConsumer,
    IHalfCloseableProtocol,
    IListeningPort,
    IPushProducer,
    ITCPTransport,
)
from twisted.internet.protocol import ClientFactory, Factory, Protocol, connectionDone
from twisted.internet.testing import AccumulatingProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from twisted_bt.testing.link import Link
from twisted_bt.testing.network import Network
from twisted_bt.testing.stream import WINDOW


class End(Protocol):
    """Notes all that happens to it."""

    transport: Any

    def __init__(self) -> None:
        self.data = b""
        self.reads = 0
        self.events: list[str] = []
        self.reason: BaseException | None = None

    def connectionMade(self) -> None:
        """Noted."""
        self.events.append("made")

    def dataReceived(self, data: bytes) -> None:
        """Noted."""
        self.data += data
        self.reads += 1

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Noted."""
        self.events.append("lost")
        self.reason = reason.value


@implementer(IHalfCloseableProtocol)
class HalfEnd(End):
    """Goes on when one direction is closed."""

    def readConnectionLost(self) -> None:
        """Noted."""
        self.events.append("read closed")

    def writeConnectionLost(self) -> None:
        """Noted."""
        self.events.append("write closed")


@implementer(IPushProducer)
class Producer:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        """Noted."""
        self.told.append("pause")

    def resumeProducing(self) -> None:
        """Noted."""
        self.told.append("resume")

    def stopProducing(self) -> None:
        """Noted."""
        self.told.append("stop")


class StreamCase(SynchronousTestCase):
    """Two hosts, 10 ms from each other."""

    kind: type[End] = End
    mode: Literal["packets", "flow"] = "packets"

    def setUp(self) -> None:
        """A server and a client."""
        self.network = Network(mode=self.mode)
        link = Link(0.005, 1e6, 1e6)
        self.one = self.network.host("10.0.0.1", "fd00::1", link=link)
        self.two = self.network.host("10.0.0.2", "fd00::2", link=link)
        self.accepted: list[End] = []
        self.port = self.two.listenTCP(80, Factory.forProtocol(self.accept))

    def accept(self) -> End:
        """The server's end."""
        self.accepted.append(self.kind())
        return self.accepted[-1]

    def connect(self, host: str = "10.0.0.2", port: int = 80, **more: Any) -> Deferred[Any]:
        """A connection from the first host."""
        kind = TCP6ClientEndpoint if ":" in host else TCP4ClientEndpoint
        connecting: Deferred[Any] = connectProtocol(kind(self.one, host, port, **more), self.kind())
        return connecting

    def pair(self) -> tuple[Any, Any]:
        """The two ends of a new connection."""
        client = self.network.runUntil(self.connect())
        self.network.advance(0.1)
        return client, self.accepted[-1]

    def assertNothingLeft(self) -> None:
        """All connections are gone."""
        self.network.advance(1)
        self.assertEqual((self.one.leftovers(), self.network.failures), ([], []))
        self.assertEqual(list(self.two.streams), [])


class ConnectingTests(StreamCase):
    """Coming together."""

    def test_takesTime(self) -> None:
        """The dialling side is connected after a round trip, the other half a one later."""
        self.network.runUntil(self.connect())
        self.assertAlmostEqual(self.network.now, 0.02, places=3)
        self.assertEqual(self.accepted, [])
        self.network.advance(0.0101)
        self.assertEqual(len(self.accepted), 1)

    def test_addresses(self) -> None:
        """Each end knows both addresses."""
        client, server = self.pair()
        self.assertEqual(client.transport.getPeer(), IPv4Address("TCP", "10.0.0.2", 80))
        self.assertEqual(server.transport.getPeer(), client.transport.getHost())
        self.assertEqual(client.transport.getHost().host, "10.0.0.1")

    def test_interfaces(self) -> None:
        """Transports, ports and connectors are what Twisted calls so."""
        client, server = self.pair()
        for transport in (client.transport, server.transport):
            for each in (ITCPTransport, IConsumer, IPushProducer):
                verifyObject(each, transport)
        verifyObject(IListeningPort, self.port)
        connector = self.one.connectTCP("10.0.0.2", 80, ClientFactory.forProtocol(End))
        verifyObject(IConnector, connector)
        self.assertEqual(connector.getDestination(), IPv4Address("TCP", "10.0.0.2", 80))

    def test_refused(self) -> None:
        """Where nobody listens, one is told so after a round trip."""
        self.assertRaises(ConnectionRefusedError, self.network.runUntil, self.connect(port=81))
        self.assertAlmostEqual(self.network.now, 0.02, places=3)
        self.assertNothingLeft()

    def test_nobodyThere(self) -> None:
        """An address that nobody has does not answer."""
        failing = self.connect("10.9.9.9", timeout=7)
        self.assertRaises(TimeoutError, self.network.runUntil, failing)
        self.assertEqual(self.network.now, 7.0)
        self.assertNothingLeft()

    def test_offline(self) -> None:
        """A host that is off line does not answer."""
        self.two.online = False
        self.assertRaises(TimeoutError, self.network.runUntil, self.connect(timeout=7))

    def test_cancelled(self) -> None:
        """A cancelled attempt leaves nothing behind, and the other side hears of no connection."""
        connecting = self.connect()
        self.network.advance(0.015)
        connecting.cancel()
        self.failureResultOf(connecting)
        self.assertNothingLeft()
        self.assertEqual(self.accepted, [])

    def test_noWay(self) -> None:
        """A host without IPv6 cannot reach it."""
        self.one = self.network.host("10.0.0.9")
        self.assertRaises(ConnectError, self.network.runUntil, self.connect("fd00::2"))

    def test_foreignSource(self) -> None:
        """One dials from an address of one's own."""
        failing = self.connect(bindAddress=("10.0.0.7", 0))
        self.assertRaises(ConnectBindError, self.network.runUntil, failing)

    def test_source(self) -> None:
        """One may choose the port to dial from."""
        self.network.runUntil(self.connect(bindAddress=("10.0.0.1", 5000)))
        self.network.advance(0.1)
        self.assertEqual(self.accepted[0].transport.getPeer(), IPv4Address("TCP", "10.0.0.1", 5000))

    def test_names(self) -> None:
        """A name is looked up, which takes time."""
        self.network.name("example.test", "10.0.0.2")
        self.network.runUntil(connectProtocol(HostnameEndpoint(self.one, "example.test", 80), End()))
        self.network.runUntil(self.connect("example.test"))
        self.assertRaises(DNSLookupError, self.network.runUntil, self.connect("no.test"))

    def test_loopback(self) -> None:
        """A host reaches itself, in no time."""
        connecting = connectProtocol(TCP4ClientEndpoint(self.two, "127.0.0.1", 80), End())
        client = self.network.runUntil(connecting)
        client.transport.write(b"hello")
        self.network.advance(0)
        self.assertEqual((self.accepted[0].data, self.network.now), (b"hello", 0.0))

    def test_unwanted(self) -> None:
        """A factory that wants nobody closes the connection at once."""

        class Unwilling(Factory):
            def buildProtocol(self, addr: object) -> None:
                return None

        self.two.listenTCP(90, Unwilling())
        client = self.network.runUntil(self.connect(port=90))
        self.network.advance(1)
        self.assertIsInstance(client.reason, ConnectionDone)
        self.assertNothingLeft()


class ListeningTests(StreamCase):
    """Ports."""

    def test_taken(self) -> None:
        """A port can be had once, an address for all included."""
        self.assertRaises(CannotListenError, self.two.listenTCP, 80, Factory())
        self.assertRaises(CannotListenError, self.two.listenTCP, 80, Factory(), interface="10.0.0.2")
        self.assertRaises(CannotListenError, self.two.listenTCP, 80, Factory(), interface="::")

    def test_eachAddress(self) -> None:
        """Different addresses of a host may use the same number, for different things."""
        self.one.listenTCP(80, Factory.forProtocol(AccumulatingProtocol), interface="127.0.0.1")
        self.one.listenTCP(80, Factory.forProtocol(AccumulatingProtocol), interface="10.0.0.1")
        self.one.listenTCP(80, Factory.forProtocol(AccumulatingProtocol), interface="fd00::1")

    def test_foreign(self) -> None:
        """One listens at addresses of one's own."""
        self.assertRaises(CannotListenError, self.one.listenTCP, 80, Factory(), interface="10.0.0.2")

    def test_anyPort(self) -> None:
        """Port 0 is any that is free, another each time."""
        numbers = [self.one.listenTCP(0, Factory()).getHost().port for _ in range(3)]
        self.assertEqual(len(set(numbers)), 3)

    def test_bothKinds(self) -> None:
        """A port at C{::} hears IPv6, and IPv4 as a part of it."""
        self.two.listenTCP(90, Factory.forProtocol(self.accept), interface="::")
        self.network.runUntil(self.connect("fd00::2", 90))
        self.network.runUntil(self.connect("10.0.0.2", 90))
        self.network.advance(1)
        peers = [type(each.transport.getPeer()) for each in self.accepted]
        self.assertEqual(peers, [IPv6Address, IPv6Address])
        self.assertEqual(self.accepted[1].transport.getPeer().host, "::ffff:10.0.0.1")

    def test_onlyIPv4(self) -> None:
        """A port at C{""} does not hear IPv6."""
        self.assertRaises(ConnectionRefusedError, self.network.runUntil, self.connect("fd00::2"))

    def test_closed(self) -> None:
        """A closed port hears nobody and may be had again; its factory is told in a later event."""
        factory = Factory.forProtocol(End)
        port = self.network.runUntil(TCP4ServerEndpoint(self.one, 70).listen(factory))
        self.assertEqual(factory.numPorts, 1)
        closed = port.stopListening()
        self.assertNoResult(closed)
        self.network.runUntil(closed)
        self.assertEqual(factory.numPorts, 0)
        self.assertEqual(self.one.leftovers(), [])
        self.network.runUntil(port.stopListening())
        self.one.listenTCP(70, factory)

    def test_closedMeanwhile(self) -> None:
        """Who comes while the port closes is turned away."""
        client = self.network.runUntil(self.connect())
        self.port.stopListening()
        self.network.advance(1)
        self.assertEqual(self.accepted, [])
        self.assertEqual(client.events, ["made", "lost"])


class TransferTests(StreamCase):
    """Bytes."""

    def test_arrive(self) -> None:
        """Bytes arrive in order, both ways, after the delay and at the rate of the link."""
        client, server = self.pair()
        start = self.network.now
        client.transport.write(b"a" * 100_000)
        client.transport.writeSequence([b"b", b"c"])
        server.transport.write(b"d")
        self.network.runWhile(lambda: len(server.data) < 100_002)
        self.assertEqual((server.data[-3:], client.data), (b"abc", b"d"))
        self.assertApproximates(self.network.now - start, 0.1 + 0.01, 0.02)

    def test_onlyBytes(self) -> None:
        """Like a real transport, it takes bytes and nothing like them."""
        client, _ = self.pair()
        for wrong in (bytearray(b"x"), memoryview(b"x"), "x"):
            self.assertRaises(TypeError, client.transport.write, wrong)

    def test_readsSayNothing(self) -> None:
        """Many writes may arrive in one read."""
        client, server = self.pair()
        for _ in range(50):
            client.transport.write(b"x" * 10)
        self.network.advance(1)
        self.assertEqual((len(server.data), server.reads), (500, 1))

    def test_shared(self) -> None:
        """Two connections share a link fairly, whoever began."""
        clients = [self.network.runUntil(self.connect()) for _ in range(2)]
        self.network.advance(0.1)
        clients[0].transport.write(b"x" * 3_000_000)
        self.network.advance(0.5)
        clients[1].transport.write(b"x" * 3_000_000)
        self.network.advance(0.5)
        before = [len(each.data) for each in self.accepted]
        self.network.advance(1)
        first, second = (len(each.data) - then for each, then in zip(self.accepted, before, strict=True))
        self.assertApproximates(first / second, 1.0, 0.1)
        self.assertApproximates(first + second, 1e6, 1e5)

    def test_raising(self) -> None:
        """What a protocol raises is logged and ends its connection, as on a real reactor."""
        client, server = self.pair()
        server.dataReceived = lambda data: 1 // 0
        client.transport.write(b"x")
        self.network.advance(1)
        self.assertIsInstance(server.reason, ZeroDivisionError)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual([each.type for each in self.network.failures], [ZeroDivisionError])


class BackPressureTests(StreamCase):
    """Who does not read stops who sends."""

    def test_window(self) -> None:
        """To one who does not read, a window is sent and no more; then it goes on."""
        client, server = self.pair()
        server.transport.pauseProducing()
        client.transport.write(b"x" * 1_000_000)
        self.network.advance(10)
        self.assertEqual(client.transport.unsent, 1_000_000 - WINDOW)
        self.assertEqual(server.data, b"")
        server.transport.resumeProducing()
        self.network.advance(10)
        self.assertEqual((client.transport.unsent, len(server.data)), (0, 1_000_000))

    def test_producer(self) -> None:
        """A producer is paused above the buffer's size, and resumed when all is sent."""
        client, server = self.pair()
        producer = Producer()
        client.transport.registerProducer(producer, True)
        server.transport.pauseProducing()
        client.transport.write(b"x" * client.transport.bufferSize)
        self.assertEqual(producer.told, [])
        client.transport.write(b"x" * WINDOW)
        self.assertEqual(producer.told, ["pause"])
        self.network.advance(10)
        self.assertEqual(producer.told, ["pause"])
        server.transport.resumeProducing()
        self.network.advance(10)
        self.assertEqual(producer.told, ["pause", "resume"])

    def test_onePull(self) -> None:
        """A producer that is asked each time is asked whenever there is nothing to send."""
        client, server = self.pair()

        class Pull(Producer):
            left = 3

            def resumeProducing(self) -> None:
                if self.left:
                    self.left -= 1
                    client.transport.write(b"x")
                else:
                    client.transport.unregisterProducer()

        client.transport.registerProducer(Pull(), False)
        self.network.advance(1)
        self.assertEqual(server.data, b"xxx")

    def test_oneProducer(self) -> None:
        """There is one producer at a time; after the end none is wanted."""
        client, _ = self.pair()
        client.transport.registerProducer(Producer(), True)
        self.assertRaises(RuntimeError, client.transport.registerProducer, Producer(), True)
        producer = Producer()
        client.transport.unregisterProducer()
        client.transport.loseConnection()
        self.network.advance(1)
        client.transport.registerProducer(producer, True)
        self.assertEqual(producer.told, ["stop"])


class EndingTests(StreamCase):
    """Parting."""

    def test_close(self) -> None:
        """A close sends what was written, and both sides end cleanly."""
        client, server = self.pair()
        client.transport.write(b"x" * 100_000)
        client.transport.loseConnection()
        client.transport.write(b"too late")
        self.network.advance(1)
        self.assertEqual(len(server.data), 100_000)
        self.assertIsInstance(client.reason, ConnectionDone)
        self.assertIsInstance(server.reason, ConnectionDone)
        self.assertNothingLeft()

    def test_abort(self) -> None:
        """An abort drops what waits and is not called back at once; the other side loses the connection."""
        client, server = self.pair()
        client.transport.write(b"x" * 500_000)
        client.transport.abortConnection()
        client.transport.abortConnection()
        self.assertEqual(client.events, ["made"])
        self.network.advance(1)
        self.assertIsInstance(client.reason, ConnectionAborted)
        self.assertIsInstance(server.reason, ConnectionLost)
        self.assertLess(len(server.data), 500_000)
        self.assertNothingLeft()

    def test_unread(self) -> None:
        """To close while something is unread is a reset."""
        client, server = self.pair()
        server.transport.pauseProducing()
        client.transport.write(b"x")
        self.network.advance(1)
        server.transport.loseConnection()
        self.network.advance(1)
        self.assertIsInstance(client.reason, ConnectionLost)

    def test_toNobody(self) -> None:
        """Bytes for somebody who is gone are answered by a reset."""
        client, server = self.pair()
        client.transport.pauseProducing()
        server.transport.loseConnection()
        self.network.advance(1)
        self.assertEqual(client.events, ["made"])
        client.transport.write(b"x")
        self.network.advance(1)
        self.assertEqual(client.events, ["made"])  # nobody looks
        client.transport.write(b"x")
        self.network.advance(1)
        self.assertIsInstance(client.reason, ConnectionLost)

    def test_notNoticed(self) -> None:
        """Who does not read does not notice the end, until it reads again."""
        client, server = self.pair()
        server.transport.pauseProducing()
        client.transport.write(b"last")
        client.transport.loseConnection()
        self.network.advance(1)
        self.assertEqual((server.data, server.events), (b"", ["made"]))
        server.transport.resumeProducing()
        self.network.advance(1)
        self.assertEqual((server.data, server.events), (b"last", ["made", "lost"]))

    def test_producerStopped(self) -> None:
        """A producer hears that nothing more is wanted."""
        client, server = self.pair()
        producer = Producer()
        client.transport.registerProducer(producer, True)
        server.transport.abortConnection()
        self.network.advance(1)
        self.assertEqual(producer.told, ["stop"])

    def test_offline(self) -> None:
        """A host that goes off line is missed by nobody who has nothing to say."""
        client, server = self.pair()
        self.two.online = False
        server.transport.abortConnection()
        self.network.advance(7200)
        self.assertEqual(client.events, ["made"])

    def test_gaveUp(self) -> None:
        """Who sends to a host that is off line gives up after about a quarter of an hour."""
        client, _ = self.pair()
        self.two.online = False
        client.transport.write(b"x")
        self.network.advance(600)
        self.assertEqual(client.events, ["made"])
        self.network.advance(900)
        self.assertIsInstance(client.reason, ConnectionLost)
        self.assertEqual(self.one.leftovers(), [])

    def test_back(self) -> None:
        """A host that was off line for a while misses nothing of what was sent meanwhile."""
        client, server = self.pair()
        client.transport.write(b"a" * 300_000)
        self.network.advance(0.1)
        self.two.online = False
        client.transport.write(b"b" * 300_000)
        self.network.advance(40)
        self.two.online = True
        self.network.advance(60)
        self.assertEqual(server.data, b"a" * 300_000 + b"b" * 300_000)

    def test_crashed(self) -> None:
        """Who sends to a host that has forgotten the connection hears of a reset."""
        client, server = self.pair()
        server.transport.vanish()
        client.transport.write(b"x")
        self.network.advance(1)
        self.assertIsInstance(client.reason, ConnectionLost)


class HalfCloseTests(StreamCase):
    """One direction after the other."""

    kind = HalfEnd

    def test_halfClose(self) -> None:
        """Each direction ends by itself, after what was written."""
        client, server = self.pair()
        client.transport.write(b"question")
        client.transport.loseWriteConnection()
        self.network.advance(1)
        self.assertEqual(client.events, ["made", "write closed"])
        self.assertEqual((server.data, server.events), (b"question", ["made", "read closed"]))
        server.transport.write(b"answer")
        server.transport.loseConnection()
        self.network.advance(1)
        self.assertEqual((client.data, client.events[-1]), (b"answer", "read closed"))
        client.transport.loseConnection()
        self.assertNothingLeft()


class FlowListeningTests(ListeningTests):
    """Ports, where the network is simulated as flows."""

    mode = "flow"


class FlowConnectingTests(ConnectingTests):
    """Connections that are made, likewise."""

    mode = "flow"


class FlowTransferTests(TransferTests):
    """Bytes, likewise."""

    mode = "flow"


class FlowBackPressureTests(BackPressureTests):
    """Who does not read stops who sends, likewise."""

    mode = "flow"


class FlowEndingTests(EndingTests):
    """Parting, likewise."""

    mode = "flow"


class FlowHalfCloseTests(HalfCloseTests):
    """One direction after the other, likewise."""

    mode = "flow"
