"""
Announcers whose trackers answer as a test says.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.tracker.requests import announcing
from twisted_bt.errors import TrackerError
from twisted_bt.interfaces import IPeerSink, ITrackerClient
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.tracker.announce import AnnounceRequest, AnnounceResponse, Event, ScrapeEntry
from twisted_bt.tracker.service import Announcer, State

A, B, C = (f"http://{name}/announce" for name in "abc")
U = "udp://u:1/announce"
PEERS = (PeerAddr("1.2.3.4", 80), PeerAddr("5.6.7.8", 81))
ANSWER = AnnounceResponse(interval=1800, minInterval=600, peers=PEERS)
STARTED, STOPPED, COMPLETED, NONE = Event.STARTED, Event.STOPPED, Event.COMPLETED, Event.NONE


@implementer(ITrackerClient)
class ScriptedClient:
    """Trackers that answer as the test says; the others wait to be answered by hand."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, AnnounceRequest]] = []
        self.waiting: list[Deferred[Any]] = []
        self.answers: dict[str, AnnounceResponse | TrackerError | Exception] = {}
        self.cancelled = 0

    def announce(self, url: str, request: AnnounceRequest) -> Deferred[AnnounceResponse]:
        self.asked.append((url, request))
        d: Deferred[AnnounceResponse] = Deferred(self._cancelled)
        answer = self.answers.get(url)
        if isinstance(answer, Exception):
            d.errback(answer)
        elif answer is not None:
            d.callback(answer)
        else:
            self.waiting.append(d)
        return d

    def _cancelled(self, d: Deferred[Any]) -> None:
        self.cancelled += 1
        self.waiting.remove(d)

    def scrape(self, url: str, infoHashes: Sequence[bytes]) -> Deferred[dict[bytes, ScrapeEntry]]:
        raise NotImplementedError

    def close(self) -> Deferred[None]:
        return succeed(None)

    def take(self) -> list[tuple[str, Event]]:
        """Who was told what since the last call."""
        asked, self.asked = self.asked, []
        return [(url, request.event) for url, request in asked]


@implementer(IPeerSink)
class Heard:
    """Hears all that an announcer has to say."""

    def __init__(self) -> None:
        self.peers: list[tuple[Sequence[PeerAddr], str]] = []
        self.answers: list[tuple[str, int, str]] = []
        self.failures: list[tuple[str, str]] = []
        self.addresses: list[str] = []

    def peersFound(self, addresses: Sequence[PeerAddr], source: str) -> None:
        self.peers.append((addresses, source))

    def trackerAnswered(self, url: str, peers: int, warning: str) -> None:
        self.answers.append((url, peers, warning))

    def trackerFailed(self, url: str, reason: str) -> None:
        self.failures.append((url, reason))


class AnnouncerCase(SynchronousTestCase):
    """An announcer, and trackers in the test's hands."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.client = ScriptedClient()
        self.heard = Heard()
        self.announcer: Announcer

    def announcing(self, *tiers: Sequence[str], **more: Any) -> Announcer:
        """The announcer of trackers in these tiers, not yet started."""
        self.announcer = Announcer(
            {"http": self.client},
            tiers,
            lambda event, numwant: announcing(event=event, numwant=numwant),
            self.heard,
            self.clock,
            Random(1),
            self.heard,
            externalIp=self.heard.addresses.append,
            **more,
        )
        return self.announcer

    def started(self, *tiers: Sequence[str], **more: Any) -> Announcer:
        """One that was started."""
        announcer = self.announcing(*tiers, **more)
        announcer.start()
        return announcer

    def tearDown(self) -> None:
        """After it was stopped nothing is left behind."""
        self.client.answers = dict.fromkeys([A, B, C], ANSWER)
        stopped = self.announcer.stop()
        while self.client.waiting:
            self.client.waiting.pop().callback(ANSWER)
        self.successResultOf(stopped)
        self.assertEqual(self.announcer.state, State.IDLE)
        self.assertEqual((self.clock.getDelayedCalls(), self.client.waiting), ([], []))

    def answer(self, response: AnnounceResponse | TrackerError) -> None:
        """The one tracker that is being asked answers."""
        [d] = self.client.waiting
        self.client.waiting.remove(d)
        if isinstance(response, TrackerError):
            d.errback(response)
        else:
            d.callback(response)

    def later(self, seconds: float) -> None:
        """Let time pass, second by second."""
        whole, rest = divmod(seconds, 1)
        self.clock.pump([1] * int(whole) + [rest])
