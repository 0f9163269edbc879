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
from pathlib import Path

from twisted_bt.storage.fileio import FileCalls, ILock
from twisted_bt.testing.descriptors import Lock, Open
from twisted_bt.testing.platter import BLOCK, FileNode, FolderNode, LinkNode, Meta
from twisted_bt.testing.statefiles import DatabaseNode, failure, openDatabase, openReader
from twisted_bt.testing.tree import Place, fault, statOf
from twisted_bt.testing.volume import Volume


class SimulatedFiles(Volume, FileCalls):
    """
    The calls of programs; what tests do with the disk is in L{Volume}.  To be used from one thread at a time.
    """

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

    def _vacant(self, name: str, folder: int | None) -> Place:
        place = self._find(name, folder, False)
        if place.node is not None:
            raise fault(errno.EEXIST, place.path)
        self._meet("make", place.path).strike()
        return place

    def _content(self, fd: int, write: bool = False) -> tuple[str, FileNode]:
        found = self._open.get(fd)
        if not isinstance(found.node, FileNode):
            raise fault(errno.EISDIR, found.path)
        if write and not found.writable:
            raise fault(errno.EBADF, found.path)
        return found.path, found.node
