"""Tests for scrapes of registered torrents by trackers that say what is not so."""

from __future__ import annotations

from typing import Any

from tests.sessions.scrapecase import EVERY, MOST, ScrapeCase
from twisted_bt.errors import TrackerError
from twisted_bt.sessions.scrapequeue import scrapeCapacity
from twisted_bt.testing.trackers import HOSTILE_TRACKERS, HostileTracker
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.bencoding import encode
from twisted_bt.tracker.announce import ScrapeEntry
from twisted_bt.tracker.udpwire import AnnounceCall, AnnounceReply, ScrapeReply


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
