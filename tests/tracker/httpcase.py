"""
What the tests of HTTP trackers' clients have in common.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.tracker.names import Names
from tests.tracker.web import MemoryWeb, site
from twisted_bt.errors import TrackerError
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
