"""
What every L{IDiskQueue} promises, as tests for yours::

    class MyQueueTests(DiskQueueContract, SynchronousTestCase):
        def makeQueue(self, workers, budget):
            return MyQueue(workers, budget)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from twisted_bt.errors import SessionStopped
from twisted_bt.interfaces import IDiskQueue

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as _Base
else:
    _Base = object

T = TypeVar("T")


class _Wrong(Exception):
    """What a job raises here."""


class DiskQueueContract(_Base):
    """
    Mix into a C{SynchronousTestCase} and implement L{makeQueue}; and L{wait}, where yours fires later.

    @cvar bounded: it counts the bytes that wait.
    """

    bounded = True

    def makeQueue(self, workers: int, budget: int) -> IDiskQueue:
        """A new queue of so many workers and bytes; stopped by every test."""
        raise NotImplementedError

    def wait(self, deferred: Deferred[Any]) -> None:
        """Returns once C{deferred} has fired."""

    def _result(self, deferred: Deferred[T]) -> T:
        self.wait(deferred)
        return self.successResultOf(deferred)

    def _failure(self, deferred: Deferred[Any], kind: type[Exception]) -> Failure:
        self.wait(deferred)
        reason: Failure = self.failureResultOf(deferred, kind)
        return reason

    def _stop(self, queue: IDiskQueue) -> None:
        self.assertIsNone(self._result(queue.stop()))

    def test_interface(self) -> None:
        """It has the methods of the interface, and is not congested at first."""
        queue = self.makeQueue(1, 100)
        self.assertTrue(verifyObject(IDiskQueue, queue))
        self.assertFalse(queue.congested)
        self._stop(queue)

    def test_result(self) -> None:
        """The result of a job comes, whatever it is."""
        queue = self.makeQueue(2, 100)
        for result in (None, 5, b"bytes", [1]):
            self.assertEqual(self._result(queue.submit(lambda result=result: result)), result)  # type: ignore[misc]
        self._stop(queue)

    def test_failure(self) -> None:
        """What a job raises comes, and the next is done all the same."""
        queue = self.makeQueue(1, 100)

        def fail() -> None:
            raise _Wrong("on purpose")

        reason = self._failure(queue.submit(fail), _Wrong)
        self.assertEqual(reason.getErrorMessage(), "on purpose")
        self.assertEqual(self._result(queue.submit(lambda: 1)), 1)
        self._stop(queue)

    def test_order(self) -> None:
        """One worker does jobs in the order in which they came."""
        queue = self.makeQueue(1, 100)
        done: list[int] = []
        jobs: list[Callable[[], None]] = [lambda number=number: done.append(number) for number in range(50)]  # type: ignore[misc]
        waiting = [queue.submit(job) for job in jobs]
        for each in waiting:
            self._result(each)
        self.assertEqual(done, list(range(50)))
        self._stop(queue)

    def test_pressure(self) -> None:
        """
        Who listens hears once that more bytes wait than the budget, and once that they are done; a result
        that nobody waits for counts too.
        """
        queue = self.makeQueue(1, 100)
        told: list[bool] = []
        queue.onPressure(told.append)
        for each in [queue.submit(lambda: None, 60) for _ in range(4)]:
            self._result(each)
        self._stop(queue)
        if self.bounded:
            self.assertEqual(told, [True, False])
        self.assertFalse(queue.congested)

    def test_noPressure(self) -> None:
        """Within the budget nobody is told of anything, nor who listens no longer."""
        queue = self.makeQueue(1, 1000)
        told: list[bool] = []
        queue.onPressure(told.append)
        self._result(queue.submit(lambda: None, 900))
        forget = queue.onPressure(told.append)
        forget()
        self._stop(queue)
        self.assertEqual(told, [])

    def test_cancelled(self) -> None:
        """A result that nobody wants any more is dropped, and what it held is given back."""
        queue = self.makeQueue(1, 100)
        unwanted = queue.submit(lambda: 1, 1000)
        unwanted.addErrback(lambda reason: None)
        unwanted.cancel()
        self.assertEqual(self._result(queue.submit(lambda: 2)), 2)
        self._stop(queue)
        self.assertFalse(queue.congested)

    def test_stopFinishes(self) -> None:
        """To stop it is to finish what was submitted; then it takes nothing more."""
        queue = self.makeQueue(1, 100)
        done: list[int] = []
        waiting = [queue.submit(lambda number=number: done.append(number)) for number in range(5)]  # type: ignore[misc]
        self._stop(queue)
        self.assertEqual(done, list(range(5)))
        for each in waiting:
            self._result(each)
        self._failure(queue.submit(lambda: None), SessionStopped)

    def test_stopTwice(self) -> None:
        """To stop it again is as good as once."""
        queue = self.makeQueue(2, 100)
        queue.submit(lambda: None)
        first, second = queue.stop(), queue.stop()
        self._result(first)
        self._result(second)
        self._stop(queue)
