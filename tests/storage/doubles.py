"""
Stand-ins for the tests of storage: a disk that fails when told, and a reactor that only hears threads.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from twisted_bt.storage.fileio import FileCalls

T = TypeVar("T")


class FaultyCalls(FileCalls):
    """
    System calls that fail with an error number where C{faults} has one under their name.

    @ivar room: bytes that can still be written; C{None}: any number.
    @ivar syncs: how many syncs succeed before one fails; C{None}: any number.
    @ivar most: bytes that one write or read handles at most.
    @ivar log: names of what was called.
    """

    def __init__(self) -> None:
        self.faults: dict[str, int] = {}
        self.room: int | None = None
        self.syncs: int | None = None
        self.most = 1 << 40
        self.log: list[str] = []

    def _enter(self, name: str) -> None:
        self.log.append(name)
        number = self.faults.get(name)
        if number is not None:
            raise OSError(number, os.strerror(number))

    def open(self, name: str, flags: int, mode: int = 0o666, folder: int | None = None) -> int:
        self._enter("open")
        return super().open(name, flags, mode, folder)

    def makeFolder(self, name: str, folder: int | None = None, mode: int = 0o777) -> None:
        self._enter("makeFolder")
        super().makeFolder(name, folder, mode)

    def write(self, fd: int, buffers: list[memoryview], offset: int) -> int:
        self._enter("write")
        data = b"".join(buffers)[: self.most]
        if self.room is not None:
            if not self.room:
                raise OSError(errno.ENOSPC, "no room")
            data = data[: self.room]
            self.room -= len(data)
        return os.pwrite(fd, data, offset)

    def read(self, fd: int, buffer: memoryview, offset: int) -> int:
        self._enter("read")
        return super().read(fd, buffer[: self.most], offset)

    def readNew(self, fd: int, length: int, offset: int) -> bytes:
        self._enter("read")
        return super().readNew(fd, min(length, self.most), offset)

    def allocate(self, fd: int, size: int) -> None:
        self._enter("allocate")
        super().allocate(fd, size)

    def sync(self, fd: int) -> None:
        self._enter("sync")
        if self.syncs is not None:
            if not self.syncs:
                raise OSError(errno.EIO, "broken")
            self.syncs -= 1
        super().sync(fd)


@implementer(IReactorFromThreads)
class ThreadReactor:
    """Runs what threads hand over, on the thread of the test.  C{calls} counts how often they did."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self.calls = 0

    def callFromThread(self, callable: Callable[..., Any], *args: object, **kwargs: object) -> None:
        """See L{IReactorFromThreads}."""
        self._queue.put(lambda: callable(*args, **kwargs))

    def turn(self, patience: float = 10.0) -> None:
        """Wait for one call, and run it."""
        try:
            call = self._queue.get(timeout=patience)
        except Empty:
            raise AssertionError("no thread had anything to say") from None
        self.calls += 1
        call()

    def wait(self, deferred: Deferred[T]) -> Deferred[T]:
        """Turn until C{deferred} has fired, and return it."""
        while not deferred.called:
            self.turn()
        return deferred


def openFiles() -> int:
    """How many files this process has open (where the system tells, else 0)."""
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return 0


def folderFor(test: SynchronousTestCase) -> Path:
    """A new folder of the test's own."""
    path = Path(test.mktemp()).absolute()
    path.mkdir(parents=True)
    return path
