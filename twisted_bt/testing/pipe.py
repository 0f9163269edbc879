"""
One way through a link.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from math import inf
from typing import TYPE_CHECKING

from twisted_bt.testing.clock import VirtualClock

if TYPE_CHECKING:
    from twisted_bt.testing.host import Host

#: Packets of a flow that are let in however full it is.
_LITTLE = 2


class Pipe:
    """
    C{rate} bytes a second, flows in turns, each in its own order.

    @ivar rate: bytes a second.
    @ivar most: bytes that wait; what comes on top is dropped.
    @ivar waiting: bytes that were taken and are not through.
    """

    def __init__(
        self, clock: VirtualClock, rate: float = inf, most: float = inf, host: Host | None = None
    ) -> None:
        self._clock = clock
        self._host = host
        self.rate = rate
        self.most = most
        self.waiting = 0
        self._flows: OrderedDict[Hashable, deque[tuple[int, Callable[..., object], tuple[object, ...]]]]
        self._flows = OrderedDict()
        self._busy = False

    def send(self, flow: Hashable, size: int, through: Callable[..., object], *arguments: object) -> bool:
        """
        Call C{through} once C{size} bytes of C{flow} are through.

        @return: C{False}: they were dropped.
        """
        if self.rate == inf:
            through(*arguments)
            return True
        queue = self._flows.get(flow)
        if self.waiting + size > self.most and queue is not None and len(queue) >= _LITTLE:
            return False
        self.waiting += size
        if queue is None:
            queue = self._flows[flow] = deque()
        queue.append((size, through, arguments))
        if not self._busy:
            self._next()
        return True

    def drop(self, flow: Hashable) -> None:
        """What waits of C{flow} is not sent."""
        for size, _, _ in self._flows.pop(flow, ()):
            self.waiting -= size

    def _next(self) -> None:
        self._busy = bool(self._flows)
        if self._busy:
            flow, queue = next(iter(self._flows.items()))
            size, through, arguments = queue.popleft()
            time = self._clock.now + size / self.rate
            self._clock.post(time, self._host, self._through, flow, size, through, arguments)

    def _through(
        self, flow: Hashable, size: int, through: Callable[..., object], arguments: tuple[object, ...]
    ) -> None:
        self.waiting -= size
        if self._flows.get(flow):
            self._flows.move_to_end(flow)  # behind all others
        else:
            self._flows.pop(flow, None)
        self._next()
        through(*arguments)
