"""
Whether files on disk are the content of a torrent, and which are not.

Runs where it is called, without a reactor: a command that does nothing else may wait for the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from bitarray import bitarray
from bitarray.util import zeros
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from twisted_bt.control.units import plural
from twisted_bt.storage.diskqueue import ImmediateDisk
from twisted_bt.storage.filepool import FilePool
from twisted_bt.storage.files import FileStorageFactory
from twisted_bt.torrent.metainfo import Metainfo

T = TypeVar("T")

#: Hears how many bytes of the content were looked at.
Progressed = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    @ivar pieceCount: how many pieces the torrent has.
    @ivar good: how many are there as they should be.
    @ivar faults: for people, a line for each file that is not as it should be.
    """

    pieceCount: int
    good: int
    faults: tuple[str, ...] = field(default=())

    @property
    def passed(self) -> bool:
        """Whether everything is there as it should be."""
        return self.good == self.pieceCount and not self.faults


def verifyContent(metainfo: Metainfo, folder: Path, progressed: Progressed = lambda done: None) -> Verdict:
    """
    Read and hash everything.  Changes nothing on disk.

    @param folder: what the content's file or folder is in.
    @raise StorageError: the disk said no (missing files are no such error).
    """
    pool = FilePool(8)
    storage = FileStorageFactory(ImmediateDisk(), pool).storageFor(metainfo, folder)
    layout = metainfo.layout
    bad = zeros(layout.pieceCount)
    try:
        for index in range(layout.pieceCount):
            bad[index] = not _now(storage.verifyPiece(index))
            progressed(layout.pieceOffset(index) + layout.pieceSize(index))
    finally:
        _now(storage.close())
    sizes = {each.path: _size(folder.joinpath(*each.path)) for each in metainfo.files if not each.isPad}
    return Verdict(len(bad), bad.count(0), tuple(_faults(metainfo, bad, sizes)))


def _faults(metainfo: Metainfo, bad: bitarray, sizes: Mapping[tuple[str, ...], int | None]) -> Iterator[str]:
    """
    What to say of each file, given the pieces that failed and the size of each file on disk.

    A piece that lies in several files and fails accuses all of them; one that is missing or short is the
    culprit, and those beside it are then only in doubt.
    """
    wrongSize = {each.path for each in metainfo.files if not each.isPad and sizes[each.path] != each.length}
    explained = zeros(len(bad))
    for each in metainfo.files:
        if each.path in wrongSize and not each.isPad:
            _set(explained, metainfo.layout.piecesOf(each.offset, each.length))
    for each in metainfo.files:
        if each.isPad or each.symlink is not None:
            continue
        path, size = "/".join(each.path), sizes[each.path]
        pieces = metainfo.layout.piecesOf(each.offset, each.length)
        failed = [index for index in pieces if bad[index]]
        unexplained = [index for index in failed if not explained[index]]
        if size is None:
            yield f"missing: {path}"
        elif size != each.length:
            yield f"damaged: {path} has {size} of {each.length} bytes"
        elif unexplained:
            yield f"damaged: {path}, {_ranges(unexplained)}"
        elif failed:
            yield f"in doubt: {path} shares a piece with a file that is missing or damaged"


def _set(bits: bitarray, pieces: range) -> None:
    if pieces:
        bits[pieces.start : pieces.stop] = True


def _ranges(indices: Collection[int]) -> str:
    """C{"4 pieces: 3, 7-9"}; cut where it gets long."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and runs[-1][1] == index - 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in runs[:8]]
    more = ", ..." if len(runs) > len(shown) else ""
    return f"{plural(len(indices), 'piece')}: {', '.join(shown)}{more}"


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size if path.is_file() else None
    except (OSError, ValueError):
        return None


def _now(done: Deferred[T]) -> T:
    """The result of what has fired already, as everything with L{ImmediateDisk} has."""
    results: list[T | Failure] = []
    done.addBoth(results.append)
    (result,) = results
    if isinstance(result, Failure):
        result.raiseException()
    return result
