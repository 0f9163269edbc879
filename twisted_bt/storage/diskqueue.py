"""
Where slow work goes: threads of our own, or (in tests and simulations) nowhere.

Twisted's pool is shared with name lookups, and a hop through it costs about 61 us; a queue whose
results come back in batches costs 8.  Hence these threads, and one wake-up of the reactor for all
results that are ready.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread, current_thread
from typing import Any, NamedTuple, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_bt.errors import SessionStopped
from twisted_bt.interfaces import IDiskQueue

T = TypeVar("T")
Listener = Callable[[bool], None]


class Pressure:
    """
    Counts bytes that wait, and tells listeners when they pass a budget and when they are well under it.

    Between half of the budget and all of it nothing changes, so that nobody is paused and resumed
    for each piece.
    """

    _log = Logger()

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._listeners: dict[object, Listener] = {}
        self.waiting = 0
        self.congested = False

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call C{listener} with each change of C{congested}; returns what ends that."""
        key = object()
        self._listeners[key] = listener

        def forget() -> None:
            self._listeners.pop(key, None)

        return forget

    def add(self, cost: int) -> None:
        """C{cost} bytes more wait."""
        self.waiting += cost
        if not self.congested and self.waiting > self._budget:
            self.tell(True)

    def remove(self, cost: int) -> None:
        """C{cost} bytes wait no longer."""
        self.waiting -= cost
        if self.congested and self.waiting * 2 < self._budget:
            self.tell(False)

    def tell(self, congested: bool) -> None:
        """Set C{congested} and call every listener; what one raises is logged and stops no other."""
        self.congested = congested
        for key in list(self._listeners):
            listener = self._listeners.get(key)
            if listener is not None:  # one listener may end another
                with self._log.failuresHandled("a listener to disk pressure failed"):
                    listener(congested)


class _Task(NamedTuple):
    job: Callable[[], Any]
    done: Deferred[Any]
    cost: int


@implementer(IDiskQueue)
class DiskThreads:
    """
    Jobs done by threads of our own, begun in the order they came.

    The threads begin with the first job and end with L{stop}, which has to be called: they keep
    the process alive, so that nothing accepted is ever cut off.  Cancelling a job's Deferred drops
    its result; the job is done all the same.

    @param threads: how many.  One: jobs are also finished in the order they came.
    @param budget: bytes that may wait before listeners hear of congestion.
    """

    def __init__(self, reactor: IReactorFromThreads, threads: int, budget: int) -> None:
        self._reactor = reactor
        self._size = threads
        self._pressure = Pressure(budget)
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._results: deque[tuple[_Task, Any]] = deque()
        self._waking = False
        self._threads: set[Thread] = set()
        self._stopping = False
        self._stopWaiters: list[Deferred[None]] = []

    @property
    def congested(self) -> bool:
        """See L{IDiskQueue}; once set, it stays so until less than half of the budget waits."""
        return self._pressure.congested

    def onPressure(self, listener: Listener) -> Callable[[], None]:
        """See L{IDiskQueue}."""
        return self._pressure.listen(listener)

    def submit(self, job: Callable[[], T], cost: int = 0) -> Deferred[T]:
        """See L{IDiskQueue}."""
        if self._stopping:
            return fail(SessionStopped("the disk queue was stopped"))
        if not self._threads:
            self._start()
        done: Deferred[T] = Deferred()
        self._tasks.put(_Task(job, done, cost))
        self._pressure.add(cost)
        return done

    def stop(self) -> Deferred[None]:
        """See L{IDiskQueue}."""
        if not self._stopping:
            self._stopping = True
            for _ in self._threads:
                self._tasks.put(None)  # behind every job
        if not self._threads:
            return succeed(None)
        waiter: Deferred[None] = Deferred()
        self._stopWaiters.append(waiter)
        return waiter

    def _start(self) -> None:
        self._threads = {
            Thread(target=self._work, name=f"twisted_bt disk {number}", daemon=False)
            for number in range(self._size)
        }
        for thread in self._threads:
            thread.start()

    # -- on the threads

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                result = task.job()
            except BaseException:  # a thread that died of one job would leave all others waiting
                result = Failure()
            self._results.append((task, result))
            del task, result  # or the piece stays in memory until the next one comes
            # Appended before looking, cleared before emptying (_deliver): a result is never left
            # behind.  Two threads that look at once wake the reactor twice, which harms nobody.
            if not self._waking:
                self._waking = True
                self._reactor.callFromThread(self._deliver)
        self._reactor.callFromThread(self._ended, current_thread())

    # -- on the reactor thread

    def _deliver(self) -> None:
        self._waking = False
        for _ in range(len(self._results)):  # what comes meanwhile has its own wake-up
            task, result = self._results.popleft()
            if isinstance(result, Failure):
                task.done.errback(result)
            else:
                task.done.callback(result)
            self._pressure.remove(task.cost)

    def _ended(self, thread: Thread) -> None:
        thread.join()  # it has nothing left to do but to return
        self._threads.discard(thread)
        if not self._threads:
            waiters, self._stopWaiters = self._stopWaiters, []
            for waiter in waiters:
                waiter.callback(None)


@implementer(IDiskQueue)
class ImmediateDisk:
    """
    No thread at all: each job is done while it is submitted.  For tests and simulations, and for
    tools that have nothing else to do meanwhile.
    """

    def __init__(self) -> None:
        self._pressure = Pressure(0)
        self._stopped = False

    @property
    def congested(self) -> bool:
        """Whatever L{setCongested} was told last; C{False} before."""
        return self._pressure.congested

    def setCongested(self, congested: bool) -> None:
        """For tests: pretend that too much waits, or no longer."""
        if congested != self._pressure.congested:
            self._pressure.tell(congested)

    def onPressure(self, listener: Listener) -> Callable[[], None]:
        """See L{IDiskQueue}."""
        return self._pressure.listen(listener)

    def submit(self, job: Callable[[], T], cost: int = 0) -> Deferred[T]:
        """See L{IDiskQueue}."""
        if self._stopped:
            return fail(SessionStopped("the disk queue was stopped"))
        try:
            return succeed(job())
        except Exception:
            return fail(Failure())

    def stop(self) -> Deferred[None]:
        """See L{IDiskQueue}."""
        self._stopped = True
        return succeed(None)
