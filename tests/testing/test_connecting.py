"""Tests of L{twisted_bt.testing.tcp}: dialling and listening."""

from __future__ import annotations

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    connectProtocol,
)
from twisted.internet.error import (
    CannotListenError,
    ConnectBindError,
    ConnectError,
    ConnectionDone,
    ConnectionRefusedError,
    DNSLookupError,
    TimeoutError,
)
from twisted.internet.interfaces import IConnector, IConsumer, IListeningPort, IPushProducer, ITCPTransport
from twisted.internet.protocol import ClientFactory, Factory
from twisted.internet.testing import AccumulatingProtocol
from zope.interface.verify import verifyObject

from tests.testing.streams import End, StreamCase


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


class FlowListeningTests(ListeningTests):
    """Ports, where the network is simulated as flows."""

    mode = "flow"


class FlowConnectingTests(ConnectingTests):
    """Connections that are made, likewise."""

    mode = "flow"
