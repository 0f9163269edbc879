"""
Targets: what the embedded tracker hears from its clients.
"""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IUDPTransport
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.http import parse_qs
from zope.interface import directlyProvides

from tests.fuzz.logs import Errors
from tests.fuzz.seeds import vectors
from tests.fuzz.target import ACCEPTED, REJECTED, Tally, Target, outcome, require
from tests.tracker.requests import announcing
from twisted_bt.errors import TrackerError
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.bencoding import encode
from twisted_bt.tracker.announce import Event
from twisted_bt.tracker.httpwire import decodeAnnounce, decodeScrape
from twisted_bt.tracker.peerstore import PeerStore
from twisted_bt.tracker.resource import TrackerResource, TrackerSite, parseAnnounce
from twisted_bt.tracker.udpserver import UdpTracker
from twisted_bt.tracker.udpwire import (
    AnnounceCall,
    ConnectRequest,
    ScrapeCall,
    decodeReply,
    decodeRequest,
)

_HASH = b"h" * 20
_CLIENTS = PeerAddr("192.0.2.7", 500), PeerAddr("2001:db8::7", 500)


class _Answers:
    """A transport of datagrams that keeps them."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def write(self, data: bytes, addr: Any) -> None:
        """Kept."""
        self.sent.append(data)


class UdpServer(Target):
    """L{twisted_bt.tracker.udpserver}: what the embedded tracker hears, and says."""

    name = "udpserver"
    maxLength = 2048
    words = (
        b"\0\0\4\x17\x27\x10\x19\x80",
        b"\0\0\0\0",
        b"\0\0\0\1",
        b"\0\0\0\2",
        b"\2\x09/announce",
        b"\2\xff",
        b"\1\1\1",
        b"\2\0",
    )

    def __init__(self) -> None:
        self._now = 0.0
        self._store = PeerStore(lambda: self._now, Random(1), maxTorrents=100, maxPeers=100)
        self._tracker = UdpTracker(self._store, lambda: self._now, Random(2))
        self._transport = _Answers()
        directlyProvides(self._transport, IUDPTransport)  # as far as it is used
        self._tracker.transport = self._transport  # type: ignore[assignment]
        self._errors = Errors()

    def seeds(self) -> list[bytes]:
        """Each kind; a connection id of all ones is made good."""
        good = (1 << 64) - 1
        return [
            ConnectRequest(7).encode(),
            AnnounceCall(good, 7, announcing(event=Event.STARTED), "/announce?" + "k" * 300).encode(),
            AnnounceCall(good, 7, announcing(left=0, event=Event.COMPLETED, numwant=1000), "").encode(),
            AnnounceCall(good, 7, announcing(event=Event.STOPPED, port=0), "/").encode(),
            ScrapeCall(good, 7, (b"i" * 20, _HASH)).encode(),
            AnnounceCall(5, 7, announcing(), "").encode(), ScrapeCall(5, 7, (_HASH,)).encode(),
            *vectors("udp_tracker"),
        ]  # fmt: skip

    def run(self, data: bytes) -> Tally:
        """Silence or an answer that can be read; who is not known is not sent more than it sent."""
        self._now += 0.01
        accepted = False
        sender = _CLIENTS[len(data) % 2]
        known = data[:8] == b"\xff" * 8
        datagram = self._tracker._connectionFor(sender, 0).to_bytes(8, "big") + data[8:] if known else data
        request = outcome(lambda: decodeRequest(datagram), TrackerError)
        self._transport.sent.clear()
        self._tracker.datagramReceived(datagram, tuple(sender))
        sent = self._transport.sent
        require(
            len(sent) <= 1 and (request is not None or not sent), "one answer, to requests", request, sent
        )
        accepted = accepted or request is not None
        for each in sent:
            decodeReply(each, sender.isIPv6)
            require(len(each) <= 1472, "no fragments", len(each))
            require(known or len(each) <= len(datagram), "no more than was sent", each, datagram)
        if isinstance(request, AnnounceCall):
            again = decodeRequest(request.encode())
            require(again == request, "decode(encode(x)) == x", request, again)
        require(len(self._store) <= 100, "bounded", len(self._store))
        self._errors.none()
        return ACCEPTED if accepted else REJECTED


class AnnounceQueries(Target):
    """L{twisted_bt.tracker.resource}: an announce's query, to the embedded tracker."""

    name = "announcequery"
    maxLength = 1024
    words = (
        b"info_hash=", b"peer_id=", b"port=", b"uploaded=", b"downloaded=", b"left=", b"event=started",
        b"compact=0",
        b"numwant=", b"ip=", b"no_peer_id=1", b"&", b"%00", b"%ff", b"=", b"-1", b"99999999999999999999",
        b"ip=%3a%3a1", b";",
    )  # fmt: skip

    def __init__(self) -> None:
        self._now = 0.0
        self._store = PeerStore(lambda: self._now, Random(1), maxTorrents=100, maxPeers=100)
        self._resource = TrackerResource(self._store)

    def seeds(self) -> list[bytes]:
        """Of each form."""
        who = b"info_hash=" + b"h" * 20 + b"&peer_id=" + b"p" * 20
        return [
            who + b"&port=6881&uploaded=0&downloaded=0&left=5&compact=1&event=started&numwant=50",
            who + b"&port=0&left=0&event=completed&compact=0&no_peer_id=1&ip=1.2.3.4",
            who + b"&port=1&left=18446744073709551615&event=stopped&key=ABC&trackerid=x&compact=0",
            who.replace(b"h" * 20, b"%AB" * 20) + b"&port=65535&ip=::ffff:1.2.3.4",
        ]  # fmt: skip

    def run(self, data: bytes) -> Tally:
        """One exception; an answer that can be read; bounded."""
        self._now += 0.01
        args = parse_qs(data, 1)
        found = outcome(lambda: parseAnnounce(args), TrackerError)
        host = ("192.0.2.7", "127.0.0.1", "2001:db8::7")[len(data) % 3]
        answer = outcome(lambda: self._resource._announce(_Request(args, host)), TrackerError)
        require(answer is None or found is not None, "no answer to what is refused", args)  # it may be full
        if answer is not None:
            response = decodeAnnounce(encode(answer))
            require(len(response.peers) <= 200, "bounded", response)
        outcome(
            lambda: decodeScrape(encode(self._resource._scrape(_Request(args, "192.0.2.7")))), TrackerError
        )
        return REJECTED if found is None else ACCEPTED


class _Request:
    """What the resource looks at of a request."""

    def __init__(self, args: dict[bytes, list[bytes]], host: str) -> None:
        self.args = args
        self._host = host

    def getClientAddress(self) -> IPv4Address | IPv6Address:
        """Whence it comes."""
        return (IPv6Address if ":" in self._host else IPv4Address)("TCP", self._host, 50000)


class HttpRequests(Target):
    """L{twisted_bt.tracker.resource}: whatever comes over a connection, to the whole site."""

    name = "httpserver"
    seconds = 0.5
    memory = 1 << 20
    words = (
        b"GET ", b"POST ", b"/announce?", b"/scrape?", b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b"\r\n\r\n",
        b"Host: x\r\n",
        b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"5\r\nabcde\r\n0\r\n\r\n",
        b"Expect: 100-continue\r\n",
        b"info_hash=" + b"h" * 20, b"&peer_id=" + b"p" * 20, b"&port=1", b"&left=1", b"\xff", b"%zz",
        b"Content-Type: multipart/form-data; boundary=x\r\n",
    )  # fmt: skip

    def __init__(self) -> None:
        self._clock = Clock()
        self._store = PeerStore(self._clock.seconds, Random(1), maxTorrents=100, maxPeers=100)
        self._site: Any = TrackerSite(TrackerResource(self._store), timeout=None, reactor=self._clock)
        self._errors = Errors()

    def seeds(self) -> list[bytes]:
        """Announces, scrapes, and what is neither."""
        query = b"info_hash=" + b"h" * 20 + b"&peer_id=" + b"p" * 20 + b"&port=6881&left=5"
        scrape = b"info_hash=" + b"h" * 20 + b"&info_hash=x"
        post = b"POST /announce?" + query + b" HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\n"
        return [
            b"GET /announce?" + query + b" HTTP/1.1\r\nHost: t\r\n\r\n",
            b"GET /announce?" + query + b"&compact=0 HTTP/1.0\r\n\r\n",
            b"GET /scrape?" + scrape + b" HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n",
            post + b"abcGET / HTTP/1.1\r\n\r\n",
            b"HEAD /announce?" + query + b" HTTP/1.1\r\nHost: t\r\n\r\n",
            b"POST /x HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        ]  # fmt: skip

    def run(self, data: bytes) -> Tally:
        """No exception at all; what is answered with 200 is bencoded; nothing is logged as an error."""
        transport = StringTransport(peerAddress=IPv4Address("TCP", "192.0.2.7", 50000))
        channel: Any = self._site.buildProtocol(transport.getPeer())
        channel.makeConnection(transport)
        half = len(data) // 2
        for part in (data[:half], data[half:]):
            if not transport.disconnecting:
                channel.dataReceived(part)
        self._clock.advance(0)
        answer = transport.value()
        channel.connectionLost(Failure(ConnectionError("gone")))
        self._errors.none()
        if not answer.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200")):
            return REJECTED
        return ACCEPTED
