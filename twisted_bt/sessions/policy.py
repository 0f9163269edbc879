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
#: Seconds a peer is left in peace before it can be asked to make room: while leeching, and while seeding,
#: when nobody has a reason to be there but to say at once that it wants something.
SETTLING_TIME, SEEDING_TIME = 20.0, 5.0
#: Seconds after which a peer that takes nothing of what it is offered does not want it.
OFFERED_TIME = 30.0
#: Seconds after which a peer that might still serve us has had its time, and one that might be served too.
CHOKING_TIME, IDLE_TIME = 60.0, 120.0


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
        Of those who neither give nor take anything (over 20 s): while we seed, a seed, who wants nothing, or
        does not take what it is offered; while we leech, who has snubbed us, or neither has nor wants
        anything; or else who has been so for long.  The longest connected first.
        """
        judge = self._uselessToSeeder if seeding else self._uselessToLeecher
        useless = [(grade, peer.connectedFor, peer) for peer in peers if (grade := judge(peer))]
        return max(useless, key=lambda each: each[:2])[2].key if useless else None

    def _uselessToSeeder(self, peer: ChokeCandidate) -> int:
        if peer.isSeed:
            return 2
        idle = peer.uploadRate == 0 and peer.connectedFor > SEEDING_TIME
        return int(idle and (not peer.interested or peer.unchokedFor > OFFERED_TIME))

    def _uselessToLeecher(self, peer: ChokeCandidate) -> int:
        if peer.downloadRate or peer.uploadRate or peer.connectedFor <= SETTLING_TIME:
            return 0
        if peer.snubbed or not (peer.interested or peer.offers):
            return 2
        return int(peer.connectedFor > (IDLE_TIME if peer.interested else CHOKING_TIME))
