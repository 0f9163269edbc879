"""
One way through a link.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from math import inf
from typing import TYPE_CHECKING

from twisted_bt.testing.clock import VirtualClock
from twisted_bt.testing.link import HEADERS, PAYLOAD

if TYPE_CHECKING:
    from twisted_bt.testing.host import Host

#: Packets of a flow that are let in however full it is.
_LITTLE = 2
#: Bytes of a flow that go at a turn.
_TURN = PAYLOAD + HEADERS


class _Flow:
    """
    What waits of one flow.

    @ivar credit: bytes that it may send in its turn; what is left counts for the next.
    """

    __slots__ = ("credit", "packets")

    def __init__(self) -> None:
        self.credit = _TURN
        self.packets: deque[tuple[int, Callable[..., object], tuple[object, ...]]] = deque()


class Pipe:
    """
    C{rate} bytes a second, flows in turns of as many bytes, each in its own order (deficit round robin).

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
        self._flows: OrderedDict[Hashable, _Flow] = OrderedDict()
        self._busy = False

    def send(self, flow: Hashable, size: int, through: Callable[..., object], *arguments: object) -> bool:
        """
        Call C{through} once C{size} bytes of C{flow} are through.

        @return: C{False}: they were dropped.
        """
        if self.rate == inf:
            through(*arguments)
            return True
        waiting = self._flows.get(flow)
        if waiting is None:
            waiting = self._flows[flow] = _Flow()
        elif self.waiting + size > self.most and len(waiting.packets) >= _LITTLE:
            return False
        self.waiting += size
        waiting.packets.append((size, through, arguments))
        if not self._busy:
            self._next()
        return True

    def drop(self, flow: Hashable) -> None:
        """What waits of C{flow} is not sent."""
        dropped = self._flows.pop(flow, None)
        if dropped is not None:
            self.waiting -= sum(size for size, _, _ in dropped.packets)

    def _next(self) -> None:
        flows = self._flows
        self._busy = bool(flows)
        while flows:
            flow, waiting = next(iter(flows.items()))
            size, through, arguments = waiting.packets[0]
            if size > waiting.credit:
                waiting.credit += _TURN
                flows.move_to_end(flow)  # behind all others
                continue
            waiting.credit -= size
            waiting.packets.popleft()
            self._clock.post(
                self._clock.now + size / self.rate, self._host, self._through, flow, size, through, arguments
            )
            return

    def _through(
        self, flow: Hashable, size: int, through: Callable[..., object], arguments: tuple[object, ...]
    ) -> None:
        self.waiting -= size
        waiting = self._flows.get(flow)
        if waiting is not None and not waiting.packets:
            del self._flows[flow]
        self._next()
        through(*arguments)
