"""
What is known of the durable things of a client that crashes or has a bad disk, over all its lives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bitarray import bitarray
from bitarray.util import zeros

from twisted_bt.sessions.swarm import SwarmSession

if TYPE_CHECKING:
    from tests.sim.durable import World


class Known:
    """
    What the world knows of the client's durable things, over all its lives.

    @ivar added: torrents that were reported to be added.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.added: dict[bytes, None] = {}
        self.pieces: dict[bytes, bitarray] = {
            key: zeros(each.metainfo.layout.pieceCount) for key, each in world.byHash.items()
        }
        self.totals: dict[bytes, tuple[int, int]] = {}
        self.read: dict[bytes, tuple[int, int]] = {}  # totals that this life began with
        self.strict = True  # no fault keeps totals from being saved
        self.trustful = True  # no fault keeps what was flushed from being trusted
        self.fresh: dict[bytes, None] = {}  # torrents that were looked at in this life

    def begin(self) -> None:
        """Another life begins."""
        self.fresh.clear()
        self.read.clear()

    def kept(self, infoHash: bytes) -> tuple[int, int]:
        """
        What is saved of its totals: as was reported, or as was found, since a crash may come between the
        saving and the report.
        """
        reported, found = self.totals.get(infoHash, (0, 0)), self.read.get(infoHash, (0, 0))
        return max(reported[0], found[0]), max(reported[1], found[1])

    def saved(self, infoHash: bytes, verified: bitarray, up: int, down: int, now: float) -> None:
        """It was reported that this is on the disk."""
        self.pieces[infoHash] |= verified
        before = self.totals.get(infoHash, (0, 0))
        if up < before[0] or down < before[1]:
            self.world.violations.append(f"totals went back from {before} to {(up, down)}")
        self.totals[infoHash] = (up, down)

    def hashed(self, infoHash: bytes, index: int) -> None:
        """A piece is hashed."""
        self.world.counts["pieces hashed"] += 1
        if self.trustful and infoHash not in self.fresh and self.pieces[infoHash][index]:
            self.world.violations.append(
                f"piece {index} of {self.world.byHash[infoHash].name} was flushed, and is hashed again"
            )

    def checked(self, infoHash: bytes, swarm: SwarmSession) -> None:
        """It says what it has."""
        content, counts = self.world.byHash[infoHash], self.world.counts
        self.fresh[infoHash] = None
        claimed = swarm.record.claimed
        damaged = content.damaged(self.world.host, claimed)
        if damaged:
            self.world.violations.append(f"{content.name}: claimed and not on the disk: {damaged}")
        counts["pieces claimed"] += claimed.count()
        flushed = self.pieces[infoHash]
        counts["flushed pieces"] += flushed.count()
        lost = flushed & ~claimed
        if lost.any() and self.trustful:
            self.world.violations.append(f"{content.name}: flushed and lost: {list(lost.search(1))}")
        up, down = self.totals.get(infoHash, (0, 0))
        progress = swarm.record.progress
        if progress.uploaded < up or progress.downloaded < down:
            self.world.violations.append(f"{content.name}: saved totals were {up} and {down}, now {progress}")
