"""
A choker of your own: peers that gave us most, ever, are served first; one slot is for newcomers.
"""

from collections.abc import Collection, Hashable, Sequence

from zope.interface import implementer

from twisted_bt import Plugins
from twisted_bt.interfaces import ChokeCandidate, IChoker, Random


@implementer(IChoker)
class NewcomersToo:
    """Those who send fastest, and whoever of the rest has waited least for a first try."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def rechoke(
        self, peers: Sequence[ChokeCandidate], slots: int, seeding: bool, now: float
    ) -> Collection[Hashable]:
        """See L{IChoker}."""
        wanting = [peer for peer in peers if peer.interested and not peer.snubbed]
        wanting.sort(key=lambda peer: peer.uploadRate if seeding else peer.downloadRate, reverse=True)
        chosen = [peer.key for peer in wanting[: max(0, slots - 1)]]
        others = wanting[len(chosen) :]
        if others and slots > 0:
            chosen.append(min(others, key=lambda peer: peer.connectedFor).key)
        return chosen


plugins = Plugins(choker=NewcomersToo)
