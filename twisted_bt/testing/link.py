"""
How hosts hang on the network: delay and bandwidth, each way.

Every host has one access link; between links the network costs nothing.  What a host sends waits
for its own uplink, travels for the delay of both links, then waits for the downlink of the other.
A link that is full serves its flows in turns, so that they share it fairly.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from math import inf

from twisted_bt.testing.clock import VirtualClock

#: Bytes of headers with each packet, and of payload in one.
HEADERS, PAYLOAD = 40, 1460


@dataclass(frozen=True)
class Link:
    """
    @ivar latency: seconds from the host to the middle of the network, and back.  Two hosts are twice
        the sum of theirs apart, there and back.
    @ivar up: bytes a second that the host can send.
    @ivar down: bytes a second that the host can receive.
    @raise ValueError: a number makes no sense.
    """

    latency: float = 0.01
    up: float = 10e6
    down: float = 10e6

    def __post_init__(self) -> None:
        if not (0 <= self.latency < inf and self.up > 0 and self.down > 0):
            raise ValueError(f"no such link: {self}")


def wireSize(payload: int) -> int:
    """Bytes on the wire for C{payload} bytes in packets of the usual size."""
    return payload + HEADERS * max(1, -(-payload // PAYLOAD))


class Pipe:
    """
    One way through a link: C{rate} bytes a second, flows in turns, each in its own order.

    @ivar waiting: bytes that were taken and are not through.
    """

    def __init__(self, clock: VirtualClock, rate: float) -> None:
        self._clock = clock
        self.rate = rate
        self.waiting = 0
        self._flows: OrderedDict[Hashable, deque[tuple[int, Callable[[], object]]]] = OrderedDict()
        self._busy = False

    @property
    def quantum(self) -> int:
        """How much of a flow goes at a time: ten milliseconds' worth, at least a packet, at most 64 KiB."""
        return int(min(1 << 16, max(PAYLOAD, self.rate * 0.01)))

    def send(self, flow: Hashable, size: int, through: Callable[[], object]) -> None:
        """Call C{through} once C{size} bytes of C{flow} are through."""
        if self.rate == inf:
            through()
            return
        self.waiting += size
        self._flows.setdefault(flow, deque()).append((size, through))
        if not self._busy:
            self._next()

    def drop(self, flow: Hashable) -> None:
        """What waits of C{flow} is not sent."""
        for size, _ in self._flows.pop(flow, ()):
            self.waiting -= size

    def _next(self) -> None:
        self._busy = bool(self._flows)
        if self._busy:
            flow, queue = next(iter(self._flows.items()))
            size, through = queue.popleft()
            self._clock.callLater(size / self.rate, self._through, ((flow, size, through), {}))

    def _through(self, flow: Hashable, size: int, through: Callable[[], object]) -> None:
        self.waiting -= size
        if self._flows.get(flow):
            self._flows.move_to_end(flow)  # behind all others
        else:
            self._flows.pop(flow, None)
        through()
        self._next()
