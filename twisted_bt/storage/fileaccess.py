"""
The way to each file of one torrent: found, made, made ready for writing, and its trouble told.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from functools import partial
from threading import Lock
from typing import TypeVar

from twisted_bt.errors import StorageError
from twisted_bt.storage.fileio import FileCalls, explained
from twisted_bt.storage.filemap import FileSpan
from twisted_bt.storage.filepool import FilePool
from twisted_bt.storage.folder import DataFolder

T = TypeVar("T")


class Missing(StorageError):
    """The file is not there, nor was it ever to be expected."""


class FileAccess:
    """
    The files of one torrent, by their numbers.  Any thread may call any method.

    A file that was there once is never made again: were it deleted while in use, its verified pieces
    are gone, and to write the others into a new file would hide that.

    @param preallocate: reserve the room of each file before the first write to it.
    @ivar made: the numbers of files that were not there, and are by us.
    """

    def __init__(
        self,
        folder: DataFolder,
        pool: FilePool,
        files: Sequence[FileSpan],
        preallocate: bool,
        calls: FileCalls,
    ) -> None:
        self._folder = folder
        self._pool = pool
        self._files = files
        self._preallocate = preallocate
        self._calls = calls
        self._lock = Lock()
        self._seen: set[int] = set()  # files that were there
        self._arranged: set[int] = set()  # files made ready for writing
        self.made: set[int] = set()

    def use(self, number: int, write: bool, job: Callable[[int], T], keep: bool = True) -> T:
        """
        What C{job} gives for a descriptor of a file.

        @param write: it is to be written to, and made if it never was there.
        @param keep: more is to be expected for this file.
        @raise Missing: it is not there.
        @raise StorageError: all else that goes wrong, here or in C{job}.
        """
        opener = partial(self._open, number)
        try:
            if not keep and number not in self._seen:  # so it is not open
                fd = self._pool.open(partial(opener, write))
                try:
                    return job(fd)
                finally:
                    self._calls.close(fd)
            with self._pool.lease(self, number, write, opener, keep) as fd:
                return job(fd)
        except StorageError:
            self._folder.close()
            raise
        except (FileNotFoundError, NotADirectoryError) as error:
            if write and isinstance(error, NotADirectoryError):
                raise explained(error, self.name(number)) from error
            raise Missing(f"{self.name(number)} is gone") from error
        except (OSError, ValueError) as error:
            self._folder.close()  # perhaps it is the folder's trouble, and mended soon
            raise explained(error, self.name(number)) from error

    def name(self, number: int) -> str:
        """The whole path of a file, for people."""
        return self._folder.name(self._files[number].path)

    def close(self) -> None:
        """Close all that is kept open.  Nothing may be under way."""
        self._pool.close(self)
        self._folder.close()

    def _open(self, number: int, write: bool) -> int:
        span = self._files[number]
        if write and number not in self._seen:
            fd = self._folder.makeFile(span.path, 0o777 if span.executable else 0o666)
            if fd is not None:
                self.made.add(number)
                self._seen.add(number)
                if not (span.executable or self._preallocate):
                    self._arranged.add(number)
                return self._ready(number, span, fd, None)
        fd, found = self._folder.openFile(span.path, write)
        self._seen.add(number)
        return self._ready(number, span, fd, found) if write else fd

    def _ready(self, number: int, span: FileSpan, fd: int, found: os.stat_result | None) -> int:
        """Before the first write: not too long, runnable if it is to be, with room if that is wanted."""
        if number in self._arranged:
            return fd
        try:
            with self._lock:
                if found is None:
                    found = self._calls.stat(fd)
                if found.st_size > span.length:  # a foreign file of that name; ours is what will be in it
                    self._calls.truncate(fd, span.length)
                if span.executable and not found.st_mode & 0o111:
                    self._calls.changeMode(fd, found.st_mode & 0o777 | (found.st_mode & 0o444) >> 2)
                if self._preallocate and found.st_size < span.length:
                    self._reserve(fd, span.length)
                self._arranged.add(number)
        except BaseException:
            self._calls.close(fd)
            raise
        return fd

    def _reserve(self, fd: int, size: int) -> None:
        try:
            self._calls.allocate(fd, size)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
                raise
