"""
Slots: how many of something there may be at a time, and who waits for one.

The client has them for peer sessions and for active swarms, each swarm for its peers.  A slot is
taken before there is anything to show for it and given back after the last trace is gone, on
every path; who waits and is cancelled holds nothing.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import count

from twisted.internet.defer import Deferred, succeed


class Vacancy:
    """
    C{limit} slots, handed to waiters by priority (lower first), then in the order they came.

    Invariant: C{vacant == limit - taken}; it is negative only after L{resize} made C{limit}
    smaller than what was taken, until enough were given back.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._order = count()
        self._waiting: list[tuple[int, int, Deferred[None]]] = []
        self._gone: set[Deferred[None]] = set()  # who waits no longer, and is still in the queue

    @property
    def limit(self) -> int:
        """How many slots there are."""
        return self._limit

    @property
    def taken(self) -> int:
        """How many are held now."""
        return self._taken

    @property
    def vacant(self) -> int:
        """How many are free now."""
        return self._limit - self._taken

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return len(self._waiting)

    def tryEnter(self) -> bool:
        """Take a slot now, or leave it: C{False} if none is free or somebody waits for one."""
        if self.vacant <= 0 or self._waiting:
            return False
        self._taken += 1
        return True

    def waitVacancy(self, priority: int = 0) -> Deferred[None]:
        """
        Fires once a slot is taken for the caller, who then owes a L{leave}.  Cancel it to wait no
        longer: then nothing is owed.
        """
        if self.tryEnter():
            return succeed(None)
        waiter: Deferred[None] = Deferred(self._forget)
        heappush(self._waiting, (priority, next(self._order), waiter))
        return waiter

    def leave(self) -> None:
        """Give a slot back; the first waiter gets it before this returns, so put state right first."""
        if self._taken <= 0:
            raise ValueError("more slots given back than taken")
        self._taken -= 1
        self._admit()

    def resize(self, limit: int) -> None:
        """Have C{limit} slots from now on; who holds one keeps it."""
        self._limit = limit
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self.vacant > 0:
            waiter = heappop(self._waiting)[2]
            self._taken += 1
            while self._waiting and self._waiting[0][2] in self._gone:
                self._gone.discard(heappop(self._waiting)[2])
            waiter.callback(None)

    def _forget(self, waiter: Deferred[None]) -> None:
        self._gone.add(waiter)
        # Thousands may end at a time: so sweep seldom.  Who is gone is never at the head.
        if 2 * len(self._gone) > len(self._waiting):
            self._waiting = [each for each in self._waiting if each[2] not in self._gone]
            heapify(self._waiting)
            self._gone.clear()
        while self._waiting and self._waiting[0][2] in self._gone:
            self._gone.discard(heappop(self._waiting)[2])
