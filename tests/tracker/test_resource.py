"""Tests for L{twisted_bt.tracker.resource}."""

from __future__ import annotations

from random import Random
from typing import Any
from urllib.parse import urlencode

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from tests.tracker.requests import announcing
from twisted_bt.errors import TrackerError
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.bencoding import BValue, asDict, decode
from twisted_bt.tracker.announce import Event, ScrapeEntry
from twisted_bt.tracker.httpwire import decodeAnnounce, decodeScrape
from twisted_bt.tracker.peerstore import PeerStore
from twisted_bt.tracker.resource import TrackerResource, TrackerSite, parseAnnounce

HASH = bytes(range(20))


class TrackerResourceTests(SynchronousTestCase):
    """The HTTP side of the embedded tracker."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = PeerStore(self.clock.seconds, Random(1))
        self.site = TrackerSite(
            TrackerResource(self.store, interval=900, minInterval=30), timeout=None, reactor=self.clock
        )

    def send(self, raw: bytes, host: str = "192.0.2.7") -> tuple[bytes, bytes]:
        """Status line and body of what the site answers to bytes from C{host}."""
        kind = IPv6Address if ":" in host else IPv4Address
        transport = StringTransport(peerAddress=kind("TCP", host, 50000))
        channel: Any = self.site.buildProtocol(transport.getPeer())
        channel.makeConnection(transport)
        channel.dataReceived(raw)
        head, _, body = transport.value().partition(b"\r\n\r\n")
        return head.split(b"\r\n")[0], body

    def ask(self, path: str, host: str = "192.0.2.7", **args: Any) -> bytes:
        """The body of an answer whose status is good."""
        raw = f"GET {path}?{urlencode(args)} HTTP/1.0\r\n\r\n".encode("ascii")
        status, body = self.send(raw, host)
        self.assertTrue(status.endswith(b" 200 OK"), status)
        return body

    def announce(self, host: str = "192.0.2.7", **args: Any) -> bytes:
        """The answer to an announce of a leecher."""
        whole = {"info_hash": HASH, "peer_id": b"p" * 20, "port": 6881, "left": 5, **args}
        return self.ask("/announce", host, **whole)

    def test_told(self) -> None:
        """Whoever announces is told of those who did before, in compact form."""
        self.announce("192.0.2.1", port=1)
        self.announce("2001:db8::2", port=2, left=0)
        response = decodeAnnounce(self.announce("192.0.2.3"))
        self.assertEqual(set(response.peers), {PeerAddr("192.0.2.1", 1), PeerAddr("2001:db8::2", 2)})
        self.assertEqual((response.interval, response.minInterval), (900, 30))
        self.assertEqual((response.complete, response.incomplete), (1, 2))
        self.assertEqual(response.externalIp, "192.0.2.3")

    def test_dictionaries(self) -> None:
        """C{compact=0} gives dictionaries, C{no_peer_id=1} without ids."""
        self.announce("192.0.2.1", port=1)
        entry: dict[bytes, BValue] = {b"ip": b"192.0.2.1", b"port": 1, b"peer id": b"p" * 20}
        answer = asDict(decode(self.announce("192.0.2.2", compact=0), 1 << 16))
        self.assertEqual(answer[b"peers"], [entry])
        del entry[b"peer id"]
        answer = asDict(decode(self.announce("192.0.2.1", port=1, compact=0, no_peer_id=1), 1 << 16))
        self.assertEqual(answer[b"peers"], [{b"ip": b"192.0.2.2", b"port": 6881}])

    def test_numwant(self) -> None:
        """As many as wanted, 50 where that is not said, 200 at most."""
        for number in range(250):
            self.announce(f"192.0.2.{number}")
        for args, count in (({"numwant": 3}, 3), ({}, 50), ({"numwant": 0}, 0), ({"numwant": 9999}, 200)):
            self.assertEqual(len(decodeAnnounce(self.announce("192.0.3.1", **args)).peers), count)

    def test_stopped(self) -> None:
        """Whoever stops is forgotten."""
        self.announce("192.0.2.1")
        self.announce("192.0.2.1", event="stopped")
        self.assertEqual(decodeAnnounce(self.announce("192.0.2.2")).peers, ())

    def test_ownAddress(self) -> None:
        """An address that a client names itself counts only from this machine."""
        self.announce("192.0.2.1", ip="9.9.9.9")
        self.announce("127.0.0.1", ip="2001:db8::9", port=9)
        self.announce("::1", ip="not an address", port=7)
        found = decodeAnnounce(self.announce("192.0.2.2")).peers
        expected = {PeerAddr("192.0.2.1", 6881), PeerAddr("2001:db8::9", 9), PeerAddr("::1", 7)}
        self.assertEqual(set(found), expected)

    def test_unreachable(self) -> None:
        """Port 0 is told of others, and not told of."""
        self.announce("192.0.2.1", port=0)
        self.announce("192.0.2.2")
        self.assertEqual(len(decodeAnnounce(self.announce("192.0.2.1", port=0)).peers), 1)

    def test_scrape(self) -> None:
        """Counts of the torrents asked for that are known."""
        self.announce("192.0.2.1", left=0, event="completed")
        self.announce("192.0.2.2")
        body = self.ask("/scrape", info_hash=HASH)
        self.assertEqual(decodeScrape(body), {HASH: ScrapeEntry(1, 1, 1)})
        self.assertEqual(decodeScrape(self.ask("/scrape", info_hash=b"x" * 20)), {})

    def test_fullScrape(self) -> None:
        """Nobody gets the list of all torrents."""
        self.assertRaises(TrackerError, decodeScrape, self.ask("/scrape"))

    def test_refused(self) -> None:
        """What is missing or cannot be is a failure reason."""
        table: list[tuple[dict[str, Any], str]] = [
            ({"info_hash": b"x" * 19}, "info_hash is not 20 bytes"),
            ({"info_hash": ""}, "info_hash is not 20 bytes"),
            ({"peer_id": b"x" * 21}, "peer_id is not 20 bytes"),
            ({"port": ""}, "port is no number"),
            ({"port": "-1"}, "port is no number"),
            ({"port": 65536}, "port is over 65535"),
            ({"left": "9" * 30}, "left is no number"),
            ({"numwant": "9" * 30}, "numwant is no number"),
        ]
        for args, reason in table:
            raised = self.assertRaises(TrackerError, decodeAnnounce, self.announce(**args))
            self.assertEqual(str(raised), reason)
        self.assertEqual(len(self.store), 0)

    def test_paths(self) -> None:
        """Other paths and methods are refused."""
        for raw, status in (
            (b"GET / HTTP/1.0\r\n\r\n", b"404"),
            (b"GET /stats HTTP/1.0\r\n\r\n", b"404"),
            (b"DELETE /announce HTTP/1.0\r\n\r\n", b"501"),
        ):
            self.assertIn(status, self.send(raw)[0])

    def test_notAscii(self) -> None:
        """So they are where the path or query is not ASCII, without an error in the log."""
        post = b"POST /announce?info_hash=\xabZ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        self.assertIn(b"405", self.send(post)[0])
        self.assertIn(b"404", self.send(b"GET /\xab HTTP/1.0\r\n\r\n")[0])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_upload(self) -> None:
        """A body is not kept."""
        raw = b"POST /announce HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + bytes(200000)
        self.assertIn(b"405", self.send(raw)[0])

    def test_parse(self) -> None:
        """All fields of an announce are understood; an invented event is none."""
        args = {
            b"info_hash": [HASH],
            b"peer_id": [b"-XX0001-abcdefghijkl"],
            b"port": [b"6881"],
            b"uploaded": [b"1"],
            b"downloaded": [b"2"],
            b"left": [b"100"],
            b"event": [b"started"],
            b"numwant": [b"9"],
            b"ip": [b"1.2.3.4"],
        }
        expected = announcing(infoHash=HASH, event=Event.STARTED, numwant=9, ip="1.2.3.4")
        self.assertEqual(parseAnnounce(args), expected)
        for event in (b"paused", b"\xff", b""):
            self.assertEqual(parseAnnounce({**args, b"event": [event]}).event, Event.NONE)
