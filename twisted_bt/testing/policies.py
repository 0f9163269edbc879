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
from twisted_bt.torrent.addresses import PeerAddr

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as _Base
else:
    _Base = object

#: What peers may call themselves: it is theirs to choose.
_CLIENTS = ("", "twisted_bt 0.1", "Ж" * 64, "-XX0000-", "%s\\{}\x7f", "Transmission 4.0")


class PeerPolicyContract(_Base):
    """Mix into a C{SynchronousTestCase} and implement L{makePolicy}."""

    def makePolicy(self, settings: Settings) -> IPeerPolicy:
        """A new policy, for a client with C{settings}."""
        raise NotImplementedError

    def _policy(self, settings: Settings | None = None) -> IPeerPolicy:
        return self.makePolicy(settings or Settings())

    def test_interface(self) -> None:
        """It has the methods of the interface."""
        self.assertTrue(verifyObject(IPeerPolicy, self._policy()))

    def test_slots(self) -> None:
        """There is room for somebody, in a number that does not change by itself."""
        for settings in (Settings(), Settings(maxPeersPerTorrent=1), Settings(uploadSlots=100)):
            policy = self._policy(settings)
            for seeding in (False, True):
                slots = policy.slots(seeding)
                self.assertIs(type(slots), int)
                self.assertGreater(slots, 0)
                self.assertEqual(policy.slots(seeding), slots)

    def test_accepts(self) -> None:
        """
        It answers yes or no for every peer, asked three times with more known each time, and what it is not
        told yet does not trouble it.
        """
        policy = self._policy()
        for host in ("10.0.0.1", "81.2.3.4", "2001:db8::1", "::1"):
            for incoming in (False, True):
                addr = PeerAddr(host, 6881)
                self.assertIn(policy.accepts(PeerInfo(addr, incoming)), (False, True))
                for peerId in (b"-TR4000-abcdefghijkl", bytes(20), b"\xff" * 20):
                    for client in _CLIENTS:
                        answer = policy.accepts(PeerInfo(addr, incoming, peerId, client))
                        self.assertIs(type(answer), bool)

    def test_noVictim(self) -> None:
        """Where there is nobody, nobody is chosen to go."""
        for seeding in (False, True):
            self.assertIsNone(self._policy().victim((), seeding))

    def test_victim(self) -> None:
        """Whoever the peers are, it chooses one of them or nobody."""
        source = random.Random(5)
        policy = self._policy()
        for seeding in (False, True):
            for _ in range(200):
                peers = tuple(_somebody(key, source) for key in range(source.randrange(1, 60)))
                victim = policy.victim(peers, seeding)
                self.assertIn(victim, (None, *(peer.key for peer in peers)))


def _somebody(key: int, source: random.Random) -> ChokeCandidate:
    unchoked = source.random() < 0.3
    return ChokeCandidate(
        key,
        interested=source.random() < 0.5,
        unchoked=unchoked,
        snubbed=source.random() < 0.2,
        downloadRate=source.choice((0.0, source.uniform(0, 1e6))),
        uploadRate=source.choice((0.0, source.uniform(0, 1e6))),
        unchokedFor=source.uniform(0, 1000) if unchoked else 0.0,
        connectedFor=source.uniform(0, 5000),
        isSeed=source.random() < 0.3,
        uploaded=source.randrange(1 << 30),
        offers=source.random() < 0.5,
    )
