"""
Making torrents from what is on the disk: version 1 (BEP 3) and hybrid (BEP 52), the latter with padding
(BEP 47).

This reads files and so takes its time: L{creation} does it step by step, in a thread for example.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from hashlib import sha1
from io import RawIOBase
from pathlib import Path
from typing import NamedTuple

from twisted_bt.errors import MetainfoError
from twisted_bt.torrent import merkle
from twisted_bt.torrent.announcefields import seedUrl, trackerUrl
from twisted_bt.torrent.bencoding import encode
from twisted_bt.torrent.metainfo import MAX_PIECE_LENGTH, MAX_PIECES, Metainfo
from twisted_bt.torrent.paths import distinct, safePath

#: Pieces that L{choosePieceLength} aims at, at most, and the bounds of what it chooses, in bytes.
USUAL_PIECES = 2000
SHORTEST_PIECE = 1 << 14
LONGEST_PIECE = 1 << 24

#: Bytes read at a time; a whole number of blocks.
_CHUNK = 1 << 20


class _Source(NamedTuple):
    """A file to put in: its path inside the torrent, where it is, its length in bytes."""

    elements: tuple[str, ...]
    path: Path
    length: int


def choosePieceLength(totalLength: int) -> int:
    """A power of two that gives C{totalLength} bytes no more than about 2000 pieces, if that can be."""
    length = SHORTEST_PIECE
    while length < LONGEST_PIECE and totalLength > length * USUAL_PIECES:
        length *= 2
    return length


def createMetainfo(
    path: str | os.PathLike[str],
    pieceLength: int | None = None,
    trackers: Iterable[str | Sequence[str]] = (),
    webSeeds: Iterable[str] = (),
    private: bool = False,
    comment: str | None = None,
    createdBy: str | None = "twisted_bt",
    creationDate: int | None = None,
    hybrid: bool = False,
    source: str | None = None,
) -> Metainfo:
    """L{creation}, to its end."""
    steps = creation(
        path, pieceLength, trackers, webSeeds, private, comment, createdBy, creationDate, hybrid, source
    )
    while True:
        try:
            next(steps)
        except StopIteration as end:
            metainfo: Metainfo = end.value
            return metainfo


def creation(
    path: str | os.PathLike[str],
    pieceLength: int | None = None,
    trackers: Iterable[str | Sequence[str]] = (),
    webSeeds: Iterable[str] = (),
    private: bool = False,
    comment: str | None = None,
    createdBy: str | None = "twisted_bt",
    creationDate: int | None = None,
    hybrid: bool = False,
    source: str | None = None,
) -> Generator[tuple[int, int], None, Metainfo]:
    """
    A torrent of the file or folder C{path}: yields bytes read and bytes in all every now and then (at
    most a megabyte is read between), and returns the L{Metainfo}.

    Links to files are followed, links to folders are not; empty folders are left out.

    @param pieceLength: in bytes; C{None}: a fitting one.  A power of two of at least 16 KiB for a hybrid.
    @param trackers: tiers of URLs (BEP 12); a string is a tier of its own.
    @param private: BEP 27.
    @param creationDate: seconds since 1970 began; C{None}: not said.
    @param hybrid: of version 1 and version 2.
    @param source: makes the info-hash differ from that of the same content elsewhere.
    @raise MetainfoError: a file cannot be read, changed meanwhile, or has a name that torrents cannot
        say; an argument cannot be.
    """
    root = Path(path)
    try:
        isFolder = root.is_dir()
        sources = list(_find(root)) if isFolder else [_Source((), root, root.stat().st_size)]
        # A path such as "." has its name only once resolved.
        name = root.resolve().name
    except OSError as reason:
        raise MetainfoError(f"cannot read {reason.filename or root}: {reason.strerror}") from reason
    _checkNames(name, sources)
    total = sum(each.length for each in sources)
    if not total:
        raise MetainfoError(f"there is nothing in {root} to make a torrent of")
    if pieceLength is None:
        pieceLength = choosePieceLength(total)
    _checkPieceLength(pieceLength, total, hybrid)

    hasher = _Hasher(pieceLength, hybrid)
    done = 0
    for each in sources:
        hasher.startFile(each)
        try:
            for size in hasher.readFile(each):
                done += size
                yield done, total
        except OSError as reason:
            raise MetainfoError(f"cannot read {each.path}: {reason.strerror}") from reason
        hasher.endFile(each)

    info: dict[bytes, object] = {b"name": name, b"piece length": pieceLength, **hasher.fields(name, isFolder)}
    if private:
        info[b"private"] = 1
    if source is not None:
        info[b"source"] = source
    top: dict[bytes, object] = {b"info": info}
    if hybrid:
        top[b"piece layers"] = hasher.layers
    tiers = [(tier,) if isinstance(tier, str) else tuple(tier) for tier in trackers]
    _addAnnounce(top, tiers, list(webSeeds))
    for key, value in ((b"comment", comment), (b"created by", createdBy), (b"creation date", creationDate)):
        if value is not None:
            top[key] = value
    return Metainfo.fromBytes(encode(top))


def _find(root: Path) -> Iterator[_Source]:
    """The files below C{root}, in the order that BEP 52 wants: that of the bytes of each element."""
    found = []
    for folder, _, names in os.walk(root, onerror=_raise):
        for name in names:
            path = Path(folder, name)
            if path.is_file():
                elements = path.relative_to(root).parts
                found.append(
                    (tuple(map(os.fsencode, elements)), _Source(elements, path, path.stat().st_size))
                )
    found.sort(key=lambda each: each[0])
    return (source for _, source in found)


def _raise(reason: OSError) -> None:
    raise reason


def _checkNames(name: str, sources: Sequence[_Source]) -> None:
    """Whether everybody will call these files what they are called."""
    paths = [(name, *each.elements) for each in sources]
    for path in paths:
        if safePath([os.fsencode(element) for element in path]) != path:
            raise MetainfoError(f"{'/'.join(path)!r} cannot be the name of a file in a torrent")
    for path, other in zip(paths, distinct(paths), strict=True):
        if path != other:
            raise MetainfoError(
                f"{'/'.join(path)!r} is like another file's name but for upper and lower case"
            )


def _checkPieceLength(pieceLength: int, total: int, hybrid: bool) -> None:
    if not 1 <= pieceLength <= MAX_PIECE_LENGTH:
        raise MetainfoError(f"pieces cannot have {pieceLength} bytes")
    if total > pieceLength * MAX_PIECES:
        raise MetainfoError(f"pieces of {pieceLength} bytes would be too many")
    if hybrid:
        try:
            merkle.pieceHeight(pieceLength)
        except ValueError as reason:
            raise MetainfoError(f"the piece length of a hybrid torrent cannot be: {reason}") from reason


def _addAnnounce(top: dict[bytes, object], tiers: list[tuple[str, ...]], webSeeds: list[str]) -> None:
    """Put trackers and web seeds into C{top}."""
    for url in (url for tier in tiers for url in tier):
        if trackerUrl(url.encode("utf-8", "replace")) != url:
            raise MetainfoError(f"{url!r} is not the URL of a tracker")
    for url in webSeeds:
        if seedUrl(url.encode("utf-8", "replace")) is None:
            raise MetainfoError(f"{url!r} is not the URL of a web seed")
    tiers = [tier for tier in tiers if tier]
    if tiers:
        top[b"announce"] = tiers[0][0]
    if tiers and (len(tiers) > 1 or len(tiers[0]) > 1):
        top[b"announce-list"] = tiers
    if webSeeds:
        top[b"url-list"] = webSeeds


class _Hasher:
    """
    Hashes files one after the other, by both versions where C{hybrid}.

    @ivar layers: the C{piece layers} so far.
    """

    def __init__(self, pieceLength: int, hybrid: bool) -> None:
        self.layers: dict[bytes, bytes] = {}
        self._pieceLength = pieceLength
        self._hybrid = hybrid
        self._piece = sha1()
        self._filled = 0
        self._hashes: list[bytes] = []
        self._files: list[dict[bytes, object]] = []
        self._tree: dict[bytes, object] = {}
        self._leaves: list[bytes] = []

    def startFile(self, source: _Source) -> None:
        """In a hybrid every file that has bytes begins a piece: fill up the one before."""
        if self._hybrid and source.length and self._filled:
            padding = self._pieceLength - self._filled
            self._files.append(
                {b"attr": b"p", b"length": padding, b"path": [b".pad", str(padding).encode("ascii")]}
            )
            self._add(bytes(padding))
        self._leaves = []

    def readFile(self, source: _Source) -> Iterator[int]:
        """Hash the content of C{source}; yields how many bytes were read since the last time."""
        left = source.length
        with open(source.path, "rb", buffering=0) as file:
            while left:
                data = self._fill(file, min(left, _CHUNK))
                if not data:
                    break
                left -= len(data)
                self._add(data)
                if self._hybrid:
                    self._leaves.extend(merkle.blockHashes(data))
                yield len(data)
            if left or file.read(1):
                raise MetainfoError(f"{source.path} changed while it was read")

    @staticmethod
    def _fill(file: RawIOBase, size: int) -> bytes:
        """C{size} bytes of C{file}, or C{b""} if it has not so many."""
        data = bytearray()
        while len(data) < size:
            more = file.read(size - len(data))
            if not more:
                return b""
            data += more
        return bytes(data)

    def endFile(self, source: _Source) -> None:
        """Note what was said of C{source}."""
        elements = [os.fsencode(element) for element in source.elements]
        self._files.append({b"length": source.length, b"path": elements})
        if not self._hybrid:
            return
        fields: dict[bytes, object] = {b"length": source.length}
        if source.length:
            fields[b"pieces root"] = root = merkle.root(self._leaves)
            if source.length > self._pieceLength:
                self.layers[root] = b"".join(merkle.pieceLayer(self._leaves, self._pieceLength))
        node = self._tree
        for element in elements:
            node = node.setdefault(element, {})  # type: ignore[assignment]
        node[b""] = fields

    def fields(self, name: str, isFolder: bool) -> dict[bytes, object]:
        """What the info dictionary says of files and pieces."""
        if self._filled:
            self._hashes.append(self._piece.digest())
        found: dict[bytes, object] = {b"pieces": b"".join(self._hashes)}
        if isFolder:
            found[b"files"] = self._files
        else:
            found[b"length"] = self._files[0][b"length"]
        if self._hybrid:
            found[b"meta version"] = 2
            found[b"file tree"] = self._tree if isFolder else {os.fsencode(name): self._tree}
        return found

    def _add(self, data: bytes) -> None:
        """C{data} is the next of the content."""
        view = memoryview(data)
        while view:
            part = view[: self._pieceLength - self._filled]
            self._piece.update(part)
            self._filled += len(part)
            view = view[len(part) :]
            if self._filled == self._pieceLength:
                self._hashes.append(self._piece.digest())
                self._piece = sha1()
                self._filled = 0
