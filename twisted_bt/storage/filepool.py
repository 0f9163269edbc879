"""
A bounded set of open files, shared by all torrents.
"""

from __future__ import annotations

import errno
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from functools import partial
from itertools import islice
from threading import Lock
from typing import TypeVar

from twisted_bt.storage.fileio import FileCalls

T = TypeVar("T")


class Lease:
    """The use of an open file, for the C{with} statement, which is given the descriptor."""

    __slots__ = ("_pool", "doomed", "fd", "users", "write")

    def __init__(self, pool: FilePool, fd: int, write: bool, doomed: bool) -> None:
        self._pool = pool
        self.fd = fd
        self.write = write
        self.users = 1
        self.doomed = doomed  # to be closed by its last user

    def __enter__(self) -> int:
        return self.fd

    def __exit__(self, *reason: object) -> None:
        self._pool._giveBack(self)


class FilePool:
    """
    Keeps the files used last open, and the folders that they were found in.  Any thread may call any method.

    A file in use is never closed under its user; so while more than C{limit} are in use at once, more
    are open, which the number of threads bounds.

    @param limit: files and folders kept open.
    """

    def __init__(self, limit: int, calls: FileCalls | None = None) -> None:
        self._limit = limit
        self._calls = calls if calls is not None else FileCalls()
        self._lock = Lock()
        self._handles: OrderedDict[tuple[object, Hashable], Lease] = OrderedDict()  # used last: last

    def __len__(self) -> int:
        """How many files are open for later use."""
        return len(self._handles)

    def lease(
        self, owner: object, name: Hashable, write: bool, opener: Callable[[bool], int], keep: bool = True
    ) -> Lease:
        """
        A descriptor of file C{name} of C{owner}, open for writing if C{write}.

        A file is opened for reading until it has to be written to.  One that was deleted meanwhile is
        opened again.

        @param opener: gives a new descriptor, open for writing or not as it is told.
        @param keep: whether it is kept open for the next user if it was not open yet.
        Raises whatever C{opener} raises.
        """
        handle = self._find((owner, name), write)
        if handle is not None:
            if not self._isDeleted(handle):
                return handle
            self.drop(owner, name)  # what we would write is lost
            self._giveBack(handle)
        fd = self.open(partial(opener, write))
        return self._add((owner, name), fd, write) if keep else Lease(self, fd, write, True)

    def held(self, owner: object, name: Hashable) -> Lease | None:
        """
        The folder C{name} of C{owner}, if it is open.  If it was deleted, the system finds nothing
        and lets nobody make anything.
        """
        return self._find((owner, name), False)

    def hold(self, owner: object, name: Hashable, fd: int) -> Lease:
        """Keep the folder open that C{fd} stands for."""
        return self._add((owner, name), fd, False)

    def open(self, opener: Callable[[], T]) -> T:
        """
        What C{opener} gives, or raises.  It is called again if there was no descriptor left, after ours that
        nobody uses were closed.
        """
        try:
            return opener()
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
        self._shrink(0)  # somebody else needs descriptors too; ours come back one by one
        return opener()

    def drop(self, owner: object, name: Hashable) -> None:
        """Let the next user of this file or folder open it anew."""
        with self._lock:
            handle = self._handles.pop((owner, name), None)
            if handle is not None:
                self._retire(handle)

    def close(self, owner: object) -> None:
        """Close the files of C{owner}, those in use as soon as they are not."""
        with self._lock:
            for key in [key for key in self._handles if key[0] is owner]:
                self._retire(self._handles.pop(key))

    def _find(self, key: tuple[object, Hashable], write: bool) -> Lease | None:
        with self._lock:
            handle = self._handles.get(key)
            if handle is None or (write and not handle.write):
                return None
            handle.users += 1
            self._handles.move_to_end(key)
            return handle

    def _isDeleted(self, handle: Lease) -> bool:
        try:
            return self._calls.stat(handle.fd).st_nlink == 0
        except BaseException:
            self._giveBack(handle)
            raise

    def _add(self, key: tuple[object, Hashable], fd: int, write: bool) -> Lease:
        handle = Lease(self, fd, write, False)
        with self._lock:
            other = self._handles.pop(key, None)
            if other is not None:  # read-only, or another thread was faster
                self._retire(other)
            self._handles[key] = handle
        if len(self._handles) > self._limit:
            self._shrink(self._limit)
        return handle

    def _giveBack(self, handle: Lease) -> None:
        with self._lock:
            handle.users -= 1
            if handle.doomed and not handle.users:
                self._close(handle.fd)
                return
        if len(self._handles) > self._limit:
            self._shrink(self._limit)

    def _shrink(self, limit: int) -> None:
        with self._lock:
            excess = max(0, len(self._handles) - limit)
            idle = (key for key, handle in self._handles.items() if not handle.users)
            for key in list(islice(idle, excess)):
                self._retire(self._handles.pop(key))

    def _retire(self, handle: Lease) -> None:
        handle.doomed = True
        if not handle.users:
            self._close(handle.fd)

    def _close(self, fd: int) -> None:
        with suppress(OSError):  # what was to be kept was synced before
            self._calls.close(fd)
