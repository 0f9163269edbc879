"""
What every L{IPeerPolicy} promises, as tests for yours::

    class MyPolicyTests(PeerPolicyContract, SynchronousTestCase):
        def makePolicy(self, settings):
            return MyPolicy(settings)
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from zope.interface.verify import verifyObject

from twisted_bt.interfaces import ChokeCandidate, IPeerPolicy, PeerInfo
from twisted_bt.settings import Settings
from twisted_bt.testing.chokers import candidate
from twisted_bt.testing.swarm import SimulatedSwarm
from twisted_bt.torrent.addresses import PeerAddr

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as _Base
else:
    _Base = object

_ADDRESSES = (PeerAddr("192.0.2.9", 6881), PeerAddr("2001:db8::9", 1), PeerAddr("10.0.0.9", 65535))
_CLIENTS = ("", "libtorrent 2.0", "\N{SNOWMAN}" * 100)


class PeerPolicyContract(_Base):
    """Mix into a C{SynchronousTestCase} and implement L{makePolicy}."""

    def makePolicy(self, settings: Settings) -> IPeerPolicy:
        """A new policy."""
        raise NotImplementedError

    def test_interface(self) -> None:
        """It has the methods of the interface."""
        self.assertTrue(verifyObject(IPeerPolicy, self.makePolicy(Settings())))

    def test_slots(self) -> None:
        """Slots are a number that is not negative, whatever the settings say."""
        for settings in (Settings(), Settings(maxPeersPerTorrent=1), Settings(uploadSlots=1)):
            policy = self.makePolicy(settings)
            for seeding in (False, True):
                slots = policy.slots(seeding)
                self.assertIsInstance(slots, int)
                self.assertGreaterEqual(slots, 0)

    def test_accepts(self) -> None:
        """It has an answer at once however little, or much, is known of a peer."""
        policy = self.makePolicy(Settings())
        for addr in _ADDRESSES:
            for incoming in (False, True):
                for peerId in (None, b"-LT2010-abcdefghijkl", bytes(20)):
                    for client in _CLIENTS:
                        self.assertIsInstance(policy.accepts(PeerInfo(addr, incoming, peerId, client)), bool)

    def test_nobodyToClose(self) -> None:
        """Where nobody is connected, nobody is closed."""
        policy = self.makePolicy(Settings())
        for seeding in (False, True):
            self.assertIsNone(policy.victim([], seeding))

    def test_closesOneOfThem(self) -> None:
        """Whoever is connected, it closes one of them or nobody, and leaves the list as it was."""
        source = random.Random(13)
        policy = self.makePolicy(Settings())
        for count in (1, 2, 50):
            for _ in range(100):
                peers = [_someCandidate(key, source) for key in range(count)]
                before = list(peers)
                victim = policy.victim(peers, source.random() < 0.5)
                self.assertEqual(peers, before)
                if victim is not None:
                    self.assertIn(victim, range(count))

    def test_swarm(self) -> None:
        """
        Clients with it that hear of a seeder, and of each other, all get everything.  (A policy that
        turns away strangers overrides this.)
        """
        swarm = SimulatedSwarm(seed="policy contract", mode="flow")
        settings = Settings(maxPeersPerTorrent=3, uploadSlots=3)
        members = [swarm.seeder(settings, peerPolicy=self.makePolicy)]
        members += [swarm.leecher(settings, peerPolicy=self.makePolicy) for _ in range(5)]
        for each in members[1:]:
            each.meet(*members)
        swarm.finish()
        self.assertEqual([each.content == swarm.content for each in members], [True] * 6)
        swarm.stop()


def _someCandidate(key: int, source: random.Random) -> ChokeCandidate:
    return candidate(
        key,
        interested=source.random() < 0.5,
        unchoked=source.random() < 0.5,
        snubbed=source.random() < 0.2,
        down=source.choice([0.0, 1e5]),
        up=source.choice([0.0, 1e5]),
        unchokedFor=source.uniform(0, 600),
        connectedFor=source.uniform(0, 3600),
        isSeed=source.random() < 0.3,
    )
