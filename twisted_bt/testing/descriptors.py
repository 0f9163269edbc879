"""
What programs on a simulated disk have open, and the locks that they hold.
"""

from __future__ import annotations

import errno

from twisted_bt.testing.journal import Node
from twisted_bt.testing.platter import FileNode, FolderNode
from twisted_bt.testing.tree import fault


class Open:
    """
    An open file or folder.

    @ivar path: where it was when it was opened.
    """

    __slots__ = ("node", "path", "writable")

    def __init__(self, node: FileNode | FolderNode, path: str, writable: bool) -> None:
        self.node = node
        self.path = path
        self.writable = writable


class Lock:
    """A lock in C{held}, by its path."""

    def __init__(self, held: dict[str, None], path: str) -> None:
        self._held = held
        self._path = path
        held[path] = None

    def release(self) -> None:
        """Let others have it."""
        self._held.pop(self._path, None)


class Descriptors:
    """Numbers for what is open.  None is ever used again: who uses a closed one is found out."""

    def __init__(self) -> None:
        self._open: dict[int, Open] = {}
        self._last = 2

    def add(self, opened: Open) -> int:
        """A number for it."""
        self._last += 1
        self._open[self._last] = opened
        return self._last

    def get(self, fd: int) -> Open:
        """@raise OSError: nothing is open under that number."""
        found = self._open.get(fd)
        if found is None:
            raise fault(errno.EBADF, str(fd))
        return found

    def close(self, fd: int) -> Open:
        """@raise OSError: nothing is open under that number."""
        closed = self.get(fd)
        del self._open[fd]
        return closed

    def uses(self, node: Node) -> bool:
        """Whether somebody has it open."""
        return any(each.node is node for each in self._open.values())

    def paths(self) -> list[str]:
        """Of all that is open."""
        return [each.path for each in self._open.values()]

    def clear(self) -> None:
        """Those who had it open are gone."""
        self._open.clear()
