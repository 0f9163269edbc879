"""
The memory that arriving pieces are put together in.

Memory that is new costs more than copying into memory that was used before: the system hands it
out page by page, each with a fault.  So buffers are kept and used again, and all swarms of a client
share one pool with one budget: what is lent out and what is kept never exceed it together.
"""

from __future__ import annotations

from collections.abc import Callable


class PieceBuffers:
    """
    Lends buffers, up to C{budget} bytes at a time.

    @ivar budget: bytes.
    @ivar out: bytes lent now.
    @ivar hungry: somebody was refused, and there was no room since.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.out = 0
        self.hungry = False
        self._refused = 0
        self._lent: dict[int, memoryview] = {}
        self._free: dict[int, list[memoryview]] = {}
        self._kept = 0
        self._listeners: list[Callable[[], None]] = []

    def take(self, size: int) -> memoryview | None:
        """
        A writable buffer of C{size} bytes with anything in it, or C{None} when that is over the
        budget.  While nothing is lent it is always granted, so that a piece larger than the budget works.
        """
        if self.out and self.out + size > self.budget:
            self._refused = min(self._refused, size) if self.hungry else size
            self.hungry = True
            return None
        free = self._free.get(size)
        if free:
            view = free.pop()
            self._kept -= size
        else:
            if self._kept and self.out + self._kept + size > self.budget:
                self.trim()
            view = memoryview(bytearray(size))
        self.out += size
        self._lent[id(view)] = view
        return view

    def give(self, view: memoryview) -> None:
        """
        Take back what L{take} lent.  Nobody may touch it from now on.

        @raise ValueError: it is not lent.
        """
        if self._lent.pop(id(view), None) is not view:
            raise ValueError("this buffer is not lent")
        size = len(view)
        self.out -= size
        if self.out + self._kept + size <= self.budget:
            self._free.setdefault(size, []).append(view)
            self._kept += size
        if self.hungry and (not self.out or self.out + self._refused <= self.budget):
            self.hungry = False
            for listener in list(self._listeners):
                listener()

    def onRoom(self, listener: Callable[[], None]) -> Callable[[], None]:
        """
        Call C{listener()} whenever there is room after somebody was refused.  Returns what ends that.
        """
        listeners = self._listeners
        listeners.append(listener)

        def end() -> None:
            if listener in listeners:
                listeners.remove(listener)

        return end

    def trim(self) -> None:
        """Give the memory that is kept for later back to the system."""
        self._free.clear()
        self._kept = 0
