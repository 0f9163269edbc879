"""
The virtual clock: events in the order of their time, and of equal ones in the order they were made.

Nothing else moves a simulated network.  Nothing here looks at a real clock, at hashes or at memory
addresses, so that the same program gives the same order of events every time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.interfaces import IDelayedCall
from zope.interface import implementer

if TYPE_CHECKING:
    from twisted_bt.testing.host import Host


@implementer(IDelayedCall)
class VirtualCall:
    """
    One event to come; made by L{VirtualClock.callLater}.

    @ivar host: whose event it is; C{None}: nobody's.
    """

    __slots__ = (
        "_arguments",
        "_clock",
        "_function",
        "_owner",
        "_queuedAt",
        "_state",
        "_time",
        "host",
        "order",
    )

    def __init__(
        self,
        clock: VirtualClock,
        time: float,
        function: Callable[..., object],
        arguments: tuple[tuple[Any, ...], dict[str, Any]],
        owner: dict[VirtualCall, None] | None,
        host: Host | None,
    ) -> None:
        self._clock = clock
        self._time = time
        self._function = function
        self._arguments = arguments
        self._owner = owner
        self._state = "active"
        self._queuedAt = time
        self.host = host
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

    def isDue(self, order: int) -> bool:
        """Its place C{order} in the queue has come: is it to be run?  What was put off is queued again."""
        if self._state != "active" or self.order != order:
            return False
        if self._time > self._queuedAt:
            self._clock.enqueue(self)
            return False
        return True

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
    @ivar current: the host whose event is running; C{None}: nobody's, or no event is running.
    @ivar running: an event is.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.current: Host | None = None
        self.running = False
        self._order = 0
        # Nobody cancels or moves what is posted, which is most: so it needs no object of its own.
        self._queue: list[tuple[float, int, Host | None, Callable[..., object], Any]] = []
        self._ending: deque[Callable[[], object]] = deque()

    def callLater(
        self,
        delay: float,
        function: Callable[..., object],
        arguments: tuple[tuple[Any, ...], dict[str, Any]] = ((), {}),
        owner: dict[VirtualCall, None] | None = None,
        host: Host | None = None,
    ) -> VirtualCall:
        """
        Call C{function} after C{delay} seconds.

        @param owner: holds the call as long as it is to come.
        @param host: whose event it is; left out: of whose event made it.
        @raise ValueError: C{delay} is negative.
        """
        if not delay >= 0:
            raise ValueError(f"{delay} seconds from now")
        call = VirtualCall(self, self.now + delay, function, arguments, owner, host or self.current)
        self.enqueue(call)
        return call

    def enqueue(self, call: VirtualCall) -> None:
        """C{call} is due at its time, after all others that are due then."""
        self._order += 1
        time = call.queued(self._order)
        heappush(self._queue, (max(time, self.now), self._order, call.host, call.run, call))

    def again(self, late: Iterable[VirtualCall]) -> None:
        """C{late}, which waited for their host to wake up, are due now, in this order."""
        for each in late:
            if each.active():
                self.enqueue(each)

    def callsOf(self, host: Host) -> list[VirtualCall]:
        """What is to be called on C{host}, in order; what the network does there is not."""
        calls = (call for _, _, owner, _, call in self._queue if owner is host)
        found = [call for call in calls if type(call) is VirtualCall and call.active()]
        return sorted(dict.fromkeys(found), key=lambda call: (call.getTime(), call.order))

    def post(
        self, time: float, host: Host | None, function: Callable[..., object], *arguments: object
    ) -> None:
        """
        Call C{function} at C{time}, or now if that was before: an event of C{host} that nobody cancels
        or moves, which costs less than others.  It is the network's: it happens although C{host} sleeps.
        """
        self._order += 1
        heappush(self._queue, (max(time, self.now), self._order, host, function, arguments))

    def atEnd(self, host: Host, function: Callable[[], object]) -> None:
        """
        Call C{function} at the end of the event that is running if it is one of C{host}'s, else as
        C{host}'s next event.
        """
        if self.running and self.current is host:
            self._ending.append(function)
        else:
            self.post(self.now, host, function)

    def run(self, until: float) -> bool:
        """
        Let the next event happen, with the clock at its time, and C{current} its host even after it.

        @return: C{False}: none is due by C{until}.
        @raise Exception: what it raised.
        """
        queue = self._queue
        while queue and queue[0][0] <= until:
            time, order, host, function, arguments = heappop(queue)
            if type(arguments) is VirtualCall:
                if not arguments.isDue(order):
                    continue
                if host is not None and host.suspended:
                    host.late.append(arguments)
                    continue
                arguments = ()
            self.now = time
            self.current = host
            self.running = True
            try:
                function(*arguments)
            finally:
                try:
                    while self._ending:
                        self._ending.popleft()()
                finally:
                    self.running = False
            return True
        return False
