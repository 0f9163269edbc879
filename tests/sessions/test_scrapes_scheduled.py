"""Tests for scrapes of registered torrents: which come by themselves, and when."""

from __future__ import annotations

from itertools import pairwise

from twisted.trial.unittest import SynchronousTestCase

from tests.sessions.scrapecase import EVERY, ScrapeCase
from twisted_bt.sessions.scraper import PAUSE, SLACK
from twisted_bt.sessions.trackercounts import TrackerCounts
from twisted_bt.testing.trackers import HOSTILE_TRACKERS
from twisted_bt.tracker.udpwire import MAX_SCRAPE


class ScheduledTests(ScrapeCase):
    """Torrents that are not announced are asked about now and then."""

    def test_paused(self) -> None:
        """One that is paused is scraped, at the interval; those that are announced are not."""
        self.register(*self.torrents(5))
        paused = self.hashOf(7)
        self.network.advance(5)
        swarm = self.network.runUntil(self.client.openSwarm(paused))
        self.network.runUntil(swarm.whenChecked())
        self.network.runUntil(swarm.pause())
        self.client.releaseSwarm(paused)
        self.network.advance(EVERY - 60)
        self.assertEqual(self.scrapes.asked, [])  # the answer to its announce is not that old
        self.peer(paused, 1, left=5)
        self.network.advance((1 + SLACK) * EVERY)
        self.assertEqual([each for _, each in self.scrapes.asked], [paused])
        counts = self.known(paused)
        assert counts is not None
        self.assertEqual((counts.complete, counts.incomplete, counts.downloaded), (0, 1, 0))
        self.network.advance(4 * EVERY)
        self.assertTrue(4 <= len(self.scrapes.asked) <= 5, self.scrapes.asked)

    def test_spread(self) -> None:
        """A thousand cost fourteen datagrams in an interval, each a while after the one before."""
        self.register(*self.torrents(1000))
        page = self.network.runUntil(self.client.torrentMap.scrapes.page(b"", 2000))
        self.silence(*(each.infoHash for each in page))
        self.network.advance(EVERY)
        times = self.requests()
        self.assertEqual(len({infoHash for _, infoHash in self.scrapes.asked}), 1000)
        self.assertEqual(len(times), -(-1000 // MAX_SCRAPE))
        self.assertGreaterEqual(min(later - earlier for earlier, later in pairwise(times)), PAUSE - 1)
        self.network.advance(EVERY)
        self.assertEqual(len(self.requests()), 2 * -(-1000 // MAX_SCRAPE))

    def test_restart(self) -> None:
        """The turns outlive a restart."""
        hashes = [self.hashOf(number) for number in range(3)]
        self.silence(*hashes)
        self.network.advance(EVERY / 2)
        self.assertEqual(len(self.scrapes.asked), 3)
        self.restart()
        self.network.advance(EVERY / 4)
        self.assertEqual(len(self.scrapes.asked), 3)
        self.network.advance(EVERY / 2)
        self.assertEqual(len(self.scrapes.asked), 6)

    def test_never(self) -> None:
        """Whoever does not want it sets the interval to 0."""
        self.end()
        self.client = self.newClient(scrapeInterval=0)
        self.silence(self.hashOf(0))
        self.network.advance(2 * EVERY)
        self.assertEqual(self.scrapes.asked, [])

    def test_leftOut(self) -> None:
        """Private torrents, and those whose trackers cannot be scraped, are left out without a word."""
        self.silence(
            self.hashOf(0, private=True),
            self.hashOf(1, trackers=[f"http://{self.tracker.address}/tracker"]),
            self.hashOf(2, trackers=[]),
        )
        self.network.advance(2 * EVERY)
        self.assertEqual(self.scrapes.asked, [])
        self.assertEqual(self.network.failures, [])

    def test_silentTracker(self) -> None:
        """A tracker that does not answer is asked less and less often, and again when it is back."""
        hashes = [self.hashOf(number) for number in range(100)]
        self.silence(*hashes)
        self.network.advance(5)
        self.tracker.online = False
        self.network.advance(EVERY / 4)
        self.assertEqual(self.scrapes.asked, [])
        self.tracker.online = True
        self.network.advance(EVERY / 2)
        self.assertEqual({infoHash for _, infoHash in self.scrapes.asked}, set(hashes))

    def test_growing(self) -> None:
        """How often a silent tracker is asked does not depend on how many torrents it has."""
        silent = HOSTILE_TRACKERS["silence"](self.network, "silent.test")
        hashes = [self.hashOf(number, trackers=[silent.udp]) for number in range(200)]
        self.silence(*hashes)
        self.network.advance(600)
        silent.asked = 0
        self.network.advance(24 * 3600)
        self.assertTrue(20 <= silent.asked <= 80, silent.asked)  # each time twice, as datagrams get lost
        self.end()
        self.network.runUntil(silent.stop())

    def test_stopping(self) -> None:
        """What was not answered when the client stops has its turn in the next run."""
        hashes = [self.hashOf(number) for number in range(3)]
        self.silence(*hashes)
        self.tracker.online = False
        self.network.advance(PAUSE + 5)
        self.end()
        self.assertEqual(self.host.leftovers(), [])
        self.tracker.online = True
        self.client = self.newClient()
        self.network.advance(PAUSE + 5)
        self.assertEqual({infoHash for _, infoHash in self.scrapes.asked}, set(hashes))

    def test_wrongClock(self) -> None:
        """Times that lie ahead, since a clock was wrong, keep nobody from being asked about."""
        infoHash = self.hashOf(0)
        self.silence(infoHash)
        ahead = {infoHash: TrackerCounts(1, 1, 1, self.host.wallClock() + 1e8)}
        self.network.runUntil(self.client.torrentMap.scrapes.keep(ahead))
        self.network.advance(2 * EVERY)
        self.assertEqual([each for _, each in self.scrapes.asked], [infoHash])


class DeterministicTests(SynchronousTestCase):
    """The same seed gives the same scrapes."""

    def test_same(self) -> None:
        """Two runs of the same ask for the same at the same times."""
        runs = []
        for _ in range(2):
            case = ScheduledTests("test_spread")
            case.setUp()
            hashes = [case.hashOf(number) for number in range(100)]
            case.silence(*hashes)
            case.network.advance(EVERY)
            runs.append(case.scrapes.asked)
            case.tearDown()
        self.assertEqual(runs[0], runs[1])
        self.assertEqual(len(runs[0]), 100)
