"""
The disk queue of a simulated host: work takes the time that the disk needs.
"""

from __future__ import annotations

import errno
import os

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_bt.errors import SessionStopped
from twisted_bt.interfaces import IDiskQueue
from twisted_bt.testing.disk import Disk, DiskQueue
from twisted_bt.testing.diskfaults import Fault
from twisted_bt.testing.network import Network


class DiskQueueTests(SynchronousTestCase):
    """How long work takes, and what stops it."""

    def setUp(self) -> None:
        self.network = Network(seed=1)
        self.host = self.network.host(disk=Disk(latency=0.5, rate=1000.0))
        self.files = self.host.files

    def queue(self, workers: int = 1) -> DiskQueue:
        """One of the host."""
        queue = self.host.diskQueue(self.host, workers, 10_000)
        verifyObject(IDiskQueue, queue)
        return queue

    def took(self, *jobs: Deferred[None]) -> list[float]:
        """When they were done, in seconds."""
        times: list[float] = []
        for each in jobs:
            each.addCallback(lambda _: times.append(round(self.network.now, 6)))
        self.network.advance(100)
        return times

    def nothing(self) -> None:
        """A job."""

    def test_latency(self) -> None:
        """Any work takes the latency; with several workers at the same time."""
        queue = self.queue(2)
        self.assertEqual(self.took(*(queue.submit(self.nothing) for _ in range(3))), [0.5, 0.5, 1.0])

    def test_rate(self) -> None:
        """What is written goes to the one disk, one after the other, whoever writes it."""
        one, other = self.queue(), self.queue()
        self.assertEqual(
            self.took(one.submit(self.nothing, 1000), other.submit(self.nothing, 2000)), [1.5, 3.5]
        )

    def test_readRate(self) -> None:
        """Reading takes time too."""
        self.host.disk.readRate = 100.0
        self.files.put("/a", bytes(250))
        fd = self.files.open("/a", os.O_RDONLY)

        def read() -> None:
            self.files.readNew(fd, 1000, 0)

        self.assertEqual(self.took(self.queue().submit(read)), [3.0])

    def test_syncTime(self) -> None:
        """So does each sync, and what is slow by a fault."""
        self.host.disk.syncTime = 0.25
        self.files.faults.add(Fault("sync", delay=2.0, times=1))
        fd = self.files.open("/a", os.O_RDWR | os.O_CREAT)

        def sync() -> None:
            for _ in range(2):
                self.files.sync(fd)

        self.assertEqual(self.took(self.queue().submit(sync)), [3.0])

    def test_fails(self) -> None:
        """What a job raises is its outcome, in its time."""
        self.files.faults.add(Fault("make", errno.EROFS))
        done = self.queue().submit(lambda: self.files.open("/a", os.O_RDWR | os.O_CREAT))
        self.network.advance(0.4)
        self.assertNoResult(done)
        self.network.advance(1)
        self.assertEqual(self.failureResultOf(done, OSError).value.errno, errno.EROFS)

    def test_cancelled(self) -> None:
        """Who cancels misses the result; the job is done all the same."""
        did: list[int] = []
        done = self.queue().submit(lambda: did.append(1))
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.network.advance(1)
        self.assertEqual(did, [1])

    def test_stop(self) -> None:
        """It stops once all is done, and takes nothing more."""
        queue = self.queue()
        work = queue.submit(self.nothing)
        stopped = queue.stop()
        self.assertNoResult(stopped)
        self.failureResultOf(queue.submit(self.nothing), SessionStopped)
        self.network.advance(1)
        self.successResultOf(work)
        self.successResultOf(stopped)

    def test_pressure(self) -> None:
        """Listeners hear when more than the budget waits, and when it is well under it."""
        queue = self.queue()
        heard: list[bool] = []
        queue.onPressure(heard.append)
        for _ in range(3):
            queue.submit(self.nothing, 4000)
        self.assertEqual((heard, queue.waiting), ([True], 12_000))
        self.network.advance(60)
        self.assertEqual((heard, queue.waiting, queue.underWay), ([True, False], 0, 0))

    def test_abandoned(self) -> None:
        """What is under way when the host stops may be done in part, and nobody hears of it."""
        outcomes = set()
        for seed in range(40):
            self.network = Network(seed)
            self.host = self.network.host(disk=Disk(latency=0.5))
            files = self.host.files

            def job() -> None:
                for name in "/a", "/b", "/c":
                    self.host.files.open(name, os.O_RDWR | os.O_CREAT)

            queue = self.queue()
            done = queue.submit(job)
            later = queue.submit(job)
            self.network.advance(0.1)
            self.host.kill()
            self.network.advance(10)
            self.assertNoResult(done)
            self.assertNoResult(later)
            outcomes.add(sum(name in files.names() for name in ("/a", "/b", "/c")))
        self.assertTrue({0, 3} <= outcomes and len(outcomes) > 2, outcomes)
