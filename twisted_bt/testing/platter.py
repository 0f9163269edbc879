"""
What a simulated disk holds of a file: what programs see, and what a loss of power would leave of it.

A write goes to memory first.  Until the file is synced, the disk may have any of the states that each
sector went through since, of each sector another one, and so it is with size and time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import NamedTuple, TypeVar

T = TypeVar("T")

#: Bytes in a block: what is allocated at a time, and a hole where nothing was.
BLOCK = 4096
#: Bytes in a sector: the least that is written at a time; newer disks have 4,096.
SECTOR = 512

_BLANK = bytes(BLOCK)


class Meta(NamedTuple):
    """
    @ivar size: bytes.
    @ivar changed: nanoseconds since 1970.
    @ivar mode: permissions.
    """

    size: int
    changed: int
    mode: int


class FileNode:
    """
    A file, by whatever names.

    @ivar number: tells it from all others.
    @ivar meta: as programs see it.
    @ivar links: how many names it has.
    @ivar reserved: blocks below this number are allocated, written or not.
    """

    def __init__(self, number: int, meta: Meta) -> None:
        self.number = number
        self.meta = meta
        self.links = 0
        self.reserved = 0
        self._blocks: dict[int, bytearray] = {}
        self._order = 0  # of the change before the next
        # What is not known to be on disk: states before a change, with its number, oldest first.
        self._before: dict[int, list[tuple[int, bytes | None]]] = {}
        self._beforeMeta: list[tuple[int, Meta]] = []
        # The same for what a failed sync took for written: no later one will write it.
        self._lost: dict[int, list[tuple[int, bytes | None]]] = {}

    # -- what programs see

    @property
    def allocated(self) -> int:
        """Bytes that it takes on the disk."""
        return BLOCK * (self.reserved + sum(1 for number in self._blocks if number >= self.reserved))

    def needs(self, offset: int, length: int) -> int:
        """How many bytes on the disk a write there takes that it has not yet."""
        blocks = range(max(offset // BLOCK, self.reserved), -(-(offset + length) // BLOCK))
        return BLOCK * sum(1 for number in blocks if number not in self._blocks)

    def read(self, offset: int, length: int) -> bytes:
        """As many of those bytes as there are."""
        end = min(offset + length, self.meta.size)
        parts = []
        while offset < end:
            number, begin = divmod(offset, BLOCK)
            part = min(BLOCK - begin, end - offset)
            parts.append((self._blocks.get(number) or _BLANK)[begin : begin + part])
            offset += part
        return b"".join(parts)

    def write(self, offset: int, data: bytes, now: int) -> None:
        """Put C{data} there."""
        self._changes(max(self.meta.size, offset + len(data)), now)
        done = 0
        while done < len(data):
            number, begin = divmod(offset + done, BLOCK)
            part = min(BLOCK - begin, len(data) - done)
            block = self._dirty(number)
            if block is None:
                block = self._blocks[number] = bytearray(BLOCK)
            block[begin : begin + part] = data[done : done + part]
            done += part

    def resize(self, size: int, now: int) -> None:
        """Cut it there, or let it end there."""
        self._changes(size, now)
        first, kept = divmod(size, BLOCK)
        for number in sorted(number for number in self._blocks if number >= first):
            block = self._dirty(number)
            if number == first and kept and block is not None:
                block[kept:] = bytes(BLOCK - kept)
            else:
                del self._blocks[number]
        self.reserved = min(self.reserved, -(-size // BLOCK))

    def reserve(self, size: int, now: int) -> None:
        """Allocate all of the first C{size} bytes."""
        self._changes(max(size, self.meta.size), now)
        self.reserved = max(self.reserved, -(-size // BLOCK))

    def permit(self, mode: int) -> None:
        """Set the permissions."""
        self._order += 1
        self._beforeMeta.append((self._order, self.meta))
        self.meta = self.meta._replace(mode=mode)

    def ranges(self, size: int) -> list[tuple[int, int]]:
        """The parts of the first C{size} bytes that are no holes."""
        found: list[tuple[int, int]] = []
        for number in sorted(self._blocks):
            begin, end = number * BLOCK, min((number + 1) * BLOCK, size)
            if begin >= end:
                break
            if found and found[-1][1] == begin:
                found[-1] = (found[-1][0], end)
            else:
                found.append((begin, end))
        return found

    def _changes(self, size: int, now: int) -> None:
        self._order += 1
        self._beforeMeta.append((self._order, self.meta))
        self.meta = Meta(size, now, self.meta.mode)

    def _dirty(self, number: int) -> bytearray | None:
        """Block C{number}, about to be changed."""
        block = self._blocks.get(number)
        states = self._before.setdefault(number, self._lost.pop(number, []))
        states.append((self._order, bytes(block) if block is not None else None))
        return block

    # -- what the disk holds

    @property
    def order(self) -> int:
        """Which change was the last; see L{settle}."""
        return self._order

    def settle(self, order: int) -> None:
        """All changes up to that with the number C{order} are on the disk."""
        for number in [number for number, states in self._before.items() if states[0][0] <= order]:
            states = [each for each in self._before[number] if each[0] > order]
            if states:
                self._before[number] = states
            else:
                del self._before[number]
        self._beforeMeta = [each for each in self._beforeMeta if each[0] > order]

    def lose(self) -> None:
        """A sync failed: what was to be written is taken for written all the same, and is not."""
        for number, states in self._before.items():
            self._lost[number] = self._lost.get(number, []) + states
        self._before.clear()

    def dirtyBlocks(self) -> int:
        """How many blocks are not known to be on the disk."""
        return len(self._before) + len(self._lost)

    def crash(self, random: Random, odds: float, sector: int) -> None:
        """
        Be what the disk has after a loss of power.

        @param odds: how likely it is for a change to have reached the disk.
        @param sector: bytes that are written wholly or not at all.
        """
        # Size, time and permissions are of one inode, but at any age.
        states = [*(meta for _, meta in self._beforeMeta), self.meta]
        size = _pick(random, odds, states).size
        kept = _pick(random, odds, states)
        dirty = dict(self._before)
        for number, lost in self._lost.items():
            dirty[number] = lost + dirty.get(number, [])
        for number in sorted(dirty):
            self._crashBlock(number, [before for _, before in dirty[number]], random, odds, sector)
        self._before.clear()
        self._lost.clear()
        self._beforeMeta.clear()
        self.meta = Meta(size, kept.changed, kept.mode)
        first, inside = divmod(size, BLOCK)
        for number in [number for number in self._blocks if number >= first]:
            if number == first and inside:
                self._blocks[number][inside:] = bytes(BLOCK - inside)
            else:
                del self._blocks[number]
        self.reserved = min(self.reserved, -(-size // BLOCK))

    def _crashBlock(
        self, number: int, before: list[bytes | None], random: Random, odds: float, sector: int
    ) -> None:
        now = self._blocks.get(number)
        states = [*before, bytes(now) if now is not None else None]
        if odds >= 1:
            return
        chosen = [_pick(random, odds, states) for _ in range(BLOCK // sector)]
        if all(state is None for state in chosen):
            self._blocks.pop(number, None)
            return
        self._blocks[number] = bytearray(
            b"".join((state or _BLANK)[at * sector : (at + 1) * sector] for at, state in enumerate(chosen))
        )


def _pick(random: Random, odds: float, states: Sequence[T]) -> T:
    """The last of C{states}, or, where it did not get to the disk, one of those before."""
    if len(states) == 1 or random.random() < odds:
        return states[-1]
    return states[random.randrange(len(states) - 1)]


class LinkNode:
    """
    A symbolic link.

    @ivar target: where it leads.
    """

    def __init__(self, number: int, target: str) -> None:
        self.number = number
        self.target = target


class FolderNode:
    """
    A folder.

    @ivar entries: what programs see in it, by name.
    @ivar held: what the disk has of that.
    """

    def __init__(self, number: int, mode: int) -> None:
        self.number = number
        self.mode = mode
        self.entries: dict[str, FileNode | FolderNode | LinkNode] = {}
        self.held: dict[str, FileNode | FolderNode | LinkNode] = {}

    def walk(self, way: str = "") -> Iterator[tuple[str, FileNode | FolderNode | LinkNode]]:
        """All that is below, with its path from here, in the order of names."""
        for name in sorted(self.entries):
            node = self.entries[name]
            yield f"{way}/{name}", node
            if isinstance(node, FolderNode):
                yield from node.walk(f"{way}/{name}")
