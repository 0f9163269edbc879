"""
What every L{IChoker} promises, as tests for yours::

    class MyChokerTests(ChokerContract, SynchronousTestCase):
        def makeChoker(self):
            return MyChoker()
"""

from __future__ import annotations

import random
from collections.abc import Collection, Hashable
from dataclasses import replace
from typing import TYPE_CHECKING

from zope.interface.verify import verifyObject

from twisted_bt.interfaces import ChokeCandidate, IChoker

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as _Base
else:
    _Base = object


def candidate(
    key: Hashable,
    interested: bool = True,
    unchoked: bool = False,
    snubbed: bool = False,
    down: float = 0.0,
    up: float = 0.0,
    unchokedFor: float = 0.0,
    connectedFor: float = 1000.0,
    isSeed: bool = False,
) -> ChokeCandidate:
    """A L{ChokeCandidate} of which only what matters need be said; rates in bytes a second."""
    return ChokeCandidate(key, interested, unchoked, snubbed, down, up, unchokedFor, connectedFor, isSeed)


class ChokedSwarm:
    """
    Peers, and a choker that judges them every C{interval} seconds: keeps who is unchoked since when.

    @ivar peers: key to L{ChokeCandidate}; replace entries to change what a peer does.
    @ivar unchoked: key to the time it was unchoked.
    @ivar changes: how many peers were choked or unchoked, ever.
    """

    def __init__(self, choker: IChoker, slots: int, seeding: bool = False, interval: float = 10.0) -> None:
        self.choker = choker
        self.slots = slots
        self.seeding = seeding
        self.interval = interval
        self.now = 0.0
        self.peers: dict[Hashable, ChokeCandidate] = {}
        self.unchoked: dict[Hashable, float] = {}
        self.changes = 0

    def add(self, *peers: ChokeCandidate) -> None:
        """These are connected."""
        for peer in peers:
            self.peers[peer.key] = peer

    def round(self, passed: float | None = None) -> Collection[Hashable]:
        """Judge again after C{passed} seconds (the interval); returns the keys of the unchoked."""
        passed = self.interval if passed is None else passed
        self.now += passed
        for key, peer in self.peers.items():
            since = self.unchoked.get(key)
            self.peers[key] = replace(
                peer,
                unchoked=since is not None,
                unchokedFor=0.0 if since is None else self.now - since,
                connectedFor=peer.connectedFor + passed,
            )
        keys = self.choker.rechoke(list(self.peers.values()), self.slots, self.seeding, self.now)
        after = {key: self.unchoked.get(key, self.now) for key in keys}
        self.changes += len(after.keys() ^ self.unchoked.keys())
        self.unchoked = after
        return keys


class ChokerContract(_Base):
    """Mix into a C{SynchronousTestCase} and implement L{makeChoker}."""

    def makeChoker(self) -> IChoker:
        """A new choker."""
        raise NotImplementedError

    def test_interface(self) -> None:
        """It has the methods of the interface."""
        self.assertTrue(verifyObject(IChoker, self.makeChoker()))

    def test_nobody(self) -> None:
        """Where nobody is connected nobody is unchoked."""
        for seeding in (False, True):
            self.assertEqual(list(self.makeChoker().rechoke([], 4, seeding, 0.0)), [])

    def test_keepsToSlots(self) -> None:
        """
        Whatever peers do, come and go, only they are unchoked, each once, and of those that are
        interested not more than there are slots.
        """
        source = random.Random(11)
        for seeding in (False, True):
            swarm = ChokedSwarm(self.makeChoker(), 4, seeding)
            for step in range(300):
                if source.random() < 0.3:
                    swarm.add(candidate(step, connectedFor=0.0))
                for key in list(swarm.peers):
                    swarm.peers[key] = replace(
                        swarm.peers[key],
                        interested=source.random() < 0.7,
                        snubbed=source.random() < 0.1,
                        downloadRate=source.choice([0.0, source.uniform(0, 1e6)]),
                        uploadRate=source.choice([0.0, source.uniform(0, 1e6)]),
                    )
                if swarm.peers and source.random() < 0.25:
                    gone = source.choice(list(swarm.peers))
                    del swarm.peers[gone]
                    swarm.unchoked.pop(gone, None)
                swarm.slots = source.choice([0, 1, 2, 4, 4, 9])
                keys = list(swarm.round(source.choice([0.0, 1.0, 10.0])))
                self.assertEqual(len(keys), len(set(keys)))
                self.assertLessEqual(set(keys), set(swarm.peers))
                costly = [key for key in keys if swarm.peers[key].interested]
                self.assertLessEqual(len(costly), swarm.slots)
