"""
Partitions: parts of the simulated network that do not reach one another for a while.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from twisted_bt.testing.host import Host

if TYPE_CHECKING:
    from twisted_bt.testing.nat import Nat
    from twisted_bt.testing.network import Network


class Partition:
    """
    Made by L{Network.partition<twisted_bt.testing.network.Network.partition>}: what is sent from one group
    to another gets lost until it heals.  Who is in no group reaches everybody.
    """

    def __init__(self, network: Network, groups: Collection[Collection[Host | Nat]]) -> None:
        self._network = network
        self._groups: dict[Host, int] = {}
        for number, group in enumerate(groups):
            for each in group:
                self._groups[each if isinstance(each, Host) else each.outside] = number

    def separates(self, one: Host, other: Host) -> bool:
        """Whether they are in different groups."""
        here, there = self._groupOf(one), self._groupOf(other)
        return here is not None and there is not None and here != there

    def _groupOf(self, host: Host) -> int | None:
        # Who is behind a NAT is where that is, unless it was named itself.
        at: Host | None = host
        while at is not None:
            if at in self._groups:
                return self._groups[at]
            at = at.behind
        return None

    def heal(self) -> None:
        """From now on they reach one another again."""
        if self in self._network.partitions:
            self._network.partitions.remove(self)
