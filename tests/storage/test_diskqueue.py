"""Tests of L{twisted_bt.storage.diskqueue}."""

from __future__ import annotations

import gc
import threading
import weakref
from functools import partial
from threading import Event

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.storage.doubles import ThreadReactor
from twisted_bt.errors import SessionStopped
from twisted_bt.interfaces import IDiskQueue
from twisted_bt.storage.diskqueue import DiskThreads, ImmediateDisk, Pressure


class DiskThreadsTests(SynchronousTestCase):
    """Jobs on threads of our own."""

    def setUp(self) -> None:
        self.reactor = ThreadReactor()
        self.before = threading.active_count()
        # Cleanups run last in, first out: this one after all queues were stopped.
        self.addCleanup(lambda: self.assertEqual(threading.active_count(), self.before))

    def queue(self, threads: int = 2, budget: int = 100) -> DiskThreads:
        """A queue that is stopped when the test ends."""
        queue = DiskThreads(self.reactor, threads, budget)
        self.addCleanup(lambda: self.successResultOf(self.reactor.wait(queue.stop())))
        return queue

    def blocked(self, queue: DiskThreads, cost: int = 0) -> Event:
        """Keep one thread of C{queue} busy until the event is set."""
        begun, go = Event(), Event()

        def job() -> None:
            begun.set()
            go.wait(10)

        queue.submit(job, cost)
        begun.wait(10)
        self.addCleanup(go.set)
        return go

    def test_interface(self) -> None:
        """It is a disk queue."""
        verifyObject(IDiskQueue, self.queue())

    def test_result(self) -> None:
        """A job runs on another thread; its result comes on the reactor's."""
        done = self.queue().submit(threading.current_thread)
        heard: list[threading.Thread] = []
        done.addCallback(lambda worker: heard.extend((worker, threading.current_thread())))
        self.reactor.wait(done)
        self.assertIsNot(heard[0], threading.current_thread())
        self.assertIs(heard[1], threading.current_thread())

    def test_failure(self) -> None:
        """What a job raises is the failure of its Deferred, and harms no other job."""
        queue = self.queue(threads=1)
        bad = queue.submit(lambda: 1 // 0)
        exiting = queue.submit(lambda: exec("raise SystemExit"))
        good = queue.submit(lambda: "good")
        self.reactor.wait(good)
        self.failureResultOf(bad, ZeroDivisionError)
        self.failureResultOf(exiting, SystemExit)
        self.assertEqual(self.successResultOf(good), "good")

    def test_order(self) -> None:
        """One worker does the jobs in the order they came."""
        queue = self.queue(threads=1)
        go = self.blocked(queue)
        order: list[int] = []
        done = [queue.submit(partial(order.append, n)) for n in range(50)]
        go.set()
        for each in done:
            self.reactor.wait(each)
        self.assertEqual(order, list(range(50)))

    def test_batch(self) -> None:
        """Results that are ready together cost one wake-up of the reactor."""
        queue = self.queue(threads=1)
        done = [queue.submit(lambda: None) for _ in range(500)]
        queue.submit(lambda: None)
        last = Event()
        queue.submit(last.set)
        last.wait(10)
        self.reactor.turn()
        self.assertGreaterEqual(sum(each.called for each in done), 500)
        self.assertEqual(self.reactor.calls, 1)

    def test_cancelled(self) -> None:
        """A cancelled Deferred fails at once; its job's result, good or bad, is dropped quietly."""
        queue = self.queue(threads=1)
        go = self.blocked(queue)
        ran: list[int] = []
        good = queue.submit(lambda: ran.append(1))
        bad = queue.submit(lambda: 1 // 0)
        for each in (good, bad):
            each.cancel()
            each.addErrback(lambda reason: None)
        go.set()
        self.reactor.wait(queue.submit(lambda: None))
        self.assertEqual(ran, [1])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_stopFinishes(self) -> None:
        """Stopping does what was submitted, then ends the threads, then fires."""
        queue = self.queue()
        go = self.blocked(queue)
        done = [queue.submit(partial(int, n)) for n in range(20)]
        stopped = queue.stop()
        self.assertNoResult(stopped)
        go.set()
        alive: list[int] = []
        stopped.addCallback(lambda _: alive.append(threading.active_count()))
        self.reactor.wait(stopped)
        self.assertEqual([self.successResultOf(each) for each in done], list(range(20)))
        self.assertEqual(alive, [self.before])

    def test_submitAfterStop(self) -> None:
        """After a stop, even one that is not through, jobs fail with L{SessionStopped} and are not done."""
        queue = self.queue()
        go = self.blocked(queue)
        queue.stop()
        ran: list[int] = []
        self.failureResultOf(queue.submit(lambda: ran.append(1)), SessionStopped)
        go.set()
        self.reactor.wait(queue.stop())
        self.failureResultOf(queue.submit(lambda: ran.append(1)), SessionStopped)
        self.assertEqual(ran, [])

    def test_stopTwice(self) -> None:
        """Every stop fires, also those after the end."""
        queue = self.queue()
        go = self.blocked(queue)
        stops = [queue.stop(), queue.stop()]
        go.set()
        for each in stops:
            self.assertIsNone(self.successResultOf(self.reactor.wait(each)))
        self.assertIsNone(self.successResultOf(queue.stop()))

    def test_unused(self) -> None:
        """A queue that was never used has no threads, and stops at once."""
        queue = DiskThreads(self.reactor, 4, 100)
        self.assertEqual(threading.active_count(), self.before)
        self.assertIsNone(self.successResultOf(queue.stop()))

    def test_memory(self) -> None:
        """While a thread waits for work it keeps nothing of the last job alive."""

        class Piece:
            pass

        queue = self.queue(threads=1)
        piece = Piece()
        remains = weakref.ref(piece)
        done = queue.submit(partial(bool, piece))
        del piece
        self.reactor.wait(done)
        gc.collect()
        self.assertIsNone(remains())

    def test_pressure(self) -> None:
        """Listeners hear of more than the budget once, and of less than half of it once."""
        queue = self.queue(threads=1, budget=100)
        heard: list[bool] = []
        queue.onPressure(heard.append)
        go = self.blocked(queue, 60)
        self.assertFalse(queue.congested)
        queue.submit(lambda: None, 40)
        self.assertEqual(heard, [])
        queue.submit(lambda: None, 1)
        last = queue.submit(lambda: None, 30)
        self.assertEqual((heard, queue.congested), ([True], True))
        go.set()
        self.reactor.wait(last)
        self.assertEqual((heard, queue.congested), ([True, False], False))

    def test_pressureEnds(self) -> None:
        """A listener that was taken off hears nothing more; taking it off twice is harmless."""
        queue = self.queue(threads=1, budget=10)
        heard: list[bool] = []
        forget = queue.onPressure(heard.append)
        forget()
        forget()
        self.reactor.wait(queue.submit(lambda: None, 11))
        self.assertEqual(heard, [])

    def test_pressureListenerFails(self) -> None:
        """What a listener raises is logged; the others, and the job, go on."""
        queue = self.queue(threads=1, budget=10)
        heard: list[bool] = []

        def failing(congested: bool) -> None:
            raise ZeroDivisionError

        queue.onPressure(failing)
        queue.onPressure(heard.append)
        done: Deferred[str] = queue.submit(lambda: "done", 11)
        self.assertEqual(self.successResultOf(self.reactor.wait(done)), "done")
        self.reactor.wait(queue.submit(lambda: None))
        self.assertEqual(heard, [True, False])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)


class PressureTests(SynchronousTestCase):
    """Bytes that wait, and who hears of them."""

    def test_hysteresis(self) -> None:
        """Congestion begins over the budget, and ends under half of it, not before."""
        pressure = Pressure(100)
        states = []
        for cost in (100, 1, -1, -49, -1, -1, 51, 1):
            if cost > 0:
                pressure.add(cost)
            else:
                pressure.remove(-cost)
            states.append(pressure.congested)
        self.assertEqual(states, [False, True, True, True, True, False, False, True])


class ImmediateDiskTests(SynchronousTestCase):
    """No threads at all."""

    def test_interface(self) -> None:
        """It is a disk queue."""
        verifyObject(IDiskQueue, ImmediateDisk())

    def test_atOnce(self) -> None:
        """A job is done while it is submitted, and its exception becomes a failure."""
        disk = ImmediateDisk()
        self.assertEqual(self.successResultOf(disk.submit(lambda: 5, 1 << 40)), 5)
        self.failureResultOf(disk.submit(lambda: 1 // 0), ZeroDivisionError)

    def test_congestion(self) -> None:
        """A test may pretend congestion; listeners hear each change."""
        disk = ImmediateDisk()
        heard: list[bool] = []
        disk.onPressure(heard.append)
        for congested in (True, True, False):
            disk.setCongested(congested)
            self.assertEqual(disk.congested, congested)
        self.assertEqual(heard, [True, False])

    def test_stop(self) -> None:
        """After C{stop} a job fails with L{SessionStopped}."""
        disk = ImmediateDisk()
        self.assertIsNone(self.successResultOf(disk.stop()))
        self.failureResultOf(disk.submit(lambda: 5), SessionStopped)
