"""
Paths from torrents, made safe: what comes out cannot name anything outside the data folder.

The rules are libtorrent's, found by asking it, so that both call the same file by the same name:

  - C{/}, C{\\}, NUL and invisible formatting characters (zero width, text direction) vanish; other
    control characters, and bytes that are not UTF-8, become C{_};
  - an element that is then empty, C{.} or C{..} becomes C{_} (a torrent's name: is refused or replaced);
  - an element is cut at 240 bytes; a short extension is kept;
  - of two equal paths the second becomes C{name.1.ext}, and a file where a folder must be gives way.

On Windows moreover C{<>:"|?*} become C{_}, dots and blanks at the end vanish, and device names
(C{CON}, C{NUL.txt}) get a C{_}.  Here they are usual names and stay, or other clients' files would not
be found.

Paths are judged equal as file systems that ignore case would: by Unicode case folding, composed.  That is
stricter than libtorrent, which knows only A to Z; C{E} and C{e} with accents are one file on a Mac.

Symbolic links on the disk are the storage's care.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from unicodedata import normalize

from twisted_bt.errors import MetainfoError

#: A path below the data folder, element by element.
Path = tuple[str, ...]

#: Bytes after which an element is cut, and how long an extension is kept nevertheless, its dot included.
ELEMENT_BYTES = 240
EXTENSION_BYTES = 9

#: The most a file system takes (Linux, macOS, Windows).
NAME_MAX = 255

#: How many names tried in vain, in all, while renaming equal paths; libtorrent gives up there too.
MAX_COLLISIONS = 500

_REMOVED = (
    "/\\\0"
    + "\u061c\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
    + "\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\ufeff"
)
_CONTROLS = frozenset([*range(1, 32), *range(0x7F, 0xA0)])
_TABLE: dict[int, str | None] = dict.fromkeys(map(ord, _REMOVED)) | dict.fromkeys(_CONTROLS, "_")
_WINDOWS = str.maketrans(dict.fromkeys('<>:"|?*', "_"))
_DEVICES = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
    + [f"{d}{n}" for d in ("COM", "LPT") for n in "123456789¹²³"]
)


# All of this by the machine of the regular expressions, without a call for each: a hostile torrent may have
# 32 MiB of what is no character, or a hundred thousand names of it.

#: A character in UTF-8 (all there are: neither surrogates nor overlong forms).
_CHARACTER = (
    rb"(?:[\x00-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}"
    rb"|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}"
    rb"|\xf4[\x80-\x8f][\x80-\xbf]{2})"
)
#: A byte that begins none.
_SINGLE = rb"[\x80-\xbf\xfc-\xff]"
#: What is none: as long as its first byte says, in UTF-8 as first defined.
_WHOLE = rb"%b|[\xc0-\xdf].|[\xe0-\xef]..|[\xf0-\xf7]...|[\xf8-\xfb]...." % _SINGLE
#: The same, perhaps cut short by the end.
_NONE = rb"%b|[\xc0-\xdf].?|[\xe0-\xef].{0,2}|[\xf0-\xf7].{0,3}|[\xf8-\xfb].{0,4}" % _SINGLE
#: What L{_TABLE} removes.
_VANISHING = b"|".join(re.escape(each.encode("utf-8")) for each in _REMOVED)

_wholeParts = re.compile(b"(?:%b++|%b)*+" % (_CHARACTER, _WHOLE), re.DOTALL).match
_part = re.compile(b"(%b++)|%b" % (_CHARACTER, _NONE), re.DOTALL).findall
#: Many single bytes, or many of the others: not so many that a list of them takes much memory.
_parts = re.compile(
    b"(%b{16,}+)|(?:%b++|(?!%b{16})(?:%b)){1,262144}+" % (_SINGLE, _CHARACTER, _SINGLE, _NONE), re.DOTALL
).sub
_removed = re.compile(b"(?:%b)+" % _VANISHING).match
_each = re.compile(b"((?:%b)++)|(%b)|%b" % (_VANISHING, _CHARACTER, _NONE), re.DOTALL).finditer


def decodeText(raw: bytes) -> str:
    """
    C{raw} as text.  Whatever is no UTF-8 becomes C{_}: as many bytes at once as the first of them claims
    (as libtorrent does, whose file names we must meet).
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return _parts(_shown, raw).decode("utf-8")


def _shown(parts: re.Match[bytes]) -> bytes:
    if parts[1]:
        return b"_" * len(parts[1])
    return b"".join([characters or b"_" for characters in _part(parts[0])])


def _whole(raw: bytes, start: int, stop: int) -> int:
    """Where, from C{start}, the characters of C{raw} (and what is none) that are whole before C{stop} end."""
    if stop >= len(raw):
        return len(raw)
    try:
        raw[start:stop].decode("utf-8")
    except UnicodeDecodeError:
        found = _wholeParts(raw, start, stop)
        return found.end() if found is not None else start
    return stop


def _cut(raw: bytes) -> str:
    """C{raw} cleaned, cut after L{ELEMENT_BYTES}, with its extension if that is short."""
    kept: list[str] = []
    size = at = 0
    # Nothing becomes longer in bytes, so that so much more does not lead to the cut.
    while at < len(raw) and size < ELEMENT_BYTES - 8:
        skipped = _removed(raw, at)
        if skipped is not None:  # millions of them, perhaps
            at = skipped.end()
            continue
        end = _whole(raw, at, at + ELEMENT_BYTES - 1 - size)
        kept.append(decodeText(raw[at:end]).translate(_TABLE))
        size += len(kept[-1].encode("utf-8"))
        at = end
    for each in _each(raw, at):
        if each[1]:
            continue
        text = each[2].decode("utf-8") if each[2] else ""
        clean = text.translate(_TABLE) if text else "_"
        kept.append(clean)
        size += len(clean.encode("utf-8"))
        # After a character that was replaced libtorrent does not cut, and its names we must meet; but it
        # would let such a name grow past what a disk takes.
        if size >= NAME_MAX - EXTENSION_BYTES or (size >= ELEMENT_BYTES and clean == text):
            at = raw.rfind(b".", max(each.end(), len(raw) - EXTENSION_BYTES))
            if at >= 0:
                kept.append(decodeText(raw[at:]).translate(_TABLE))
            break
    return "".join(kept)


def _clean(raw: bytes, windows: bool) -> str:
    if len(raw) <= ELEMENT_BYTES:
        text = decodeText(raw)
        # Most names need nothing done to them.
        if not (text.isascii() and text.isprintable() and "/" not in text and "\\" not in text):
            text = text.translate(_TABLE)
    else:
        text = _cut(raw)
    if windows:
        text = text.translate(_WINDOWS).rstrip(". ")
        if text.partition(".")[0].rstrip(" ").upper() in _DEVICES:
            text = "_" + text
    return "" if text in (".", "..") else text


def safeElement(raw: bytes, windows: bool = os.name == "nt") -> str:
    """One element of a path, as a name that is safe on a disk.  Never C{""}."""
    return _clean(raw, windows) or "_"


def safePath(elements: Sequence[bytes], windows: bool = os.name == "nt") -> Path:
    """A path of such elements; C{()} for no elements."""
    return tuple(safeElement(raw, windows) for raw in elements)


def safeName(raw: bytes, windows: bool = os.name == "nt") -> str | None:
    """
    The name of a torrent, as a name that is safe on a disk.

    @return: C{None} if nothing is left of it.
    """
    return _clean(raw, windows) or None


def _key(element: str) -> str:
    """Equal for elements that some file system takes for one."""
    return element.lower() if element.isascii() else normalize("NFC", element.casefold())


def _numbered(path: Path, number: int) -> Path:
    """C{path} with C{number} put before the extension."""
    stem, dot, extension = path[-1].rpartition(".")
    if not dot:
        stem, extension = extension, ""
    end = f".{number}{dot}{extension}"
    room = NAME_MAX - len(end.encode("utf-8"))
    return (*path[:-1], stem.encode("utf-8")[:room].decode("utf-8", "ignore") + end)


def holds(ordered: Sequence[Path], folder: Path) -> bool:
    """Whether one of the paths of C{ordered}, which are sorted, is below C{folder}."""
    at = bisect_right(ordered, folder)
    return at < len(ordered) and ordered[at][: len(folder)] == folder


def distinct(paths: Sequence[Path], mayShare: Sequence[object] | None = None) -> list[Path]:
    """
    C{paths} with names changed until no two are equal and none is a folder of another, whatever the
    case.  Folders keep their names, and so does the first of several equals.

    @param mayShare: for each path a token or C{None}: those of equal tokens may stay equal (padding,
        which is not on the disk).
    @raise MetainfoError: far too many are equal.
    """
    folders: dict[Path, Path] = {}
    taken: set[Path] = set()
    keys: list[Path] = []
    for path in paths:
        parent = path[:-1]
        folder = folders.get(parent)
        if folder is None:
            folder = folders[parent] = tuple(map(_key, parent))
        keys.append((*folder, _key(path[-1])))
    if sum(map(len, folders)) <= len(paths) and len(set(keys)) == len(keys):
        folderKeys = {each[:depth] for each in folders.values() for depth in range(1, len(each) + 1)}
        if folderKeys.isdisjoint(keys):
            return list(paths)
    # Else folders are found in the order of the keys: a list of them may have a hundred for each file, a
    # hundred names deep, and take gigabytes.
    del folders
    ordered = sorted(keys)
    if not any(after[: len(before)] == before for before, after in pairwise(ordered)):
        return list(paths)

    originals = set(keys)
    found: list[Path] = []
    owner: dict[Path, object] = {}
    numbers: dict[Path, int] = {}
    collisions = 0
    for position, (path, key) in enumerate(zip(paths, keys, strict=True)):
        token = mayShare[position] if mayShare is not None else None
        base = key
        shared = token is not None and owner.get(key) == token
        if not shared and (key in taken or holds(ordered, key)):
            number = numbers.get(base, 0)
            collisions += number
            if collisions > MAX_COLLISIONS:
                raise MetainfoError("too many files of this torrent have the same name")
            while True:
                number += 1
                renamed = _numbered(path, number)
                key = (*base[:-1], _key(renamed[-1]))
                if key not in taken and key not in originals and not holds(ordered, key):
                    break
                collisions += 1
                if collisions > MAX_COLLISIONS:
                    raise MetainfoError("too many files of this torrent have the same name")
            numbers[base] = number
            path = renamed
        taken.add(key)
        owner.setdefault(key, token)
        found.append(path)
    return found
