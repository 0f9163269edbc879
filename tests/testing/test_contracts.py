"""
The contracts for users' plug-ins: the engine's own keep them, broken ones are found out.
"""

from __future__ import annotations

import gc
import unittest
from collections.abc import Callable, Collection, Hashable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from bitarray import bitarray
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.storage.doubles import ThreadReactor
from twisted_bt.errors import ProtocolError, TrackerError
from twisted_bt.exchange.choker import StandardChoker
from twisted_bt.exchange.picker import RandomFirst
from twisted_bt.interfaces import (
    Buffer,
    ChokeCandidate,
    IAvailability,
    IChoker,
    IDiskQueue,
    IExtension,
    IPeerPolicy,
    IPiecePicker,
    IStorage,
    ISwarmObserver,
    ITrackerClient,
    PeerInfo,
)
from twisted_bt.sessions.observers import SwarmObserver
from twisted_bt.sessions.policy import StandardPolicy
from twisted_bt.settings import Settings
from twisted_bt.storage.diskqueue import DiskThreads, ImmediateDisk
from twisted_bt.storage.fileio import FileCalls
from twisted_bt.storage.memory import MemoryStorage
from twisted_bt.testing.chokers import ChokerContract
from twisted_bt.testing.diskqueues import DiskQueueContract
from twisted_bt.testing.extensions import ExtensionContract
from twisted_bt.testing.files import FilesContract
from twisted_bt.testing.filesystem import SimulatedFiles
from twisted_bt.testing.host import Host
from twisted_bt.testing.network import Network
from twisted_bt.testing.observers import ObserverContract
from twisted_bt.testing.pickers import PickerContract
from twisted_bt.testing.policies import PeerPolicyContract
from twisted_bt.testing.storages import Sample, StorageContract
from twisted_bt.testing.trackerclients import TrackerClientContract
from twisted_bt.torrent.metainfo import Metainfo
from twisted_bt.tracker.http import HttpTrackerClient
from twisted_bt.tracker.udp import UdpTrackerClient


def failed(case: type[SynchronousTestCase], *only: str) -> set[str]:
    """The names of those tests of C{case}, or of C{only} these, that do not pass."""
    names = only or unittest.TestLoader().getTestCaseNames(case)
    found = set()
    for name in names:
        result = unittest.TestResult()
        test = case(name)
        test.run(result)
        assert result.testsRun == 1, name
        if not result.wasSuccessful():
            found.add(name)
            gc.collect()  # errors that it leaves behind are its own, and not the next one's
            test.flushLoggedErrors()
    return found


# -- peer policies


class StandardPolicyTests(PeerPolicyContract, SynchronousTestCase):
    """The engine's policy."""

    def makePolicy(self, settings: Settings) -> IPeerPolicy:
        """See L{PeerPolicyContract}."""
        return StandardPolicy(settings)


class _Policy(StandardPolicy):
    """Wrong in all that it says."""

    def slots(self, seeding: bool) -> int:
        return -1 if seeding else 1

    def accepts(self, peer: PeerInfo) -> bool:
        return len(peer.peerId) == 20  # type: ignore[arg-type]

    def victim(self, peers: Sequence[ChokeCandidate], seeding: bool) -> Hashable | None:
        peers.clear()  # type: ignore[attr-defined]
        return 1000


class _Misanthrope(StandardPolicy):
    """Talks to nobody."""

    def accepts(self, peer: PeerInfo) -> bool:
        return False


class BrokenPolicyTests(SynchronousTestCase):
    """Policies that keep no promise."""

    def test_wrong(self) -> None:
        """Each promise that is broken is found."""

        class Case(PeerPolicyContract, SynchronousTestCase):
            def makePolicy(self, settings: Settings) -> IPeerPolicy:
                return _Policy(settings)

        names = ("test_interface", "test_slots", "test_accepts", "test_nobodyToClose", "test_closesOneOfThem")
        self.assertEqual(failed(Case, *names), set(names[1:]))

    def test_nobody(self) -> None:
        """One that talks to nobody downloads nothing."""

        class Case(PeerPolicyContract, SynchronousTestCase):
            def makePolicy(self, settings: Settings) -> IPeerPolicy:
                return _Misanthrope(settings)

        self.assertEqual(failed(Case), {"test_swarm"})


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


# -- extensions


@implementer(IExtension)
class Counter:
    """Counts what it hears, and says it."""

    name = b"example_counter"

    def __init__(self) -> None:
        self.heard: dict[Any, int] = {}

    def started(self, peer: Any) -> None:
        """See L{IExtension}."""
        self.heard[peer] = 0
        peer.sendExtended(self.name, b"0")

    def received(self, peer: Any, payload: bytes) -> None:
        """See L{IExtension}."""
        if not payload.isdigit() or len(payload) > 10:
            raise ProtocolError("no number")
        self.heard[peer] += 1

    def stopped(self, peer: Any) -> None:
        """See L{IExtension}."""
        self.heard.pop(peer, None)


class CounterTests(ExtensionContract, SynchronousTestCase):
    """An extension as it should be."""

    def makeExtensions(self, metainfo: Metainfo) -> Sequence[IExtension]:
        """See L{ExtensionContract}."""
        return [Counter()]

    def samples(self) -> Sequence[bytes]:
        """See L{ExtensionContract}."""
        return [b"1", b"23"]


class BrokenExtensionTests(SynchronousTestCase):
    """Extensions that keep no promise."""

    def broken(self, make: Callable[[], IExtension], *only: str) -> set[str]:
        """Which tests those of C{make} fail."""

        class Case(ExtensionContract, SynchronousTestCase):
            def makeExtensions(self, metainfo: Metainfo) -> Sequence[IExtension]:
                return [make()]

        return failed(Case, *only)

    def test_trusting(self) -> None:
        """One that takes for granted what peers say."""

        class Trusting(Counter):
            def received(self, peer: Any, payload: bytes) -> None:
                self.heard[peer] = int(payload)

        self.assertEqual(self.broken(Trusting), {"test_whatPeersSay"})

    def test_forgetsNothing(self) -> None:
        """One that raises when peers leave."""

        class Clinging(Counter):
            def stopped(self, peer: Any) -> None:
                self.heard[None] += 1

        self.assertIn("test_peersThatLeave", self.broken(Clinging, "test_peersThatLeave"))

    def test_shared(self) -> None:
        """One object for all swarms."""
        one = Counter()
        self.assertEqual(self.broken(lambda: one, "test_eachSwarmItsOwn"), {"test_eachSwarmItsOwn"})

    def test_nameless(self) -> None:
        """One without a name, and one that has ours."""

        class Nameless(Counter):
            name = b""

        class Thief(Counter):
            name = b"lt_donthave"

        for each in (Nameless, Thief):
            self.assertEqual(self.broken(each, "test_interface"), {"test_interface"})

    def test_leavesCalls(self) -> None:
        """One that has something to do for ever."""

        class Ticking(Counter):
            def started(self, peer: Any) -> None:
                reactor = peer.swarmSession.engine.reactor
                reactor.callLater(10, self.started, peer)

        self.assertEqual(self.broken(Ticking, "test_exchange"), {"test_exchange"})


# -- tracker clients


class HttpClientTests(TrackerClientContract, SynchronousTestCase):
    """The engine's, over HTTP."""

    def makeClient(self, reactor: Host) -> ITrackerClient:
        """See L{TrackerClientContract}."""
        return HttpTrackerClient(reactor)


class UdpClientTests(TrackerClientContract, SynchronousTestCase):
    """The engine's, over UDP."""

    scheme = "udp"

    def makeClient(self, reactor: Host) -> ITrackerClient:
        """See L{TrackerClientContract}."""
        return UdpTrackerClient(reactor, Random(1))


class BrokenClientTests(SynchronousTestCase):
    """Tracker clients that keep no promise."""

    def broken(self, make: Callable[[Host], ITrackerClient]) -> set[str]:
        """Which tests those of C{make} fail."""

        class Case(TrackerClientContract, SynchronousTestCase):
            def makeClient(self, reactor: Host) -> ITrackerClient:
                return make(reactor)

        return failed(Case)

    def test_impatient(self) -> None:
        """One that waits for ever."""
        self.assertEqual(self.broken(lambda host: HttpTrackerClient(host, timeout=1e6)), {"test_mute"})

    def test_cannotClose(self) -> None:
        """One that goes on when it was closed."""

        class Busy(HttpTrackerClient):
            def close(self) -> Deferred[None]:
                return succeed(None)

        self.assertEqual(self.broken(Busy), {"test_close"})

    def test_otherErrors(self) -> None:
        """One that fails with whatever comes."""

        class Frank(HttpTrackerClient):
            def announce(self, url: str, request: Any) -> Deferred[Any]:
                outcome = super().announce(url, request)
                return outcome.addErrback(lambda reason: fail(ValueError(reason.value)))

        expected = {
            "test_noTracker",
            "test_silence",
            "test_mute",
            "test_comesBack",
            "test_nonsense",
            "test_close",
        }
        self.assertEqual(self.broken(Frank), expected | {"test_cancelled"})

    def test_useless(self) -> None:
        """One that never gets an answer."""

        class Deaf(HttpTrackerClient):
            def announce(self, url: str, request: Any) -> Deferred[Any]:
                return fail(TrackerError("no"))

        useful = {"test_announce", "test_leaves", "test_scrape", "test_atOnce"}
        self.assertLessEqual(useful, self.broken(Deaf))


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


# -- observers


class SwarmObserverTests(ObserverContract, SynchronousTestCase):
    """The engine's own, which does nothing."""

    def makeObserver(self) -> ISwarmObserver:
        """See L{ObserverContract}."""
        return SwarmObserver()


class BrokenObserverTests(SynchronousTestCase):
    """Observers that raise."""

    def test_each(self) -> None:
        """Whichever method raises, a test fails."""
        for method in (
            "statusChanged",
            "pieceVerified",
            "completed",
            "peerConnected",
            "peerDisconnected",
            "trackerAnswered",
            "trackerFailed",
        ):

            def raises(self: object, *arguments: object) -> None:
                raise ZeroDivisionError

            kind = type("Raising", (SwarmObserver,), {method: raises})

            class Case(ObserverContract, SynchronousTestCase):
                made: type[SwarmObserver] = kind

                def makeObserver(self) -> ISwarmObserver:
                    return self.made()

            self.assertIn("test_download", failed(Case, "test_download"), method)


# -- pickers, chokers, storages


class EngineTests(SynchronousTestCase):
    """What is older: the engine's own are tested where they are defined; here those that are broken."""

    def test_picker(self) -> None:
        """A picker that picks the first piece, whatever the candidates, and removes it."""

        @implementer(IPiecePicker)
        class First(RandomFirst):
            def pick(self, candidates: bitarray, availability: IAvailability) -> int | None:
                candidates[0] = 0
                return 0

        class Case(PickerContract, SynchronousTestCase):
            def makePicker(self) -> IPiecePicker:
                return First(Random(1))

        self.assertEqual(failed(Case), {"test_nothingToPick", "test_picksCandidates", "test_downloadsAll"})

    def test_choker(self) -> None:
        """A choker that serves everybody."""

        @implementer(IChoker)
        class Generous(StandardChoker):
            def rechoke(
                self, peers: Sequence[ChokeCandidate], slots: int, seeding: bool, now: float
            ) -> Collection[Hashable]:
                return [each.key for each in peers]

        class Case(ChokerContract, SynchronousTestCase):
            def makeChoker(self) -> IChoker:
                return Generous(Random(1))

        self.assertEqual(failed(Case), {"test_keepsToSlots"})

    def test_storage(self) -> None:
        """A storage that believes everything, and fires before it has written."""

        class Careless(MemoryStorage):
            def writePiece(self, index: int, data: Buffer) -> Deferred[None]:
                return succeed(None)

        class Case(StorageContract, SynchronousTestCase):
            def makeStorage(self, sample: Sample) -> IStorage:
                return Careless(sample.layout, sample.check)

        found = failed(Case)
        self.assertLessEqual({"test_roundTrip", "test_corrupt", "test_wrongLength", "test_flush"}, found)
        self.assertNotIn("test_interface", found)
