"""
What a process measures of itself: memory, processor time, and whether its reactor was held up.
"""

from __future__ import annotations

import resource
import time
from typing import Any

#: Seconds between two beats.
BEAT = 0.005


def memory() -> int:
    """Bytes that this process holds now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def processor() -> float:
    """Processor seconds that this process used, all its threads."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


class Heartbeat:
    """
    Beats every 5 ms, and notes by how much it was late.

    @ivar worst: seconds of the longest pause since L{begin}.
    @ivar busiest: processor seconds of this thread in one of them, the most: what other programs on the
        machine have no part in.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._last = 0.0
        self._running = False
        self._used = 0.0
        self.worst = self.busiest = 0.0

    def begin(self) -> None:
        """Beat from now on."""
        self.worst = self.busiest = 0.0
        self._last, self._used = time.perf_counter(), time.thread_time()
        if not self._running:
            self._running = True
            self._reactor.callLater(BEAT, self._beat)

    def end(self) -> float:
        """Beat no more; the longest pause."""
        self._running = False
        return self.worst

    def _beat(self) -> None:
        now, used = time.perf_counter(), time.thread_time()
        self.worst = max(self.worst, now - self._last - BEAT)
        self.busiest = max(self.busiest, used - self._used)
        self._last, self._used = now, used
        if self._running:
            self._reactor.callLater(BEAT, self._beat)
