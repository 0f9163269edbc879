"""
The disk of a simulated host: work takes virtual time, and no thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_bt.errors import SessionStopped
from twisted_bt.interfaces import IDiskQueue
from twisted_bt.storage.diskqueue import Pressure
from twisted_bt.testing.clock import VirtualClock

T = TypeVar("T")


@dataclass
class Disk:
    """
    How long work takes; may be changed at any time.

    @ivar latency: seconds for any piece of work.
    @ivar rate: bytes written in a second.
    """

    latency: float = 0.0
    rate: float = inf


@implementer(IDiskQueue)
class DiskQueue:
    """
    Does each job at the time when a disk would be done with it, C{workers} at a time, in order.
    """

    def __init__(self, clock: VirtualClock, disk: Disk, workers: int, budget: int) -> None:
        self._clock = clock
        self._disk = disk
        self._idle = workers
        self._pressure = Pressure(budget)
        self._waiting: deque[tuple[Callable[[], Any], Deferred[Any], int]] = deque()
        self._underWay = 0
        self._stopping = False
        self._stopped: list[Deferred[None]] = []

    @property
    def congested(self) -> bool:
        """See L{IDiskQueue}."""
        return self._pressure.congested

    @property
    def underWay(self) -> int:
        """Jobs submitted and not done."""
        return self._underWay

    @property
    def waiting(self) -> int:
        """Bytes of memory that they hold."""
        return self._pressure.waiting

    def submit(self, job: Callable[[], T], cost: int = 0) -> Deferred[T]:
        """See L{IDiskQueue}."""
        if self._stopping:
            return fail(SessionStopped("the disk queue was stopped"))
        done: Deferred[T] = Deferred(lambda _: None)
        self._underWay += 1
        self._waiting.append((job, done, cost))
        self._pressure.add(cost)
        self._next()
        return done

    def onPressure(self, listener: Callable[[bool], None]) -> Callable[[], None]:
        """See L{IDiskQueue}."""
        return self._pressure.listen(listener)

    def stop(self) -> Deferred[None]:
        """See L{IDiskQueue}."""
        self._stopping = True
        waiter: Deferred[None] = Deferred()
        self._stopped.append(waiter)
        self._finish()
        return waiter

    def _next(self) -> None:
        while self._idle and self._waiting:
            self._idle -= 1
            job, done, cost = self._waiting.popleft()
            delay = self._disk.latency + cost / self._disk.rate
            self._clock.callLater(delay, self._do, ((job, done, cost), {}))

    def _do(self, job: Callable[[], Any], done: Deferred[Any], cost: int) -> None:
        try:
            result = job()
        except Exception:
            result = Failure()
        self._idle += 1
        self._underWay -= 1
        if not done.called:  # cancelled: only the result is dropped
            done.callback(result)
        self._pressure.remove(cost)
        self._next()
        self._finish()

    def _finish(self) -> None:
        if self._stopping and not self._underWay:
            stopped, self._stopped = self._stopped, []
            for each in stopped:
                each.callback(None)
