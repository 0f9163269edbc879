"""
Which files a run of the content lies in.  Pure arithmetic; touches no disk.

The content of a torrent is its files one after another (BEP 3).  Pad files (BEP 47) are part of
that run but not of the disk: their bytes are zeros.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

_NO_NAMES = frozenset(["", ".", ".."])


@dataclass(frozen=True, slots=True)
class FileSpan:
    """
    One file of a torrent: C{length} bytes from C{offset} of the content.

    @ivar path: the parts of its path below the data folder; nothing that could lead out of it.
    @ivar isPad: its bytes are zeros and on no disk (BEP 47).
    @ivar executable: it is to be runnable (BEP 47).
    @ivar link: it is a symbolic link to this path below the data folder, and has no bytes (BEP 47).

    @raise ValueError: a number is negative, or the path is none below a folder.
    """

    path: tuple[str, ...]
    offset: int
    length: int
    isPad: bool = False
    executable: bool = False
    link: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.offset < 0 or self.length < 0:
            raise ValueError(f"a file of {self.length} bytes at {self.offset}")
        # Torrents were cleaned when they were read; this is the last door before the disk.
        for path in () if self.isPad else (self.path,) if self.link is None else (self.path, self.link):
            if not path or not all(map(_isName, path)):
                raise ValueError(f"no path below a folder: {path!r}")
        if self.link is not None and self.length:
            raise ValueError(f"a link of {self.length} bytes")


def _isName(part: str) -> bool:
    return part not in _NO_NAMES and "/" not in part and "\0" not in part and os.sep not in part


class Extent(NamedTuple):
    """Part of one file: C{length} bytes (one or more) from C{offset} in file number C{file}."""

    file: int
    offset: int
    length: int


class FileMap:
    """
    The files of a torrent in the order of the content, and which of them a range touches.

    @ivar files: all of them, pad files and empty files included; an L{Extent}'s C{file} counts in here.
    @ivar totalLength: bytes in all of them together.

    @raise ValueError: the files leave gaps or overlap.
    """

    def __init__(self, files: Iterable[FileSpan]) -> None:
        self.files = tuple(files)
        self.totalLength = 0
        # Empty files have no bytes to find, and would make the search ambiguous.
        self._numbers: list[int] = []
        self._starts: list[int] = []
        for number, span in enumerate(self.files):
            if span.offset != self.totalLength:
                raise ValueError(f"file {number} begins at {span.offset}, not at {self.totalLength}")
            if span.length:
                self._numbers.append(number)
                self._starts.append(span.offset)
            self.totalLength += span.length

    def extents(self, offset: int, length: int) -> list[Extent]:
        """
        What C{length} bytes from C{offset} of the content are made of, in order, pad files included.

        @raise ValueError: they are not all in the content.
        """
        if offset < 0 or length < 0 or offset + length > self.totalLength:
            raise ValueError(f"{length} bytes at {offset} of {self.totalLength}")
        found = []
        place = bisect_right(self._starts, offset) - 1
        while length:
            number = self._numbers[place]
            span = self.files[number]
            begin = offset - span.offset
            part = min(length, span.length - begin)
            found.append(Extent(number, begin, part))
            offset += part
            length -= part
            place += 1
        return found
