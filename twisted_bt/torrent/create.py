"""
Making torrents: from content, given in runs of bytes, to the content of a torrent file.

Version 1 (BEP 3), or a hybrid of versions 1 and 2 (BEP 52), in which padding (BEP 47) makes every file
begin with a piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha1, sha256

from twisted_bt.errors import BencodeError, MetainfoError
from twisted_bt.torrent.bencoding import encode
from twisted_bt.torrent.merkle import LEAF_LENGTH, pieceHeight, pieceLayer, root
from twisted_bt.torrent.metainfo import Metainfo

#: The shortest and longest piece that L{suggestPieceLength} suggests.
SHORTEST_PIECE = 1 << 14
LONGEST_PIECE = 1 << 24
#: How many pieces it aims at: the hashes of so many are 40 KB.
USUAL_PIECES = 2048


def suggestPieceLength(totalLength: int) -> int:
    """A piece length for so many bytes: a power of two that gives some 1000 to 2000 pieces."""
    length = SHORTEST_PIECE
    while length < LONGEST_PIECE and totalLength > length * USUAL_PIECES:
        length *= 2
    return length


class TorrentMaker:
    """
    Collects files one after another, each L{beginFile} and then L{feed}, for L{finish}.

    The files of a hybrid must come in the order of their paths, compared as bytes element by element.

    @param name: of the file or folder.
    @param isFolder: whether there is a folder of that name with files in it, or just one file.

    @raise ValueError: C{pieceLength} cannot be.
    """

    def __init__(self, name: str, isFolder: bool, pieceLength: int, hybrid: bool = False) -> None:
        if pieceLength < 1:
            raise ValueError(f"a piece length of {pieceLength}")
        if hybrid:
            pieceHeight(pieceLength)
        self._name = name
        self._isFolder = isFolder
        self._pieceLength = pieceLength
        self._hybrid = hybrid
        self._pieces = _Chunked(sha1, pieceLength)
        self._leaves = _Chunked(sha256, LEAF_LENGTH)
        self._files: list[dict[bytes, object]] = []
        self._tree: dict[bytes, object] = {}
        self._layers: dict[bytes, bytes] = {}
        self._path: tuple[str, ...] | None = None
        self._length = 0

    def beginFile(self, path: Sequence[str], executable: bool = False) -> None:
        """
        The next file is C{path} (below the folder; empty if there is no folder).
        """
        self._endFile(last=False)
        self._path = tuple(path)
        self._executable = executable
        self._length = 0

    def feed(self, data: bytes | memoryview) -> None:
        """More of the file that was begun."""
        self._length += len(data)
        self._pieces.feed(data)
        if self._hybrid:
            self._leaves.feed(data)

    def finish(
        self,
        trackers: Sequence[Sequence[str]] = (),
        webSeeds: Sequence[str] = (),
        private: bool = False,
        comment: str = "",
        createdBy: str = "",
        creationDate: int | None = None,
    ) -> bytes:
        """
        The content of the torrent file.

        @param trackers: tiers of URLs (BEP 12).
        @param creationDate: seconds since 1970; C{None}: not said.
        @raise MetainfoError: there is nothing in it, or a name or URL cannot be in a torrent.
        """
        self._endFile(last=True)
        info: dict[bytes, object] = {b"name": self._name, b"piece length": self._pieceLength}
        info[b"pieces"] = b"".join(self._pieces.finish())
        if self._isFolder:
            info[b"files"] = self._files
        else:
            info.update(self._files[0] if self._files else {b"length": 0})
        if private:
            info[b"private"] = 1
        fields: dict[bytes, object] = {}
        if self._hybrid:
            info[b"meta version"] = 2
            info[b"file tree"] = self._tree
            fields[b"piece layers"] = self._layers
        fields[b"info"] = info
        if trackers:
            fields[b"announce"] = trackers[0][0]
            if len(trackers) > 1 or len(trackers[0]) > 1:
                fields[b"announce-list"] = [list(tier) for tier in trackers]
        for key, value in (
            (b"url-list", list(webSeeds)),
            (b"comment", comment),
            (b"created by", createdBy),
            (b"creation date", creationDate),
        ):
            if value:
                fields[key] = value
        try:
            content = encode(fields)
        except BencodeError as error:
            raise MetainfoError("a name or a text cannot be written as UTF-8") from error
        self._checkReads(content, trackers, webSeeds)
        return content

    def _checkReads(self, content: bytes, trackers: Sequence[Sequence[str]], webSeeds: Sequence[str]) -> None:
        """What others will read must be what was meant: same names, same URLs."""
        metainfo = Metainfo.fromBytes(content)
        read = [each.path for each in metainfo.files if not each.isPad]
        folder = (self._name,)
        for path, meant in zip(read, self._paths, strict=True):
            if path != folder + meant:
                raise MetainfoError(f"{'/'.join(folder + meant)!r} cannot be a name in a torrent")
        if metainfo.trackers != tuple(map(tuple, trackers)):
            raise MetainfoError("a tracker is no http, https or udp URL")
        if len(metainfo.webSeeds) != len(webSeeds):
            raise MetainfoError("a web seed is no http or https URL")

    @property
    def _paths(self) -> list[tuple[str, ...]]:
        if not self._isFolder:
            return [()]
        paths = [(each[b"path"], each.get(b"attr")) for each in self._files]
        return [tuple(path) for path, attr in paths if attr != "p" and isinstance(path, list)]

    def _endFile(self, last: bool) -> None:
        if self._path is None:
            return
        fields: dict[bytes, object] = {b"length": self._length}
        if self._isFolder:
            fields[b"path"] = list(self._path)
        if self._executable:
            fields[b"attr"] = "x"
        self._files.append(fields)
        if self._hybrid:
            self._endInTree()
            short = -self._length % self._pieceLength
            if short and not last:
                self._pieces.feed(bytes(short))
                self._files.append({b"length": short, b"path": [".pad", str(short)], b"attr": "p"})
        self._path = None

    def _endInTree(self) -> None:
        leaves = self._leaves.finish()
        leaf: dict[bytes, object] = {b"length": self._length}
        if leaves:
            if self._length > self._pieceLength:
                layer = pieceLayer(leaves, self._pieceLength)
                fileRoot = root(layer, pieceHeight(self._pieceLength))
                self._layers[fileRoot] = b"".join(layer)
            else:
                fileRoot = root(leaves)
            leaf[b"pieces root"] = fileRoot
        if self._executable:
            leaf[b"attr"] = b"x"
        assert self._path is not None
        node = self._tree
        for element in self._path if self._isFolder else (self._name,):
            below = node.setdefault(element.encode("utf-8", "surrogatepass"), {})
            assert isinstance(below, dict)
            node = below
        node[b""] = leaf


class _Chunked:
    """The hash of every C{length} bytes of a stream; the last may be short."""

    def __init__(self, algorithm: object, length: int) -> None:
        self._algorithm = algorithm
        self._length = length
        self._hashes: list[bytes] = []
        self._begin()

    def _begin(self) -> None:
        self._current = self._algorithm(usedforsecurity=False)  # type: ignore[operator]
        self._room = self._length

    def feed(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        while len(view):
            part, view = view[: self._room], view[self._room :]
            self._current.update(part)
            self._room -= len(part)
            if not self._room:
                self._hashes.append(self._current.digest())
                self._begin()

    def finish(self) -> list[bytes]:
        """All hashes; the next byte begins a new stream."""
        if self._room < self._length:
            self._hashes.append(self._current.digest())
            self._begin()
        hashes, self._hashes = self._hashes, []
        return hashes
