"""
Every number of the DHT, in one frozen value.  Seconds, bytes, bytes a second.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Nodes that are always there, run by the makers of clients.
ROUTERS = (
    ("dht.libtorrent.org", 25401),
    ("router.bittorrent.com", 6881),
    ("dht.transmissionbt.com", 6881),
    ("router.utorrent.com", 6881),
)


@dataclass(frozen=True, slots=True)
class DhtSettings:
    """What a L{DhtNode<twisted_bt.dht.service.DhtNode>} is told at birth."""

    routers: tuple[tuple[str, int], ...] = ROUTERS
    """Where to begin when no node is known; asked only then.  Host names or addresses."""
    secure: bool = True
    """BEP 42: nodes whose ids do not fit their addresses are not in the table, nor announced to."""
    readOnly: bool = False
    """BEP 43: ask, and answer nobody: for who cannot be reached, or should not be."""
    alpha: int = 5
    """Queries of one lookup under way at a time; libtorrent's."""
    slowTimeout: float = 1.0
    """A lookup asks somebody else beside a node that is silent for so long; libtorrent's."""
    queryTimeout: float = 8.0
    """Silence after which a query failed; what comes later is not listened to."""
    sendRate: float = 100_000.0
    """All we send, averaged over two seconds: some 300 answers a second."""
    floodRate: float = 5.0
    """Datagrams of one address, on average over C{floodWindow}; libtorrent's."""
    floodWindow: float = 10.0
    """Bursts within it are no flood: several clients may share an address."""
    floodBlock: float = 300.0
    """How long who floods is not listened to; libtorrent's."""
    maxTorrents: int = 2000
    """Info-hashes stored for others; libtorrent's."""
    maxPeers: int = 500
    """Peers stored for each; libtorrent's."""
    announceInterval: float = 900.0
    """Between two announces of a torrent; libtorrent's.  Nodes keep one for 30 to 45 minutes."""
    maxAnnouncing: int = 5
    """Torrents announced at a time: many take their turns, and the budget is not spent in a burst."""
