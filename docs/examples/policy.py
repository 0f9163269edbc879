"""
A peer policy of your own: some clients are not talked to, and addresses of a list are.
"""

from collections.abc import Hashable, Sequence

from zope.interface import implementer

from twisted_bt import Plugins, Settings
from twisted_bt.interfaces import ChokeCandidate, IPeerPolicy, PeerInfo


@implementer(IPeerPolicy)
class HouseRules:
    """Refuses clients by name, but never a friend."""

    friends = frozenset({"192.0.2.7"})
    refused = ("Xunlei", "QQDownload")

    def __init__(self, settings: Settings) -> None:
        self._slots = settings.maxPeersPerTorrent or 80

    def slots(self, seeding: bool) -> int:
        """See L{IPeerPolicy}."""
        return self._slots

    def accepts(self, peer: PeerInfo) -> bool:
        """Asked before dialling, after the handshake, and once the peer has said what it is."""
        return peer.addr.host in self.friends or not peer.client.startswith(self.refused)

    def victim(self, peers: Sequence[ChokeCandidate], seeding: bool) -> Hashable | None:
        """Nobody has to leave for a newcomer."""
        return None


plugins = Plugins(peerPolicy=HouseRules)
