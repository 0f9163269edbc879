"""
The files of a torrent, as its info dictionary lists them.

Version 1 (BEP 3) with attributes and padding (BEP 47).  The version 2 tree is L{filetree}'s.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from twisted_bt.errors import MetainfoError
from twisted_bt.torrent.bencoding import BValue, bytesIn
from twisted_bt.torrent.paths import Path, distinct, holds, safeElement, safeName, safePath

#: The most bytes a torrent may have: 2^30 - 1 blocks of 16 KiB, less one byte; libtorrent's.
MAX_TOTAL = ((1 << 30) - 1) * (1 << 14) - 1

#: How many folders a file may be in, itself included; libtorrent's.
MAX_FOLDERS = 100

#: Links that a link may lead over: Linux follows no more.  And those followed in all: a torrent could have
#: a hundred thousand that lead in circles.
_MAX_HOPS, _MAX_DETOURS = 40, 1 << 14

#: What old clients call files that only fill up a piece; BEP 47 has an attribute for it.
_OLD_PADDING = b"_____padding_file_"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """
    One file of a torrent.

    @ivar path: where it goes, below the data folder; safe (see L{twisted_bt.torrent.paths}) and equal
        to no other file's.  The torrent's name comes first where it has several files.
    @ivar length: in bytes.
    @ivar offset: where it begins in the content, in bytes.
    @ivar isPad: it only fills up a piece (BEP 47): zeros, not to be written to a disk.
    @ivar symlink: the path, as of L{path}, of the file or folder of this torrent that this is a link to.
        The file has no bytes then.
    @ivar sha1: of the whole file, if the torrent says so (BEP 47); unverified.
    @ivar piecesRoot: of its hash tree (BEP 52).
    """

    path: Path
    length: int
    offset: int
    isPad: bool = False
    isExecutable: bool = False
    isHidden: bool = False
    symlink: Path | None = None
    sha1: bytes | None = None
    piecesRoot: bytes | None = None


class FileList(NamedTuple):
    """What an info dictionary says of files: C{folder} holds them, or is empty for a single file."""

    folder: Path
    files: tuple[FileEntry, ...]
    totalLength: int


def readName(info: dict[bytes, BValue], fallback: bytes, windows: bool = os.name == "nt") -> str:
    """
    The name of the torrent with this info dictionary.

    @param fallback: the info-hash, which names a folder whose own name has nothing usable.
    @raise MetainfoError: it has none.
    """
    raw = bytesIn(info, b"name.utf-8", bytesIn(info, b"name", None))
    if raw is None:
        raise MetainfoError("the torrent has no name")
    if raw == b"" and hasFolder(info):
        return "_"
    name = safeName(raw, windows)
    if name is None and hasFolder(info):
        return fallback.hex()
    if name is None:
        raise MetainfoError("the torrent's name has no usable character")
    return name


def hasFolder(info: dict[bytes, BValue]) -> bool:
    """Whether the torrent is a folder with files, and not one file."""
    if type(info.get(b"files")) is list:
        return True
    if b"pieces" in info or type(tree := info.get(b"file tree")) is not dict:
        return False
    return len(tree) != 1 or not all(type(node) is dict and b"" in node for node in tree.values())


def readLength(fields: dict[bytes, BValue], room: int = MAX_TOTAL) -> int:
    """
    The C{length} of a file, in bytes.

    @param room: the most it may be.
    @raise MetainfoError: there is none, or it cannot be.
    """
    length = fields.get(b"length")
    if type(length) is not int or length < 0:
        raise MetainfoError("the length of a file is missing or negative")
    if length > room:
        raise MetainfoError("the torrent is larger than any can be")
    return length


def readLinkTarget(fields: dict[bytes, BValue], attributes: bytes) -> list[bytes] | None:
    """
    Where a symbolic link leads (BEP 47); C{None}: it is none.

    @raise MetainfoError: the target is no path.
    """
    if b"l" not in attributes:
        return None
    target = fields.get(b"symlink path")
    if type(target) is not list or not target:
        return None
    return _elements(target)


def _elements(path: list[BValue]) -> list[bytes]:
    """C{path}, whose elements must be strings, and not too many."""
    if len(path) > MAX_FOLDERS:
        raise MetainfoError(f"a file is more than {MAX_FOLDERS} folders deep")
    elements = [each for each in path if type(each) is bytes]
    if len(elements) != len(path):
        raise MetainfoError("the path of a file has an element that is no string")
    return elements


def readFiles(info: dict[bytes, BValue], name: str, windows: bool = os.name == "nt") -> FileList:
    """
    The files by BEP 3: C{files}, or C{length} alone.

    @param name: the torrent's, as L{readName} gave it.
    @raise MetainfoError: what is said of a file is missing or cannot be.
    """
    listed = info.get(b"files")
    if type(listed) is not list:
        return settled((), [_entry(info, (name,), 0)])
    if not listed:
        raise MetainfoError("the torrent has no files")
    folder = (name,)
    folders: dict[tuple[bytes, ...], Path] = {}
    files: list[FileEntry] = []
    offset = 0
    for fields in listed:
        if type(fields) is not dict:
            raise MetainfoError("the list of files has an entry that is no dictionary")
        elements = fields.get(b"path.utf-8")
        if type(elements) is not list:
            elements = fields.get(b"path")
        if type(elements) is not list or not elements:
            raise MetainfoError("a file has no path")
        raw = _elements(elements)
        # Thousands of files share a few folders.
        inside = tuple(raw[:-1])
        parent = folders.get(inside)
        if parent is None:
            parent = folders[inside] = folder + safePath(inside, windows)
        entry = _entry(fields, (*parent, safeElement(raw[-1], windows)), offset, folder, raw[-1], windows)
        files.append(entry)
        offset += entry.length
    return settled(folder, files)


def _entry(
    fields: dict[bytes, BValue],
    path: Path,
    offset: int,
    folder: Path = (),
    rawName: bytes = b"",
    windows: bool = False,
) -> FileEntry:
    """One file of a version 1 torrent."""
    length = readLength(fields, MAX_TOTAL - offset)
    attributes = bytesIn(fields, b"attr", b"")
    if not attributes and len(fields) == 2:
        return FileEntry(path, length, offset, rawName.startswith(_OLD_PADDING))
    target = readLinkTarget(fields, attributes)
    return FileEntry(
        path,
        0 if b"l" in attributes else length,
        offset,
        b"p" in attributes or rawName.startswith(_OLD_PADDING),
        b"x" in attributes,
        b"h" in attributes,
        None if target is None else folder + safePath(target, windows),
        bytesIn(fields, b"sha1", None, 20),
    )


def settled(folder: Path, files: Sequence[FileEntry]) -> FileList:
    """
    C{files} with paths that are distinct and links that lead to something; the total must not be zero.

    @raise MetainfoError: they have no bytes, or too many have the same name.
    """
    total = files[-1].offset + files[-1].length
    if total < 1:
        raise MetainfoError("the torrent has no content: its files are empty")
    # Padding of one length is the same everywhere, and often has the same name.
    paths = distinct([f.path for f in files], [f.length if f.isPad else None for f in files])
    links = _links(files)
    done = [
        entry
        if path is entry.path and entry.symlink is None
        else replace(entry, path=path, symlink=entry.symlink if entry.path in links else None)
        for entry, path in zip(files, paths, strict=True)
    ]
    return FileList(folder, tuple(done), total)


def _links(files: Sequence[FileEntry]) -> set[Path]:
    """The paths of the links that lead, perhaps over others, to a file or folder of the torrent."""
    targets = {entry.path: entry.symlink for entry in files if entry.symlink is not None}
    if not targets:
        return set()
    ordered = sorted({entry.path for entry in files})
    real = set(ordered) - set(targets)
    deepest = max(map(len, targets))
    found = set()
    left = _MAX_DETOURS
    for path, at in targets.items():
        for _ in range(_MAX_HOPS):
            if at in real or (at not in targets and holds(ordered, at)):
                found.add(path)
                break
            shorter = (at[:depth] for depth in range(1, min(len(at), deepest) + 1))
            prefix = next((each for each in shorter if each in targets), None)
            if prefix is None or left == 0:
                break
            left -= 1
            at = targets[prefix] + at[len(prefix) :]
    return found
