"""Torrents made for tests, field by field, and what their tests have in common."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.errors import MetainfoError
from twisted_bt.torrent import merkle
from twisted_bt.torrent.bencoding import encode
from twisted_bt.torrent.metainfo import Metainfo

PIECE = 16384
Fields = dict[bytes, Any]


def single(length: int = 1, **more: Any) -> Fields:
    """The info dictionary of a torrent of one file."""
    count = -(-length // PIECE)
    info = {b"length": length, b"name": b"n", b"piece length": PIECE, b"pieces": b"x" * 20 * count}
    return info | _keys(more)


def folder(*files: Fields, **more: Any) -> Fields:
    """The info dictionary of a torrent of several files."""
    total = sum(each[b"length"] for each in files if b"l" not in each.get(b"attr", b""))
    info = single(total) | {b"files": list(files)} | _keys(more)
    del info[b"length"]
    return info


def file(path: str, length: int = 1, **more: Any) -> Fields:
    """An entry of C{files}."""
    return {b"length": length, b"path": [each.encode() for each in path.split("/")]} | _keys(more)


def _keys(more: dict[str, Any]) -> Fields:
    return {key.replace("_", " ").encode(): value for key, value in more.items()}


def torrent(info: object, **more: Any) -> bytes:
    """A torrent file."""
    return encode({b"info": info} | _keys(more))


def read(info: object, **more: Any) -> Metainfo:
    """The torrent of C{info}, read."""
    return Metainfo.fromBytes(torrent(info, **more))


def without(info: Fields, *keys: bytes) -> Fields:
    """C{info} without these."""
    return {key: value for key, value in info.items() if key not in keys}


def names(metainfo: Metainfo) -> list[str]:
    """The paths of its files."""
    return ["/".join(each.path) for each in metainfo.files]


#: What L{hybrid} is made of.
ROOT = merkle.root([b"h" * 32] * 3)
LAYERS = {ROOT: b"h" * 96}


def hybrid(*files: Fields, **more: Any) -> Fields:
    """The info dictionary of a hybrid: 5 bytes, an empty file, and one of three pieces in a folder."""
    tree = {
        b"a": {b"": {b"length": 5, b"pieces root": b"r" * 32}},
        b"b": {b"": {b"length": 0}},
        b"d": {b"c": {b"": {b"length": 40000, b"pieces root": ROOT}}},
    }
    files = files or (file("a", 5), file("b", 0), file("fill", 16379, attr=b"p"), file("d/c", 40000))
    return folder(*files, file_tree=tree, meta_version=2, **more)


class MetainfoTestCase(SynchronousTestCase):
    """The base of tests that torrents are refused."""

    def refused(self, data: bytes, reason: str) -> None:
        """C{data} is refused, in words that have C{reason} in them."""
        with self.assertRaises(MetainfoError) as caught:
            Metainfo.fromBytes(data)
        self.assertIn(reason, str(caught.exception))
