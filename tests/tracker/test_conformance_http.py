"""The conformance vectors of HTTP trackers' answers."""

from __future__ import annotations

from tests.conformance import ConformanceTestCase, cases, dataFile, fromHex
from twisted_bt.errors import TrackerError
from twisted_bt.torrent.bencoding import decode
from twisted_bt.tracker.announce import ScrapeEntry
from twisted_bt.tracker.httpwire import decodeAnnounce, decodePeer, decodePeers, decodeScrape, gunzip


class TrackerVectorTests(ConformanceTestCase):
    """The sections C{http_tracker_response} and C{gzip} of the vectors."""

    def test_announces(self) -> None:
        """Bodies of announces give what other clients read in them."""
        for case in cases("http_tracker_response"):
            if case["kind"] != "announce":
                continue
            body, expect = fromHex(case["body"]), case["expect"]
            if "non-compact" in expect.get("why", ""):
                self.assertEqual(decodeAnnounce(body).peers, ())  # as anacrolix, and not as pxqr
            elif not expect["ok"]:
                with self.assertRaises(TrackerError, msg=case["id"]):
                    decodeAnnounce(body)
            else:
                response = decodeAnnounce(body)
                self.assertEqual(response.interval, expect.get("interval", 1800), case["id"])
                self.assertEqual(response.minInterval, expect.get("min_interval", 0), case["id"])
                self.assertEqual(response.warning, expect.get("warning_message", ""), case["id"])
                self.assertEqual(list(response.peers), expect["peers"], case["id"])

    def test_peers(self) -> None:
        """One peer's dictionary, and values of C{peers}."""
        for case in cases("http_tracker_response"):
            body, expect = fromHex(case["body"]), case["expect"]
            if case["kind"] == "one peer dictionary":
                value = decode(body, 1000)
                if expect["ok"]:
                    wanted = (expect["peer"]["host"], expect["peer"]["port"])
                    self.assertEqual(decodePeer(value), wanted, case["id"])
                else:
                    with self.assertRaises(TrackerError, msg=case["id"]):
                        decodePeer(value)
            elif "only" in case["kind"]:
                key = b"6:peers6" if "peers6" in expect else b"5:peers"
                found = decodeAnnounce(b"d" + key + body + b"e").peers
                if "peers" in expect:
                    listed = [(each["host"], each["port"]) for each in expect["peers"]]
                    self.assertEqual([tuple(each) for each in found], listed, case["id"])
                    self.assertEqual(decodePeers(decode(body, 1000))[0], list(found))
                else:
                    wanted = expect.get("peers4", expect.get("peers6"))
                    self.assertEqual([str(each) for each in found], wanted, case["id"])

    def test_scrapes(self) -> None:
        """Bodies of scrapes; the one that BEP 48 misprints is refused."""
        for case in cases("http_tracker_response"):
            if case["kind"] != "scrape":
                continue
            body, expect = fromHex(case["body"]), case["expect"]
            if "DEFECTIVE" in expect.get("status", ""):
                with self.assertRaises(TrackerError, msg=case["id"]):
                    decodeScrape(body)
                continue
            if "constructed" in case:
                body += b"e"  # the correction of BEP 48's misprint still lacks the end of the outermost
            found = decodeScrape(body)
            if "rows" in expect:
                rows = {name[:1].encode() * 20: row for name, row in expect["rows"].items()}
            else:
                rows = {bytes.fromhex(case["info_hash_hex"]): expect}
            self.assertEqual(
                found,
                {
                    infoHash: ScrapeEntry(row["complete"], row["incomplete"], row["downloaded"])
                    for infoHash, row in rows.items()
                },
                case["id"],
            )

    def test_gzip(self) -> None:
        """The gzip bodies inflate to what Python's own module says."""
        for case in cases("gzip"):
            length = case["python_gzip"]["length"]
            content = gunzip(dataFile(case["data_file"]), length)
            self.assertEqual(content, bytes(length), case["id"])
