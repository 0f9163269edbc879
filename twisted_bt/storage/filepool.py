"""
A bounded set of open files, shared by all torrents.
"""

from __future__ import annotations

import errno
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock

from twisted_bt.storage.fileio import FileCalls


class _Handle:
    __slots__ = ("doomed", "fd", "users", "write")

    def __init__(self, fd: int, write: bool) -> None:
        self.fd = fd
        self.write = write
        self.users = 1
        self.doomed = False  # to be closed by its last user


class FilePool:
    """
    Keeps the files used last open.  Any thread may call any method.

    A file in use is never closed under its user; so while more than C{limit} are in use at once, more
    are open, which the number of threads bounds.

    @param limit: files kept open.
    """

    def __init__(self, limit: int, calls: FileCalls | None = None) -> None:
        self._limit = limit
        self._calls = calls if calls is not None else FileCalls()
        self._lock = Lock()
        self._handles: OrderedDict[tuple[object, Hashable], _Handle] = OrderedDict()  # used last: last

    def __len__(self) -> int:
        """How many files are open for later use."""
        return len(self._handles)

    @contextmanager
    def lease(
        self, owner: object, name: Hashable, write: bool, opener: Callable[[bool], int]
    ) -> Iterator[int]:
        """
        A descriptor of file C{name} of C{owner} for the C{with} statement, open for writing if C{write}.

        A file is opened for reading until it has to be written to.  One that was deleted meanwhile is
        opened again.

        @param opener: gives a new descriptor, open for writing or not as it is told.
        Raises whatever C{opener} raises.
        """
        key = (owner, name)
        handle = self._find(key, write)
        if handle is None:
            handle = self._add(key, write, self._open(write, opener))
        try:
            yield handle.fd
        finally:
            self._giveBack(handle)

    def close(self, owner: object) -> None:
        """Close the files of C{owner}, those in use as soon as they are not."""
        with self._lock:
            for key in [key for key in self._handles if key[0] is owner]:
                self._retire(self._handles.pop(key))

    def _find(self, key: tuple[object, Hashable], write: bool) -> _Handle | None:
        with self._lock:
            handle = self._handles.get(key)
            if handle is None or (write and not handle.write):
                return None
            if self._calls.stat(handle.fd).st_nlink == 0:  # deleted: what we would write is lost
                self._retire(self._handles.pop(key))
                return None
            handle.users += 1
            self._handles.move_to_end(key)
            return handle

    def _open(self, write: bool, opener: Callable[[bool], int]) -> int:
        try:
            return opener(write)
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
        self._shrink(0)  # somebody else needs descriptors too; ours come back one by one
        return opener(write)

    def _add(self, key: tuple[object, Hashable], write: bool, fd: int) -> _Handle:
        with self._lock:
            other = self._handles.pop(key, None)
            if other is not None:  # read-only, or another thread was faster
                self._retire(other)
            handle = self._handles[key] = _Handle(fd, write)
        self._shrink(self._limit)
        return handle

    def _giveBack(self, handle: _Handle) -> None:
        with self._lock:
            handle.users -= 1
            if handle.doomed and not handle.users:
                self._close(handle.fd)
                return
        if len(self._handles) > self._limit:
            self._shrink(self._limit)

    def _shrink(self, limit: int) -> None:
        with self._lock:
            excess = len(self._handles) - limit
            idle = [key for key, handle in self._handles.items() if not handle.users]
            for key in idle[: max(0, excess)]:
                self._retire(self._handles.pop(key))

    def _retire(self, handle: _Handle) -> None:
        handle.doomed = True
        if not handle.users:
            self._close(handle.fd)

    def _close(self, fd: int) -> None:
        with suppress(OSError):  # what was to be kept was synced before
            self._calls.close(fd)
