"""Tests for L{twisted_bt.tracker.http} and L{twisted_bt.tracker.agent}."""

from __future__ import annotations

import gzip
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import NOT_DONE_YET
from zope.interface.verify import verifyObject

from tests.tracker.names import Names
from tests.tracker.requests import announcing
from tests.tracker.web import MemoryWeb, raw, site
from twisted_bt.errors import TrackerError
from twisted_bt.interfaces import ITrackerClient
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.bencoding import encode
from twisted_bt.tracker.announce import ScrapeEntry
from twisted_bt.tracker.http import HttpTrackerClient

GOOD = b"d8:intervali77e5:peers6:\1\2\3\4\0\x50e"
HOSTS: dict[str, str | None] = {
    "tracker": "192.0.2.1",
    "public": "8.8.8.8",
    "other": "9.9.9.9",
    "inside": "10.0.0.1",
    "localhost": "127.0.0.1",
    "127.0.0.1": "127.0.0.1",
    "::1": "::1",
    "10.0.0.1": "10.0.0.1",
    "mapped": "::ffff:127.0.0.1",
    "down": None,
}
URL = "http://tracker/announce"


class HttpCase(SynchronousTestCase):
    """A client, and web servers in memory."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.names = Names({})
        self.reactor.nameResolver = self.names
        self.served: list[tuple[HttpTrackerClient, MemoryWeb]] = []

    def serving(self, answer: Any, **more: Any) -> HttpTrackerClient:
        """A client of servers that answer by a function, or with bytes and a status of 200."""
        factory = answer
        if isinstance(answer, bytes):
            factory = site(self.reactor, lambda request: answer)
        elif not hasattr(answer, "buildProtocol"):
            factory = site(self.reactor, answer)
        self.web = MemoryWeb(self.reactor, factory, HOSTS)
        client = HttpTrackerClient(self.reactor, userAgent="test/1", timeout=30, endpoints=self.web, **more)
        self.served.append((client, self.web))
        return client

    def tearDown(self) -> None:
        """Whatever happened, nothing is left behind."""
        for client, web in self.served:
            closed = client.close()
            web.flush()
            self.successResultOf(closed)
            self.assertEqual(web.open, 0)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def result(self, d: Deferred[Any]) -> Any:
        """What C{d} gives once all bytes have arrived."""
        self.web.flush()
        return self.successResultOf(d)

    def refused(self, d: Deferred[Any]) -> TrackerError:
        """How C{d} fails once all bytes have arrived."""
        self.web.flush()
        failure: Failure = self.failureResultOf(d, TrackerError)
        assert isinstance(failure.value, TrackerError)
        return failure.value


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


class HttpRedirectTests(HttpCase):
    """Redirects, and where they must not lead."""

    def redirecting(self, locations: dict[str, str], **more: Any) -> HttpTrackerClient:
        """A client of servers that redirect by path and else give a good answer."""

        def answer(request: Any) -> bytes:
            self.seen.append(request.uri)
            location = locations.get(request.path.decode())
            if location is None:
                return GOOD
            request.setResponseCode(302)
            request.setHeader("location", location)
            return b"gone"

        self.seen: list[bytes] = []
        return self.serving(answer, **more)

    def test_followed(self) -> None:
        """A redirect is followed, byte for byte."""
        client = self.redirecting({"/announce": "http://other/x?hash=%ff%00%2B"})
        d = client.announce("http://public/announce", announcing())
        self.assertEqual(self.result(d).interval, 77)
        self.assertEqual(self.seen[1], b"/x?hash=%ff%00%2B")
        self.assertEqual([host for _, host, _ in self.web.visited], ["public", "other"])

    def test_locations(self) -> None:
        """A location counts with a status that redirects, and such a status needs one."""

        def answer(request: Any) -> bytes:
            if request.path == b"/announce":
                request.setHeader("location", "/elsewhere")
            else:
                request.setResponseCode(302)
            return GOOD

        client = self.serving(answer)
        self.assertEqual(self.result(client.announce(URL, announcing())).interval, 77)
        reason = self.refused(client.announce("http://tracker/nowhere", announcing()))
        self.assertEqual(str(reason), "HTTP status 302 Found")

    def test_bodyLimit(self) -> None:
        """A body of just the limit is not too long."""
        client = self.serving(GOOD, maxBody=len(GOOD))
        self.result(client.announce(URL, announcing()))
        client = self.serving(GOOD, maxBody=len(GOOD) - 1)
        self.refused(client.announce(URL, announcing()))

    def test_loop(self) -> None:
        """Not without end."""
        client = self.redirecting({"/announce": "/announce"}, maxRedirects=3)
        reason = self.refused(client.announce(URL, announcing()))
        self.assertEqual((str(reason), len(self.seen)), ("the tracker redirects more than 3 times", 4))

    def test_schemes(self) -> None:
        """From http to https, but not back, and to nothing else."""
        client = self.redirecting({"/announce": "https://public/x", "/down": "http://public/x"})
        self.result(client.announce("http://public/announce", announcing()))
        for location in ("udp://public:1/", "file:///etc/passwd", "http://[", "gopher://x"):
            client = self.redirecting({"/announce": location})
            self.refused(client.announce("http://public/announce", announcing()))
        client = self.redirecting({"/announce": "http://public/x"})
        reason = self.refused(client.announce("https://public/announce", announcing()))
        self.assertEqual(str(reason), "the tracker redirects from https to http")

    def test_inside(self) -> None:
        """A tracker in the Internet cannot send us to an address that is not, by name or as a literal."""
        for there in (
            "http://inside/x",
            "http://10.0.0.1/x",
            "http://[::1]/announce",
            "http://mapped/announce",
        ):
            client = self.redirecting({"/announce": there})
            reason = self.refused(client.announce("http://public/announce", announcing()))
            self.assertIn("not in the Internet", str(reason))
            self.assertEqual(len(self.seen), 1)

    def test_sameHost(self) -> None:
        """To the host that we were told to ask it may, and so may one that is given as a local address."""
        client = self.redirecting({"/announce": "/other"})
        self.result(client.announce("http://inside/announce", announcing()))
        client = self.redirecting({"/announce": "http://10.0.0.1/x"})
        self.result(client.announce("http://127.0.0.1/announce", announcing()))

    def test_loopback(self) -> None:
        """On this machine only a tracker's paths are asked for, directly or by a redirect."""
        for url in ("http://localhost/delete?all", "http://[::1]/", "http://mapped/x/announce"):
            client = self.redirecting({})
            reason = self.refused(client.announce(url, announcing()))
            self.assertIn("is no tracker's", str(reason))
            self.assertEqual(self.seen, [])
        client = self.redirecting({"/announce": "/delete"})
        self.refused(client.announce("http://127.0.0.1/announce", announcing()))
        client = self.redirecting({})
        self.result(client.announce("http://localhost/announce/passkey", announcing()))

    def test_unguarded(self) -> None:
        """An application that knows better turns the rules off."""
        client = self.redirecting({"/announce": "http://127.0.0.1/delete"}, guarded=False)
        self.result(client.announce("http://public/announce", announcing()))
