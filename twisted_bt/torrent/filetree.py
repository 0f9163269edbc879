"""
The files of a version 2 torrent: C{file tree} and C{piece layers} (BEP 52), and whether a hybrid's two
halves agree.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from twisted_bt.errors import BencodeError, MetainfoError
from twisted_bt.torrent.bencoding import BValue, bytesIn, decode, decodeSpans
from twisted_bt.torrent.filelist import (
    MAX_FOLDERS,
    MAX_TOTAL,
    FileEntry,
    FileList,
    readLength,
    readLinkTarget,
    settled,
)
from twisted_bt.torrent.merkle import HASH_LENGTH, layerMatches
from twisted_bt.torrent.paths import Path, safeElement, safePath

_Tree = dict[bytes, BValue]


def readTree(infoBytes: bytes, folder: Path, pieceLength: int, windows: bool = os.name == "nt") -> FileList:
    """
    The files of the C{file tree}; each that has bytes begins a piece.

    @param folder: what holds the files, or C{()} for a torrent of one file.
    @raise MetainfoError: the tree is not as BEP 52 says, which includes the order of its keys.
    """
    length = len(infoBytes)
    try:
        start, end = decodeSpans(infoBytes, length, maxItems=length).spans[b"file tree"]
        tree = decode(infoBytes[start:end], length, strictKeys=True, maxItems=length)
    except BencodeError as reason:
        raise MetainfoError("the file tree is not in order") from reason
    if type(tree) is not dict:
        raise MetainfoError("the file tree is no dictionary")
    files: list[FileEntry] = []
    offset = 0
    for path, fields in _leaves(tree, folder, windows):
        entry = _leaf(fields, path, folder, windows)
        if entry.length:
            aligned = -(-offset // pieceLength) * pieceLength
            if aligned + entry.length > MAX_TOTAL:
                raise MetainfoError("the torrent is larger than any can be")
            offset = aligned
        files.append(replace(entry, offset=offset))
        offset += entry.length
    if not files:
        raise MetainfoError("the torrent has no files")
    return settled(folder, files)


def _leaves(tree: _Tree, path: Path, windows: bool) -> Iterator[tuple[Path, _Tree]]:
    """The files under C{tree} in order, with what is said of each."""
    if b"" in tree:
        raise MetainfoError("the file tree has a file without a name")
    if len(path) > MAX_FOLDERS:
        raise MetainfoError(f"a file is more than {MAX_FOLDERS} folders deep")
    for raw, node in tree.items():
        if type(node) is not dict:
            raise MetainfoError("the file tree has an entry that is no dictionary")
        here = (*path, safeElement(raw, windows))
        if b"" not in node:
            yield from _leaves(node, here, windows)
            continue
        fields = node[b""]
        if type(fields) is not dict or len(node) != 1:
            raise MetainfoError("the file tree has an entry that is neither file nor folder")
        yield here, fields


def _leaf(fields: _Tree, path: Path, folder: Path, windows: bool) -> FileEntry:
    """One file of the tree, its offset not yet known."""
    length = readLength(fields)
    attributes = bytesIn(fields, b"attr", b"")
    if b"p" in attributes:
        raise MetainfoError("the file tree has padding, which version 2 does without")
    target = readLinkTarget(fields, attributes)
    if b"l" in attributes:
        length = 0
    root = bytesIn(fields, b"pieces root", None, HASH_LENGTH)
    if length and (root is None or not any(root)):
        raise MetainfoError("a file of the file tree has no root hash")
    return FileEntry(
        path,
        length,
        0,
        isExecutable=b"x" in attributes,
        isHidden=b"h" in attributes,
        symlink=None if target is None else folder + safePath(target, windows),
        sha1=bytesIn(fields, b"sha1", None, 20),
        piecesRoot=root if length else None,
    )


def readLayers(value: BValue | None, files: Sequence[FileEntry], pieceLength: int) -> dict[bytes, bytes]:
    """
    The C{piece layers}: for the root of each file longer than a piece the hashes of its pieces.  Files may
    be left out (peers have the hashes too), but what is there must be right.

    @raise MetainfoError: a layer does not have its root, or belongs to no file.
    """
    if type(value) is not dict:
        return {}
    lengths = {f.piecesRoot: f.length for f in files if f.length > pieceLength}
    found = {}
    for root, layer in value.items():
        length = lengths.get(root)
        if length is None or type(layer) is not bytes or not layerMatches(layer, root, length, pieceLength):
            raise MetainfoError("the piece layers are not those of the files")
        found[root] = layer
    return found


def checkHybrid(listed: FileList, tree: FileList, pieceLength: int) -> dict[int, bytes]:
    """
    Whether the two halves of a hybrid torrent speak of the same files, in the same order, at the same
    offsets; the version 1 half has padding so that they do, and may have it at the end too.

    @return: for the index of each file of C{listed} that has bytes the root of its hash tree.
    @raise MetainfoError: they do not.
    """
    roots: dict[int, bytes] = {}
    others = iter(tree.files)
    tail = len(listed.folder)
    otherTail = len(tree.folder)
    for index, entry in enumerate(listed.files):
        if entry.isPad:
            continue
        other = next(others, None)
        if (
            other is None
            or entry.path[tail:] != other.path[otherTail:]
            or entry.length != other.length
            or (entry.length and entry.offset != other.offset)
            or (entry.symlink or ())[tail:] != (other.symlink or ())[otherTail:]
        ):
            break
        if other.piecesRoot is not None:
            roots[index] = other.piecesRoot
    else:
        aligned = -(-tree.totalLength // pieceLength) * pieceLength
        if next(others, None) is None and listed.totalLength in (tree.totalLength, aligned):
            return roots
    raise MetainfoError("the version 1 and version 2 halves of this hybrid torrent differ")


def withRoots(listed: FileList, roots: Mapping[int, bytes]) -> tuple[FileEntry, ...]:
    """
    The files of the hybrid torrent with C{listed}: each is told the root of its hash tree, and padding has
    the name that BEP 47 recommends.
    """
    found = []
    for index, entry in enumerate(listed.files):
        if entry.isPad:
            entry = replace(entry, path=(*listed.folder, ".pad", str(entry.length)))
        elif index in roots:
            entry = replace(entry, piecesRoot=roots[index])
        found.append(entry)
    return tuple(found)
