"""
The folders of a simulated disk: what a path leads to, and what a loss of power leaves of the names.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from random import Random
from stat import S_IFDIR, S_IFLNK, S_IFREG

from twisted_bt.testing.journal import Entry, Journal, Node
from twisted_bt.testing.platter import BLOCK, FileNode, FolderNode, LinkNode, Meta

#: Links that lead to links, before it is taken for a circle.
_HOPS = 40
#: Bytes in a name.
_LONGEST = 255


def fault(number: int, path: str) -> OSError:
    """What the system raises."""
    return OSError(number, os.strerror(number), path)


def statOf(node: Node) -> os.stat_result:
    """What the system says of C{node}."""
    if isinstance(node, FileNode):
        meta, kind, links = node.meta, S_IFREG, node.links
    elif isinstance(node, FolderNode):
        meta, kind, links = Meta(BLOCK, 0, node.mode), S_IFDIR, 2
    else:
        meta, kind, links = Meta(len(node.target), 0, 0o777), S_IFLNK, 1
    seconds = meta.changed // 10**9
    numbers = (kind | meta.mode, node.number, 1, links, 0, 0, meta.size, seconds, seconds, seconds)
    more: dict[str, object] = {"st_mtime_ns": meta.changed, "st_mtime": meta.changed / 1e9}
    return os.stat_result(numbers, more)


class Place:
    """
    What a path leads to.

    @ivar folder: where it is.
    @ivar name: as what.
    @ivar node: what it stands for; C{None}: nothing.
    @ivar path: the way there, without links.
    """

    __slots__ = ("folder", "name", "node", "path")

    def __init__(self, folder: FolderNode, name: str, node: Node | None, path: str) -> None:
        self.folder = folder
        self.name = name
        self.node = node
        self.path = path


class Tree:
    """All folders and what they hold."""

    def __init__(self) -> None:
        self._last = 1
        self._root = FolderNode(1, 0o755)
        self._journal = Journal()

    def number(self) -> int:
        """For a new node."""
        self._last += 1
        return self._last

    @property
    def order(self) -> int:
        """The number of the last change; see L{settle}."""
        return self._journal.order

    def change(self, *entries: Entry) -> None:
        """Programs see C{entries} from now on; they get to the disk together."""
        self._journal.change(*entries)

    def settle(self, folder: FolderNode, order: int) -> None:
        """What was changed in C{folder}, up to the change of that number, is on the disk."""
        self._journal.settle(folder, order)

    def crash(self, random: Random, odds: float) -> None:
        """Leave the names that the disk has; see L{Journal.crash}."""
        self._journal.crash(self._root, random, odds)

    def walk(self) -> Iterator[tuple[str, Node]]:
        """All there is, with its path."""
        return self._root.walk()

    def files(self) -> list[FileNode]:
        """All files, each once, in the order of their first names."""
        found = [node for _, node in self.walk() if isinstance(node, FileNode)]
        return list({node.number: node for node in found}.values())

    def put(self, path: str, node: FileNode) -> None:
        """Have C{node} there, folders and all, as if it had been there long ago."""
        names = _parts(path)
        folder = self._root
        for name in names[:-1]:
            inner = folder.entries.get(name) or FolderNode(self.number(), 0o777)
            if not isinstance(inner, FolderNode):
                raise fault(errno.ENOTDIR, path)
            folder.entries[name] = folder.held[name] = inner
            folder = inner
        node.links += 1
        folder.entries[names[-1]] = folder.held[names[-1]] = node

    def find(self, path: str, follow: bool) -> Place:
        """
        What C{path} leads to.

        @param follow: where that is a link: what it leads to.
        @raise OSError: there is no way there.
        """
        todo = _parts(path)[::-1]
        folders, names = [self._root], [""]
        hops = 0
        while todo:
            part = todo.pop()
            here = folders[-1]
            if part == "..":
                folders, names = folders[:-1] or folders, names[:-1] or names
                continue
            if len(os.fsencode(part)) > _LONGEST:
                raise fault(errno.ENAMETOOLONG, path)
            node = here.entries.get(part)
            if isinstance(node, LinkNode) and (todo or follow):
                hops += 1
                if hops > _HOPS:
                    raise fault(errno.ELOOP, path)
                if node.target.startswith("/"):
                    folders, names = [self._root], [""]
                todo += _parts(node.target)[::-1]
                continue
            if not todo:
                return Place(here, part, node, "/".join((*names, part)))
            if node is None:
                raise fault(errno.ENOENT, path)
            if not isinstance(node, FolderNode):
                raise fault(errno.ENOTDIR, path)
            folders.append(node)
            names.append(part)
        return Place(folders[-1], ".", folders[-1], "/".join(names) or "/")


def _parts(path: str) -> list[str]:
    return [each for each in path.split("/") if each not in ("", ".")]
