"""
The virtual clock: events in the order of their time, and of equal ones in the order they were made.

Nothing else moves a simulated network.  Nothing here looks at a real clock, at hashes or at memory
addresses, so that the same program gives the same order of events every time.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.interfaces import IDelayedCall
from zope.interface import implementer


@implementer(IDelayedCall)
class VirtualCall:
    """One event to come; made by L{VirtualClock.callLater}."""

    __slots__ = ("_arguments", "_clock", "_function", "_owner", "_queuedAt", "_state", "_time", "order")

    def __init__(
        self,
        clock: VirtualClock,
        time: float,
        function: Callable[..., object],
        arguments: tuple[tuple[Any, ...], dict[str, Any]],
        owner: dict[VirtualCall, None] | None,
    ) -> None:
        self._clock = clock
        self._time = time
        self._function = function
        self._arguments = arguments
        self._owner = owner
        self._state = "active"
        self._queuedAt = time
        self.order = 0
        if owner is not None:
            owner[self] = None

    def __repr__(self) -> str:
        name = getattr(self._function, "__qualname__", repr(self._function))
        return f"<VirtualCall {name} at {self._time:.6f} {self._state}>"

    def getTime(self) -> float:
        """When it is due, in seconds of the virtual clock."""
        return self._time

    def active(self) -> bool:
        """Whether it is still to come."""
        return self._state == "active"

    def cancel(self) -> None:
        """See C{IDelayedCall}."""
        self._check()
        self._end("cancelled")

    def reset(self, secondsFromNow: float) -> None:
        """See C{IDelayedCall}."""
        self._check()
        self._move(self._clock.now + secondsFromNow)

    def delay(self, secondsLater: float) -> None:
        """See C{IDelayedCall}."""
        self._check()
        self._move(self._time + secondsLater)

    def _check(self) -> None:
        if self._state == "cancelled":
            raise AlreadyCancelled
        if self._state == "called":
            raise AlreadyCalled

    def _move(self, time: float) -> None:
        # Most timers are only ever put off; they move in the queue once their old time comes, which
        # costs nothing for each time they are touched.
        self._time = time
        if time < self._queuedAt:
            self._clock.enqueue(self)

    def _end(self, state: str) -> None:
        self._state = state
        if self._owner is not None:
            self._owner.pop(self, None)

    # -- for the clock

    def queued(self, order: int) -> float:
        """It gets place C{order} in the queue; when it is due there."""
        self.order = order
        self._queuedAt = self._time
        return self._time

    def run(self) -> None:
        """It is due."""
        self._end("called")
        positional, named = self._arguments
        function = self._function
        self._arguments = ((), {})  # what it held is not kept alive by whoever keeps the call
        function(*positional, **named)


class VirtualClock:
    """
    @ivar now: seconds since the simulation began.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._order = 0
        self._queue: list[tuple[float, int, VirtualCall]] = []

    def callLater(
        self,
        delay: float,
        function: Callable[..., object],
        arguments: tuple[tuple[Any, ...], dict[str, Any]] = ((), {}),
        owner: dict[VirtualCall, None] | None = None,
    ) -> VirtualCall:
        """
        Call C{function} after C{delay} seconds.

        @param owner: holds the call as long as it is to come.
        @raise ValueError: C{delay} is negative.
        """
        if not delay >= 0:
            raise ValueError(f"{delay} seconds from now")
        call = VirtualCall(self, self.now + delay, function, arguments, owner)
        self.enqueue(call)
        return call

    def enqueue(self, call: VirtualCall) -> None:
        """C{call} is due at its time, after all others that are due then."""
        self._order += 1
        heappush(self._queue, (call.queued(self._order), self._order, call))

    def next(self, until: float) -> VirtualCall | None:
        """
        The next event, taken out, with the clock at its time; C{None} if none is due by C{until}.
        """
        queue = self._queue
        while queue and queue[0][0] <= until:
            time, order, call = heappop(queue)
            if not call.active() or call.order != order:
                continue
            if call.getTime() > time:  # it was put off meanwhile
                self.enqueue(call)
                continue
            self.now = time
            return call
        return None
