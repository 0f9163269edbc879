"""
How many there are of a torrent, as trackers count them: kept of announces, asked for, and asked now and then.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, gatherResults

from tests.sessions.manycase import INTERVAL
from tests.sessions.scrapecase import ScrapeCase
from twisted_bt.errors import SessionStopped, TrackerError, UnknownTorrent
from twisted_bt.sessions.scrapequeue import scrapeCapacity
from twisted_bt.sessions.station import BURST, LEAST_RATE
from twisted_bt.tracker.announce import Event, ScrapeEntry
from twisted_bt.tracker.udpwire import MAX_SCRAPE


class KeptTests(ScrapeCase):
    """What trackers said is remembered."""

    def test_announced(self) -> None:
        """An announce's answer says how many there are; later runs know it without asking."""
        infoHash = self.hashOf(0)
        self.peer(infoHash, 1, left=5)
        begun = self.host.wallClock()
        self.network.advance(5)
        counts = self.known(infoHash)
        assert counts is not None
        self.assertEqual((counts.complete, counts.incomplete, counts.downloaded), (1, 1, None))
        self.assertTrue(begun <= counts.at <= begun + 5, counts.at)
        self.network.advance(60)
        self.assertEqual(self.known(infoHash), counts)
        self.tracker.online = False
        self.restart()
        self.assertEqual(self.known(infoHash), counts)
        self.assertEqual(self.scrapes.asked, [])

    def test_written(self) -> None:
        """It goes into the row of the announce, which is written anyway."""
        infoHash = self.hashOf(0)
        self.network.advance(5)
        self.end()
        connection = sqlite3.connect(self.stateDir / "state.sqlite")
        row = connection.execute("SELECT infoHash, complete, incomplete FROM announces").fetchall()
        connection.close()
        self.assertEqual(row, [(infoHash, 1, 0)])

    def test_older(self) -> None:
        """A state of a version that kept no counts has room for them from then on, and lacks nothing."""
        infoHash = self.hashOf(0)
        self.network.advance(5)
        self.end()
        connection = sqlite3.connect(self.stateDir / "state.sqlite")
        with connection:
            connection.execute("DROP INDEX announcesSilent")
            for each in ("complete", "incomplete", "downloads", "countedAt", "askedAt"):
                connection.execute(f"ALTER TABLE announces DROP COLUMN {each}")
            connection.execute("PRAGMA user_version = 1")
        connection.close()
        self.restart()
        self.assertIsNone(self.known(infoHash))
        self.network.advance(INTERVAL + 10)
        counts = self.known(infoHash)
        assert counts is not None
        self.assertEqual((counts.complete, counts.incomplete), (1, 0))

    def test_added(self) -> None:
        """Of an open swarm that announces itself it is known too."""
        loc = self.torrent(0)
        swarm = self.network.runUntil(self.client.addTorrent(loc.metafilePath, self.folder))
        self.assertIsNone(self.known(swarm.infoHash))
        self.network.advance(5)
        counts = self.known(swarm.infoHash)
        assert counts is not None
        self.assertEqual((counts.complete, counts.incomplete), (1, 0))
        self.network.runUntil(self.client.scrape(swarm.infoHash))
        counts = self.known(swarm.infoHash)
        assert counts is not None
        self.assertEqual(counts.downloaded, 0)

    def test_closed(self) -> None:
        """What a swarm heard that announced itself is kept when it closes."""
        infoHash = self.hashOf(0)
        self.network.runUntil(self.client.scrape(infoHash))
        swarm = self.network.runUntil(self.client.openSwarm(infoHash))
        self.network.runUntil(swarm.whenChecked())
        self.peer(infoHash, 1, left=5)
        swarm.announcing.start()
        self.network.advance(5)
        self.tracker.online = False
        self.client.releaseSwarm(infoHash)
        self.network.advance(300)
        self.assertEqual(self.client.getSwarmCount(), 0)
        counts = self.client.torrentMap.scrapes.counts(infoHash)
        assert counts is not None
        self.assertEqual((counts.complete, counts.incomplete, counts.downloaded), (1, 1, 0))

    def test_nothing(self) -> None:
        """Of what no tracker spoke of, nothing is known."""
        self.assertIsNone(self.known(b"x" * 20))
        self.assertIsNone(self.known(self.hashOf(0, trackers=[])))

    def test_stopped(self) -> None:
        """A client that does not run knows nothing."""
        self.end()
        for asked in (self.client.scraped(b"x" * 20), self.client.scrape(b"x" * 20), self.client.scrapeAll()):
            self.failureResultOf(asked, SessionStopped)


class AskedTests(ScrapeCase):
    """Somebody wants to know how many there are."""

    def test_scrape(self) -> None:
        """A registered torrent is asked about without being opened; the answer is remembered."""
        infoHash = self.hashOf(0)
        self.network.advance(5)
        self.peer(infoHash, 1, left=5)
        self.peer(infoHash, 1, left=0, event=Event.COMPLETED)
        self.peer(infoHash, 2, left=5)
        entry = self.network.runUntil(self.client.scrape(infoHash))
        self.assertEqual(entry, ScrapeEntry(2, 1, 1))
        counts = self.known(infoHash)
        assert counts is not None
        self.assertEqual((counts.complete, counts.incomplete, counts.downloaded), (2, 1, 1))
        self.network.advance(INTERVAL + 10)  # announces do not say how often it was downloaded
        counts = self.known(infoHash)
        assert counts is not None
        self.assertEqual(counts.downloaded, 1)
        self.assertEqual(self.client.getSwarmCount(), 0)

    def test_together(self) -> None:
        """A thousand asked for in one turn take as many datagrams as they fill, not a thousand."""
        self.register(*self.torrents(1000))
        page = self.network.runUntil(self.client.torrentMap.scrapes.page(b"", 2000))
        asked = [self.client.scrape(each.infoHash) for each in page]
        found = self.network.runUntil(gatherResults(asked))
        self.assertEqual(len(found), 1000)
        self.assertEqual(len(self.requests()), -(-1000 // MAX_SCRAPE))
        self.assertEqual(len({infoHash for _, infoHash in self.scrapes.asked}), 1000)

    def test_pace(self) -> None:
        """However many are asked for, one host is not asked faster than its pace."""
        self.end()
        self.client = self.newClient(scrapeInterval=0)
        self.register(*self.torrents(1500))
        self.silence(
            *(each.infoHash for each in self.network.runUntil(self.client.torrentMap.scrapes.page(b"", 2000)))
        )
        self.network.advance(600)
        self.scrapes.asked.clear()
        begun = self.network_seconds()
        self.assertEqual(self.network.runUntil(self.client.scrapeAll()), 1500)
        took = self.network_seconds() - begun
        rate = max(LEAST_RATE, 1.25 * 1500 / INTERVAL)
        self.assertLessEqual(len(self.requests()), BURST + rate * took + 1)
        self.assertGreater(took, 5)

    def test_all(self) -> None:
        """All that are registered can be asked about in one go; private ones are not."""
        self.register(*self.torrents(999), self.torrent(1000, private=True))
        self.assertEqual(self.network.runUntil(self.client.scrapeAll()), 999)
        self.assertEqual(len(self.requests()), -(-999 // MAX_SCRAPE))
        self.assertIsNotNone(self.known(self.scrapes.asked[-1][1]))

    def test_http(self) -> None:
        """Over HTTP as many are asked about as a URL may be long; each gets its own answer."""
        url = self.http
        self.register(*(self.torrent(number, trackers=[url]) for number in range(150)))
        self.network.advance(200)
        self.scrapes.asked.clear()
        page = self.network.runUntil(self.client.torrentMap.scrapes.page(b"", 2000))
        for number, each in enumerate(page):
            for port in range(number % 3):
                self.peer(each.infoHash, port + 1, left=5)
        found = self.network.runUntil(
            gatherResults([self.client.scrape(each.infoHash) for each in page]), 300
        )
        self.assertEqual([each.incomplete for each in found], [number % 3 for number in range(150)])
        self.assertTrue(40 < scrapeCapacity(url) <= MAX_SCRAPE, scrapeCapacity(url))
        self.assertEqual(len(self.requests()), -(-150 // scrapeCapacity(url)))

    def test_twice(self) -> None:
        """Whoever asks for the same torrent in the same turn gets the same answer of one question."""
        infoHash = self.hashOf(0)
        asked = [self.client.scrape(infoHash) for _ in range(3)]
        asked[1].cancel()
        self.failureResultOf(asked[1], CancelledError)
        self.assertEqual(self.network.runUntil(asked[0]), self.network.runUntil(asked[2]))
        self.assertEqual(len(self.scrapes.asked), 1)

    def test_nextTracker(self) -> None:
        """Trackers that are silent, cannot be scraped, or do not know it are passed over (BEP 12)."""
        silent = f"udp://{self.network.host().address}:6969/announce"
        plain = f"http://{self.tracker.address}/tracker"
        infoHash = self.hashOf(0, trackers=[plain, self.http, silent, self.url])
        found = self.network.runUntil(self.client.scrape(infoHash), 90)
        self.assertEqual((found.incomplete, found.downloaded), (0, 0))

    def test_refused(self) -> None:
        """What is not known, or has no tracker that can be asked, is said to be so."""
        with self.assertRaises(UnknownTorrent):
            self.network.runUntil(self.client.scrape(b"x" * 20))
        for number, urls in enumerate(
            ([], ["wss://there/announce"], [f"http://{self.tracker.address}/tracker"])
        ):
            asked = self.client.scrape(self.hashOf(number, trackers=urls))
            self.assertRaises(TrackerError, self.network.runUntil, asked)
        unknown = self.hashOf(9, trackers=[self.http])
        self.network.runUntil(self.client.unregisterTorrent(unknown))
        self.assertRaises(UnknownTorrent, self.network.runUntil, self.client.scrape(unknown))

    def test_silent(self) -> None:
        """A silent tracker is an error for all who asked, in the time of one answer; it may be asked anew."""
        self.register(*self.torrents(200))
        self.network.advance(120)
        page = self.network.runUntil(self.client.torrentMap.scrapes.page(b"", 2000))
        self.tracker.online = False
        asked = [self.client.scrape(each.infoHash) for each in page]
        self.network.advance(35)
        for each in asked:
            self.assertGreater(self.failureResultOf(each, TrackerError).value.retryIn, 0)
        self.tracker.online = True
        self.network.runUntil(self.client.scrape(page[0].infoHash))

    def test_stopping(self) -> None:
        """Stopping ends what is under way, and what waits for its turn."""
        self.register(*self.torrents(200))
        page = self.network.runUntil(self.client.torrentMap.scrapes.page(b"", 2000))
        self.tracker.online = False
        asked: list[Deferred[Any]] = [self.client.scrape(each.infoHash) for each in page]
        asked.append(self.client.scrapeAll())
        self.network.advance(1)
        asked.append(self.client.scrape(page[0].infoHash))
        self.end()
        for each in asked:
            self.failureResultOf(each, SessionStopped)
        self.assertEqual(self.host.leftovers(), [])
