"""Tests for L{twisted_bt.control.describe}."""

from __future__ import annotations

import json
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.conformance import ConformanceTestCase, dataFile, expected
from twisted_bt.control.describe import describe, describeLines, describeRefused, printable
from twisted_bt.errors import MetainfoError
from twisted_bt.torrent.create import createMetainfo
from twisted_bt.torrent.metainfo import Metainfo

KEYS = [
    "file",
    "name",
    "infoHash",
    "infoHashV2",
    "pieceLength",
    "pieceCount",
    "totalSize",
    "files",
    "trackers",
    "webSeeds",
    "private",
    "comment",
    "createdBy",
    "creationDate",
    "nodes",
]


class DescribeTests(SynchronousTestCase):
    """A torrent as JSON and as lines."""

    def setUp(self) -> None:
        folder = Path(self.mktemp()) / "näme"
        (folder / "b").mkdir(parents=True)
        (folder / "a").write_bytes(b"x" * 20_000)
        (folder / "b" / "c").write_bytes(b"y" * 5)
        (folder / "b" / "empty").write_bytes(b"")
        self.folder = folder

    def made(self, hybrid: bool = False) -> Metainfo:
        """A torrent with something in every field."""
        return createMetainfo(
            self.folder,
            pieceLength=1 << 14,
            trackers=[["http://a/announce", "udp://b:80/announce"], "http://c/announce"],
            webSeeds=["http://seed/"],
            private=True,
            comment="two\nlines",
            createdBy="me",
            creationDate=1_700_000_000,
            hybrid=hybrid,
        )

    def test_object(self) -> None:
        """Every key has its value, in an order that stays."""
        metainfo = self.made()
        described = describe("x.torrent", metainfo)
        self.assertEqual(list(described), KEYS)
        assert metainfo.infoHash is not None
        self.assertEqual(
            described,
            {
                "file": "x.torrent",
                "name": "näme",
                "infoHash": metainfo.infoHash.hex(),
                "infoHashV2": None,
                "pieceLength": 16384,
                "pieceCount": 2,
                "totalSize": 20_005,
                "files": [
                    {"path": "näme/a", "length": 20_000},
                    {"path": "näme/b/c", "length": 5},
                    {"path": "näme/b/empty", "length": 0},
                ],
                "trackers": [["http://a/announce", "udp://b:80/announce"], ["http://c/announce"]],
                "webSeeds": ["http://seed/"],
                "private": True,
                "comment": "two\nlines",
                "createdBy": "me",
                "creationDate": 1_700_000_000,
                "nodes": [],
            },
        )
        self.assertEqual(json.loads(json.dumps(described)), described)

    def test_absent(self) -> None:
        """What a torrent does not say is empty, or null where empty could be said."""
        described = describe("x", createMetainfo(self.folder, createdBy=None))
        for key in ("trackers", "webSeeds", "nodes"):
            self.assertEqual(described[key], [])
        self.assertEqual((described["comment"], described["createdBy"]), ("", ""))
        self.assertIsNone(described["creationDate"])
        self.assertIs(described["private"], False)

    def test_hybrid(self) -> None:
        """A hybrid has both hashes; padding is not among its files, but in its size."""
        described = describe("x", self.made(hybrid=True))
        self.assertEqual((len(described["infoHash"]), len(described["infoHashV2"])), (40, 64))
        self.assertEqual([each["length"] for each in described["files"]], [20_000, 5, 0])
        self.assertEqual(described["totalSize"], 2 * 16384 + 5)

    def test_refused(self) -> None:
        """A file that is no torrent has a reason."""
        self.assertEqual(describeRefused("f", "why"), {"file": "f", "error": "why"})

    def test_lines(self) -> None:
        """For people the same is in lines of which none can move a terminal's cursor."""
        lines = list(describeLines(self.made()))
        self.assertTrue(all(line.isprintable() for line in lines), lines)
        text = "\n".join(lines)
        for part in (
            "näme/b/c",
            "19.5 KiB",
            "http://c/announce",
            "two\ufffdlines",
            "2023-11-14 22:13:20 UTC",
        ):
            self.assertIn(part, text)

    def test_printable(self) -> None:
        """Control characters are replaced, letters of any script stay."""
        self.assertEqual(printable("a\x1b[2Jb\x07\u202eж\n"), "a\ufffd[2Jb\ufffd\ufffdж\ufffd")


class OthersTests(ConformanceTestCase):
    """Torrents of other engines, as others describe them."""

    def test_allDescribed(self) -> None:
        """What we accept is described with the hashes, sizes and trackers that the oracle gives."""
        count = 0
        for path, oracle in expected().items():
            try:
                metainfo = Metainfo.fromBytes(dataFile(path))
            except MetainfoError:
                continue
            if not oracle["ok"]:
                continue
            described = describe(path, metainfo)
            self.assertEqual(described["infoHash"], oracle["info_hash_v1"], path)
            self.assertEqual(described["infoHashV2"], oracle["info_hash_v2"], path)
            self.assertEqual(described["pieceCount"], oracle["num_pieces"], path)
            self.assertEqual(described["totalSize"], oracle["total_size"], path)
            self.assertEqual(described["nodes"], oracle["dht_nodes"], path)
            self.assertEqual(len(described["files"]), sum(not pad for *_, pad in oracle["files"]), path)
            self.assertEqual(set(described), set(KEYS))
            json.dumps(described)
            count += 1
        self.assertGreater(count, 20)
