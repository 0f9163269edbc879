"""
The contracts of policies, observers, pickers, chokers and storages: the engine's own keep them, broken ones
are found out.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from random import Random

from bitarray import bitarray
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.testing.failing import failed
from twisted_bt.exchange.choker import StandardChoker
from twisted_bt.exchange.picker import RandomFirst
from twisted_bt.interfaces import (
    Buffer,
    ChokeCandidate,
    IAvailability,
    IChoker,
    IPeerPolicy,
    IPiecePicker,
    IStorage,
    ISwarmObserver,
    PeerInfo,
)
from twisted_bt.sessions.observers import SwarmObserver
from twisted_bt.sessions.policy import StandardPolicy
from twisted_bt.settings import Settings
from twisted_bt.storage.memory import MemoryStorage
from twisted_bt.testing.chokers import ChokerContract
from twisted_bt.testing.observers import ObserverContract
from twisted_bt.testing.pickers import PickerContract
from twisted_bt.testing.policies import PeerPolicyContract
from twisted_bt.testing.storages import Sample, StorageContract

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
