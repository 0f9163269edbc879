"""Tests for L{twisted_bt.torrent.create}."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha1
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.errors import MetainfoError
from twisted_bt.torrent import merkle
from twisted_bt.torrent.create import choosePieceLength, createMetainfo, creation
from twisted_bt.torrent.metainfo import Metainfo

PIECE = 32768


class CreateTests(SynchronousTestCase):
    """L{createMetainfo} and L{creation}."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name) / "content"
        random = Random(3)
        for name, length in (
            ("b/empty", 0),
            ("b/one", 1),
            ("a", PIECE + 5),
            ("b.txt", 3 * PIECE),
            ("C", 20000),
            ("z", 7 * PIECE - 1),
        ):
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(random.randbytes(length))

    def content(self, metainfo: Metainfo) -> bytes:
        """What the files of C{metainfo} hold, padding included."""
        found = b""
        for each in metainfo.files:
            data = bytes(each.length) if each.isPad else self.root.parent.joinpath(*each.path).read_bytes()
            self.assertEqual((len(data), len(found)), (each.length, each.offset))
            found += data
        return found

    def check(self, metainfo: Metainfo) -> None:
        """Each piece of C{metainfo} has its hash."""
        data = self.content(metainfo)
        self.assertEqual(len(data), metainfo.totalSize)
        for index in range(metainfo.layout.pieceCount):
            start = metainfo.layout.pieceOffset(index)
            piece = data[start : start + metainfo.layout.pieceSize(index)]
            self.assertEqual(metainfo.pieceHash(index), sha1(piece).digest())

    def test_folder(self) -> None:
        """Files come in the order of their bytes, element by element, and pieces go over their borders."""
        m = createMetainfo(self.root, PIECE)
        self.assertEqual(
            ["/".join(each.path[1:]) for each in m.files], ["C", "a", "b/empty", "b/one", "b.txt", "z"]
        )
        self.assertEqual((m.name, m.infoHashV2), ("content", None))
        self.check(m)

    def test_hybrid(self) -> None:
        """In a hybrid each file begins a piece and has the root of its tree, and long ones their layer."""
        m = createMetainfo(self.root, PIECE, hybrid=True)
        self.check(m)
        self.assertEqual(
            [(each.path[1], each.offset // PIECE) for each in m.files if not each.isPad and each.length],
            [("C", 0), ("a", 1), ("b", 3), ("b.txt", 4), ("z", 7)],
        )
        for each in m.files:
            if each.isPad or not each.length:
                self.assertIsNone(each.piecesRoot)
                continue
            leaves = merkle.blockHashes(self.root.parent.joinpath(*each.path).read_bytes())
            self.assertEqual(each.piecesRoot, merkle.root(leaves))
            layer = m.pieceLayers.get(each.piecesRoot or b"")
            self.assertEqual(layer is not None, each.length > PIECE)
        self.assertFalse(m.files[-1].isPad)

    def test_single(self) -> None:
        """A file alone makes a torrent of one file, hybrid or not."""
        for hybrid in (False, True):
            m = createMetainfo(self.root / "a", 16384, hybrid=hybrid)
            self.assertEqual([each.path for each in m.files], [("a",)])
            self.assertEqual((m.isFolder, m.totalSize), (False, PIECE + 5))
            self.assertEqual(m.pieceHash(0), sha1((self.root / "a").read_bytes()[:16384]).digest())

    def test_longPieces(self) -> None:
        """Pieces that are longer than what is read at a time are hashed over all of it."""
        path = self.root / "long"
        path.write_bytes(Random(1).randbytes(3_500_000))
        for hybrid in (False, True):
            m = createMetainfo(path, 1 << 21, hybrid=hybrid)
            data = path.read_bytes()
            self.assertEqual(m.pieceHashes, sha1(data[: 1 << 21]).digest() + sha1(data[1 << 21 :]).digest())

    def test_oddPieceLength(self) -> None:
        """Version 1 takes any piece length."""
        self.check(createMetainfo(self.root, 10_000))

    def test_fields(self) -> None:
        """What was asked for is said."""
        m = createMetainfo(
            self.root,
            trackers=["http://a/", ["udp://b:1", "udp://c:1"]],
            webSeeds=["http://w/content/"],
            private=True,
            comment="\u00e9",
            createdBy="me",
            creationDate=5,
            source="S",
        )
        self.assertEqual(m.trackers, (("http://a/",), ("udp://b:1", "udp://c:1")))
        self.assertEqual(m.webSeeds, ("http://w/content/",))
        self.assertEqual((m.private, m.comment, m.createdBy, m.creationDate), (True, "\u00e9", "me", 5))
        self.assertEqual(m.source, "S")
        self.assertNotEqual(m.infoHash, createMetainfo(self.root, private=True).infoHash)
        self.assertEqual(Metainfo.fromBytes(m.encode()), m)

    def test_repeatable(self) -> None:
        """The same content makes the same torrent."""
        self.assertEqual(createMetainfo(self.root), createMetainfo(str(self.root)))

    def test_steps(self) -> None:
        """Progress is told in bytes, growing to the whole, at most a megabyte at a time."""
        (self.root / "big").write_bytes(bytes(2_500_000))
        steps = list(creation(self.root))
        totals = {total for _, total in steps}
        self.assertEqual(
            totals, {sum(path.stat().st_size for path in self.root.rglob("*") if path.is_file())}
        )
        done = [0, *(each for each, _ in steps)]
        self.assertEqual(done[-1], totals.pop())
        for before, after in pairwise(done):
            self.assertTrue(0 < after - before <= 1 << 20)

    def test_pieceLength(self) -> None:
        """Chosen pieces are few but not huge."""
        few = 16384 * 2000
        for total, length in ((1, 16384), (few, 16384), (few + 1, 32768), (1 << 50, 1 << 24)):
            self.assertEqual(choosePieceLength(total), length)

    def refused(self, reason: str, path: Path | None = None, **how: Any) -> None:
        """No torrent is made, for a reason that is told."""
        with self.assertRaises(MetainfoError) as caught:
            createMetainfo(self.root if path is None else path, **how)
        self.assertIn(reason, str(caught.exception))

    def test_arguments(self) -> None:
        """Arguments that cannot be are refused before anything is read."""
        for length in (0, -1, 1 << 30):
            self.refused("pieces cannot have", pieceLength=length)
        self.refused("power of two", pieceLength=10_000, hybrid=True)
        self.refused("not the URL of a tracker", trackers=["ftp://x/"])
        self.refused("not the URL of a web seed", webSeeds=["nonsense"])

    def test_unreadable(self) -> None:
        """What is not there, or has no bytes, makes no torrent."""
        self.refused("cannot read", self.root / "missing")
        self.refused("nothing in", self.root / "b" / "empty")
        (self.root / "none").mkdir()
        self.refused("nothing in", self.root / "none")

    def test_changing(self) -> None:
        """A file that grows, shrinks or vanishes while it is read makes no torrent."""
        last = self.root / "z"

        def meanwhile(change: Callable[[], object]) -> None:
            steps = creation(self.root, PIECE)
            next(steps)
            change()
            with self.assertRaises(MetainfoError):
                list(steps)

        meanwhile(lambda: last.write_bytes(bytes(7 * PIECE)))
        meanwhile(lambda: last.write_bytes(bytes(5)))
        meanwhile(last.unlink)

    def test_names(self) -> None:
        """Files whose names others would not find again make no torrent."""
        (self.root / "with\\slash").write_bytes(b"x")
        self.refused("cannot be the name")
        (self.root / "with\\slash").unlink()
        (self.root / "A").write_bytes(b"x")
        self.refused("upper and lower case")

    def test_notText(self) -> None:
        """A file whose name is not UTF-8 makes no torrent."""
        try:
            Path(os.fsdecode(os.fsencode(self.root) + b"/\xff")).write_bytes(b"x")
        except OSError:
            self.skipTest("this disk has no such names")
        self.refused("cannot be the name")
