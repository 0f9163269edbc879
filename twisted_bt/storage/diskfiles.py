"""
The files of one torrent, as the disk threads see them: everything here waits for the disk.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Container, Sequence
from contextlib import suppress
from functools import partial
from threading import Lock, RLock
from typing import NoReturn

from bitarray import bitarray

from twisted_bt.errors import PieceCorrupt, StorageError
from twisted_bt.interfaces import Buffer
from twisted_bt.storage.fileaccess import FileAccess, Missing
from twisted_bt.storage.fileio import FileCalls, Scratch, explained, readInto, writeParts
from twisted_bt.storage.filemap import FileMap, FileSpan
from twisted_bt.storage.filepool import FilePool
from twisted_bt.storage.folder import DataFolder
from twisted_bt.storage.signature import FileState, encodeSignature
from twisted_bt.torrent.pieces import PieceLayout

Check = Callable[[int, Buffer], bool]
#: Of what is written to one file: where, what, and the position of its piece among those to be stored.
_Part = tuple[int, memoryview, int]


class DiskFiles:
    """
    Pieces in files.  Any thread may call any method, several at once.

    @param check: whether bytes are the content of a piece.
    @param isBlank: whether a piece is all zeros; C{None}: C{check} is asked, which is much slower.
    @param preallocate: reserve the room of each file before the first write to it.

    @raise ValueError: C{files} and C{layout} do not have the same length.
    """

    def __init__(
        self,
        folder: DataFolder,
        pool: FilePool,
        files: Sequence[FileSpan],
        layout: PieceLayout,
        check: Check,
        isBlank: Callable[[int], bool] | None = None,
        preallocate: bool = False,
        scratch: Scratch | None = None,
        calls: FileCalls | None = None,
    ) -> None:
        self._map = FileMap(files)
        if self._map.totalLength != layout.totalLength:
            raise ValueError(f"files of {self._map.totalLength} bytes, pieces of {layout.totalLength}")
        self._calls = calls if calls is not None else FileCalls()
        self._folder = folder
        self._access = FileAccess(folder, pool, self._map.files, preallocate, self._calls)
        self._layout = layout
        self._check = check
        self._isBlank = isBlank if isBlank is not None else self._checkBlank
        self._scratch = scratch if scratch is not None else Scratch()
        self._lock = Lock()
        self._prepareLock = Lock()
        self._flushLock = RLock()
        self._prepared = False
        self._writes = 0  # how many there were, to all files
        self._dirty: dict[int, int] = {}  # file number -> the last write to it that was not flushed
        self._writers: dict[int, int] = {}  # file number -> how many write to it now
        # File number -> how it looked at the last flush, or before the first write.
        self._flushed: dict[int, tuple[int, int]] = {}
        # Somebody had to look what is in the files: perhaps a process that was killed wrote it, and did not
        # come to flush it.
        self._doubted = False
        self._kept: set[int] = set()  # files that were flushed since they were opened first
        self._lost: StorageError | None = None

    # -- pieces

    def write(self, index: int, data: Buffer) -> None:
        """
        Store piece C{index}.

        @raise PieceCorrupt: C{data} is not that piece; nothing was changed.
        @raise StorageError: the disk said no; part of the piece may be written, and no other was changed.
        """
        (outcome,) = self.writeSeveral([(index, data)])
        if outcome is not None:
            raise outcome

    def writeSeveral(self, pieces: Sequence[tuple[int, Buffer]]) -> list[Exception | None]:
        """
        Store C{pieces}, index and data of each, the files that they lie in one after the other.

        @return: for each, in order, C{None} or what L{write} would raise.  After trouble with a file, that is
            all which were not written to it yet.
        """
        outcomes: list[Exception | None] = [None] * len(pieces)
        found: dict[int, list[_Part]] = {}
        for position, (index, data) in sorted(enumerate(pieces), key=_byIndex):
            if len(data) != self._layout.pieceSize(index) or not self._check(index, data):
                outcomes[position] = PieceCorrupt(index)
                continue
            rest = memoryview(data)
            for extent in self._map.extents(self._layout.pieceOffset(index), len(data)):
                part, rest = rest[: extent.length], rest[extent.length :]
                if not self._map.files[extent.file].isPad:
                    found.setdefault(extent.file, []).append((extent.offset, part, position))
        if outcomes.count(None):
            try:
                self.prepare()
            except StorageError as reason:
                return [outcome or reason for outcome in outcomes]
        for number, parts in found.items():
            left = [each for each in parts if outcomes[each[2]] is None]
            if left:
                self._writeParts(number, left, outcomes)
        return outcomes

    def _writeParts(self, number: int, parts: list[_Part], outcomes: list[Exception | None]) -> None:
        """Write C{parts}, ordered by offset, to a file: those that follow one another in one call."""
        done = 0

        def store(fd: int) -> None:
            nonlocal done
            self._begins(number, fd)
            try:
                while done < len(parts):
                    begin = end = parts[done][0]
                    run = []
                    for offset, part, _ in parts[done:]:
                        if offset != end:
                            break
                        run.append(part)
                        end += len(part)
                    writeParts(self._calls, fd, run, begin)
                    done += len(run)
            finally:
                self._ends(number)

        isWhole = sum([len(part) for _, part, _ in parts]) == self._map.files[number].length
        try:
            self._access.use(number, True, store, keep=not isWhole)
        except StorageError as reason:
            for _, _, position in parts[done:]:
                outcomes[position] = reason

    def _begins(self, number: int, fd: int) -> None:
        """A write to file C{number}; L{_ends} when it is done."""
        with self._lock:
            if number not in self._flushed:
                isNew = number in self._access.made
                self._flushed[number] = _NOWHERE if isNew else _look(self._calls.stat(fd))
            self._writers[number] = self._writers.get(number, 0) + 1

    def _ends(self, number: int) -> None:
        # Not before: a flush in between would take the file for clean.
        with self._lock:
            self._writes += 1
            self._dirty[number] = self._writes
            self._writers[number] -= 1
            if not self._writers[number]:
                del self._writers[number]

    def read(self, index: int, begin: int, length: int) -> bytes:
        """
        Bytes of piece C{index}, not verified.

        @raise StorageError: they are not there, or the disk said no.
        """
        if begin < 0 or length < 0 or begin + length > self._layout.pieceSize(index):
            raise ValueError(f"no {length} bytes at {begin} in piece {index}")
        offset = self._layout.pieceOffset(index) + begin
        extents = self._map.extents(offset, length)
        if len(extents) == 1 and not self._map.files[extents[0].file].isPad:
            begin = extents[0].offset
            # Spares zeroing and copying.
            data = self._access.use(extents[0].file, False, lambda fd: self._calls.readNew(fd, length, begin))
            if len(data) == length:
                return data
        buffer = bytearray(length)
        missing = self._fill(memoryview(buffer), offset)
        if missing is not None:
            raise StorageError(f"{self._access.name(missing)} is gone, or shorter than it was")
        return bytes(buffer)

    def verify(self, index: int) -> bool:
        """
        Whether piece C{index} is there and has its hash.

        @raise StorageError: the disk said no; not raised for what is just missing.
        """
        self._doubted = True
        buffer = self._scratch.take(self._layout.pieceSize(index))
        missing = self._fill(buffer, self._layout.pieceOffset(index))
        return missing is None and self._check(index, buffer)

    def _fill(self, buffer: memoryview, offset: int) -> int | None:
        """Content from C{offset} on into C{buffer}; returns the number of the file that lacks some of it."""
        for extent in self._map.extents(offset, len(buffer)):
            part, buffer = buffer[: extent.length], buffer[extent.length :]
            if self._map.files[extent.file].isPad:
                part[:] = bytes(extent.length)
                continue
            try:
                if self._readPart(extent.file, part, extent.offset) < extent.length:
                    return extent.file
            except Missing:
                return extent.file
        return None

    def _readPart(self, number: int, buffer: memoryview, offset: int) -> int:
        isWhole = len(buffer) == self._map.files[number].length
        return self._access.use(
            number, False, lambda fd: readInto(self._calls, fd, buffer, offset), keep=not isWhole
        )

    # -- the files as a whole

    def prepare(self) -> None:
        """
        Make the data folder, and the files that have no bytes and so are never written to.  Done
        before the first write; doing it again changes nothing.

        @raise StorageError: it could not be done.
        """
        if self._prepared:
            return
        with self._prepareLock:
            if self._prepared:
                return
            for number, span in enumerate(self._map.files):
                if span.link is not None:
                    self._link(span)
                elif not span.length and not span.isPad:
                    self._access.use(number, True, lambda fd: None)
            self._prepared = True

    def _link(self, span: FileSpan) -> None:
        assert span.link is not None
        try:
            self._folder.makeLink(span.path, span.link)
        except (OSError, ValueError) as error:
            raise explained(error, self._folder.name(span.path)) from error

    def allocated(self) -> bitarray:
        """
        The pieces that might be here.

        Left out are those with bytes in a missing file or beyond a file's end, and those that
        lie wholly in holes.  But a hole reads as zeros: pieces that are all zeros are kept, since
        file systems that compress store them as holes.

        @raise StorageError: the disk said no.
        """
        layout = self._layout
        possible = bitarray(layout.pieceCount)
        possible.setall(True)
        touched = bitarray(layout.pieceCount)
        mayBe = self._folder.survey()
        for number, span in enumerate(self._map.files):
            if span.isPad or not span.length:
                continue
            size, ranges = self._ranges(number, span) if mayBe(span.path[:-1]) else (0, [])
            _mark(possible, layout.piecesOf(span.offset + size, span.length - size), False)
            for begin, end in ranges:
                _mark(touched, layout.piecesOf(span.offset + begin, end - begin), True)
        for index in (possible & ~touched).search(bitarray("1")):
            possible[index] = self._isBlank(index)
        return possible

    def _ranges(self, number: int, span: FileSpan) -> tuple[int, list[tuple[int, int]]]:
        def ranges(fd: int) -> tuple[int, list[tuple[int, int]]]:
            size = min(self._calls.stat(fd).st_size, span.length)
            return size, self._calls.dataRanges(fd, size)

        try:
            return self._access.use(number, False, ranges, keep=False)
        except Missing:
            return 0, []

    def signature(self) -> bytes:
        """
        Size and time of each file that has bytes, see L{twisted_bt.storage.signature}.

        Files with writes that were not flushed are shown as they were before those: a loss of power may take
        them back to that, or leave them with a later time.
        """
        parts = []
        mayBe = self._folder.survey()
        for number, span in enumerate(self._map.files):
            if span.isPad or not span.length:
                continue
            pieces = self._layout.piecesOf(span.offset, span.length)
            look = self._lookAt(number, span) if mayBe(span.path[:-1]) else _NOWHERE
            parts.append(FileState(pieces[0], pieces[-1], *look))
        return encodeSignature(parts)

    def _lookAt(self, number: int, span: FileSpan) -> tuple[int, int]:
        name = self._folder.name(span.path)
        try:
            look = _look(self._calls.look(name))
        except (FileNotFoundError, NotADirectoryError):
            return _NOWHERE
        except (OSError, ValueError) as error:
            raise explained(error, name) from error
        with self._lock:
            return self._flushed[number] if number in self._dirty or number in self._writers else look

    def flush(self) -> None:
        """
        Return once all that was written before survives a loss of power, with the times that
        L{signature} speaks of: hence C{fsync}, for C{fdatasync} leaves those behind.

        @raise StorageError: the disk said no.  Then what was written since the last L{flush} may be
            lost, and the system would not say so a second time; so each later call fails too.
        """
        # One at a time: the system tells of lost data only once, and both have to hear it.
        with self._flushLock:
            if self._lost is not None:
                raise self._lost
            self._flush()

    def _flush(self) -> None:
        with self._lock:
            dirty = dict(self._dirty)
        if self._doubted:
            self._keepFound(dirty)
        for number, write in dirty.items():
            look = self._access.use(number, True, partial(self._sync, number), keep=False)
            with self._lock:
                self._flushed[number] = look
                if self._dirty.get(number) == write:  # else somebody wrote, or flushed, meanwhile
                    del self._dirty[number]
                self._kept.add(number)
        self._folder.sync()

    def _sync(self, number: int, fd: int) -> tuple[int, int]:
        look = _look(self._calls.stat(fd))
        try:
            self._calls.sync(fd)
        except OSError as error:
            self._loses(number, error)
        return look

    def _keepFound(self, dirty: Container[int]) -> None:
        """Sync the files that were found, not written; one that is gone is for L{signature} to tell."""
        for number, span in enumerate(self._map.files):
            if number in self._kept or number in dirty or span.isPad or not span.length:
                continue
            with suppress(Missing):
                self._access.use(number, False, partial(self._keep, number), keep=False)
            self._kept.add(number)
        self._doubted = False

    def _keep(self, number: int, fd: int) -> None:
        self._folder.use(self._map.files[number].path)
        try:
            self._calls.sync(fd)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # nobody can write to it, nor sync it
                self._loses(number, error)

    def _loses(self, number: int, error: OSError) -> NoReturn:
        why = explained(error, self._access.name(number))
        self._lost = StorageError(f"{why}; what was written last may be lost")
        raise self._lost from error

    def close(self) -> None:
        """Close the files.  Nothing may be under way."""
        self._access.close()

    def _checkBlank(self, index: int) -> bool:
        return self._check(index, bytes(self._layout.pieceSize(index)))


#: How a file looks that is not there.
_NOWHERE = (-1, 0)


def _byIndex(numbered: tuple[int, tuple[int, Buffer]]) -> int:
    return numbered[1][0]


def _look(found: os.stat_result) -> tuple[int, int]:
    return found.st_size, found.st_mtime_ns


def _mark(bits: bitarray, pieces: range, value: bool) -> None:
    if pieces:
        bits[pieces[0] : pieces[-1] + 1] = value
