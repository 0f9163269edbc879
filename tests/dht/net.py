"""
What tests of the DHT share: a few nodes on a network in memory.
"""

from __future__ import annotations

from random import Random
from typing import Any

from tests.sim.dhtnet import DhtNet, SimReactor
from twisted_bt.dht.service import DhtNode
from twisted_bt.dht.settings import DhtSettings

PORT = 6881


def globalAddress(random: Random) -> str:
    """An address out in the world."""
    while True:
        first, *rest = random.randrange(1, 224), *(random.randrange(256) for _ in range(3))
        if first not in (10, 127, 169, 172, 192):
            return ".".join(map(str, (first, *rest)))


class World:
    """
    Nodes of ours on one network, each of which began at another one.

    @ivar nodes: all that were made, by their addresses.
    """

    def __init__(self, seed: int = 1) -> None:
        self.net = DhtNet(seed)
        self.random = Random(seed)
        self.nodes: dict[str, DhtNode] = {}

    def node(self, host: str = "", state: bytes = b"", start: bool = True, **settings: Any) -> DhtNode:
        """One more; without a C{host} somewhere in the world."""
        routers = [(self.random.choice(list(self.nodes)), PORT)] if self.nodes else []
        chosen = DhtSettings(**{"routers": tuple(routers), **settings})
        where = host or globalAddress(self.random)
        reactor = SimReactor(self.net, where)
        made = DhtNode(reactor, Random(self.random.random()), PORT, (where,), state, chosen)
        self.nodes[where] = made
        if start:
            made.startService()
        return made

    def grow(self, count: int, **settings: Any) -> list[DhtNode]:
        """So many more, one after another."""
        made = []
        for _ in range(count):
            made.append(self.node(**settings))
            self.net.advance(1.0)
        self.net.advance(30.0)
        return made

    def stop(self) -> list[str]:
        """Stop all; what is left over."""
        for node in self.nodes.values():
            self.net.result(node.stopService())
        self.net.advance(0.2)  # what is on its way arrives nowhere
        left = [f"{self.net.pending} calls"] if self.net.pending else []
        return left + [f"port {port}" for port in self.net.ports]
