"""Tests of answers."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.dht.bloom import bloom
from twisted_bt.dht.krpc import MAX_ANSWER, decodeMessage
from twisted_bt.dht.messages import (
    WANT4,
    WANT6,
    AnnouncePeer,
    Ask,
    ErrorReply,
    FindNode,
    GetPeers,
    NodeInfo,
    Ping,
    Query,
    Response,
    SampleInfohashes,
)
from twisted_bt.dht.peerstore import PeerStore
from twisted_bt.dht.responder import Responder
from twisted_bt.dht.routing import RoutingTable
from twisted_bt.dht.tokens import Tokens
from twisted_bt.torrent.addresses import PeerAddr

OWN, ASKER, HASH = b"o" * 20, b"a" * 20, b"h" * 20
ADDR, ADDR6 = PeerAddr("10.1.2.3", 4567), PeerAddr("fd00::1", 4567)


class ResponderTests(SynchronousTestCase):
    """What a query is answered with."""

    def setUp(self) -> None:
        random = Random(1)
        self.store = PeerStore(random)
        self.responder = Responder(self.store, Tokens(random))
        self.table, self.table6 = RoutingTable(OWN, 0.0), RoutingTable(OWN, 0.0)
        for number in range(1, 30):
            nodeId = random.randbytes(20)
            self.table.answered(NodeInfo(nodeId, PeerAddr(f"10.0.0.{number}", 1)), 0.0)
            self.table6.answered(NodeInfo(nodeId, PeerAddr(f"fd00::{number:x}", 1)), 0.0)
        self.responder.tables[:] = [self.table, self.table6]

    def raw(self, ask: Ask, addr: PeerAddr = ADDR, now: float = 0.0) -> bytes:
        """The datagram."""
        return self.responder.answer(Query(b"tx", ASKER, ask), addr, OWN, now)

    def answer(self, ask: Ask, addr: PeerAddr = ADDR, now: float = 0.0) -> Response:
        """What it says; every answer has our id, the transaction and the asker's address."""
        message = decodeMessage(self.raw(ask, addr, now))
        assert isinstance(message, Response)
        self.assertEqual((message.transaction, message.sender), (b"tx", OWN))
        self.assertEqual(message.external, addr.compact()[:-2])
        return message

    def announce(self, infoHash: bytes = HASH, addr: PeerAddr = ADDR, port: int | None = 80) -> None:
        """Ask, then announce."""
        token = self.answer(GetPeers(infoHash), addr).token()
        assert token is not None
        self.answer(AnnouncePeer(infoHash, port, token), addr)

    def test_ping(self) -> None:
        """Our id."""
        self.assertEqual(self.answer(Ping()).fields, {b"id": OWN})

    def test_findNode(self) -> None:
        """The nearest nodes we know, of the family by which it is asked."""
        target = b"t" * 20
        nearest = [contact.node for contact in self.table.closest(target)]
        response = self.answer(FindNode(target))
        self.assertEqual(set(response.nodes()), set(nearest))
        self.assertEqual(response.nodes(ipv6=True), [])
        response = self.answer(FindNode(target), ADDR6)
        self.assertEqual(response.nodes(), [])
        self.assertEqual(len(response.nodes(ipv6=True)), 8)

    def test_want(self) -> None:
        """BEP 32: the families that are wanted, by whichever it is asked."""
        for addr in (ADDR, ADDR6):
            for want, expected in ((WANT4, (8, 0)), (WANT6, (0, 8)), (WANT4 | WANT6, (8, 8))):
                response = self.answer(FindNode(b"t" * 20, want), addr)
                self.assertEqual((len(response.nodes()), len(response.nodes(ipv6=True))), expected)

    def test_oneFamily(self) -> None:
        """Where we have no node in a family none is named."""
        self.responder.tables[1] = None
        self.assertNotIn(b"nodes6", self.answer(FindNode(b"t" * 20, WANT6)).fields)

    def test_getPeers(self) -> None:
        """Nodes and a token; once somebody announced, peers of the asker's family too."""
        response = self.answer(GetPeers(HASH))
        self.assertEqual(len(response.nodes()), 8)
        self.assertEqual(response.peers(), [])
        self.announce()
        self.announce(addr=ADDR6)
        self.assertEqual(self.answer(GetPeers(HASH)).peers(), [PeerAddr(ADDR.host, 80)])
        self.assertEqual(self.answer(GetPeers(HASH), ADDR6).peers(), [PeerAddr(ADDR6.host, 80)])

    def test_impliedPort(self) -> None:
        """With an implied port the peer is where the announce came from."""
        self.announce(port=None)
        self.assertEqual(self.answer(GetPeers(HASH)).peers(), [ADDR])

    def test_badToken(self) -> None:
        """A token for another address, for another torrent, or made up: error 203, and nothing is kept."""
        token = self.answer(GetPeers(HASH)).token()
        assert token is not None
        other = PeerAddr("10.1.2.4", ADDR.port)
        for ask, addr in (
            (AnnouncePeer(HASH, 80, token), other),
            (AnnouncePeer(b"x" * 20, 80, token), ADDR),
            (AnnouncePeer(HASH, 80, b"12345678"), ADDR),
        ):
            message = decodeMessage(self.raw(ask, addr))
            assert isinstance(message, ErrorReply)
            self.assertEqual((message.transaction, message.code), (b"tx", 203))
        self.assertEqual(len(self.store), 0)

    def test_sizes(self) -> None:
        """However much there is to say, an answer fits into one frame."""
        for number in range(400):
            self.store.add(HASH, number.to_bytes(4, "little") + b"\1\1", False, 0.0)
            self.store.add(HASH, b"\xfd" + number.to_bytes(15, "little") + b"\1\1", False, 0.0)
        for addr in (ADDR, ADDR6):
            for scrape in (False, True):
                ask = GetPeers(HASH, WANT4 | WANT6, scrape=scrape)
                self.assertLessEqual(len(self.raw(ask, addr)), MAX_ANSWER)
                self.assertGreater(len(self.answer(ask, addr).peers()), 3)
        self.assertEqual(len(self.answer(GetPeers(HASH)).peers()), 100)

    def test_scrape(self) -> None:
        """BEP 33: the filters, if they are asked for and there is something in them."""
        self.assertIsNone(self.answer(GetPeers(HASH, scrape=True)).blooms())
        self.announce()
        self.assertIsNone(self.answer(GetPeers(HASH)).blooms())
        blooms = self.answer(GetPeers(HASH, scrape=True)).blooms()
        self.assertEqual(blooms, (bloom([]), bloom([ADDR.compact()[:-2]])))

    def test_sample(self) -> None:
        """BEP 51: some of what we store, and nodes."""
        self.announce()
        response = self.answer(SampleInfohashes(b"t" * 20))
        samples = response.samples()
        assert samples is not None
        self.assertEqual((samples.infoHashes, samples.total), ((HASH,), 1))
        self.assertEqual(len(response.nodes()), 8)
