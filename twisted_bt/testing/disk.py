"""
The disk of a simulated host: work takes virtual time, and no thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_bt.errors import SessionStopped
from twisted_bt.interfaces import IDiskQueue
from twisted_bt.storage.diskqueue import Pressure
from twisted_bt.testing.clock import VirtualClock

if TYPE_CHECKING:
    from twisted_bt.testing.filesystem import SimulatedFiles

T = TypeVar("T")


@dataclass
class Disk:
    """
    How big it is, and how long work takes; may be changed at any time.

    @ivar latency: seconds for any piece of work.
    @ivar rate: bytes written in a second, by all who write.
    @ivar readRate: bytes read in a second, by all who read.
    @ivar syncTime: seconds until what was synced is on the disk.
    @ivar capacity: bytes that there is room for.
    """

    latency: float = 0.0
    rate: float = inf
    readRate: float = inf
    syncTime: float = 0.0
    capacity: float = inf
    _freeAt: float = field(default=0.0, repr=False)

    def transfer(self, now: float, seconds: float) -> float:
        """In how many seconds something that takes C{seconds} is done, after what others asked for before."""
        if not seconds:
            return 0.0
        self._freeAt = max(now, self._freeAt) + seconds
        return self._freeAt - now


class Work:
    """
    What one job does to a disk.

    @ivar read: bytes.
    @ivar delay: seconds of trouble.
    @ivar syncs: called once what it synced is on the disk.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self.read = 0
        self.delay = 0.0
        self.syncs: list[Callable[[], object]] = []

    def seconds(self, now: float) -> float:
        """How long it takes."""
        disk = self._disk
        return disk.transfer(now, self.read / disk.readRate) + self.delay + len(self.syncs) * disk.syncTime

    def settle(self) -> None:
        """Its time is over."""
        for each in self.syncs:
            each()


class _Job:
    __slots__ = ("cost", "done", "started", "work")

    def __init__(self, work: Callable[[], Any], done: Deferred[Any], cost: int) -> None:
        self.work = work
        self.done = done
        self.cost = cost
        self.started = False


@implementer(IDiskQueue)
class DiskQueue:
    """
    Does each job at the time when a disk would be done with it, C{workers} at a time, in order.
    """

    def __init__(
        self,
        clock: VirtualClock,
        files: SimulatedFiles,
        workers: int,
        budget: int,
        later: Callable[[float, Callable[[], object]], object] | None = None,
    ) -> None:
        """
        @param later: like C{clock.callLater}, which is used where it is left out.
        """
        self._clock = clock
        self._later = later or clock.callLater
        self._files = files
        self._idle = workers
        self._pressure = Pressure(budget)
        self._waiting: deque[_Job] = deque()
        self._doing: dict[_Job, None] = {}
        self._stopping = False
        self._dead = False
        self._stopped: list[Deferred[None]] = []

    @property
    def congested(self) -> bool:
        """See L{IDiskQueue}."""
        return self._pressure.congested

    @property
    def underWay(self) -> int:
        """Jobs submitted and not done."""
        return len(self._waiting) + len(self._doing)

    @property
    def waiting(self) -> int:
        """Bytes of memory that they hold."""
        return self._pressure.waiting

    def submit(self, job: Callable[[], T], cost: int = 0) -> Deferred[T]:
        """See L{IDiskQueue}."""
        if self._stopping:
            return fail(SessionStopped("the disk queue was stopped"))
        done: Deferred[T] = Deferred(lambda _: None)
        if not self._dead:
            self._waiting.append(_Job(job, done, cost))
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

    def abandon(self, random: Random) -> list[object]:
        """
        Its computer stopped.  Of the jobs under way any part may be done; nobody hears of it.

        @return: what it held on to.
        """
        self._dead = True
        held = [*self._waiting, *self._doing]
        for job in self._doing:
            if not job.started and random.random() < 0.5:
                self._files.cutShort(job.work, random)
        self._waiting.clear()
        self._doing.clear()
        return [*self._stopped, *(job.work for job in held), *(job.done for job in held)]

    def _next(self) -> None:
        while self._idle and self._waiting:
            self._idle -= 1
            job = self._waiting.popleft()
            self._doing[job] = None
            disk = self._files.disk
            delay = disk.latency + disk.transfer(self._clock.now, job.cost / disk.rate)
            self._later(delay, lambda job=job: self._do(job))  # type: ignore[misc]

    def _do(self, job: _Job) -> None:
        if self._dead:
            return
        job.started = True
        with self._files.working() as work:
            try:
                result = job.work()
            except Exception:
                result = Failure()
        seconds = work.seconds(self._clock.now)
        if seconds:
            self._later(seconds, lambda: self._done(job, result, work))
        else:
            self._done(job, result, work)

    def _done(self, job: _Job, result: Any, work: Work) -> None:
        if self._dead:
            return
        work.settle()
        self._idle += 1
        del self._doing[job]
        if not job.done.called:  # cancelled: only the result is dropped
            job.done.callback(result)
        self._pressure.remove(job.cost)
        self._next()
        self._finish()

    def _finish(self) -> None:
        if self._stopping and not self.underWay:
            stopped, self._stopped = self._stopped, []
            for each in stopped:
                each.callback(None)
