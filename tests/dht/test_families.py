"""Tests of nodes that speak IPv4 and IPv6: BEP 32."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.tracker.udpnet import MemoryUDP
from twisted_bt.dht.krpc import decodeMessage, encodeQuery, encodeResponse
from twisted_bt.dht.messages import FindNode, GetPeers, NodeInfo, Ping, Query, Response
from twisted_bt.dht.service import DhtNode
from twisted_bt.dht.settings import DhtSettings
from twisted_bt.dht.state import DhtState
from twisted_bt.torrent.addresses import PeerAddr

HASH = b"h" * 20


class BothFamiliesTests(SynchronousTestCase):
    """BEP 32 and 45: a node in each family, a port for both or one for each."""

    def setUp(self) -> None:
        self.udp = MemoryUDP()

    def node(self, *interfaces: str) -> DhtNode:
        """One that is started, and stopped after the test."""
        made = DhtNode(self.udp, Random(1), 0, interfaces or ("",), settings=DhtSettings(routers=()))
        made.startService()
        self.addCleanup(self._stopped, made)
        return made

    def _stopped(self, node: DhtNode) -> None:
        self.successResultOf(node.stopService())
        self.assertEqual((self.udp.getDelayedCalls(), self.udp.ports), ([], []))

    def answered(self, sender: PeerAddr, ask: Any) -> Response:
        """The answer to a query from C{sender}."""
        self.udp.sent.clear()
        self.udp.deliver(encodeQuery(Query(b"tt", b"s" * 20, ask, True)), sender)
        (answer, addr) = self.udp.take()
        self.assertEqual(addr, sender)
        message = decodeMessage(answer)
        assert isinstance(message, Response)
        return message

    def test_everywhere(self) -> None:
        """With no address given, both families, each under an id of its own."""
        self.node()
        one = self.answered(PeerAddr("10.0.0.1", 1), Ping())
        other = self.answered(PeerAddr("fd00::1", 1), Ping())
        self.assertNotEqual(one.sender, other.sender)
        self.assertEqual([port.interface for port in self.udp.ports], ["::", "0.0.0.0"])
        self.assertEqual(len({port.number for port in self.udp.ports}), 1)

    def test_both(self) -> None:
        """Each names nodes of both, if these are wanted; peers are those of the asker's family."""
        node = self.node()
        for each, host in zip(node._nodes.values(), ("10.0.0.7", "fd00::7"), strict=True):
            each.table.answered(NodeInfo(b"n" * 20, PeerAddr(host, 7)), 0.0)
        response = self.answered(PeerAddr("10.0.0.1", 1), FindNode(b"t" * 20, 3))
        self.assertEqual(response.nodes()[0].addr.host, "10.0.0.7")
        self.assertEqual(response.nodes(ipv6=True)[0].addr.host, "fd00::7")

    def test_wants(self) -> None:
        """As long as one family knows too few the other asks for nodes of it, and sees if they are there."""
        node = self.node()
        four, six = node._nodes.values()
        four.table.answered(NodeInfo(b"n" * 20, PeerAddr("10.0.0.7", 7)), 0.0)
        self.udp.sent.clear()
        node.getPeers(HASH).addErrback(lambda _: None)
        asked, addr = self.udp.take()
        query = decodeMessage(asked)
        assert isinstance(query, Query)
        self.assertEqual(query.ask, GetPeers(HASH, 3))
        named = NodeInfo(b"m" * 20, PeerAddr("fd00::9", 9)).compact()
        self.udp.deliver(encodeResponse(query.transaction, b"n" * 20, nodes6=named), addr)
        pinged = [addr for _, addr in self.udp.sent]
        self.assertIn(PeerAddr("fd00::9", 9), pinged)
        six.failedJoins = 3
        four.failedJoins = 3
        self.assertEqual(four.wanted, 0)

    def test_heardBefore(self) -> None:
        """Nodes that were named before the start are asked, each by ours of its family."""
        node = DhtNode(self.udp, Random(1), 0, settings=DhtSettings(routers=()))
        node.addNode("10.0.0.8", 8)
        node.addNode("fd00::8", 8)
        node.startService()
        self.addCleanup(self._stopped, node)
        self.assertEqual({str(addr) for _, addr in self.udp.sent}, {"10.0.0.8:8", "[fd00::8]:8"})

    def test_addresses(self) -> None:
        """BEP 45: a node for each address, all on one port number, with one store."""
        node = self.node("10.0.0.1", "10.0.0.2", "fd00::1")
        self.assertEqual([port.interface for port in self.udp.ports], ["10.0.0.1", "10.0.0.2", "fd00::1"])
        self.assertEqual(len({each.id for each in node._nodes.values()}), 3)
        state = DhtState.decode(node.state())
        self.assertEqual(sorted(state.ids), ["10.0.0.1", "10.0.0.2", "fd00::1"])
        self.assertEqual({port.number for port in self.udp.ports}, {node.port})

    def test_noIPv6(self) -> None:
        """Where there is no IPv6 it is IPv4 alone."""
        udp = self.udp
        listen = udp.listenUDP

        def onlyIPv4(port: int, protocol: Any, interface: str = "", maxPacketSize: int = 8192) -> Any:
            udp.noPorts = ":" in interface
            return listen(port, protocol, interface, maxPacketSize)

        udp.listenUDP = onlyIPv4  # type: ignore[method-assign]
        node = self.node()
        self.assertEqual([port.interface for port in udp.ports], ["0.0.0.0"])
        self.assertEqual(len(node._nodes), 1)
        self.answered(PeerAddr("10.0.0.1", 1), Ping())

    def test_onePort(self) -> None:
        """Where a port for IPv6 is for IPv4 too, that one serves both."""
        udp = self.udp
        listen = udp.listenUDP

        def onlyOnce(port: int, protocol: Any, interface: str = "", maxPacketSize: int = 8192) -> Any:
            udp.noPorts = bool(udp.ports)
            return listen(port, protocol, interface, maxPacketSize)

        udp.listenUDP = onlyOnce  # type: ignore[method-assign]
        node = self.node()
        (port,) = udp.ports
        query = encodeQuery(Query(b"tt", b"s" * 20, Ping(), True))
        port.protocol.datagramReceived(query, ("::ffff:10.0.0.1", 5))
        answer, addr = udp.take()
        self.assertEqual(addr, PeerAddr("10.0.0.1", 5))
        four, _ = node._nodes.values()
        self.assertEqual(decodeMessage(answer).sender, four.id)  # type: ignore[union-attr]

    def test_taken(self) -> None:
        """If one of the ports is taken none is left open."""
        udp = self.udp
        listen = udp.listenUDP

        def third(port: int, protocol: Any, interface: str = "", maxPacketSize: int = 8192) -> Any:
            udp.noPorts = interface == "10.0.0.2"
            return listen(port, protocol, interface, maxPacketSize)

        udp.listenUDP = third  # type: ignore[method-assign]
        made = DhtNode(udp, Random(1), 0, ("10.0.0.1", "10.0.0.2"), settings=DhtSettings(routers=()))
        with self.assertRaises(Exception) as raised:
            made.startService()
        self.assertEqual(type(raised.exception).__name__, "CannotListenError")
        self.assertEqual((udp.ports, udp.getDelayedCalls(), made.running), ([], [], 0))
