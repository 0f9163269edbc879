"""
What the tests of clients at home have in common.
"""

from __future__ import annotations

from typing import Literal

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.testing.host import Host
from twisted_bt.testing.link import Link
from twisted_bt.testing.nat import Nat
from twisted_bt.testing.natkinds import PORT_RESTRICTED, NatKind
from twisted_bt.testing.network import Network
from twisted_bt.testing.swarm import Member, SimulatedSwarm

HOME = Link(latency=0.015, up=125e3, down=1e6)
#: The port that forwardings are for.
PORT = 6881


class HostCase(SynchronousTestCase):
    """A swarm, on the computed network; at the end all stop, and nothing is left."""

    size = 500_000
    mode: Literal["packets", "flow"] = "flow"

    def setUp(self) -> None:
        """Nobody is there yet."""
        self.network = Network(self.id(), mode=self.mode)
        self.swarm = SimulatedSwarm(self.size, network=self.network)

    def tearDown(self) -> None:
        """Everybody stops."""
        self.swarm.stop()

    def home(self, kind: NatKind = PORT_RESTRICTED) -> tuple[Nat, Host]:
        """A host behind a NAT."""
        nat = self.network.nat(kind=kind, link=HOME)
        return nat, nat.host("192.168.1.2")

    def begun(self, share: float = 0.3, host: Host | None = None) -> tuple[Member, Member]:
        """A seeder at home, and a leecher that has that share of the content."""
        seeder = self.swarm.seeder(host=self.network.host(link=HOME))
        leecher = self.swarm.leecher(host=host or self.network.host(link=HOME))
        leecher.meet(seeder)
        wanted = share * self.swarm.metainfo.layout.pieceCount
        self.network.runWhile(lambda: len(leecher.stored.pieces) < wanted, 60)
        return seeder, leecher

    def completes(self, *members: Member, timeout: float = 600) -> float:
        """They all do; how many seconds it took."""
        begun = self.network.now
        for each in members:
            self.swarm.run(each.session.whenComplete(), timeout)
            self.assertEqual(each.content, self.swarm.content)
        return self.network.now - begun
