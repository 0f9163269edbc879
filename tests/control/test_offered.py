"""Tests for L{twisted_bt.control.offered}."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.control.fakes import FakeFetching, FakePeer, FakeSwarm
from twisted_bt.control.offered import FIRST_RETRY, LAST_RETRY, MetadataOffers, OfferedPeers
from twisted_bt.control.options import HostPort
from twisted_bt.errors import PeerDisconnected


class OfferedPeersTests(SynchronousTestCase):
    """Peers that a person named."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.swarm = FakeSwarm()
        swarm: Any = self.swarm
        self.offered = OfferedPeers(self.clock, swarm, [HostPort("host", 1)])
        self.offered.start()

    def tearDown(self) -> None:
        """Once stopped it dials no more and leaves no timer."""
        self.offered.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def refuse(self) -> None:
        """The last dial fails."""
        self.swarm.dials[-1][2].errback(Failure(PeerDisconnected("refused")))

    def reach(self) -> FakePeer:
        """The last dial succeeds: the session."""
        peer = FakePeer()
        self.swarm.connectedPeers["host"] = peer
        self.swarm.dials[-1][2].callback(peer)
        return peer

    def test_atOnce(self) -> None:
        """Each is tried at once."""
        self.assertEqual([dial[:2] for dial in self.swarm.dials], [("host", 1)])

    def test_oneAtATime(self) -> None:
        """While a try is under way there is no other."""
        self.clock.advance(10 * LAST_RETRY)
        self.assertEqual(len(self.swarm.dials), 1)

    def test_again(self) -> None:
        """What was refused is tried again, after longer and longer, but never too long."""
        times = []
        for _ in range(8):
            self.refuse()
            before, count = self.clock.seconds(), len(self.swarm.dials)
            while len(self.swarm.dials) == count:
                self.clock.advance(1)
            times.append(self.clock.seconds() - before)
        self.assertEqual(times, [FIRST_RETRY, 10, 20, 40, LAST_RETRY, LAST_RETRY, LAST_RETRY, LAST_RETRY])

    def test_connected(self) -> None:
        """Whom we talk to is not dialled."""
        self.reach()
        self.clock.pump([LAST_RETRY] * 5)
        self.assertEqual(len(self.swarm.dials), 1)

    def test_lost(self) -> None:
        """Who was lost is dialled again while something is left to download."""
        self.reach()
        self.swarm.connectedPeers.clear()
        self.clock.advance(LAST_RETRY)
        self.assertEqual(len(self.swarm.dials), 2)

    def test_lostWhenComplete(self) -> None:
        """Then nobody needs them any more."""
        self.reach()
        self.swarm.connectedPeers.clear()
        self.swarm.complete = True
        self.clock.pump([LAST_RETRY] * 5)
        self.assertEqual(len(self.swarm.dials), 1)

    def test_completeButNeverReached(self) -> None:
        """A seeder reaches for who was named until it has met them."""
        self.swarm.complete = True
        self.refuse()
        self.clock.advance(FIRST_RETRY)
        self.assertEqual(len(self.swarm.dials), 2)

    def test_stopWhileDialing(self) -> None:
        """To stop cancels what is under way."""
        self.offered.stop()
        self.assertEqual(self.swarm.cancelled, 1)


class Client:
    """Fetches what metadata a test says it does."""

    def __init__(self) -> None:
        self.metadataSessions: dict[bytes, Any] = {}
        self.observers: list[Any] = []

    def observe(self, observer: Any) -> Callable[[], None]:
        self.observers.append(observer)
        return self.observers.clear


class MetadataOffersTests(SynchronousTestCase):
    """Peers that a person named, before the torrent is known."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.fetching = FakeFetching()
        client: Any = Client()
        self.client = client
        self.offers = MetadataOffers(self.clock, client, b"h" * 20, [HostPort("host", 1)])

    def tearDown(self) -> None:
        """Once stopped it hears nothing more and leaves no timer."""
        self.offers.stop()
        self.assertEqual(self.client.observers, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_underWay(self) -> None:
        """They are offered at once where metadata is fetched already."""
        self.client.metadataSessions[b"h" * 20] = self.fetching
        self.offers.start()
        self.assertEqual([dial[:2] for dial in self.fetching.dials], [("host", 1)])

    def test_later(self) -> None:
        """Else as soon as that begins, and once only; not where another torrent is fetched."""
        self.offers.start()
        other: Any = FakeFetching(b"o" * 20)
        fetching: Any = self.fetching
        for each in (other, fetching, fetching):
            self.offers.metadataProgressed(each, 0, 0)
        self.assertEqual([dial[:2] for dial in self.fetching.dials], [("host", 1)])
        self.assertEqual(other.dials, [])
