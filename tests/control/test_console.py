"""Tests for L{twisted_bt.control.console}."""

from __future__ import annotations

from typing import Any, ClassVar

from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.control.fakes import FakeFetching, FakeSwarm
from twisted_bt.control import console
from twisted_bt.control.console import BUSY_INTERVAL, UPLOADING_INTERVAL, LogObserver, ProgressTicker
from twisted_bt.control.console import progressLine as typedProgressLine
from twisted_bt.interfaces import ISwarmObserver
from twisted_bt.sessions.life import SwarmStatus

progressLine: Any = typedProgressLine


class Logged:
    """The lines that reach the log during a test."""

    def __init__(self, case: Any) -> None:
        self._events = EventLoggingObserver.createWithCleanup(case, globalLogPublisher)

    @property
    def lines(self) -> list[str]:
        """What was logged, as text."""
        return [formatEvent(event) for event in self._events if event["log_namespace"] == console.__name__]


class LogObserverTests(SynchronousTestCase):
    """Events of swarms in the log."""

    def setUp(self) -> None:
        self.log = Logged(self)
        self.observer = LogObserver()
        self.swarm: Any = FakeSwarm()

    def test_interface(self) -> None:
        """It hears all that observers hear."""
        verifyObject(ISwarmObserver, self.observer)

    def test_status(self) -> None:
        """A new status is a line; a failure is left to the swarm, and a stop says itself."""
        for status in SwarmStatus:
            self.observer.statusChanged(self.swarm, status)
        self.assertEqual(
            self.log.lines,
            [f"name: {word}" for word in ("queued", "checking", "downloading", "seeding", "paused")],
        )

    def test_completed(self) -> None:
        """Completion says what and where."""
        self.observer.completed(self.swarm)
        self.assertEqual(self.log.lines, ["name: complete, 1000 B in /data".replace("1000 B", "1.0 KiB")])

    def test_metadata(self) -> None:
        """That metadata is fetched is news when it begins, comes, and stops coming."""
        fetching: Any = FakeFetching()
        for fetching.sources in (0, 0, 1, 2, 0):
            self.observer.metadataProgressed(fetching, 0, 0)
        self.assertEqual(
            self.log.lines,
            [f"name: fetching metadata from {peers}" for peers in ("0 peers", "1 peer", "0 peers")],
        )
        self.observer.statusChanged(self.swarm, SwarmStatus.CHECKING)
        self.observer.metadataProgressed(fetching, 0, 0)
        self.assertEqual(len(self.log.lines), 5)

    def test_trackerOnce(self) -> None:
        """The same answer of a tracker is news once, until there was another."""
        for peers in (3, 4):
            self.observer.trackerAnswered(self.swarm, "http://t", peers, "")
        for _ in range(2):
            self.observer.trackerFailed(self.swarm, "http://t", "refused")
        self.observer.trackerAnswered(self.swarm, "http://t", 1, "")
        self.observer.trackerAnswered(self.swarm, "http://t", 1, "too old")
        self.assertEqual(
            self.log.lines,
            [
                "name: tracker http://t knows 3 peers",
                "name: tracker http://t failed: refused",
                "name: tracker http://t knows 1 peer",
                "name: tracker http://t knows 1 peer; it warns: too old",
            ],
        )

    def test_trackersApart(self) -> None:
        """Each tracker of each swarm is news by itself."""
        other: Any = FakeSwarm("other", infoHash=b"o" * 20)
        self.observer.trackerFailed(self.swarm, "http://t", "refused")
        self.observer.trackerFailed(self.swarm, "http://u", "refused")
        self.observer.trackerFailed(other, "http://t", "refused")
        self.assertEqual(len(self.log.lines), 3)

    def test_stopped(self) -> None:
        """Of a stopped swarm nothing is kept, and what its trackers miss is no news."""
        self.observer.trackerFailed(self.swarm, "http://t", "refused")
        self.swarm.status = SwarmStatus.STOPPED
        self.observer.statusChanged(self.swarm, SwarmStatus.STOPPED)
        self.observer.trackerFailed(self.swarm, "http://t", "cancelled")
        self.swarm.status = SwarmStatus.DOWNLOADING
        self.observer.trackerFailed(self.swarm, "http://t", "refused")
        self.assertEqual(self.log.lines, ["name: tracker http://t failed: refused"] * 2)


class ProgressLineTests(SynchronousTestCase):
    """How far all have come, in a line."""

    def test_idle(self) -> None:
        """Nothing to say of no swarms, nor of those that wait, pause or seed to nobody."""
        idle = (SwarmStatus.QUEUED, SwarmStatus.PAUSED, SwarmStatus.FAILED, SwarmStatus.SEEDING)
        self.assertIsNone(progressLine([]))
        self.assertIsNone(progressLine([FakeSwarm(status=status) for status in idle]))

    def test_downloading(self) -> None:
        """One download is named, with share, rate, time left and peers."""
        swarm = FakeSwarm(size=4096, left=1024, downloadRate=512.0, peers=2)
        self.assertEqual(
            progressLine([swarm]), "downloading name: 75.0% of 4.0 KiB, 512 B/s, ETA 2.0 s, 2 peers"
        )

    def test_several(self) -> None:
        """Several are counted together; what seeds adds to the uploads and peers only."""
        swarms = [
            FakeSwarm(size=4096, left=1024, downloadRate=256.0, peers=1),
            FakeSwarm(size=4096, left=4096, downloadRate=256.0, peers=1),
            FakeSwarm(size=1 << 30, left=0, status=SwarmStatus.SEEDING, uploadRate=2048.0, peers=1),
            FakeSwarm("slow", status=SwarmStatus.CHECKING),
        ]
        self.assertEqual(
            progressLine(swarms),
            "checking slow, downloading 2 torrents: 37.5% of 8.0 KiB, 512 B/s, ETA 10 s, "
            "2.0 KiB/s up, 3 peers",
        )

    def test_uploading(self) -> None:
        """Seeding is mentioned while somebody downloads from us."""
        swarm = FakeSwarm(status=SwarmStatus.SEEDING, uploadRate=2048.0, peers=1)
        self.assertEqual(progressLine([swarm]), "seeding name, 2.0 KiB/s up, 1 peer")

    def test_fetching(self) -> None:
        """Metadata comes first: from how many peers, and of what, or of how many torrents."""
        swarm = FakeSwarm(status=SwarmStatus.SEEDING, uploadRate=2048.0, peers=1)
        first, second = FakeFetching(name="m", sources=1), FakeFetching(name="n", sources=2)
        self.assertEqual(progressLine([], [first]), "m: fetching metadata from 1 peer")
        self.assertEqual(
            progressLine([swarm], [first, second]),
            "2 torrents: fetching metadata from 3 peers, seeding name, 2.0 KiB/s up, 1 peer",
        )

    def test_handshakes(self) -> None:
        """Peers that are only being dialled are not counted."""
        swarm = FakeSwarm(peers=3)
        swarm.connectedPeers[0].established = False
        self.assertTrue(progressLine([swarm]).endswith(", 2 peers"))


class TickerTests(SynchronousTestCase):
    """The line, now and then."""

    def setUp(self) -> None:
        self.log = Logged(self)
        self.clock = Clock()
        self.swarm = FakeSwarm()

        class Client:
            swarmSessions = {b"": self.swarm}
            metadataSessions: ClassVar[dict[bytes, FakeFetching]] = {}

        client: Any = Client()
        self.fetching = client.metadataSessions
        self.ticker = ProgressTicker(self.clock, client)
        self.ticker.start()

    def tearDown(self) -> None:
        """Stopped, it leaves nothing behind."""
        self.ticker.stop()
        self.ticker.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def run_(self, seconds: float) -> int:
        """How many lines there are in so long."""
        before = len(self.log.lines)
        self.clock.pump([1.0] * int(seconds))
        return len(self.log.lines) - before

    def test_downloading(self) -> None:
        """A line every few seconds while something is downloaded."""
        self.assertEqual(self.run_(10 * BUSY_INTERVAL), 10)

    def test_fetching(self) -> None:
        """So while metadata is fetched."""
        self.swarm.status = SwarmStatus.SEEDING
        self.fetching[b""] = FakeFetching()
        self.assertEqual(self.run_(10 * BUSY_INTERVAL), 10)

    def test_uploading(self) -> None:
        """A line a minute while there is only uploading, and none without."""
        self.swarm.status = SwarmStatus.SEEDING
        self.assertEqual(self.run_(3 * UPLOADING_INTERVAL), 0)
        self.swarm.uploadRate = 100.0
        self.assertEqual(self.run_(3 * UPLOADING_INTERVAL), 3)
