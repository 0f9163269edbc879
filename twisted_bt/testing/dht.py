"""
A DHT on the simulated network: real nodes, each on a host of its own, that know each other.

    >>> dht = SimulatedDht(network)
    >>> leecher = swarm.leecher(Settings(dht=True, dhtRouters=dht.routers))
    >>> network.runUntil(dht.stop())
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, gatherResults

from twisted_bt.dht.service import DhtNode
from twisted_bt.dht.settings import DhtSettings
from twisted_bt.testing.host import Host
from twisted_bt.testing.link import Link
from twisted_bt.testing.network import Network
from twisted_bt.torrent.addresses import PeerAddr

#: As well as any other.
PORT = 6881
#: Virtual seconds in which nodes find each other.
_JOINING = 30.0


class SimulatedDht:
    """
    @ivar nodes: the services; the first is the one to begin at.
    @ivar hosts: where each is.
    @ivar routers: for C{Settings(dht=True, dhtRouters=dht.routers)}.
    """

    def __init__(self, network: Network, nodes: int = 8, link: Link | None = None) -> None:
        """Make so many nodes, and let half a minute pass in which they find each other."""
        self.network = network
        self.nodes: list[DhtNode] = []
        self.hosts: list[Host] = []
        self.routers: tuple[tuple[str, int], ...] = ()
        for _ in range(nodes):
            self.node(link)
        network.advance(_JOINING)

    def node(self, link: Link | None = None) -> DhtNode:
        """One more; it joins when time passes."""
        host = self.network.host(link=link)
        made = DhtNode(host, host.random, PORT, ("",), b"", DhtSettings(routers=self.routers))
        made.startService()
        self.nodes.append(made)
        self.hosts.append(host)
        self.routers = self.routers or ((host.address, PORT),)
        return made

    def peers(self, infoHash: bytes) -> list[PeerAddr]:
        """Who is known to have C{infoHash}; time passes while it is looked for."""
        return self.network.runUntil(self.nodes[-1].getPeers(infoHash))

    def stop(self) -> Deferred[None]:
        """Fires once all have stopped."""
        return gatherResults([each.stopService() for each in self.nodes]).addCallback(lambda _: None)
