"""
What is on a simulated disk, what may befall it, and what tests may ask of it.

How programs come to it is in L{filesystem<twisted_bt.testing.filesystem>}.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

from twisted_bt.testing.descriptors import Descriptors
from twisted_bt.testing.disk import Disk, Work
from twisted_bt.testing.diskfaults import DiskFaults, Harm
from twisted_bt.testing.journal import Node
from twisted_bt.testing.platter import BLOCK, SECTOR, FileNode, FolderNode, Meta
from twisted_bt.testing.statefiles import DatabaseNode
from twisted_bt.testing.tree import Place, Tree, fault


class PowerCut(BaseException):
    """The computer stops here."""


class Volume:
    """
    A disk with its folders and files, and what programs have open there.

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

    def _file(self, path: str) -> FileNode:
        place = self._find(path, None, True)
        if not isinstance(place.node, FileNode):
            raise fault(errno.ENOENT if place.node is None else errno.EISDIR, path)
        return place.node

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
