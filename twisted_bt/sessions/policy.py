"""
The engine's own peer policy; an application brings another by implementing L{IPeerPolicy}.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from zope.interface import implementer

from twisted_bt.interfaces import ChokeCandidate, IPeerPolicy, PeerInfo
from twisted_bt.settings import Settings

#: A leecher's slots where nothing is said: as many as it asks trackers for.
LEECHER_SLOTS = 50
#: Seconds a peer is left in peace before it can be asked to make room.
SETTLING_TIME = 60.0


@implementer(IPeerPolicy)
class StandardPolicy:
    """
    Talks to everybody.  A leecher has 50 slots, a seeder as many as it unchokes, unless
    C{maxPeersPerTorrent} says otherwise; room is made by closing who is of no use to either side.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def slots(self, seeding: bool) -> int:
        """See L{IPeerPolicy.slots}."""
        if self._settings.maxPeersPerTorrent is not None:
            return self._settings.maxPeersPerTorrent
        return self._settings.uploadSlots if seeding else LEECHER_SLOTS

    def accepts(self, peer: PeerInfo) -> bool:
        """Everybody."""
        return True

    def victim(self, peers: Sequence[ChokeCandidate], seeding: bool) -> Hashable | None:
        """
        A seed while we seed, or who wants nothing of us, and gives us nothing, the longest.
        """
        useless = [
            peer
            for peer in peers
            if (seeding and peer.isSeed)
            or (
                peer.connectedFor > SETTLING_TIME
                and not peer.interested
                and (seeding or (peer.downloadRate == 0 and peer.snubbed))
            )
        ]
        return max(useless, key=lambda peer: peer.connectedFor).key if useless else None
