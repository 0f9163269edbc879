"""Tests for L{twisted_bt.control.offered}."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.control.fakes import FakePeer, FakeSwarm
from twisted_bt.control.offered import FIRST_RETRY, LAST_RETRY, OfferedPeers
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
