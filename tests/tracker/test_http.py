"""Tests for L{twisted_bt.tracker.http} and L{twisted_bt.tracker.agent}."""

from __future__ import annotations

import gzip
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.web.server import NOT_DONE_YET
from zope.interface.verify import verifyObject

from tests.tracker.httpcase import GOOD, URL, HttpCase
from tests.tracker.requests import announcing
from tests.tracker.web import raw
from twisted_bt.errors import TrackerError
from twisted_bt.interfaces import ITrackerClient
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.bencoding import encode
from twisted_bt.tracker.announce import ScrapeEntry


class HttpAnnounceTests(HttpCase):
    """Announces and scrapes over HTTP."""

    def test_interface(self) -> None:
        """It is a tracker client."""
        verifyObject(ITrackerClient, self.serving(b""))

    def test_answer(self) -> None:
        """An announce gives what the body says."""
        response = self.result(self.serving(GOOD).announce(URL, announcing()))
        self.assertEqual((response.interval, response.peers), (77, (PeerAddr("1.2.3.4", 80),)))

    def test_request(self) -> None:
        """The server sees the info-hash, the tracker's own query, and who asks."""
        seen: list[Any] = []

        def answer(request: Any) -> bytes:
            seen.append((request.uri, request.args[b"info_hash"], request.requestHeaders))
            return GOOD

        infoHash = bytes(range(12)) + b"\xff\x80+&%=? "
        client = self.serving(answer)
        self.result(
            client.announce("http://me:pw@tracker:80/announce?key=a%2bb", announcing(infoHash=infoHash))
        )
        [(uri, hashes, headers)] = seen
        self.assertTrue(uri.startswith(b"/announce?key=a%2bb&info_hash="), uri)
        self.assertEqual(hashes, [infoHash])
        self.assertEqual(headers.getRawHeaders("user-agent"), ["test/1"])
        self.assertEqual(headers.getRawHeaders("host"), ["tracker"])
        self.assertEqual(headers.getRawHeaders("authorization"), ["Basic bWU6cHc="])

    def test_schemes(self) -> None:
        """https, other ports and IPv6 literals are reached."""
        client = self.serving(GOOD)
        for url in ("https://tracker/announce", "http://tracker:81/announce", "http://[::1]:82/announce"):
            self.result(client.announce(url, announcing()))
        self.assertEqual(
            self.web.visited, [("https", "tracker", 443), ("http", "tracker", 81), ("http", "::1", 82)]
        )

    def test_scrape(self) -> None:
        """A scrape gives the torrents asked for, as far as the tracker knows them."""
        body = encode({b"files": {b"a" * 20: {b"complete": 1}, b"b" * 20: {b"complete": 2}}})
        found = self.result(self.serving(body).scrape(URL, [b"a" * 20, b"c" * 20]))
        self.assertEqual(found, {b"a" * 20: ScrapeEntry(1, 0, 0)})

    def test_noScrape(self) -> None:
        """A tracker without scrape is not asked."""
        self.refused(self.serving(b"").scrape("http://tracker/a", [b"a" * 20]))
        self.assertEqual(self.web.visited, [])

    def test_badURL(self) -> None:
        """A URL that cannot be asked is a failure of the Deferred."""
        self.refused(self.serving(b"").announce("http://", announcing()))

    def test_gzip(self) -> None:
        """A packed answer is unpacked."""

        def answer(request: Any) -> bytes:
            self.assertEqual(request.requestHeaders.getRawHeaders("accept-encoding"), ["gzip"])
            request.setHeader("content-encoding", "gzip")
            return gzip.compress(GOOD)

        self.assertEqual(self.result(self.serving(answer).announce(URL, announcing())).interval, 77)

    def test_bareHTTP(self) -> None:
        """An answer of HTTP/1.0 without a length ends with its connection."""
        for head in (b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"):
            client = self.serving(raw(head + GOOD))
            self.assertEqual(self.result(client.announce(URL, announcing())).interval, 77)

    def test_lingering(self) -> None:
        """A server that does not close its side does not keep us."""
        client = self.serving(
            raw(b"HTTP/1.1 200 OK\r\nContent-Length: 38\r\n\r\n" + GOOD.ljust(38), closes=False)
        )
        self.assertEqual(self.result(client.announce(URL, announcing())).interval, 77)
        self.assertEqual(self.web.open, 0)

    def test_names(self) -> None:
        """Host names among the peers are resolved; those that have no address are left out."""
        self.names.hosts = {"a.example": ["192.0.2.9", "2001:db8::9"]}
        body = encode({b"peers": [{b"ip": b"a.example", b"port": 5}, {b"ip": b"b.example", b"port": 6}]})
        response = self.result(self.serving(body).announce(URL, announcing()))
        self.assertEqual(response.peers, (PeerAddr("192.0.2.9", 5), PeerAddr("2001:db8::9", 5)))

    def test_slowNames(self) -> None:
        """A name that is not resolved in time does not keep the other peers."""
        self.names.hosts = {"a.example": None}
        peers = [{b"ip": b"a.example", b"port": 5}, {b"ip": b"1.2.3.4", b"port": 80}]
        d = self.serving(encode({b"peers": peers})).announce(URL, announcing())
        self.web.flush()
        self.assertNoResult(d)
        self.reactor.advance(5)
        self.assertEqual(self.successResultOf(d).peers, (PeerAddr("1.2.3.4", 80),))


class HttpFailureTests(HttpCase):
    """Whatever a server does, the outcome is an answer or L{TrackerError}, in time and in bounds."""

    def test_failureReason(self) -> None:
        """The tracker's reason is shown, whatever the HTTP status."""

        def answer(request: Any) -> bytes:
            request.setResponseCode(403)
            return b"d14:failure reason9:forbidden8:retry ini2ee"

        reason = self.refused(self.serving(answer).announce(URL, announcing()))
        self.assertEqual((str(reason), reason.retryIn), ("forbidden", 120.0))

    def test_status(self) -> None:
        """Without a reason the status is one."""

        def answer(request: Any) -> bytes:
            request.setResponseCode(503, b"Try\x1b later")
            return b"<html>"

        reason = self.refused(self.serving(answer).announce(URL, announcing()))
        self.assertEqual(str(reason), "HTTP status 503 Try later")

    def test_tooLong(self) -> None:
        """A body over the limit ends the connection while it arrives."""
        client = self.serving(
            raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + bytes(2000), closes=False), maxBody=1024
        )
        self.assertIn("over 1024", str(self.refused(client.announce(URL, announcing()))))
        self.assertEqual(self.web.open, 0)

    def test_bomb(self) -> None:
        """A small body that unpacks to a large one is refused."""

        def answer(request: Any) -> bytes:
            request.setHeader("content-encoding", "gzip")
            return gzip.compress(bytes(1 << 20))

        client = self.serving(answer, maxBody=1 << 16)
        self.assertIn("over 65536", str(self.refused(client.announce(URL, announcing()))))

    def test_badGzip(self) -> None:
        """What says it is packed and is not is refused."""

        def answer(request: Any) -> bytes:
            request.setHeader("content-encoding", "gzip")
            return GOOD

        self.refused(self.serving(answer).announce(URL, announcing()))

    def test_endlessHeaders(self) -> None:
        """Headers without end are as much too long as a body."""
        headers = b"X: " + b"y" * 1000 + b"\r\n"
        client = self.serving(raw(b"HTTP/1.1 200 OK\r\n" + headers * 60, closes=False))
        within = client.announce(URL, announcing())
        self.web.flush()
        self.assertNoResult(within)
        within.addErrback(lambda failure: failure.trap(TrackerError))  # it is closed at the end
        client = self.serving(raw(b"HTTP/1.1 200 OK\r\n" + headers * 80, closes=False), maxBody=1024)
        self.assertIn("over 1024", str(self.refused(client.announce(URL, announcing()))))

    def test_notHTTP(self) -> None:
        """What does not speak HTTP, says nothing, or stops in the middle is refused."""
        for bytesSent in (
            b"\0" * 100,
            b"",
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 abc\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + GOOD,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        ):
            client = self.serving(raw(bytesSent))
            self.refused(client.announce(URL, announcing()))
            self.assertEqual(self.web.open, 0)
        self.flushLoggedErrors()  # Twisted itself logs a broken chunk

    def test_refusedConnection(self) -> None:
        """A server that is down is said to be."""
        reason = self.refused(self.serving(b"").announce("http://down/announce", announcing()))
        self.assertIn("cannot be reached", str(reason))

    def test_silence(self) -> None:
        """A server that says nothing, or never comes to an end, has the time limit and no more."""
        for server in (
            raw(b"", closes=False),
            raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nd", closes=False),
        ):
            d = self.serving(server).announce(URL, announcing())
            self.web.flush()
            self.reactor.advance(29.9)
            self.assertNoResult(d)
            self.reactor.advance(0.1)
            self.assertEqual(str(self.refused(d)), "no answer within 30 s")
            self.assertEqual(self.web.open, 0)

    def test_cancel(self) -> None:
        """Whoever asked can cancel; the connection goes."""
        for server in (
            raw(b"", closes=False),
            raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nd", closes=False),
        ):
            d = self.serving(server).announce(URL, announcing())
            self.web.flush()
            d.cancel()
            self.failureResultOf(d, CancelledError, TrackerError)
            self.assertEqual(self.web.open, 0)

    def test_close(self) -> None:
        """Closing fails what is under way, and whatever comes later, and waits for connections to go."""
        client = self.serving(lambda request: NOT_DONE_YET)
        d = client.announce(URL, announcing())
        self.web.flush()
        closed = client.close()
        self.assertEqual(str(self.failureResultOf(d, TrackerError).value), "the tracker client was closed")
        self.assertNoResult(closed)
        self.web.flush()
        self.successResultOf(closed)
        self.refused(client.announce(URL, announcing()))
        self.refused(client.scrape(URL, []))
