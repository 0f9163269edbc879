"""
The names on a simulated disk: what of making, renaming and removing a loss of power leaves.

A name is on the disk once its folder was synced.  Before that any of the changes may be there, or be
lost; but a rename is never half done.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from twisted_bt.testing.platter import FileNode, FolderNode, LinkNode

Node = FileNode | FolderNode | LinkNode
#: In that folder, that name now stands for this; C{None}: for nothing.
Entry = tuple[FolderNode, str, Node | None]


class Journal:
    """The changes of names that are not known to be on the disk."""

    def __init__(self) -> None:
        self.order = 0
        self._changes: list[tuple[int, tuple[Entry, ...]]] = []

    def change(self, *entries: Entry) -> None:
        """Programs see C{entries} from now on; they get to the disk together."""
        self.order += 1
        for folder, name, node in entries:
            _set(folder.entries, name, node)
        self._changes.append((self.order, entries))

    def settle(self, folder: FolderNode, order: int) -> None:
        """What was changed in C{folder}, up to change number C{order}, is on the disk."""
        self._apply(lambda number, entries: number <= order and any(each[0] is folder for each in entries))

    def crash(self, root: FolderNode, random: Random, odds: float) -> None:
        """
        Leave what the disk has after a loss of power.

        @param odds: how likely it is for a change to be there.
        """
        if random.random() < 0.5:  # as file systems do that keep a journal: all up to some moment
            last = self.order - random.randrange(len(self._changes) + 1) if odds < 1 else self.order
            self._apply(lambda number, entries: number <= last)
        else:
            self._apply(lambda number, entries: odds >= 1 or random.random() < odds)
        self._changes.clear()
        _restore(root)

    def _apply(self, chosen: Callable[[int, tuple[Entry, ...]], bool]) -> None:
        kept: list[tuple[int, tuple[Entry, ...]]] = []
        for number, entries in self._changes:
            if not chosen(number, entries):
                kept.append((number, entries))
                continue
            for folder, name, node in entries:
                _set(folder.held, name, node)
                # An earlier change of this name must not come true after a later one.
                kept = [
                    (earlier, tuple(each for each in others if each[:2] != (folder, name)))
                    for earlier, others in kept
                ]
        self._changes = [each for each in kept if each[1]]


def _set(entries: dict[str, Node], name: str, node: Node | None) -> None:
    if node is None:
        entries.pop(name, None)
    else:
        entries[name] = node


def _restore(folder: FolderNode) -> None:
    folder.entries = dict(folder.held)
    for node in folder.entries.values():
        if isinstance(node, FolderNode):
            _restore(node)
