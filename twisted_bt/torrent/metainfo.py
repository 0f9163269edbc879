"""
What a torrent file says, checked: BEP 3, 5, 12, 17, 19, 27, 38, 47 and 52.

Anybody may have made the file.  L{Metainfo.fromBytes} gives a value that cannot be wrong in itself (its
pieces cover its files, its paths are safe), or raises L{MetainfoError}.  It refuses what libtorrent refuses
and takes what libtorrent takes, but for torrents of version 2 only, which are not yet built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha1, sha256

from twisted_bt.errors import BencodeError, MetainfoError
from twisted_bt.torrent.announcefields import (
    readCollections,
    readDate,
    readNodes,
    readSeeds,
    readSimilar,
    readText,
    readTrackers,
)
from twisted_bt.torrent.bencoding import BValue, Raw, asDict, decode, decodeSpans, encode
from twisted_bt.torrent.filelist import FileEntry, hasFolder, readFiles, readName
from twisted_bt.torrent.filetree import checkHybrid, readLayers, readTree, withRoots
from twisted_bt.torrent.merkle import pieceHeight
from twisted_bt.torrent.pieces import PieceLayout

#: The longest torrent file read, in bytes; libtorrent's and rqbit's limit of metadata is about that.
MAX_TORRENT = 32 << 20

#: The most values (strings, numbers, lists ...) in one; libtorrent's.
MAX_ITEMS = 2_500_000

#: The deepest nesting in one; libtorrent's.
MAX_NESTING = 99

#: The most pieces, and the most bytes of one; libtorrent's.
MAX_PIECES = 1 << 21
MAX_PIECE_LENGTH = ((1 << 15) - 1) << 14

#: Bytes of a version 1 piece hash.
HASH_LENGTH = 20


@dataclass(frozen=True, slots=True)
class Metainfo:
    """
    A torrent.

    @ivar infoHash: version 1, 20 bytes; C{None}: it has none.
    @ivar infoHashV2: version 2, 32 bytes; C{None}: it has none.
    @ivar name: of the file or folder; safe as a file name.
    @ivar layout: how the content falls into pieces.
    @ivar info: the info dictionary exactly as it was, or what gets it: of thousands of torrents it is better
        read again than kept in memory.  Two torrents with the same hashes are equal, whichever it is.
    @ivar infoLength: bytes of the info dictionary.
    @ivar hashesAt: where in it the hashes of the pieces begin.
    @ivar files: all, padding included, in the order of the content.
    @ivar isFolder: the files are in a folder called C{name}; else it is one file of that name.
    @ivar trackers: tiers of URLs (BEP 12); a URL may occur more than once.
    @ivar webSeeds: URLs by BEP 19; those of a folder end in C{/}.
    @ivar httpSeeds: URLs by BEP 17.
    @ivar private: peers come from the trackers alone (BEP 27).
    @ivar creationDate: seconds since 1970 began; C{None}: not said.
    @ivar nodes: of the DHT, to begin with (BEP 5).
    @ivar similar: info-hashes of torrents that may share files with this (BEP 38).
    @ivar collections: names that such torrents have in common (BEP 38).
    @ivar source: what some private trackers put in to make the info-hash their own.
    @ivar encoding: of text that is not UTF-8, as it was said; not acted on.
    @ivar pieceLayers: by the root of each file longer than a piece, the hashes of its pieces (BEP 52).
    """

    infoHash: bytes | None
    infoHashV2: bytes | None
    name: str
    layout: PieceLayout
    files: tuple[FileEntry, ...] = field(repr=False)
    isFolder: bool
    info: bytes | Callable[[], bytes] = field(repr=False, compare=False)
    infoLength: int = field(repr=False)
    hashesAt: int = field(repr=False)
    private: bool = False
    source: str = ""
    trackers: tuple[tuple[str, ...], ...] = ()
    webSeeds: tuple[str, ...] = ()
    httpSeeds: tuple[str, ...] = ()
    nodes: tuple[tuple[str, int], ...] = ()
    comment: str = ""
    createdBy: str = ""
    creationDate: int | None = None
    similar: tuple[bytes, ...] = ()
    collections: tuple[str, ...] = ()
    encoding: str = ""
    pieceLayers: dict[bytes, bytes] = field(default_factory=dict, repr=False, hash=False)

    @property
    def wireHash(self) -> bytes:
        """The 20 bytes that name the torrent to peers, trackers and the DHT."""
        if self.infoHash is not None:
            return self.infoHash
        assert self.infoHashV2 is not None, "a torrent has an info-hash"
        return self.infoHashV2[:20]

    @property
    def totalSize(self) -> int:
        """Bytes of the content, padding included."""
        return self.layout.totalLength

    @property
    def infoBytes(self) -> bytes:
        """
        The info dictionary exactly as it was: what the info-hashes are over.  Raises what C{info} raises,
        and takes as long, where that is not bytes.
        """
        info = self.info
        return info if isinstance(info, bytes) else info()

    @property
    def pieceHashes(self) -> memoryview:
        """SHA-1 of each piece, one after the other: a part of L{infoBytes}."""
        end = self.hashesAt + HASH_LENGTH * self.layout.pieceCount
        return memoryview(self.infoBytes)[self.hashesAt : end]

    def pieceHash(self, index: int) -> bytes:
        """The SHA-1 of piece C{index}; see L{infoBytes}.  C{IndexError} if there is none."""
        if not 0 <= index < self.layout.pieceCount:
            raise IndexError(f"no piece {index} of {self.layout.pieceCount}")
        at = self.hashesAt + index * HASH_LENGTH
        return self.infoBytes[at : at + HASH_LENGTH]

    @classmethod
    def fromBytes(cls, data: bytes) -> Metainfo:
        """
        The torrent in C{data}, the content of a torrent file.  Bytes after its end are ignored, as
        everybody does.

        @raise MetainfoError: it cannot be used; the message says why.
        """
        try:
            top = decodeSpans(data, MAX_TORRENT, MAX_NESTING, maxItems=MAX_ITEMS)
        except BencodeError as reason:
            raise MetainfoError(f"not a torrent file: {reason}") from reason
        info = top.values.get(b"info")
        if type(info) is not dict:
            raise MetainfoError("not a torrent file: it has no info dictionary")
        start, end = top.spans[b"info"]
        return _read(data[start:end], info, top.values)

    @classmethod
    def fromInfo(
        cls,
        infoBytes: bytes,
        trackers: Iterable[str | Sequence[str]] = (),
        webSeeds: Iterable[str] = (),
    ) -> Metainfo:
        """
        The torrent with this info dictionary, as peers send it (BEP 9).

        @param trackers: tiers; a string is a tier of its own.  Unknown kinds are left out.
        @raise MetainfoError: it cannot be used; the message says why.
        """
        try:
            info = asDict(decode(infoBytes, MAX_TORRENT, MAX_NESTING - 1, maxItems=MAX_ITEMS))
        except BencodeError as reason:
            raise MetainfoError(f"not an info dictionary: {reason}") from reason
        tiers = [[tier] if isinstance(tier, str) else tier for tier in trackers]
        fields: dict[bytes, BValue] = {
            b"announce-list": [[_encoded(url) for url in tier] for tier in tiers],
            b"url-list": [_encoded(url) for url in webSeeds],
        }
        return _read(infoBytes, info, fields)

    def encode(self) -> bytes:
        """A torrent file that says this.  The info dictionary is as it was, byte for byte."""
        fields: dict[bytes, object] = {b"info": Raw(self.infoBytes)}
        if self.trackers:
            fields[b"announce"] = self.trackers[0][0]
            if self.trackers != ((self.trackers[0][0],),):
                fields[b"announce-list"] = self.trackers
        for key, value in (
            (b"url-list", self.webSeeds),
            (b"httpseeds", self.httpSeeds),
            (b"nodes", self.nodes),
            (b"comment", self.comment),
            (b"created by", self.createdBy),
            (b"creation date", self.creationDate),
            (b"similar", self.similar),
            (b"collections", self.collections),
            (b"encoding", self.encoding),
            (b"piece layers", self.pieceLayers),
        ):
            if value:
                fields[key] = value
        if self.infoHashV2 is not None:
            fields.setdefault(b"piece layers", {})
        return encode(fields)


def _encoded(url: str) -> bytes:
    """C{url} as bytes, whatever is in it."""
    return url.encode("utf-8", "replace")


def _read(infoBytes: bytes, info: dict[bytes, BValue], top: dict[bytes, BValue]) -> Metainfo:
    """The torrent of C{info}, which C{infoBytes} say, with the fields of C{top}."""
    versions = _versions(info)
    infoHash = sha1(infoBytes).digest() if 1 in versions else None
    infoHashV2 = sha256(infoBytes).digest() if 2 in versions else None
    pieceLength = _pieceLength(info, 2 in versions)
    isFolder = hasFolder(info)
    name = readName(info, infoHash or infoHashV2 or b"")
    layers: dict[bytes, bytes] = {}
    if 2 in versions:
        tree = readTree(infoBytes, (name,) if isFolder else (), pieceLength)
        layers = readLayers(top.get(b"piece layers"), tree.files, pieceLength)
    if 1 not in versions:
        _pieceCount(tree.totalLength, pieceLength)
        raise MetainfoError(
            f"{name!r} is a torrent of version 2 only (BEP 52), which is not supported yet; a hybrid would be"
        )
    listed = readFiles(info, name)
    files = listed.files
    if 2 in versions:
        files = withRoots(listed, checkHybrid(listed, tree, pieceLength))
    pieceHashes = _pieceHashes(info, _pieceCount(listed.totalLength, pieceLength))
    return Metainfo(
        infoHash=infoHash,
        infoHashV2=infoHashV2,
        name=name,
        layout=PieceLayout(listed.totalLength, pieceLength),
        files=files,
        isFolder=isFolder,
        info=infoBytes,
        infoLength=len(infoBytes),
        hashesAt=infoBytes.index(pieceHashes),  # or the same bytes before, which are as good
        private=type(info.get(b"private")) is int and info[b"private"] != 0,
        source=readText(info, b"source"),
        trackers=readTrackers(top),
        webSeeds=readSeeds(top, b"url-list", isFolder),
        httpSeeds=readSeeds(top, b"httpseeds", False),
        nodes=readNodes(top),
        comment=readText(top, b"comment"),
        createdBy=readText(top, b"created by"),
        creationDate=readDate(top),
        similar=readSimilar((info, top)),
        collections=readCollections((info, top)),
        encoding=readText(top, b"encoding"),
        pieceLayers=layers,
    )


def _versions(info: dict[bytes, BValue]) -> frozenset[int]:
    """Which versions C{info} is of: 1, 2 or, for a hybrid, both."""
    version = info.get(b"meta version")
    if type(version) is not int:
        version = 1
    hasTree = type(info.get(b"file tree")) is dict
    if version > 2:
        raise MetainfoError(f"the torrent is of version {version}, which is not known here")
    if version < 2:
        if hasTree:
            raise MetainfoError("the torrent has a version 2 file tree, but is not marked as version 2")
        return frozenset({1})
    if not hasTree:
        raise MetainfoError("the torrent is of version 2, but has no file tree")
    return frozenset({1, 2} if b"pieces" in info else {2})


def _pieceLength(info: dict[bytes, BValue], isV2: bool) -> int:
    """How long pieces are, in bytes."""
    length = info.get(b"piece length")
    if type(length) is not int or not 1 <= length <= MAX_PIECE_LENGTH:
        raise MetainfoError("the piece length is missing, or cannot be")
    if isV2:
        try:
            pieceHeight(length)
        except ValueError as reason:
            raise MetainfoError(f"the piece length cannot be: {reason}") from reason
    return length


def _pieceCount(totalLength: int, pieceLength: int) -> int:
    count = PieceLayout(totalLength, pieceLength).pieceCount
    if count > MAX_PIECES:
        raise MetainfoError(f"the torrent has {count} pieces, more than {MAX_PIECES}")
    return count


def _pieceHashes(info: dict[bytes, BValue], count: int) -> bytes:
    """The hashes of so many pieces."""
    hashes = info.get(b"pieces")
    if type(hashes) is not bytes:
        raise MetainfoError("the hashes of the pieces are missing")
    if len(hashes) != count * HASH_LENGTH:
        raise MetainfoError(
            f"the torrent has {len(hashes)} bytes of piece hashes for {count} pieces of 20 bytes"
        )
    return hashes
