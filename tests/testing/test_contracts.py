"""
Tests of the contracts in L{twisted_bt.testing}: the engine's own parts keep them, each catches what is broken.
"""

from __future__ import annotations

import unittest
from collections.abc import Collection, Sequence
from random import Random
from typing import Any

from bitarray import bitarray
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.storage.doubles import ThreadReactor
from twisted_bt.errors import TrackerError
from twisted_bt.exchange.choker import StandardChoker
from twisted_bt.exchange.picker import RarestFirst
from twisted_bt.interfaces import (
    ChokeCandidate,
    IChoker,
    IDiskQueue,
    IExtension,
    IPeerPolicy,
    IPiecePicker,
    IStorage,
    ITrackerClient,
)
from twisted_bt.sessions.metadataserving import MetadataServing
from twisted_bt.sessions.policy import StandardPolicy
from twisted_bt.settings import Settings
from twisted_bt.storage.diskqueue import DiskThreads, ImmediateDisk
from twisted_bt.storage.memory import MemoryContent, MemoryStorage
from twisted_bt.testing.chokers import ChokerContract
from twisted_bt.testing.diskqueues import DiskQueueContract
from twisted_bt.testing.extensions import ExtensionContract
from twisted_bt.testing.host import Host
from twisted_bt.testing.network import Network
from twisted_bt.testing.pickers import PickerContract
from twisted_bt.testing.policies import PeerPolicyContract
from twisted_bt.testing.storages import Sample, StorageContract
from twisted_bt.testing.trackerclients import TrackerClientContract
from twisted_bt.tracker.http import HttpTrackerClient
from twisted_bt.tracker.udp import UdpTrackerClient


class StandardPolicyTests(PeerPolicyContract, SynchronousTestCase):
    """The engine's policy."""

    def makePolicy(self, settings: Settings) -> IPeerPolicy:
        return StandardPolicy(settings)


class MetadataServingTests(ExtensionContract, SynchronousTestCase):
    """An extension of the engine."""

    def makeExtension(self) -> IExtension:
        return MetadataServing(b"d6:lengthi1ee" * 2000, Clock())


class DiskThreadsTests(DiskQueueContract, SynchronousTestCase):
    """The engine's queue."""

    def setUp(self) -> None:
        """A reactor that takes what comes from threads."""
        self.reactor = ThreadReactor()

    def makeQueue(self, workers: int, budget: int) -> IDiskQueue:
        return DiskThreads(self.reactor, workers, budget)

    def wait(self, deferred: Deferred[Any]) -> None:
        self.reactor.wait(deferred)


class ImmediateDiskTests(DiskQueueContract, SynchronousTestCase):
    """The one that does not wait."""

    bounded = False

    def makeQueue(self, workers: int, budget: int) -> IDiskQueue:
        return ImmediateDisk()


class SimulatedQueueTests(DiskQueueContract, SynchronousTestCase):
    """That of a simulated host."""

    def makeQueue(self, workers: int, budget: int) -> IDiskQueue:
        self.network = Network(1)
        host = self.network.host()
        return host.diskQueue(host, workers, budget)

    def wait(self, deferred: Deferred[Any]) -> None:
        self.network.advance(1)


class HttpClientTests(TrackerClientContract, SynchronousTestCase):
    """The engine's client of HTTP trackers."""

    protocol = "http"

    def makeClient(self, host: Host) -> ITrackerClient:
        return HttpTrackerClient(host)


class UdpClientTests(TrackerClientContract, SynchronousTestCase):
    """The engine's client of UDP trackers."""

    protocol = "udp"

    def makeClient(self, host: Host) -> ITrackerClient:
        return UdpTrackerClient(host, host.random)


# ---------------------------------------------------------------- broken ones


def caught(contract: type, **made: Any) -> set[str]:
    """The tests of C{contract} that fail for what the function in C{made} makes."""
    case = type("Broken", (contract, SynchronousTestCase), made)
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    return {test.id().rpartition(".")[2] for test, _ in (*result.failures, *result.errors)}


class CatchingTests(SynchronousTestCase):
    """What is broken does not pass."""

    def assertCaught(self, contract: type, test: str, **made: Any) -> None:
        """The test of that name fails, and not all do."""
        found = caught(contract, **made)
        self.assertIn(test, found)
        self.assertNotIn("test_interface", found)

    def test_pickers(self) -> None:
        """A picker that picks what is no candidate, changes them, or never picks the last."""

        class First(RarestFirst):
            def pick(self, candidates: bitarray, availability: Any) -> int | None:
                return 0

        class Changing(RarestFirst):
            def pick(self, candidates: bitarray, availability: Any) -> int | None:
                picked = super().pick(candidates, availability)
                candidates.setall(0)
                return picked

        class Lazy(RarestFirst):
            def pick(self, candidates: bitarray, availability: Any) -> int | None:
                return None if candidates.count() < 3 else super().pick(candidates, availability)

        for kind, test in (
            (First, "test_nothingToPick"),
            (Changing, "test_picksCandidates"),
            (Lazy, "test_downloadsAll"),
        ):

            def makePicker(self: Any, kind: Any = kind) -> IPiecePicker:
                picker: IPiecePicker = kind(Random(1))
                return picker

            self.assertCaught(PickerContract, test, makePicker=makePicker)

    def test_chokers(self) -> None:
        """A choker that unchokes everybody, or strangers."""

        class Everybody(StandardChoker):
            def rechoke(
                self, peers: Sequence[ChokeCandidate], slots: int, seeding: bool, now: float
            ) -> Collection[Any]:
                return [peer.key for peer in peers]

        class Strangers(StandardChoker):
            def rechoke(
                self, peers: Sequence[ChokeCandidate], slots: int, seeding: bool, now: float
            ) -> Collection[Any]:
                return ["somebody"]

        for kind, test in ((Everybody, "test_keepsToSlots"), (Strangers, "test_nobody")):

            def makeChoker(self: Any, kind: Any = kind) -> IChoker:
                choker: IChoker = kind(Random(1))
                return choker

            self.assertCaught(ChokerContract, test, makeChoker=makeChoker)

    def test_storages(self) -> None:
        """A storage that stores what does not match its hash."""

        def makeStorage(self: Any, sample: Sample) -> IStorage:
            return MemoryStorage(sample.layout, lambda index, data: True, MemoryContent())

        self.assertCaught(StorageContract, "test_corrupt", makeStorage=makeStorage)

    def test_policies(self) -> None:
        """A policy without slots, that fails before it knows a name, or that sends away who is not there."""

        class NoSlots(StandardPolicy):
            def slots(self, seeding: bool) -> int:
                return 0 if seeding else 5

        class Curious(StandardPolicy):
            def accepts(self, peer: Any) -> bool:
                return bool(peer.peerId[1:3] != b"XL")

        class Stranger(StandardPolicy):
            def victim(self, peers: Any, seeding: bool) -> Any:
                return "somebody"

        for kind, test in (
            (NoSlots, "test_slots"),
            (Curious, "test_accepts"),
            (Stranger, "test_noVictim"),
            (Stranger, "test_victim"),
        ):

            def makePolicy(self: Any, settings: Settings, kind: Any = kind) -> IPeerPolicy:
                policy: IPeerPolicy = kind(settings)
                return policy

            self.assertCaught(PeerPolicyContract, test, makePolicy=makePolicy)

    def test_extensions(self) -> None:
        """An extension that trusts what it hears, or fails when it begins or ends."""

        class Trusting(MetadataServing):
            name = b"trusting"

            def received(self, peer: Any, payload: bytes) -> None:
                payload.decode("ascii")

        class FailsFirst(MetadataServing):
            name = b"fails"

            def started(self, peer: Any) -> None:
                raise ValueError("on purpose")

        for kind, test in ((Trusting, "test_anything"), (FailsFirst, "test_swarm")):

            def makeExtension(self: Any, kind: Any = kind) -> IExtension:
                extension: IExtension = kind(b"de", Clock())
                return extension

            self.assertCaught(ExtensionContract, test, makeExtension=makeExtension)

    def test_diskQueues(self) -> None:
        """A queue that does not hear that it was stopped, and never tells of pressure."""

        class Swallowing(ImmediateDisk):
            def submit(self, job: Any, cost: int = 0) -> Any:
                try:
                    return super().submit(job, cost)
                finally:
                    self._stopped = False

            def stop(self) -> Deferred[None]:
                return succeed(None)

        def makeQueue(self: Any, workers: int, budget: int) -> IDiskQueue:
            return Swallowing()

        self.assertCaught(DiskQueueContract, "test_stopFinishes", makeQueue=makeQueue)
        self.assertIn("test_pressure", caught(DiskQueueContract, makeQueue=makeQueue))

    def test_trackerClients(self) -> None:
        """A client without patience's end, that forgets events, or raises something of its own."""

        @implementer(ITrackerClient)
        class Wrapping:
            def __init__(self, client: ITrackerClient) -> None:
                self.client = client

            def announce(self, url: str, request: Any) -> Deferred[Any]:
                return self.client.announce(url, request)

            def scrape(self, url: str, infoHashes: Sequence[bytes]) -> Deferred[Any]:
                return self.client.scrape(url, infoHashes)

            def close(self) -> Deferred[None]:
                return self.client.close()

        class Raising(Wrapping):
            def announce(self, url: str, request: Any) -> Deferred[Any]:
                return super().announce(url, request).addErrback(lambda reason: fail(ValueError("mine")))

        class Waiting(Wrapping):
            def announce(self, url: str, request: Any) -> Deferred[Any]:
                waiter: Deferred[Any] = Deferred()
                super().announce(url, request).addCallbacks(waiter.callback, lambda reason: None)
                return waiter

        class Scraping(Wrapping):
            def scrape(self, url: str, infoHashes: Sequence[bytes]) -> Deferred[Any]:
                return fail(TrackerError("not today"))

        for kind, test in ((Raising, "test_nobody"), (Waiting, "test_hostile"), (Scraping, "test_scrape")):

            def makeClient(self: Any, host: Host, kind: Any = kind) -> ITrackerClient:
                client: ITrackerClient = kind(UdpTrackerClient(host, host.random))
                return client

            self.assertCaught(TrackerClientContract, test, makeClient=makeClient, protocol="udp")
