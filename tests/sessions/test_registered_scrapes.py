"""
How many there are of a torrent, as trackers count them: kept of announces, asked for, and asked now and then.
"""

from __future__ import annotations

import sqlite3
from itertools import pairwise
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.trial.unittest import SynchronousTestCase

from tests.sessions.manycase import INTERVAL, ManyCase, NotingStore
from twisted_bt.errors import SessionStopped, TrackerError, UnknownTorrent
from twisted_bt.sessions.client import ClientSession
from twisted_bt.sessions.scrapequeue import scrapeCapacity
from twisted_bt.sessions.scraper import PAUSE, SLACK
from twisted_bt.sessions.station import BURST, LEAST_RATE
from twisted_bt.sessions.trackercounts import TrackerCounts
from twisted_bt.testing.trackers import HOSTILE_TRACKERS, HostileTracker, SimulatedTracker
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.bencoding import encode
from twisted_bt.torrent.metainfo import Metainfo
from twisted_bt.tracker.announce import AnnounceRequest, Event, ScrapeEntry
from twisted_bt.tracker.udpwire import MAX_SCRAPE, AnnounceCall, AnnounceReply, ScrapeReply

#: Seconds between two scrapes of one torrent.
EVERY = 4 * 3600
MOST = (1 << 31) - 1


class ScrapedStore(NotingStore):
    """Notes what was scraped, and when."""

    asked: list[tuple[float, bytes]]
    _announced = b""

    def announce(self, request: AnnounceRequest, addr: PeerAddr | None) -> None:
        """Noted; its answer has counts too, which are no scrape."""
        self._announced = request.infoHash
        super().announce(request, addr)

    def counts(self, infoHash: bytes) -> ScrapeEntry | None:
        """Noted."""
        if infoHash != self._announced:
            self.asked.append((self._seconds(), infoHash))
        self._announced = b""
        return super().counts(infoHash)


class ScrapeCase(ManyCase):
    """The tracker answers over HTTP too, and notes what is scraped."""

    settings: dict[str, Any] = {"scrapeInterval": EVERY}

    def setUp(self) -> None:
        """The tracker runs; the client scrapes every few hours."""
        super().setUp()
        self.simulated = SimulatedTracker(self.network, "tracker.test", interval=INTERVAL)
        self.tracker = self.simulated.host
        self.network.runUntil(self.simulated.stop())
        self.store = self.scrapes = ScrapedStore(self.network_seconds, self.tracker.random, lifetime=1e9)
        self.store.heard = []
        self.scrapes.asked = []
        self.simulated.service.store = self.store
        self.simulated.service.startService()

    def newClient(self, host: Any = None, **settings: Any) -> ClientSession:
        """A client with the settings of the case."""
        return super().newClient(host, **{**self.settings, **settings})

    @property
    def url(self) -> str:
        """Of the tracker."""
        return f"udp://{self.tracker.address}:6969/announce"

    @property
    def http(self) -> str:
        """The other."""
        return f"http://{self.tracker.address}/announce"

    def hashOf(self, number: int, **fields: Any) -> bytes:
        """A torrent is registered: its info-hash."""
        loc = self.torrent(number, **fields)
        self.register(loc)
        return Metainfo.fromBytes(loc.metafilePath.read_bytes()).wireHash

    def peer(self, infoHash: bytes, port: int, left: int, event: Event = Event.STARTED) -> None:
        """Somebody announces himself to the tracker."""
        request = AnnounceRequest(infoHash, b"-XX0001-%012d" % port, port, 0, 0, left, event)
        self.store.announce(request, PeerAddr("198.51.100.99", port))

    def silence(self, *infoHashes: bytes) -> None:
        """They are not announced any more."""
        timetable = self.client.torrentMap.timetable
        self.network.runUntil(gatherResults([timetable.reschedule(each, None) for each in infoHashes]))

    def known(self, infoHash: bytes) -> TrackerCounts | None:
        """What the client says it knows."""
        return self.network.runUntil(self.client.scraped(infoHash))

    def requests(self) -> list[float]:
        """When the tracker was scraped."""
        return list(dict.fromkeys(at for at, _ in self.scrapes.asked))

    def end(self) -> None:
        """The client stops, and what it owes is settled."""
        self.network.runUntil(self.client.stopService())


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


class HostileCounts(HostileTracker):
    """Answers announces as if nothing were, and scrapes with nonsense."""

    kind = "hostile counts"

    def fields(self, asker: PeerAddr) -> dict[bytes, object]:
        """Counts below nothing and beyond all, of a torrent that nobody asked about; and never again."""
        entry = {b"complete": -7, b"incomplete": 1 << 70, b"downloaded": b"many"}
        files: dict[bytes, object] = {self.wanted: entry, b"o" * 20: entry, b"short": entry, b"x" * 20: 5}
        return {b"files": files, b"flags": {b"min_request_interval": 1 << 30}}

    wanted = bytes(20)

    def overUdp(self, request: Any, asker: PeerAddr) -> list[bytes]:
        """All bits set; of more torrents than were asked about."""
        if isinstance(request, AnnounceCall):
            return [AnnounceReply(request.transaction, 1800, 2**32 - 1, 2**32 - 1, ()).encode(asker.isIPv6)]
        return [ScrapeReply(request.transaction, ((2**32 - 1,) * 3,) * 100).encode()]


class Impatient(HostileTracker):
    """Does not want to be asked again for ten minutes."""

    kind = "impatient"

    def overHttp(self, talk: Any, asker: PeerAddr) -> None:
        """Knows every torrent of the test."""
        files = {each: {b"complete": 1, b"incomplete": 2, b"downloaded": 3} for each in self.known}
        talk.answer(encode({b"files": files, b"flags": {b"min_request_interval": 600}}))

    known: tuple[bytes, ...] = ()


class HostileTests(ScrapeCase):
    """Trackers that mean harm, or want to be left alone."""

    def end(self) -> None:
        """Nothing is left of the client's, nor of the tracker's."""
        super().end()
        self.assertEqual(self.host.leftovers(), [])
        self.assertEqual(self.network.failures, [])

    def test_udpCounts(self) -> None:
        """Counts that cannot be are kept as the most there can be."""
        hostile = HostileCounts(self.network)
        infoHash = self.hashOf(0, trackers=[hostile.udp])
        self.network.advance(5)
        counts = self.known(infoHash)
        assert counts is not None
        self.assertEqual((counts.complete, counts.incomplete, counts.downloaded), (MOST, MOST, None))
        self.network.runUntil(self.client.scrape(infoHash))
        counts = self.known(infoHash)
        assert counts is not None
        self.assertEqual((counts.complete, counts.incomplete, counts.downloaded), (MOST, MOST, MOST))
        self.network.advance(60)
        self.end()
        self.network.runUntil(hostile.stop())

    def test_httpCounts(self) -> None:
        """What makes no sense counts as nothing; of other torrents nothing is taken."""
        hostile = HostileCounts(self.network)
        infoHash, other = self.hashOf(0, trackers=[hostile.http]), self.hashOf(1, trackers=[])
        hostile.wanted = infoHash
        self.assertEqual(self.network.runUntil(self.client.scrape(infoHash)), ScrapeEntry(0, 0, 0))
        self.assertIsNone(self.known(other))
        self.assertIsNone(self.known(b"o" * 20))
        reason = self.assertRaises(TrackerError, self.network.runUntil, self.client.scrape(infoHash))
        assert reason.retryIn is not None
        self.assertLessEqual(reason.retryIn, 24 * 3600)
        self.end()
        self.network.runUntil(hostile.stop())

    def test_minInterval(self) -> None:
        """A tracker that says how often it may be scraped is not scraped more often, whoever asks."""
        tracker = Impatient(self.network)
        hashes = [self.hashOf(number, trackers=[tracker.http]) for number in range(100)]
        self.network.advance(120)
        self.silence(*hashes)
        tracker.known = tuple(hashes)
        tracker.asked = 0
        asked = [self.client.scrape(each) for each in hashes]
        self.network.advance(30)
        capacity = scrapeCapacity(tracker.http)
        for each in asked[:capacity]:
            self.assertEqual(self.successResultOf(each), ScrapeEntry(1, 2, 3))
        for each in asked[capacity:]:
            retryIn = self.failureResultOf(each, TrackerError).value.retryIn
            self.assertTrue(560 < retryIn <= 600, retryIn)
        self.assertEqual(tracker.asked, 1)
        self.network.advance(500)
        self.assertEqual(tracker.asked, 1)
        self.network.advance(1.2 * EVERY)
        self.assertTrue(all(self.known(each) is not None for each in hashes))
        self.assertLessEqual(tracker.asked, EVERY / 600)
        self.end()
        self.network.runUntil(tracker.stop())

    def test_hostile(self) -> None:
        """Whatever kind of them answers, over whatever protocol, is an answer or an error, and soon over."""
        for number, kind in enumerate(HOSTILE_TRACKERS.values()):
            with self.subTest(kind.kind):
                hostile = kind(self.network, f"hostile{number}.test")
                asked = [
                    self.client.scrape(self.hashOf(2 * number + index, trackers=[url]))
                    for index, url in enumerate((hostile.http, hostile.udp))
                ]
                self.network.advance(40)
                for each in asked:
                    self.failureResultOf(each, TrackerError)
                self.network.runUntil(hostile.stop())
        self.end()


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
