"""Tests for L{twisted_bt.control.webfetch}."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from treq.testing import RequestTraversalAgent
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError, DNSLookupError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from twisted_bt.control import webfetch
from twisted_bt.control.webfetch import fetchTorrent
from twisted_bt.errors import MetainfoError

URL = "http://host.example/a.torrent"
LIMIT = 1000


class Page(Resource):
    """Answers with what a function makes of the request."""

    isLeaf = True

    def __init__(self, render: Callable[[Request], Any]) -> None:
        super().__init__()
        self.render = render  # type: ignore[method-assign]


class FailingAgent:
    """Cannot reach anybody."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def request(self, *args: object) -> Deferred[object]:
        failed: Deferred[object] = Deferred()
        failed.errback(Failure(self.error))
        return failed


class FetchTests(SynchronousTestCase):
    """Torrent files from web servers."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.requests: list[Request] = []

    def tearDown(self) -> None:
        """No timer is left behind."""
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def fetch(self, render: Callable[[Request], Any]) -> Deferred[bytes]:
        """Fetch from a server that answers with C{render}."""

        def recorded(request: Request) -> Any:
            self.requests.append(request)
            return render(request)

        self.agent = RequestTraversalAgent(Page(recorded))
        fetching = fetchTorrent(self.clock, self.agent, URL, LIMIT)
        self.agent.flush()
        return fetching

    def reason(self, fetching: Deferred[bytes]) -> str:
        """Why C{fetching} failed, behind the URL."""
        message = str(self.failureResultOf(fetching, MetainfoError).value)
        self.assertTrue(message.startswith(f"{URL}: "), message)
        return message.removeprefix(f"{URL}: ")

    def test_success(self) -> None:
        """The body is the result; we said who asks."""
        self.assertEqual(self.successResultOf(self.fetch(lambda request: b"d4:infodee")), b"d4:infodee")
        self.assertEqual(self.requests[0].getHeader("user-agent"), "twisted_bt")

    def test_status(self) -> None:
        """Any other status is named."""

        def missing(request: Request) -> bytes:
            request.setResponseCode(404)
            return b"no such page"

        self.assertEqual(self.reason(self.fetch(missing)), "the server answers 404")

    def test_redirect(self) -> None:
        """A redirect is followed, relative ones from where we are."""

        def moved(request: Request) -> bytes:
            if request.path == b"/b.torrent":
                return b"here"
            request.redirect(b"b.torrent")
            return b"elsewhere"

        fetching = self.fetch(moved)
        self.agent.flush()
        self.assertEqual(self.successResultOf(fetching), b"here")

    def test_redirectsForEver(self) -> None:
        """Redirects end after a few."""

        def around(request: Request) -> bytes:
            request.redirect(b"/again")
            return b""

        fetching = self.fetch(around)
        for _ in range(20):
            self.agent.flush()
        self.assertIn("more than 5 times", self.reason(fetching))
        self.assertEqual(len(self.requests), 6)

    def test_redirectElsewhere(self) -> None:
        """A redirect to something that is no web server is refused."""

        def away(request: Request) -> bytes:
            request.redirect(b"file:///etc/passwd")
            return b""

        self.assertIn("file:///etc/passwd", self.reason(self.fetch(away)))

    def test_tooLong(self) -> None:
        """A body over the limit ends the download, with or without a length given."""

        def chunked(request: Request) -> int:
            for _ in range(11):
                request.write(b"x" * 100)
            return NOT_DONE_YET

        self.assertIn("hardly a torrent file", self.reason(self.fetch(lambda request: b"x" * 1001)))
        self.assertIn("hardly a torrent file", self.reason(self.fetch(chunked)))

    def test_timeLimit(self) -> None:
        """A server that never finishes is given up, and its connection dropped."""

        def slow(request: Request) -> int:
            request.write(b"x")
            return NOT_DONE_YET

        fetching = self.fetch(slow)
        self.clock.advance(webfetch.FETCH_TIMEOUT - 1)
        self.assertNoResult(fetching)
        self.clock.advance(1)
        self.assertIn("no complete answer within 60 seconds", self.reason(fetching))
        self.agent.flush()
        self.assertTrue(self.requests[0]._disconnected)

    def test_cancel(self) -> None:
        """Who asked may cancel; that is no error of the server's."""
        fetching = self.fetch(lambda request: NOT_DONE_YET)
        fetching.cancel()
        self.failureResultOf(fetching, CancelledError)

    def test_unreachable(self) -> None:
        """Name and connection errors are said in words."""
        for error, words in [
            (DNSLookupError("x"), "the server's name is not known"),
            (ConnectionRefusedError(), "no connection: Connection was refused by other side."),
            (ValueError("odd"), "odd"),
        ]:
            agent: Any = FailingAgent(error)
            self.assertEqual(self.reason(fetchTorrent(self.clock, agent, URL, LIMIT)), words)
