"""
Homes behind NATs, and a host outside.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.testing.host import Host
from twisted_bt.testing.natkinds import ADDRESS_RESTRICTED, FULL_CONE, PORT_RESTRICTED, NatKind
from twisted_bt.testing.network import Network

CONES = (FULL_CONE, ADDRESS_RESTRICTED, PORT_RESTRICTED)
OUTSIDE = "203.0.113.5"


class Homes(SynchronousTestCase):
    """A home with two hosts, and two hosts in the world."""

    def setUp(self) -> None:
        """Nobody said anything yet."""
        self.network = Network(seed=1)
        self.server = self.network.host("10.0.0.1", "fd00:1::1")
        self.other = self.network.host("10.0.0.2")

    def home(self, kind: NatKind = PORT_RESTRICTED, address: str = OUTSIDE) -> tuple[Host, Host]:
        """Two hosts behind a NAT of C{kind}."""
        self.nat = self.network.nat(address, kind=kind)
        return self.nat.host("192.168.1.2"), self.nat.host("192.168.1.3")
