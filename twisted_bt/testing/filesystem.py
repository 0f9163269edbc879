"""
A file system in memory that behaves like one on a disk: it is slow, full, broken, and loses what was not
synced when the power fails.

Every L{Host<twisted_bt.testing.host.Host>} has one, and L{ClientSession}s on it keep their files and state
there, with the engine's own storage code.  It is as useful to who only wants no files:

    >>> files = SimulatedFiles()
    >>> client = ClientSession(reactor, Settings(), Plugins(files=files))
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

from twisted_bt.storage.fileio import FileCalls, ILock
from twisted_bt.testing.descriptors import Descriptors, Lock, Open
from twisted_bt.testing.disk import Disk, Work
from twisted_bt.testing.diskfaults import DiskFaults, Harm
from twisted_bt.testing.journal import Node
from twisted_bt.testing.platter import BLOCK, SECTOR, FileNode, FolderNode, LinkNode, Meta
from twisted_bt.testing.statefiles import DatabaseNode, failure, openDatabase, openReader
from twisted_bt.testing.tree import Place, Tree, fault, statOf


class PowerCut(BaseException):
    """The computer stops here."""


class SimulatedFiles(FileCalls):
    """
    To be used from one thread at a time.

    @ivar disk: how quick and how big it is.
    @ivar faults: what goes wrong on it.
    @ivar random: decides faults, and what crashes leave.
    @ivar used: bytes allocated.
    @ivar sparse: whether programs are told where holes are.
    """

    def __init__(
        self,
        disk: Disk | None = None,
        wallClock: Callable[[], float] = lambda: 0.0,
        random: Random | None = None,
    ) -> None:
        """
        @param wallClock: seconds since 1970, for times of change.
        """
        self.disk = disk if disk is not None else Disk()
        self._wallClock = wallClock
        self.random = random if random is not None else Random(0)
        self.faults = DiskFaults(self.random)
        self.used = 0
        self.sparse = True
        self._tree = Tree()
        self._open = Descriptors()
        self._locks: dict[str, None] = {}
        self._work: Work | None = None
        self._callsLeft: int | None = None  # until the power is cut

    # -- for tests

    @property
    def openFiles(self) -> list[str]:
        """The paths of what programs have open, and of the locks they hold."""
        return self._open.paths() + list(self._locks)

    def names(self) -> list[str]:
        """The paths of all files and links."""
        return [path for path, node in self._tree.walk() if not isinstance(node, FolderNode)]

    def content(self, path: Path | str) -> bytes:
        """What is in a file.  @raise OSError: there is none."""
        node = self._file(str(path))
        return node.read(0, node.meta.size)

    def unsynced(self) -> list[str]:
        """The paths of files with content that is not known to be on the disk."""
        return [path for path, node in self._tree.walk() if isinstance(node, FileNode) and node.dirtyBlocks()]

    def put(self, path: Path | str, data: bytes) -> None:
        """Have a file of that content, folders and all, as if it had been there long ago."""
        node = FileNode(self._tree.number(), Meta(0, self._now(), 0o666))
        node.write(0, data, self._now())
        node.settle(node.order)
        self._tree.put(str(path), node)
        self.used += node.allocated

    # -- work, for the disk queue

    @contextmanager
    def working(self) -> Iterator[Work]:
        """What is done meanwhile takes the time that the work says; its syncs are over when that is."""
        before, self._work = self._work, Work(self.disk)
        try:
            yield self._work
        finally:
            self._work = before

    def cutShort(self, job: Callable[[], object], random: Random) -> None:
        """Do any part of C{job}: the computer stops at one of its calls."""
        self._callsLeft = random.randrange(8)
        with self.working(), suppress(PowerCut, Exception):  # nobody is there to hear of it
            job()

    # -- the end of the computer

    def kill(self) -> None:
        """The programs ended, and the computer did not: all they wrote is there."""
        self._forget()
        for node in self._tree.files():
            if isinstance(node, DatabaseNode):
                node.stop(None, self._now())

    def crash(self) -> None:
        """The power failed: what was synced is there, and any part of the rest."""
        random = self.random
        odds = random.choice((0.0, 1.0, 0.5, random.random()))
        sector = random.choice((SECTOR, BLOCK))
        self._tree.crash(random, odds)
        for node in self._tree.files():
            if isinstance(node, DatabaseNode):
                node.stop(random, self._now())
            else:
                node.crash(random, odds, sector)
        self._forget()

    def _forget(self) -> None:
        self._open.clear()
        self._locks.clear()
        self._work = self._callsLeft = None
        self.used = 0
        for node in self._tree.files():
            node.links = 0
            self.used += node.allocated
        for _, each in self._tree.walk():
            if isinstance(each, FileNode):
                each.links += 1

    # -- names

    def open(self, name: str, flags: int, mode: int = 0o666, folder: int | None = None) -> int:
        """See L{FileCalls}."""
        new = flags & os.O_CREAT and flags & os.O_EXCL
        place = self._find(name, folder, not flags & os.O_NOFOLLOW and not new)
        node = place.node
        if node is None and flags & os.O_CREAT:
            self._meet("make", place.path).strike()
            node = FileNode(self._tree.number(), Meta(0, self._now(), mode & 0o777))
            node.links = 1
            self._tree.change((place.folder, place.name, node))
        elif node is None:
            raise fault(errno.ENOENT, place.path)
        else:
            self._meet("open", place.path).strike()
            if new:
                raise fault(errno.EEXIST, place.path)
        if isinstance(node, LinkNode):
            raise fault(errno.ELOOP, place.path)
        writable = bool(flags & (os.O_WRONLY | os.O_RDWR))
        if isinstance(node, FolderNode) and writable:
            raise fault(errno.EISDIR, place.path)
        if isinstance(node, FileNode) and flags & os.O_DIRECTORY:
            raise fault(errno.ENOTDIR, place.path)
        if isinstance(node, FileNode) and flags & os.O_TRUNC and node.meta.size:
            self._resize(node, 0)
        return self._open.add(Open(node, place.path, writable))

    def close(self, fd: int) -> None:
        """See L{FileCalls}."""
        self._free(self._open.close(fd).node)

    def makeFolder(self, name: str, folder: int | None = None, mode: int = 0o777) -> None:
        """See L{FileCalls}."""
        place = self._vacant(name, folder)
        self._tree.change((place.folder, place.name, FolderNode(self._tree.number(), mode)))

    def makeLink(self, name: str, target: str, folder: int) -> None:
        """See L{FileCalls}."""
        place = self._vacant(name, folder)
        self._tree.change((place.folder, place.name, LinkNode(self._tree.number(), target)))

    def rename(self, name: str, target: str) -> None:
        """See L{FileCalls}."""
        old, new = self._find(name, None, False), self._find(target, None, False)
        if old.node is None:
            raise fault(errno.ENOENT, old.path)
        if isinstance(new.node, FolderNode) and not isinstance(old.node, FolderNode):
            raise fault(errno.EISDIR, new.path)
        self._meet("rename", new.path).strike()
        if new.node is not old.node:
            self._tree.change((old.folder, old.name, None), (new.folder, new.name, old.node))
            self._unlinked(new.node)

    def remove(self, name: str) -> None:
        """See L{FileCalls}."""
        place = self._find(name, None, False)
        if place.node is None:
            raise fault(errno.ENOENT, place.path)
        if isinstance(place.node, FolderNode):
            raise fault(errno.EISDIR, place.path)
        self._meet("remove", place.path).strike()
        self._tree.change((place.folder, place.name, None))
        self._unlinked(place.node)

    def look(self, name: str, folder: int | None = None, follow: bool = False) -> os.stat_result:
        """See L{FileCalls}."""
        place = self._find(name, folder, follow)
        if place.node is None:
            raise fault(errno.ENOENT, place.path)
        return statOf(place.node)

    def lock(self, path: Path) -> ILock:
        """See L{FileCalls}."""
        place = self._find(str(path), None, True)
        if place.path in self._locks:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), place.path)
        self.close(self.open(str(path), os.O_RDWR | os.O_CREAT, 0o600))
        return Lock(self._locks, place.path)

    # -- content

    def stat(self, fd: int) -> os.stat_result:
        """See L{FileCalls}."""
        return statOf(self._open.get(fd).node)

    def dataRanges(self, fd: int, size: int) -> list[tuple[int, int]]:
        """See L{FileCalls}."""
        _, node = self._content(fd)
        return node.ranges(size) if self.sparse else [(0, size)] if size else []

    def write(self, fd: int, buffers: list[memoryview], offset: int) -> int:
        """See L{FileCalls}."""
        path, node = self._content(fd, True)
        data = b"".join(buffers)
        harm = self._meet("write", path, offset, len(data))
        if harm.short is not None or harm.error:
            data = data[: harm.short or 0]
        fitting = self._fitting(node, offset, len(data))
        if data and not fitting:
            raise fault(errno.ENOSPC, path)
        if fitting:
            self.used += node.needs(offset, fitting)
            node.write(offset, data[:fitting], self._now())
        harm.strike()
        return fitting

    def read(self, fd: int, buffer: memoryview, offset: int) -> int:
        """See L{FileCalls}."""
        data = self.readNew(fd, len(buffer), offset)
        buffer[: len(data)] = data
        return len(data)

    def readNew(self, fd: int, length: int, offset: int) -> bytes:
        """See L{FileCalls}."""
        path, node = self._content(fd)
        harm = self._meet("read", path, offset, length)
        harm.strike()
        data = node.read(offset, length if harm.short is None else max(1, min(length, harm.short)))
        if self._work is not None:
            self._work.read += len(data)
        return data

    def truncate(self, fd: int, size: int) -> None:
        """See L{FileCalls}."""
        path, node = self._content(fd, True)
        self._meet("truncate", path).strike()
        self._resize(node, size)

    def allocate(self, fd: int, size: int) -> None:
        """See L{FileCalls}."""
        path, node = self._content(fd, True)
        self._meet("allocate", path).strike()
        needed = node.needs(0, size)
        if self.used + needed > self.disk.capacity:
            raise fault(errno.ENOSPC, path)
        node.reserve(size, self._now())
        self.used += needed

    def changeMode(self, fd: int, mode: int) -> None:
        """See L{FileCalls}."""
        _, node = self._content(fd)
        node.permit(mode)

    def sync(self, fd: int) -> None:
        """See L{FileCalls}."""
        opened = self._open.get(fd)
        harm = self._meet("sync", opened.path)
        node = opened.node
        if harm.error and isinstance(node, FileNode):
            node.lose()
        harm.strike()
        if isinstance(node, FileNode):
            settle, order = node.settle, node.order
            self._later(lambda: settle(order))
        else:
            number = self._tree.order
            self._later(lambda: self._tree.settle(node, number))

    # -- databases

    def connect(self, path: Path, readOnly: bool = False) -> sqlite3.Connection:
        """See L{FileCalls}."""
        try:
            place = self._find(str(path), None, True)
            if place.node is None:
                if readOnly:
                    raise fault(errno.ENOENT, place.path)
                self._meet("make", place.path).strike()
                place.node = DatabaseNode(self._tree.number(), self._now())
                place.node.links = 1
                self._tree.change((place.folder, place.name, place.node))
            else:
                self._meet("open", place.path).strike()
        except OSError as error:
            raise failure(sqlite3.SQLITE_CANTOPEN, "unable to open database file") from error
        node = place.node
        if not isinstance(node, DatabaseNode):
            raise failure(sqlite3.SQLITE_NOTADB, "file is not a database")
        if readOnly:
            return openReader(node)

        def committed() -> None:
            number = self._tree.order

            def settle() -> None:
                node.committed()
                self._tree.settle(place.folder, number)  # SQLite syncs the folder of a new file

            self._later(settle)

        return openDatabase(
            node,
            lambda: self._mayCommit(place.path),
            lambda: self._mayLook(place.path),
            committed,
            self._now,
        )

    def _mayCommit(self, path: str) -> bool:
        harm = self._meet("commit", path)
        if harm.error == errno.ENOSPC or self.used + BLOCK > self.disk.capacity:
            raise failure(sqlite3.SQLITE_FULL, "database or disk is full")
        if harm.error:
            raise failure(sqlite3.SQLITE_IOERR, "disk I/O error")
        return self.disk.syncTime > 0

    def _mayLook(self, path: str) -> None:
        if self._meet("query", path).error:
            raise failure(sqlite3.SQLITE_IOERR, "disk I/O error")

    # -- inside

    def _now(self) -> int:
        return round(self._wallClock() * 1e9)

    def _later(self, settle: Callable[[], None]) -> None:
        """Once the work that asked for a sync is over, its outcome is on the disk."""
        if self._work is None:
            settle()
        else:
            self._work.syncs.append(settle)

    def _meet(self, operation: str, path: str, offset: int = 0, length: int = 0) -> Harm:
        if self._callsLeft is not None:
            if not self._callsLeft:
                raise PowerCut
            self._callsLeft -= 1
        harm = self.faults.meet(operation, path, offset, length)
        if harm.delay and self._work is not None:
            self._work.delay += harm.delay
        return harm

    def _find(self, name: str, folder: int | None, follow: bool) -> Place:
        if folder is not None and not name.startswith("/"):
            name = f"{self._open.get(folder).path}/{name}"
        return self._tree.find(name, follow)

    def _vacant(self, name: str, folder: int | None) -> Place:
        place = self._find(name, folder, False)
        if place.node is not None:
            raise fault(errno.EEXIST, place.path)
        self._meet("make", place.path).strike()
        return place

    def _file(self, path: str) -> FileNode:
        place = self._find(path, None, True)
        if not isinstance(place.node, FileNode):
            raise fault(errno.ENOENT if place.node is None else errno.EISDIR, path)
        return place.node

    def _content(self, fd: int, write: bool = False) -> tuple[str, FileNode]:
        found = self._open.get(fd)
        if not isinstance(found.node, FileNode):
            raise fault(errno.EISDIR, found.path)
        if write and not found.writable:
            raise fault(errno.EBADF, found.path)
        return found.path, found.node

    def _fitting(self, node: FileNode, offset: int, length: int) -> int:
        """How many of C{length} bytes there is room for."""
        room = self.disk.capacity - self.used
        if node.needs(offset, length) <= room:
            return length
        fitting = 0
        while fitting < length:
            step = min(BLOCK - (offset + fitting) % BLOCK, length - fitting)
            if node.needs(offset, fitting + step) > room:
                break
            fitting += step
        return fitting

    def _resize(self, node: FileNode, size: int) -> None:
        before = node.allocated
        node.resize(size, self._now())
        self.used += node.allocated - before

    def _unlinked(self, node: Node | None) -> None:
        if isinstance(node, FileNode):
            node.links -= 1
            self._free(node)

    def _free(self, node: Node) -> None:
        if isinstance(node, FileNode) and not node.links:
            if self._open.uses(node):
                return  # its last user frees it
            self.used -= node.allocated
