"""Tests for L{twisted_bt.tracker.httpwire}."""

from __future__ import annotations

import contextlib
import gzip
import math
from random import Random
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.tracker.requests import announcing
from twisted_bt.errors import TrackerError
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.bencoding import encode
from twisted_bt.tracker.announce import AnnounceResponse, Event, ScrapeEntry
from twisted_bt.tracker.httpwire import (
    MAX_PEERS,
    announceURL,
    checkFailure,
    decodeAnnounce,
    decodeScrape,
    gunzip,
    scrapeLimit,
    scrapeURL,
)
from twisted_bt.tracker.urls import LONGEST_URL, TrackerURL

fixed = settings(derandomize=True, deadline=None)
PLAIN = TrackerURL.parse("http://tracker/announce")


class AnnounceURLTests(SynchronousTestCase):
    """L{announceURL}."""

    def test_whole(self) -> None:
        """An announce has the fields of BEP 3, 7 and 23."""
        request = announcing(event=Event.STARTED, key=0xCAFE, numwant=7, ip="1.2.3.4", trackerId=b"\0&x")
        self.assertEqual(
            str(announceURL(PLAIN, request)),
            "http://tracker/announce?info_hash=iiiiiiiiiiiiiiiiiiii&peer_id=-XX0001-abcdefghijkl&port=6881"
            "&uploaded=1&downloaded=2&left=100&compact=1&no_peer_id=1&key=0000CAFE&numwant=7&event=started"
            "&ip=1.2.3.4&trackerid=%00%26x",
        )

    def test_regular(self) -> None:
        """What is not said is left out."""
        url = announceURL(PLAIN, announcing())
        names = [name for name, _ in parse_qsl(url.query, keep_blank_values=True)]
        self.assertEqual(set(names) & {"event", "numwant", "ip", "trackerid"}, set())

    @fixed
    @given(st.binary(min_size=20, max_size=20))
    def test_infoHash(self, infoHash: bytes) -> None:
        """Any info-hash arrives as it was."""
        query = announceURL(PLAIN, announcing(infoHash=infoHash)).query
        first = query.split("&")[0].removeprefix("info_hash=")
        self.assertEqual(unquote_to_bytes(first), infoHash)

    def test_ownQuery(self) -> None:
        """A tracker's own query comes first, byte for byte."""
        for own in ("passkey=a%2bb;c", "x", "p=%ff%FF", "a=b=c&&d"):
            url = announceURL(TrackerURL.parse(f"http://tracker/announce?{own}"), announcing())
            self.assertTrue(str(url).startswith(f"http://tracker/announce?{own}&info_hash="), str(url))
        for bare in ("http://tracker/announce?", "http://tracker/announce"):
            url = announceURL(TrackerURL.parse(bare), announcing())
            self.assertTrue(str(url).startswith("http://tracker/announce?info_hash="), str(url))

    def test_noPath(self) -> None:
        """A tracker without a path is asked at its root."""
        url = announceURL(TrackerURL.parse("http://tracker"), announcing())
        self.assertTrue(str(url).startswith("http://tracker/?info_hash="), str(url))


class ScrapeURLTests(SynchronousTestCase):
    """L{scrapeURL}, with the table of BEP 48."""

    def test_supported(self) -> None:
        """C{announce} behind the last slash becomes C{scrape}."""
        table = {
            "http://example.com/announce": "http://example.com/scrape?info_hash=a",
            "http://example.com/x/announce": "http://example.com/x/scrape?info_hash=a",
            "http://example.com/announce.php": "http://example.com/scrape.php?info_hash=a",
            "http://example.com/announce?x2%0644": "http://example.com/scrape?x2%0644&info_hash=a",
        }
        for url, expected in table.items():
            self.assertEqual(str(scrapeURL(TrackerURL.parse(url), [b"a"])), expected)

    def test_unsupported(self) -> None:
        """Without it there is no scrape."""
        for url in (
            "http://example.com/a",
            "http://example.com/announce?x=2/4",
            "http://example.com/x%064announce",
            "http://example.com",
        ):
            with self.assertRaises(TrackerError, msg=url):
                scrapeURL(TrackerURL.parse(url), [b"a"])

    def test_several(self) -> None:
        """Each info-hash is named."""
        url = scrapeURL(PLAIN, [b"\0\xff", b"&="])
        self.assertEqual(url.query, "info_hash=%00%FF&info_hash=%26%3D")

    def test_limit(self) -> None:
        """As many are asked about as fit into the longest URL, whatever bytes they are of."""
        for url in ("http://tracker/announce", "http://tracker:8080/announce.php?passkey=" + 100 * "k"):
            tracker = TrackerURL.parse(url)
            limit = scrapeLimit(tracker)
            self.assertLessEqual(len(str(scrapeURL(tracker, [bytes(20)] * limit))), LONGEST_URL)
            self.assertGreater(len(str(scrapeURL(tracker, [bytes(20)] * (limit + 1)))), LONGEST_URL)

    def test_leastLimit(self) -> None:
        """One can be asked about, however long the tracker's own URL is."""
        self.assertEqual(scrapeLimit(TrackerURL.parse("http://tracker/announce?k=" + 4050 * "k")), 1)


class DecodeAnnounceTests(SynchronousTestCase):
    """L{decodeAnnounce}."""

    def test_whole(self) -> None:
        """Every field is understood."""
        body = encode(
            {
                b"interval": 1042,
                b"min interval": 10,
                b"peers": b"\1\2\3\4\0\x50" * 2 + b"\5\6\7\x08\0\0",
                b"peers6": bytes(15) + b"\1\0\x51",
                b"complete": 3,
                b"incomplete": 4,
                b"warning message": b"be\nnice",
                b"external ip": b"\x09\x08\x07\x06",
                b"tracker id": b"\0id",
            }
        )
        self.assertEqual(
            decodeAnnounce(body),
            AnnounceResponse(
                interval=1042,
                minInterval=10,
                peers=(PeerAddr("1.2.3.4", 80), PeerAddr("::1", 81)),
                complete=3,
                incomplete=4,
                warning="be nice",
                externalIp="9.8.7.6",
                trackerId=b"\0id",
            ),
        )

    def test_defaults(self) -> None:
        """What is missing, or makes no sense, is as if it was not said."""
        nonsense: dict[bytes, object] = {
            b"interval": -5,
            b"min interval": b"x",
            b"complete": 1 << 40,
            b"incomplete": [],
            b"warning message": 7,
            b"external ip": b"123",
            b"tracker id": b"x" * 1000,
        }
        for answer in ({}, nonsense):
            self.assertEqual(decodeAnnounce(encode(answer)), AnnounceResponse())

    def test_dictionaries(self) -> None:
        """Peers as dictionaries (BEP 3): addresses, names apart, and what is neither left out."""
        peers: list[object] = [
            {b"ip": b"1.2.3.4", b"port": 80, b"peer id": b"x" * 20},
            {b"ip": b"2001:DB8::1", b"port": 81},
            {b"ip": b"::ffff:5.6.7.8", b"port": 82},
            {b"ip": b"peer.example.org", b"port": 83},
            {b"ip": b"1.2.3.4", b"port": 0},
            {b"ip": b"1.2.3.4", b"port": 65536},
            {b"ip": b"1.2.3.4", b"port": b"80"},
            {b"ip": b"no/name", b"port": 80},
            {b"ip": b"\xff", b"port": 80},
            {b"ip": 5, b"port": 80},
            {b"port": 80},
            5,
        ]
        response = decodeAnnounce(encode({b"peers": peers}))
        self.assertEqual(
            response.peers, (PeerAddr("1.2.3.4", 80), PeerAddr("2001:db8::1", 81), PeerAddr("5.6.7.8", 82))
        )
        self.assertEqual(response.names, (("peer.example.org", 83),))

    def test_cut(self) -> None:
        """A list of addresses that ends in the middle of one gives those before."""
        self.assertEqual(decodeAnnounce(b"d5:peers8:\1\2\3\4\0\x50\5\6e").peers, (PeerAddr("1.2.3.4", 80),))

    def test_many(self) -> None:
        """More peers than anybody wants are not kept."""
        packed = b"".join(b"\1\1" + i.to_bytes(2, "big") + b"\0\1" for i in range(3 * MAX_PEERS))
        self.assertEqual(len(decodeAnnounce(encode({b"peers": packed})).peers), MAX_PEERS)
        listed = [{b"ip": b"peer%d" % i, b"port": 1} for i in range(100)]
        self.assertEqual(len(decodeAnnounce(encode({b"peers": listed})).names), 8)

    def test_unusable(self) -> None:
        """What is no answer is refused."""
        for body in (b"", b"<html>", b"le", b"i5e", b"d5:peers", b"d5:peersi5ee", b"d6:peers6lee"):
            with self.assertRaises(TrackerError, msg=repr(body)):
                decodeAnnounce(body)

    def test_trailing(self) -> None:
        """What some trackers put behind their answer does no harm."""
        self.assertEqual(decodeAnnounce(b"d8:intervali7ee\r\n").interval, 7)

    def test_failure(self) -> None:
        """A failure is the tracker's reason."""
        for body, reason in {
            b"d14:failure reason5:no\x1bpee": "no pe",
            b"d14:failure reason0:e": "the tracker refused without a reason",
            b"d14:failure reasoni5ee": "the tracker refused without a reason",
        }.items():
            raised = self.assertRaises(TrackerError, decodeAnnounce, body)
            self.assertEqual((raised.reason, raised.retryIn), (reason, None))

    def test_retryIn(self) -> None:
        """BEP 31: minutes, or never."""
        table: dict[bytes, float | None] = {
            b"i5e": 300.0,
            b"1:5": 300.0,
            b"i0e": 0.0,
            b"5:never": math.inf,
            b"i-1e": None,
            b"4:ever": None,
            b"le": None,
        }
        for value, retryIn in table.items():
            body = b"d14:failure reason2:no8:retry in" + value + b"e"
            self.assertEqual(self.assertRaises(TrackerError, decodeAnnounce, body).retryIn, retryIn)

    def test_checkFailure(self) -> None:
        """An answer with an HTTP error is looked through for a reason, and for nothing else."""
        for body in (b"<html>", b"d8:intervali7ee", b"le", b""):
            checkFailure(body)
        self.assertEqual(
            self.assertRaises(TrackerError, checkFailure, b"d14:failure reason2:noe").reason, "no"
        )

    def test_thousandVariants(self) -> None:
        """Of 1,000 truncated and flipped answers each gives a value or L{TrackerError}."""
        body = encode(
            {
                b"interval": 1800,
                b"peers": [{b"ip": b"1.2.3.4", b"port": 80}, {b"ip": b"peer.example", b"port": 1}],
                b"peers6": bytes(15) + b"\1\0\x51",
                b"external ip": b"\x09\x08\x07\x06",
                b"files": {b"i" * 20: {b"complete": 1, b"name": b"x"}},
                b"retry in": 5,
            }
        )
        random = Random(7)
        outcomes = {AnnounceResponse: 0, TrackerError: 0}
        for _ in range(1000):
            variant = bytearray(body)
            for _ in range(random.randrange(1, 4)):
                variant[random.randrange(len(variant))] = random.randrange(256)
            if random.random() < 0.5:
                del variant[random.randrange(len(variant)) :]
            try:
                outcomes[type(decodeAnnounce(bytes(variant)))] += 1
            except TrackerError:
                outcomes[TrackerError] += 1
            with contextlib.suppress(TrackerError):
                decodeScrape(bytes(variant))
        self.assertGreater(min(outcomes.values()), 50)

    @fixed
    @given(
        st.recursive(
            st.integers() | st.binary(max_size=30),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        [
                            b"peers",
                            b"peers6",
                            b"interval",
                            b"failure reason",
                            b"retry in",
                            b"ip",
                            b"port",
                            b"files",
                        ]
                    ),
                    inner,
                    max_size=5,
                )
            ),
            max_leaves=12,
        )
    )
    def test_anyValue(self, value: Any) -> None:
        """Whatever bencoding can say gives a value or L{TrackerError}."""
        for parse in (decodeAnnounce, decodeScrape):
            with contextlib.suppress(TrackerError):
                parse(encode(value))


class DecodeScrapeTests(SynchronousTestCase):
    """L{decodeScrape}."""

    def test_minInterval(self) -> None:
        """How soon it may be asked again is understood; what is no number of seconds counts as unsaid."""
        for value, expected in ((900, 900), (-1, 0), (1 << 40, 0), (b"900", 0), ([], 0)):
            body = encode({b"files": {}, b"flags": {b"min_request_interval": value}})
            self.assertEqual(decodeScrape(body).minInterval, expected)
        nonsense: tuple[object, ...] = (b"", 5, [], {})
        for flags in nonsense:
            self.assertEqual(decodeScrape(encode({b"files": {}, b"flags": flags})).minInterval, 0)

    def test_whole(self) -> None:
        """Counts by info-hash; entries that are none are left out."""
        body = encode(
            {
                b"files": {
                    b"a" * 20: {b"complete": 1, b"incomplete": 2, b"downloaded": 3, b"name": b"n\n"},
                    b"b" * 20: {b"complete": -1},
                    b"c" * 20: 5,
                    b"short": {},
                }
            }
        )
        self.assertEqual(
            decodeScrape(body),
            {b"a" * 20: ScrapeEntry(1, 2, 3, "n"), b"b" * 20: ScrapeEntry(0, 0, 0)},
        )

    def test_unusable(self) -> None:
        """An answer without files is refused, and so is a failure."""
        for body in (b"de", b"d5:filesi5ee", b"d14:failure reason2:no5:filesdee"):
            with self.assertRaises(TrackerError, msg=repr(body)):
                decodeScrape(body)


class GunzipTests(SynchronousTestCase):
    """L{gunzip}."""

    def test_content(self) -> None:
        """What was packed comes out, up to the limit and not a byte more."""
        packed = gzip.compress(b"x" * 1000)
        self.assertEqual(gunzip(packed, 1000), b"x" * 1000)
        with self.assertRaises(TrackerError):
            gunzip(packed, 999)

    def test_broken(self) -> None:
        """What is cut, damaged or no gzip is refused."""
        packed = gzip.compress(bytes(range(256)))
        for body in (
            b"",
            b"d8:intervali7ee",
            packed[:-1],
            packed[:50],
            packed[:30] + b"\0\0\0" + packed[33:],
        ):
            with self.assertRaises(TrackerError, msg=repr(body)):
                gunzip(body, 1 << 20)
