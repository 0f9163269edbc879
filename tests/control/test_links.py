"""Tests for L{twisted_bt.control.links}."""

from __future__ import annotations

import json
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.control.links import describeMagnet, magnetLines, magnetOf, nameOf
from twisted_bt.torrent.create import createMetainfo
from twisted_bt.torrent.magnet import Magnet

FULL = Magnet(
    infoHash=b"\x01" * 20,
    infoHashV2=b"\x02" * 32,
    name="näme\x1b[2J",
    trackers=("http://a/announce", "udp://b:80/announce"),
    webSeeds=("http://seed/",),
    peers=(("host", 1), ("::1", 2)),
    selectOnly=(range(1), range(3, 6)),
    length=2048,
    nodes=(("node", 3),),
    publicKey=b"\x03" * 32,
    salt=b"\x04",
)


class MagnetOfTests(SynchronousTestCase):
    """The link of a torrent."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()) / "näme & more"
        self.folder.mkdir(parents=True)
        (self.folder / "a").write_bytes(b"x" * 20_000)
        (self.folder / "b").write_bytes(b"y" * 5)

    def test_all(self) -> None:
        """It names the hashes, the name, the size without padding, each tracker once, and the web seeds."""
        metainfo = createMetainfo(
            self.folder,
            pieceLength=1 << 14,
            trackers=[["http://a/announce", "udp://b:80/announce"], "http://a/announce"],
            webSeeds=["http://seed/"],
            hybrid=True,
        )
        magnet = magnetOf(metainfo, [("host", 1)])
        self.assertEqual(
            magnet,
            Magnet(
                infoHash=metainfo.infoHash,
                infoHashV2=metainfo.infoHashV2,
                name="näme & more",
                trackers=("http://a/announce", "udp://b:80/announce"),
                webSeeds=("http://seed/",),
                peers=(("host", 1),),
                length=20_005,
            ),
        )
        self.assertEqual(Magnet.parse(magnet.uri()), magnet)


class DescribeTests(SynchronousTestCase):
    """A link as JSON and as lines."""

    def test_object(self) -> None:
        """Every key has its value, in an order that stays."""
        described = describeMagnet("magnet:?...", FULL)
        self.assertEqual(
            list(described.items()),
            [
                ("magnet", "magnet:?..."),
                ("name", "näme\x1b[2J"),
                ("infoHash", "01" * 20),
                ("infoHashV2", "02" * 32),
                ("length", 2048),
                ("trackers", ["http://a/announce", "udp://b:80/announce"]),
                ("webSeeds", ["http://seed/"]),
                ("peers", [["host", 1], ["::1", 2]]),
                ("selectOnly", [[0, 0], [3, 5]]),
                ("nodes", [["node", 3]]),
                ("publicKey", "03" * 32),
                ("salt", "04"),
            ],
        )
        self.assertEqual(json.loads(json.dumps(described)), described)

    def test_absent(self) -> None:
        """What a link does not say is null or empty."""
        described = describeMagnet("m", Magnet(b"\x01" * 20))
        for key in ("infoHashV2", "length", "publicKey"):
            self.assertIsNone(described[key])
        for key in ("name", "trackers", "webSeeds", "peers", "selectOnly", "nodes", "salt"):
            self.assertFalse(described[key])

    def test_lines(self) -> None:
        """For people the same is in lines of which none can move a terminal's cursor."""
        lines = list(magnetLines(FULL))
        self.assertTrue(all(line.isprintable() for line in lines), lines)
        self.assertEqual(
            [(line[:14].rstrip(), line[14:]) for line in lines],
            [
                ("name", "näme\ufffd[2J"),
                ("info-hash", "01" * 20),
                ("info-hash v2", "02" * 32),
                ("public key", "03" * 32),
                ("salt", "04"),
                ("size", "2.0 KiB (2048 bytes)"),
                ("tracker", "http://a/announce"),
                ("tracker", "udp://b:80/announce"),
                ("web seed", "http://seed/"),
                ("peer", "host:1"),
                ("peer", "[::1]:2"),
                ("only files", "0, 3-5"),
                ("DHT node", "node:3"),
            ],
        )

    def test_name(self) -> None:
        """A link without a name is called by its hash."""
        self.assertEqual(nameOf(Magnet(b"\x01" * 20, name="x")), "x")
        self.assertEqual(nameOf(Magnet(b"\x01" * 20)), "01" * 20)
        self.assertEqual(nameOf(Magnet(infoHashV2=b"\x02" * 32)), "02" * 32)
