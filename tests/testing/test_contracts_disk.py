"""
The contracts of disk queues and files: the engine's own keep them, broken ones are found out.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from tests.storage.doubles import ThreadReactor
from tests.testing.failing import failed
from twisted_bt.interfaces import IDiskQueue
from twisted_bt.storage.diskqueue import DiskThreads, ImmediateDisk
from twisted_bt.storage.fileio import FileCalls
from twisted_bt.testing.diskqueues import DiskQueueContract
from twisted_bt.testing.files import FilesContract
from twisted_bt.testing.filesystem import SimulatedFiles
from twisted_bt.testing.network import Network

# -- disk queues


class ImmediateDiskTests(DiskQueueContract, SynchronousTestCase):
    """Work that is done at once."""

    def makeQueue(self, workers: int, budget: int) -> IDiskQueue:
        """See L{DiskQueueContract}."""
        return ImmediateDisk()


class DiskThreadsTests(DiskQueueContract, SynchronousTestCase):
    """The engine's threads."""

    def setUp(self) -> None:
        """A reactor that runs what threads hand it."""
        self.reactor = ThreadReactor()

    def makeQueue(self, workers: int, budget: int) -> IDiskQueue:
        """See L{DiskQueueContract}."""
        return DiskThreads(self.reactor, workers, budget)

    def result(self, deferred: Deferred[Any]) -> Any:
        """See L{DiskQueueContract}."""
        return super().result(self.reactor.wait(deferred))


class SimulatedDiskTests(DiskQueueContract, SynchronousTestCase):
    """The simulated disk's."""

    def setUp(self) -> None:
        """A network."""
        self.network = Network(1)

    def makeQueue(self, workers: int, budget: int) -> IDiskQueue:
        """See L{DiskQueueContract}."""
        return self.network.host().diskQueue(None, workers, budget)

    def result(self, deferred: Deferred[Any]) -> Any:
        """See L{DiskQueueContract}."""
        return self.network.runUntil(deferred)


class BrokenQueueTests(SynchronousTestCase):
    """Queues that keep no promise."""

    def broken(self, kind: type[ImmediateDisk]) -> set[str]:
        """Which tests C{kind} fails."""

        class Case(DiskQueueContract, SynchronousTestCase):
            def makeQueue(self, workers: int, budget: int) -> IDiskQueue:
                return kind()

        return failed(Case)

    def test_neverStops(self) -> None:
        """One that takes work after its end."""

        class Restless(ImmediateDisk):
            def stop(self) -> Deferred[None]:
                return succeed(None)

        self.assertEqual(self.broken(Restless), {"test_stopped"})

    def test_raises(self) -> None:
        """One that raises what a job raised."""

        class Rude(ImmediateDisk):
            def submit(self, job: Callable[[], Any], cost: int = 0) -> Deferred[Any]:
                return succeed(job()) if not self._stopped else super().submit(job, cost)

        self.assertEqual(self.broken(Rude), {"test_failures", "test_pressureOfFailures"})

    def test_twice(self) -> None:
        """One that does a job again."""

        class Eager(ImmediateDisk):
            def submit(self, job: Callable[[], Any], cost: int = 0) -> Deferred[Any]:
                super().submit(job, cost).addErrback(lambda _: None)
                return super().submit(job, cost)

        self.assertEqual(self.broken(Eager), {"test_order", "test_manyWorkers", "test_stop"})

    def test_silent(self) -> None:
        """One that tells nobody how much waits, and does the last first."""

        class Sleepy(ImmediateDisk):
            def __init__(self) -> None:
                super().__init__()
                self._held: list[tuple[Callable[[], Any], Deferred[Any]]] = []

            def submit(self, job: Callable[[], Any], cost: int = 0) -> Deferred[Any]:
                if self._stopped:
                    return super().submit(job, cost)
                done: Deferred[Any] = Deferred()
                self._held.append((job, done))
                return done

            def work(self) -> None:
                while self._held:
                    job, done = self._held.pop()
                    super().submit(job).chainDeferred(done)

        class Case(DiskQueueContract, SynchronousTestCase):
            def makeQueue(self, workers: int, budget: int) -> IDiskQueue:
                self.queue = Sleepy()
                return self.queue

            def result(self, deferred: Deferred[Any]) -> Any:
                self.queue.work()
                return super().result(deferred)

        self.assertEqual(failed(Case), {"test_order", "test_pressure", "test_listenersLeave", "test_stop"})


# -- files


class FileCallsTests(FilesContract, SynchronousTestCase):
    """The system's own files."""

    def makeFiles(self) -> tuple[FileCalls, Path]:
        """See L{FilesContract}."""
        return FileCalls(), Path(self.mktemp())


class SimulatedFilesTests(FilesContract, SynchronousTestCase):
    """The simulated disk."""

    def makeFiles(self) -> tuple[FileCalls, Path]:
        """See L{FilesContract}."""
        return SimulatedFiles(), Path("/data")


class BrokenFilesTests(SynchronousTestCase):
    """Files that keep no promise."""

    def broken(self, kind: type[SimulatedFiles]) -> set[str]:
        """Which tests C{kind} fails."""

        class Case(FilesContract, SynchronousTestCase):
            def makeFiles(self) -> tuple[FileCalls, Path]:
                return kind(), Path("/data")

        return failed(Case)

    def test_appends(self) -> None:
        """One that writes a byte beside."""

        class Shifted(SimulatedFiles):
            def write(self, fd: int, buffers: list[memoryview], offset: int) -> int:
                return super().write(fd, buffers, offset + bool(offset))

        self.assertLessEqual({"test_vectors", "test_overwrite", "test_holes"}, self.broken(Shifted))

    def test_locksNothing(self) -> None:
        """One whose locks are open."""

        class Open(SimulatedFiles):
            def lock(self, path: Path) -> Any:
                lock = super().lock(path)
                lock.release()
                self.release = lambda: None
                return self

        self.assertEqual(self.broken(Open), {"test_lock"})

    def test_copies(self) -> None:
        """One that renames by copying into the old file."""

        class Copying(SimulatedFiles):
            def rename(self, name: str, target: str) -> None:
                self.put(target, self.content(name))

        self.assertIn("test_rename", self.broken(Copying))
