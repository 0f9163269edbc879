"""Tests for L{twisted_bt.tracker.udpserver}."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.tracker.requests import announcing
from tests.tracker.udpnet import MemoryUDP
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.tracker.announce import Event
from twisted_bt.tracker.peerstore import PeerStore
from twisted_bt.tracker.udpserver import UdpTracker
from twisted_bt.tracker.udpwire import (
    AnnounceCall,
    AnnounceReply,
    ConnectReply,
    ConnectRequest,
    ErrorReply,
    ScrapeCall,
    ScrapeReply,
    UdpReply,
    decodeReply,
)

CLIENT = PeerAddr("192.0.2.7", 50000)
SIX = PeerAddr("2001:db8::7", 50000)


class UdpTrackerTests(SynchronousTestCase):
    """The UDP side of the embedded tracker."""

    def setUp(self) -> None:
        self.net = MemoryUDP()
        self.store = PeerStore(self.net.seconds, Random(1), maxTorrents=2)
        for interface in ("", "::"):
            tracker = UdpTracker(self.store, self.net.seconds, Random(2), interval=900)
            self.net.listenUDP(6969, tracker, interface=interface)

    def ask(self, request: Any, sender: PeerAddr = CLIENT) -> UdpReply:
        """The answer to a request."""
        self.net.deliver(request.encode(), sender)
        datagram, addr = self.net.take()
        self.assertEqual(addr, sender)
        return decodeReply(datagram, sender.isIPv6)

    def connection(self, sender: PeerAddr = CLIENT) -> int:
        """A connection id for C{sender}."""
        reply = self.ask(ConnectRequest(7), sender)
        assert isinstance(reply, ConnectReply)
        self.assertEqual(reply.transaction, 7)
        return reply.connection

    def announce(self, sender: PeerAddr = CLIENT, **fields: Any) -> AnnounceReply:
        """The answer to an announce."""
        reply = self.ask(AnnounceCall(self.connection(sender), 8, announcing(**fields), "/announce"), sender)
        assert isinstance(reply, AnnounceReply), reply
        self.assertEqual(reply.transaction, 8)
        return reply

    def test_told(self) -> None:
        """Whoever announces is told of those of its family who did before."""
        self.announce(PeerAddr("192.0.2.1", 1), port=81, left=0)
        self.announce(SIX, port=82)
        reply = self.announce()
        self.assertEqual((reply.interval, reply.seeders, reply.leechers), (900, 1, 2))
        self.assertEqual(reply.peers, (PeerAddr("192.0.2.1", 81),))
        self.announce(PeerAddr("2001:db8::8", 1), port=83)
        self.assertEqual(self.announce(SIX, port=82).peers, (PeerAddr("2001:db8::8", 83),))

    def test_mapped(self) -> None:
        """An IPv4 client at a port that is open for both families is an IPv4 client."""
        self.announce(PeerAddr("192.0.2.1", 1), port=81)
        port = self.net.ports[1]
        port.protocol.datagramReceived(ConnectRequest(7).encode(), ("::ffff:192.0.2.7", 50000))
        reply = decodeReply(self.net.take()[0], False)
        assert isinstance(reply, ConnectReply)
        call = AnnounceCall(reply.connection, 8, announcing())
        port.protocol.datagramReceived(call.encode(), ("::ffff:192.0.2.7", 50000))
        found = decodeReply(self.net.take()[0], False)
        assert isinstance(found, AnnounceReply)
        self.assertEqual(found.peers, (PeerAddr("192.0.2.1", 81),))

    def test_numwant(self) -> None:
        """As many as wanted, 50 where that is not said, 200 (over IPv6: 70) at most; none to who stops."""
        for number in range(250):
            self.announce(PeerAddr(f"192.0.2.{number}", 1))
            self.announce(PeerAddr(f"2001:db8::1:{number:x}", 1))
        for numwant, count in ((3, 3), (-1, 50), (0, 0), (9999, 200)):
            self.assertEqual(len(self.announce(numwant=numwant).peers), count)
        self.assertEqual(len(self.announce(SIX, numwant=9999).peers), 70)
        self.assertEqual(self.announce(event=Event.STOPPED).peers, ())

    def test_connectionIds(self) -> None:
        """A connection id is good for a minute at least, for two at most, and for one address."""
        self.net.advance(59)
        connection = self.connection()
        call = AnnounceCall(connection, 8, announcing())
        self.assertIsInstance(self.ask(call), AnnounceReply)
        self.assertIsInstance(self.ask(call, PeerAddr("192.0.2.8", 50000)), ErrorReply)
        self.net.advance(60)
        self.assertIsInstance(self.ask(call), AnnounceReply)
        self.net.advance(1)
        self.assertEqual(self.ask(call), ErrorReply(8, "the connection id is stale"))
        self.assertIsInstance(self.ask(ScrapeCall(connection, 9, (b"i" * 20,))), ErrorReply)

    def test_secret(self) -> None:
        """Another tracker's connection id is worth nothing."""
        other = UdpTracker(self.store, self.net.seconds, Random(3))
        self.assertNotEqual(other._connectionFor(CLIENT, 0), self.connection())

    def test_amplification(self) -> None:
        """Whoever has no connection id gets no more than was sent."""
        for request in (
            ConnectRequest(7),
            AnnounceCall(1, 8, announcing()),
            ScrapeCall(1, 9, (b"i" * 20,) * 74),
        ):
            self.net.deliver(request.encode(), CLIENT)
            self.assertLessEqual(len(self.net.take()[0]), len(request.encode()))

    def test_amplificationOfRefusals(self) -> None:
        """Who has no connection id is not told so in more bytes than it sent: rather nothing."""
        for call in (ScrapeCall(5, 8, ()), ScrapeCall(5, 8, (b"i" * 20,)), AnnounceCall(5, 8, announcing())):
            datagram = call.encode()
            self.net.deliver(datagram, CLIENT)
            self.assertTrue(all(len(sent) <= len(datagram) for sent, _ in self.net.sent))
            self.assertEqual(len(self.net.sent), len(datagram) > 16)
            self.net.sent.clear()

    def test_scrape(self) -> None:
        """Counts in the order asked; zeros for what is not known."""
        self.announce(left=0, event=Event.COMPLETED)
        reply = self.ask(ScrapeCall(self.connection(), 9, (b"x" * 20, b"i" * 20)))
        self.assertEqual(reply, ScrapeReply(9, ((0, 0, 0), (1, 1, 0))))

    def test_full(self) -> None:
        """One torrent too many is refused with a reason."""
        for letter in b"ab":
            self.announce(infoHash=bytes([letter]) * 20)
        reply = self.ask(AnnounceCall(self.connection(), 8, announcing(infoHash=b"c" * 20)))
        self.assertEqual(reply, ErrorReply(8, "this tracker has no room for one more torrent"))

    def test_noise(self) -> None:
        """What is no request is not answered, and port 0 is not, and nothing breaks."""
        random = Random(4)
        whole = AnnounceCall(self.connection(), 8, announcing()).encode()
        for size in range(len(whole)):
            self.net.deliver(whole[:size], CLIENT)
            self.net.deliver(bytes(8) + random.randbytes(size), CLIENT)
        self.assertEqual(self.net.sent, [])
        self.net.ports[0].protocol.datagramReceived(whole, ("192.0.2.1", 0))
        self.assertEqual(self.net.sent, [])

    def test_fullBuffer(self) -> None:
        """An answer that cannot be sent is lost, and no more."""
        self.net.sendError = BlockingIOError()
        self.net.deliver(ConnectRequest(7).encode(), CLIENT)
        self.net.sendError = None
        self.connection()
