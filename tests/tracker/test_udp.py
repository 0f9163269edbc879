"""Tests for L{twisted_bt.tracker.udp}."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.tracker.requests import announcing
from tests.tracker.udpnet import MemoryUDP
from twisted_bt.errors import TrackerError
from twisted_bt.interfaces import ITrackerClient
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.tracker.announce import ScrapeEntry
from twisted_bt.tracker.udp import UdpTrackerClient
from twisted_bt.tracker.udpwire import (
    AnnounceCall,
    AnnounceReply,
    ConnectReply,
    ConnectRequest,
    ErrorReply,
    ScrapeCall,
    ScrapeReply,
    UdpRequest,
    decodeRequest,
)

URL = "udp://192.0.2.1:6969/announce?x=1"
TRACKER = PeerAddr("192.0.2.1", 6969)
PEER = PeerAddr("1.2.3.4", 80)
HOSTS: dict[str, list[str] | None] = {
    "both": ["192.0.2.1", "192.0.2.2", "2001:db8::1"],
    "six": ["2001:db8::1"],
    "none": [],
    "slow": None,
}


class UdpCase(SynchronousTestCase):
    """A client, and a network in memory."""

    limit = 300.0

    def setUp(self) -> None:
        self.net = MemoryUDP(HOSTS)
        self.client = UdpTrackerClient(self.net, Random(1), timeout=self.limit)

    def tearDown(self) -> None:
        """Whatever happened, nothing is left behind."""
        self.successResultOf(self.client.close())
        self.assertEqual((self.net.getDelayedCalls(), self.net.ports), ([], []))

    def took(self, kind: type[Any], addr: PeerAddr = TRACKER) -> Any:
        """The one request sent, which must be of that kind and to that address."""
        datagram, there = self.net.take()
        request: UdpRequest = decodeRequest(datagram)
        self.assertIsInstance(request, kind)
        self.assertEqual(there, addr)
        return request

    def reply(self, reply: Any, sender: PeerAddr = TRACKER) -> None:
        """C{reply} arrives."""
        encoded = reply.encode(sender.isIPv6) if isinstance(reply, AnnounceReply) else reply.encode()
        self.net.deliver(encoded, sender)

    def connect(self, connection: int = 5, addr: PeerAddr = TRACKER) -> None:
        """Answer the connect that was sent."""
        self.reply(ConnectReply(self.took(ConnectRequest, addr).transaction, connection), addr)

    def answer(self, d: Deferred[Any], connection: int = 5, addr: PeerAddr = TRACKER) -> Any:
        """Answer the announce that was sent; what C{d} gives."""
        call = self.took(AnnounceCall, addr)
        self.assertEqual(call.connection, connection)
        self.reply(AnnounceReply(call.transaction, 1800, 3, 4, (PEER, PeerAddr("2001:db8::9", 81))), addr)
        return self.successResultOf(d)

    def refused(self, d: Deferred[Any]) -> str:
        """How C{d} fails."""
        failure = self.failureResultOf(d, TrackerError)
        return str(failure.value)


class UdpAnnounceTests(UdpCase):
    """Announces and scrapes over UDP (BEP 15)."""

    def test_interface(self) -> None:
        """It is a tracker client, and opens no port before it must."""
        verifyObject(ITrackerClient, self.client)
        self.assertEqual(self.net.ports, [])

    def test_announce(self) -> None:
        """Connect, then announce with the connection id, path and query (BEP 41)."""
        request = announcing(numwant=7, key=9)
        d = self.client.announce(URL, request)
        self.connect()
        datagram, _ = self.net.sent[0]
        call = decodeRequest(datagram)
        assert isinstance(call, AnnounceCall)
        self.assertEqual((call.request, call.target), (request, "/announce?x=1"))
        response = self.answer(d)
        self.assertEqual((response.interval, response.peers), (1800, (PEER,)))
        self.assertEqual((response.complete, response.incomplete), (4, 3))

    def test_ipv6(self) -> None:
        """A tracker reached over IPv6 answers with peers of that family."""
        there = PeerAddr("2001:db8::1", 6969)
        for url in ("udp://six:6969", "udp://[2001:db8::1]:6969"):
            d = self.client.announce(url, announcing())
            self.connect(addr=there)
            self.assertEqual(self.answer(d, addr=there).peers, (PeerAddr("2001:db8::9", 81),))

    def test_onePort(self) -> None:
        """All trackers share one port of each family."""
        for host in ("192.0.2.1", "192.0.2.2", "[2001:db8::1]", "[2001:db8::2]"):
            d = self.client.announce(f"udp://{host}:1", announcing())
            d.addErrback(lambda failure: failure.trap(TrackerError))
        self.assertEqual([port.interface for port in self.net.ports], ["", "::"])

    def test_connectionKept(self) -> None:
        """A connection id serves for a minute, and no longer."""
        first = self.client.announce(URL, announcing())
        self.connect(5)
        self.answer(first)
        self.net.advance(59.9)
        self.answer(self.client.announce(URL, announcing()), 5)
        self.net.advance(0.1)
        third = self.client.announce(URL, announcing())
        self.connect(6)
        self.answer(third, 6)

    def test_scrape(self) -> None:
        """Counts of any number of torrents, 74 in a datagram."""
        hashes = [bytes([n]) * 20 for n in range(75)]
        d = self.client.scrape(URL, hashes)
        self.connect()
        for start, size in ((0, 74), (74, 1)):
            call = self.took(ScrapeCall)
            self.assertEqual(list(call.infoHashes), hashes[start : start + size])
            self.reply(ScrapeReply(call.transaction, tuple((n, n + 1, n + 2) for n in range(size))))
        found = self.successResultOf(d)
        self.assertEqual(len(found), 75)
        self.assertEqual((found[hashes[1]], found[hashes[74]]), (ScrapeEntry(1, 3, 2), ScrapeEntry(0, 2, 1)))

    def test_shortScrape(self) -> None:
        """A tracker that leaves out the last torrents does not know them."""
        d = self.client.scrape(URL, [b"a" * 20, b"b" * 20])
        self.connect()
        self.reply(ScrapeReply(self.took(ScrapeCall).transaction, ((1, 2, 3),)))
        self.assertEqual(self.successResultOf(d), {b"a" * 20: ScrapeEntry(1, 3, 2)})

    def test_transactions(self) -> None:
        """Two requests at a time have their own transactions, and each gets its own answer."""
        first = self.client.announce(URL, announcing())
        self.connect()
        one = self.took(AnnounceCall)
        second = self.client.announce(URL, announcing())
        two = self.took(AnnounceCall)
        self.assertNotEqual(one.transaction, two.transaction)
        self.reply(AnnounceReply(two.transaction, 2, 0, 0, ()))
        self.assertNoResult(first)
        self.assertEqual(self.successResultOf(second).interval, 2)
        self.reply(AnnounceReply(one.transaction, 1, 0, 0, ()))
        self.assertEqual(self.successResultOf(first).interval, 1)


class UdpTroubleTests(UdpCase):
    """Datagrams that are lost, late, wrong or forged."""

    def test_schedule(self) -> None:
        """Silence is met with a new connect after 15, 30, 60, 120 seconds."""
        d = self.client.announce(URL, announcing())
        transactions = {self.took(ConnectRequest).transaction}
        for wait in (15, 30, 60, 120):
            self.net.advance(wait - 0.1)
            self.assertEqual(self.net.sent, [])
            self.net.advance(0.1)
            transactions.add(self.took(ConnectRequest).transaction)
        self.assertEqual(len(transactions), 5)
        self.net.advance(300 - 225)
        self.assertEqual(self.refused(d), "no answer within 300 s")

    def test_lostAnnounce(self) -> None:
        """When an announce is not answered, its repetition begins with a new connection id."""
        d = self.client.announce(URL, announcing())
        self.connect(5)
        self.took(AnnounceCall)
        self.net.advance(15)
        self.connect(6)
        self.answer(d, 6)

    def test_restartedTracker(self) -> None:
        """A tracker that refuses an old connection id is asked with a new one, at once."""
        first = self.client.announce(URL, announcing())
        self.connect(5)
        self.answer(first)
        second = self.client.announce(URL, announcing())
        self.reply(ErrorReply(self.took(AnnounceCall).transaction, "connection id?"))
        self.connect(6)
        self.answer(second, 6)

    def test_refusals(self) -> None:
        """What a tracker refuses with a new connection id is refused."""
        d = self.client.announce(URL, announcing())
        self.connect()
        self.reply(ErrorReply(self.took(AnnounceCall).transaction, "not registered"))
        self.assertEqual(self.refused(d), "not registered")
        d = self.client.announce(URL, announcing())
        self.reply(ErrorReply(self.took(ConnectRequest).transaction, "go away"))
        self.assertEqual(self.refused(d), "go away")

    def test_forged(self) -> None:
        """Only the address that was asked can answer, and only what was asked."""
        d = self.client.announce(URL, announcing())
        transaction = self.took(ConnectRequest).transaction
        good = ConnectReply(transaction, 5)
        for sender in (PeerAddr("192.0.2.2", 6969), PeerAddr("192.0.2.1", 6970)):
            self.reply(good, sender)
        self.reply(ConnectReply(transaction ^ 1, 5))
        self.net.deliver(b"", TRACKER)
        self.net.deliver(bytes(7), TRACKER)
        self.net.ports[0].protocol.datagramReceived(good.encode(), ("192.0.2.1", 0))
        self.assertEqual((self.net.sent, d.called), ([], False))
        self.reply(good)
        self.reply(good)  # again: late, and ignored
        self.answer(d)

    def test_wrongAnswers(self) -> None:
        """Another kind of answer, or none that can be understood, fails."""
        for wrong in (ScrapeReply(0, ()), AnnounceReply(0, 1, 2, 3, ()), ErrorReply(0, "")):
            d = self.client.announce(URL, announcing())
            encoded = bytearray(wrong.encode(False) if isinstance(wrong, AnnounceReply) else wrong.encode())
            encoded[4:8] = self.took(ConnectRequest).transaction.to_bytes(4, "big")
            self.net.deliver(bytes(encoded), TRACKER)
            self.refused(d)
        d = self.client.announce(URL, announcing())
        transaction = self.took(ConnectRequest).transaction
        self.net.deliver(b"\0\0\0\7" + transaction.to_bytes(4, "big"), TRACKER)
        self.refused(d)
        for operation, kind in (
            (lambda: self.client.announce(URL, announcing()), AnnounceCall),
            (lambda: self.client.scrape(URL, [b"a" * 20]), ScrapeCall),
        ):
            asked: Deferred[Any] = operation()
            if self.net.sent and len(self.net.sent[0][0]) == 16:
                self.connect()
            self.reply(ConnectReply(self.took(kind).transaction, 5))
            self.assertIn("something else", self.refused(asked))

    def test_addressesInTurn(self) -> None:
        """A silent address is joined by the next after 2 s, of the other family first."""
        d = self.client.announce("udp://both:6969", announcing())
        self.took(ConnectRequest, PeerAddr("192.0.2.1", 6969))
        self.net.advance(2)
        six = PeerAddr("2001:db8::1", 6969)
        self.took(ConnectRequest, six)
        self.net.advance(2)
        request = self.took(ConnectRequest, PeerAddr("192.0.2.2", 6969))
        self.reply(ConnectReply(request.transaction, 7), six)
        self.answer(d, 7, six)

    def test_unreachable(self) -> None:
        """Where nothing can be sent the next address is tried at once; with none left that is the reason."""
        self.net.unreachable = {"192.0.2.1", "192.0.2.2"}
        d = self.client.announce("udp://both:6969", announcing())
        six = PeerAddr("2001:db8::1", 6969)
        self.connect(addr=six)
        self.answer(d, addr=six)
        self.assertIn("unreachable", self.refused(self.client.announce(URL, announcing())))

    def test_noPort(self) -> None:
        """A family that the system does not have is as good as unreachable."""
        self.net.noPorts = True
        self.assertIn("cannot be asked", self.refused(self.client.announce(URL, announcing())))

    def test_interfaces(self) -> None:
        """Only from the addresses that were named is anything sent."""
        for interfaces, opened in (
            (("192.0.2.50", "192.0.2.51"), ["192.0.2.50"]),
            (("", "2001:db8::50"), ["", "2001:db8::50"]),
            (("2001:db8::50",), ["2001:db8::50"]),
        ):
            client = UdpTrackerClient(self.net, Random(1), interfaces=interfaces)
            for host in ("192.0.2.1", "[2001:db8::1]"):
                d = client.announce(f"udp://{host}:1", announcing())
                d.addErrback(lambda failure: failure.trap(TrackerError))
            self.assertEqual([port.interface for port in self.net.ports], opened)
            self.successResultOf(client.close())

    def test_fullBuffer(self) -> None:
        """A datagram that the system has no room for counts as lost."""
        self.net.sendError = BlockingIOError()
        d = self.client.announce(URL, announcing())
        self.assertNoResult(d)
        self.net.sendError = None
        self.net.advance(15)
        self.connect()
        self.answer(d)

    def test_names(self) -> None:
        """A name without addresses fails; one that is never resolved has the time limit."""
        self.assertIn("resolved", self.refused(self.client.announce("udp://none:1", announcing())))
        d = self.client.announce("udp://slow:1", announcing())
        self.net.advance(300)
        self.refused(d)

    def test_badURL(self) -> None:
        """A URL that cannot be asked is a failure of the Deferred."""
        self.refused(self.client.announce("udp://", announcing()))

    def test_cancel(self) -> None:
        """Whoever asked can cancel."""
        d = self.client.announce(URL, announcing())
        d.cancel()
        self.failureResultOf(d, CancelledError)
        self.reply(ConnectReply(self.took(ConnectRequest).transaction, 5))  # nobody waits for it

    def test_close(self) -> None:
        """Closing fails what is under way and whatever comes later, and gives back the ports."""
        d = self.client.announce(URL, announcing())
        self.successResultOf(self.client.close())
        self.assertEqual(self.net.ports, [])
        for each in (d, self.client.announce(URL, announcing()), self.client.scrape(URL, [])):
            self.assertEqual(self.refused(each), "the tracker client was closed")

    def test_manyLinks(self) -> None:
        """Connection ids of any number of trackers do not fill the memory."""
        for number in range(300):
            addr = PeerAddr(f"192.0.{number // 200}.{number % 200 + 1}", 1)
            d = self.client.announce(f"udp://{addr}", announcing())
            self.connect(addr=addr)
            self.answer(d, addr=addr)
        self.assertLessEqual(len(self.client._links), 256)
