"""Tests for L{twisted_bt.torrent.filetree}."""

from __future__ import annotations

from hashlib import sha1, sha256
from typing import Any

from tests.torrent.torrents import (
    LAYERS,
    PIECE,
    ROOT,
    MetainfoTestCase,
    file,
    hybrid,
    names,
    read,
    single,
    torrent,
    without,
)
from twisted_bt.torrent.bencoding import Raw, encode
from twisted_bt.torrent.filelist import MAX_TOTAL, FileEntry
from twisted_bt.torrent.metainfo import Metainfo


class HybridTests(MetainfoTestCase):
    """Torrents of both versions, and of version 2 only (BEP 52)."""

    def test_hybrid(self) -> None:
        """A hybrid has both hashes, downloads as version 1, and knows the roots of its files."""
        info = hybrid()
        m = read(info, piece_layers=LAYERS)
        self.assertEqual(m.infoHash, sha1(encode(info)).digest())
        self.assertEqual(m.infoHashV2, sha256(encode(info)).digest())
        self.assertEqual(m.wireHash, m.infoHash)
        self.assertEqual([each.piecesRoot for each in m.files], [b"r" * 32, None, None, ROOT])
        self.assertEqual([each.offset for each in m.files], [0, 5, 5, PIECE])
        self.assertEqual(names(m), ["n/a", "n/b", "n/.pad/16379", "n/d/c"])
        self.assertEqual(m.pieceLayers, LAYERS)
        self.assertEqual(Metainfo.fromBytes(m.encode()), m)
        self.assertEqual(Metainfo.fromInfo(m.infoBytes).infoHashV2, m.infoHashV2)

    def test_single(self) -> None:
        """A hybrid may be of one file."""
        tree = {b"n": {b"": {b"length": 5, b"pieces root": b"r" * 32}}}
        m = read(single(5, file_tree=tree, meta_version=2))
        self.assertEqual(m.files, (FileEntry(("n",), 5, 0, piecesRoot=b"r" * 32),))
        self.refused(torrent(single(5, name=b"other", file_tree=tree, meta_version=2)), "differ")

    def test_paddingAtEnd(self) -> None:
        """Padding at the end is allowed, to the end of the piece."""
        files = [file("a", 5), file("p", 16379, attr=b"p"), file("b", 0), file("d/c", 40000)]
        read(hybrid(*files, file("q", 49152 - 40000, attr=b"p")))
        self.refused(torrent(hybrid(*files, file("q", 5, attr=b"p"))), "differ")
        self.refused(torrent(hybrid(*files, file("q", 49152 - 40000 + PIECE, attr=b"p"))), "differ")

    def test_halvesDiffer(self) -> None:
        """Halves that differ in a name, a length, an offset, the order or the number are refused."""
        a, b, p, c = hybrid()[b"files"]
        for files in (
            (file("A", 5), b, p, c),
            (file("a", 6), b, file("p", 16378, attr=b"p"), c),
            (a, b, c),
            (a, b, file("p", 16380, attr=b"p"), c),
            (a, b, p, file("q", PIECE, attr=b"p"), c),
            (c, file("q", 49152 - 40000, attr=b"p"), a, b),
            (a, p, c),
            (a, b, p, c, file("x", 1)),
            (a, b, p, file("c", 40000)),
        ):
            self.refused(torrent(hybrid(*files)), "differ")

    def test_layers(self) -> None:
        """Piece layers may be missing, but what is there must belong to a file and have its root."""
        harmless: list[Any] = [{}, 5, LAYERS]
        for layers in harmless:
            read(hybrid(), piece_layers=layers)
        wrong: list[Any] = [
            {ROOT: b"h" * 64},
            {ROOT: b"h" * 95 + b"i"},
            {ROOT: 5},
            {b"r" * 32: b"h" * 32},
            LAYERS | {b"z" * 32: b"h" * 64},
            {b"": b""},
        ]
        for layers in wrong:
            self.refused(torrent(hybrid(), piece_layers=layers), "piece layers")

    def test_tree(self) -> None:
        """A tree that is not as BEP 52 says is refused."""
        leaf = {b"length": 5, b"pieces root": b"r" * 32}
        for tree, reason in (
            ({}, "no files"),
            ({b"": leaf}, "without a name"),
            ({b"a": 5}, "no dictionary"),
            ({b"a": {b"": 5}}, "neither file nor folder"),
            ({b"a": {b"": leaf, b"x": {}}}, "neither file nor folder"),
            ({b"a": {b"": without(leaf, b"length")}}, "length"),
            ({b"a": {b"": leaf | {b"length": -1}}}, "length"),
            ({b"a": {b"": leaf | {b"length": MAX_TOTAL + 1}}}, "larger"),
            ({b"a": {b"": leaf | {b"length": MAX_TOTAL}}, b"b": {b"": leaf}}, "larger"),
            ({b"a": {b"": without(leaf, b"pieces root")}}, "root hash"),
            ({b"a": {b"": leaf | {b"pieces root": b"r" * 31}}}, "root hash"),
            ({b"a": {b"": leaf | {b"pieces root": bytes(32)}}}, "root hash"),
            ({b"a": {b"": leaf | {b"attr": b"p"}}}, "padding"),
            ({b"a": {b"": {b"length": 0}}}, "no content"),
            (Raw(b"d1:bde1:adee"), "not in order"),
            (Raw(b"d1:ade1:adee"), "not in order"),
        ):
            self.refused(torrent(single(5, file_tree=tree, meta_version=2)), reason)

    def test_versions(self) -> None:
        """Unknown versions, and version 2 without its marks, are refused."""
        self.refused(torrent(hybrid() | {b"meta version": 3}), "version 3")
        self.refused(torrent(hybrid() | {b"meta version": 1}), "not marked")
        self.refused(torrent(without(hybrid(), b"meta version")), "not marked")
        self.refused(torrent(single(meta_version=2)), "no file tree")
        self.assertIsNone(read(single(meta_version=1)).infoHashV2)
        self.assertIsNone(read(single(meta_version=b"2")).infoHashV2)

    def test_pieceLength(self) -> None:
        """Version 2 wants a power of two of at least 16 KiB."""
        for length in (8192, 3 * PIECE, PIECE + 1):
            self.refused(torrent(hybrid() | {b"piece length": length}), "power of two")

    def test_onlyV2(self) -> None:
        """A torrent of version 2 only is refused by that name, once it was found to be a good one."""
        info = without(hybrid(), b"files", b"pieces")
        self.refused(torrent(info), "version 2 only")
        self.refused(torrent(info | {b"piece length": 5}), "power of two")
        self.refused(torrent(info, piece_layers={b"z" * 32: b""}), "piece layers")
