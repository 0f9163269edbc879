"""
What every L{IDiskQueue} promises, as tests for yours::

    class MyQueueTests(DiskQueueContract, SynchronousTestCase):
        def makeQueue(self, workers, budget):
            return MyQueue(workers, budget)

        def result(self, deferred):
            return self.reactor.wait(deferred)  # where yours do not fire at once
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from twisted_bt.errors import SessionStopped
from twisted_bt.interfaces import IDiskQueue

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as _Base
else:
    _Base = object

T = TypeVar("T")


class DiskQueueContract(_Base):
    """Mix into a C{SynchronousTestCase} and implement L{makeQueue}; L{result} too, as a rule."""

    def makeQueue(self, workers: int, budget: int) -> IDiskQueue:
        """
        A new queue.  The test stops it, but where it fails before.

        @param budget: bytes.
        """
        raise NotImplementedError

    def result(self, deferred: Deferred[T]) -> T:
        """The result of C{deferred}, or raises what it failed with.  Override it where time has to pass."""
        outcome: list[T | Failure] = []
        deferred.addBoth(outcome.append)
        self.assertTrue(outcome, "it did not fire")
        if isinstance(outcome[0], Failure):
            outcome[0].raiseException()
        return outcome[0]

    def test_interface(self) -> None:
        """It has the methods of the interface."""
        queue = self.makeQueue(1, 100)
        self.assertTrue(verifyObject(IDiskQueue, queue))
        self.assertIs(queue.congested, False)
        self.result(queue.stop())

    def test_results(self) -> None:
        """What a job returns arrives, C{None} too."""
        queue = self.makeQueue(2, 100)
        jobs = [queue.submit(_giving(each)) for each in (1, None, b"x")]
        self.assertEqual([self.result(each) for each in jobs], [1, None, b"x"])
        self.result(queue.stop())

    def test_failures(self) -> None:
        """What a job raises arrives, and harms no other job."""
        queue = self.makeQueue(1, 100)
        bad = queue.submit(lambda: 1 // 0, 10)
        good = queue.submit(lambda: "good", 10)
        self.assertRaises(ZeroDivisionError, self.result, bad)
        self.assertEqual(self.result(good), "good")
        self.result(queue.stop())

    def test_order(self) -> None:
        """One worker does its jobs in the order they were given, and so do their results arrive."""
        queue = self.makeQueue(1, 1 << 20)
        done: list[int] = []
        heard: list[int] = []
        jobs = [queue.submit(_noting(done, each), each % 3).addCallback(heard.append) for each in range(50)]
        for each in jobs:
            self.result(each)
        self.assertEqual((done, heard), (list(range(50)), list(range(50))))
        self.result(queue.stop())

    def test_manyWorkers(self) -> None:
        """With several, each job is done, once, and each gets its own result."""
        queue = self.makeQueue(4, 1 << 20)
        done: list[int] = []
        jobs = [queue.submit(_noting(done, each)) for each in range(100)]
        self.assertEqual([self.result(each) for each in jobs], list(range(100)))
        self.assertEqual(sorted(done), list(range(100)))
        self.result(queue.stop())

    def test_pressure(self) -> None:
        """
        Listeners hear when more waits than the budget, and when it is under half of that, by turns; whoever
        sends too much all the same is not refused.
        """
        queue = self.makeQueue(1, 100)
        heard: list[bool] = []
        queue.onPressure(heard.append)
        jobs = [queue.submit(_giving(each), 30) for each in range(10)]
        if sum(not each.called for each in jobs) * 30 > 100:
            self.assertEqual((heard, queue.congested), ([True], True))
        self.assertEqual([self.result(each) for each in jobs], list(range(10)))
        self.result(queue.stop())
        self.assertIs(queue.congested, False)
        self.assertEqual(heard, [True, False] * (len(heard) // 2))

    def test_pressureOfFailures(self) -> None:
        """Jobs that fail, or of which nobody wants to hear any more, weigh on nobody afterwards."""
        queue = self.makeQueue(1, 100)
        jobs = [queue.submit(lambda: 1 // 0, 60) for _ in range(4)]
        dropped = queue.submit(_giving(None), 60).addErrback(lambda reason: reason.trap(CancelledError))
        dropped.cancel()
        for each in jobs:
            self.assertRaises(ZeroDivisionError, self.result, each)
        self.result(queue.submit(_giving(None)))
        self.assertIs(queue.congested, False)
        self.result(queue.stop())

    def test_listenersLeave(self) -> None:
        """Who no longer listens hears nothing, while others do."""
        queue = self.makeQueue(1, 100)
        gone: list[bool] = []
        here: list[bool] = []
        forget = queue.onPressure(gone.append)
        queue.onPressure(here.append)
        forget()
        jobs = [queue.submit(_giving(each), 60) for each in range(4)]
        waited = any(not each.called for each in jobs)
        for each in jobs:
            self.result(each)
        self.assertEqual(gone, [])
        if waited:
            self.assertEqual(here[:1], [True])
        self.result(queue.stop())

    def test_stop(self) -> None:
        """It stops once all that was submitted is done; a second call waits for the same."""
        queue = self.makeQueue(2, 100)
        done: list[int] = []
        jobs = [queue.submit(_noting(done, each), 10) for each in range(20)]
        first, second = queue.stop(), queue.stop()
        self.result(first)
        self.result(second)
        self.assertEqual(sorted(done), list(range(20)))
        self.assertEqual([self.result(each) for each in jobs], list(range(20)))

    def test_stopped(self) -> None:
        """What comes after is not done, and fails; one that was never used stops too, and may do so twice."""
        queue = self.makeQueue(1, 100)
        self.result(queue.stop())
        done: list[int] = []
        self.assertRaises(SessionStopped, self.result, queue.submit(_noting(done, 1)))
        self.result(queue.stop())
        self.assertEqual(done, [])


def _giving(value: T) -> Callable[[], T]:
    return lambda: value


def _noting(done: list[int], number: int) -> Callable[[], int]:
    def job() -> int:
        done.append(number)
        return number

    return job
