"""
A test of a plug-in of yours in a whole swarm, on a simulated network: run it with C{trial} or C{pytest}.

Minutes of virtual time pass in a moment, and the same seed gives the same run.
"""

from bitarray import bitarray
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from twisted_bt.interfaces import IAvailability, IPiecePicker, Random
from twisted_bt.testing.swarm import SimulatedSwarm


@implementer(IPiecePicker)
class LastFirst:
    """The plug-in under test: from the end to the beginning."""

    inOrder = True

    def __init__(self, random: Random) -> None:
        pass

    def pick(self, candidates: bitarray, availability: IAvailability) -> int | None:
        """See L{IPiecePicker}."""
        found = candidates.find(1, right=True)
        return found if found >= 0 else None


class LastFirstTests(SynchronousTestCase):
    """C{LastFirst} in a swarm."""

    def test_downloads(self) -> None:
        """Three leechers that pick from the end get all of it from one seeder, and from one another."""
        swarm = SimulatedSwarm(size=1_000_000, seed="last first")
        seeder = swarm.seeder()
        leechers = [swarm.leecher(picker=LastFirst) for _ in range(3)]
        for leecher in leechers:
            leecher.meet(seeder, *leechers)
        swarm.finish()
        for leecher in leechers:
            self.assertEqual(leecher.content, swarm.content)
        swarm.stop()  # fails if anything is left behind: a timer, a connection, a slot
