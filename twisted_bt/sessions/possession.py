"""
What a swarm has, and what it wants.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from bitarray import bitarray
from bitarray.util import ones, zeros
from twisted.logger import Logger

from twisted_bt.sessions.telling import Telling

if TYPE_CHECKING:
    from twisted_bt.sessions.swarm import SwarmSession


class Possession:
    """
    @ivar bitfield: the pieces we say we have; changed in place for as long as the swarm lives.
    """

    _log = Logger()

    def __init__(self, swarm: SwarmSession, seeding: bool) -> None:
        self._swarm = swarm
        self.bitfield: bitarray = (ones if seeding else zeros)(swarm.layout.pieceCount)
        self.telling = Telling(swarm, swarm.engine.reactor)

    @property
    def told(self) -> bitarray:
        """The pieces that peers know we have; of the others they hear soon.  Not to be changed."""
        untold = self.telling.untold
        return self.bitfield if untold is None else self.bitfield & ~untold

    @property
    def complete(self) -> bool:
        """Whether all that is wanted is here."""
        return self._swarm.downloader.download.complete

    def select(self, files: Iterable[int] | None) -> None:
        """
        Get only the files with these numbers (BEP 53 counts from 0), or all of them.  Pieces that lie in
        several files are got with any of them.
        """
        swarm = self._swarm
        wanted = ones(swarm.layout.pieceCount)
        if files is not None:
            wanted.setall(False)
            for number in set(files):
                if 0 <= number < len(swarm.metainfo.files):
                    entry = swarm.metainfo.files[number]
                    pieces = swarm.layout.piecesOf(entry.offset, entry.length)
                    wanted[pieces.start : pieces.stop] = True
        swarm.downloader.download.setWanted(wanted)
        swarm.possessionChanged()

    async def look(self, presume: bool) -> None:
        """Find out what is on disk.  @raise StorageError: it cannot be read."""
        swarm = self._swarm
        await swarm.record.open(presume, swarm.checkProgressed)
        before = self.bitfield.copy()
        self.bitfield[:] = swarm.record.claimed
        for index in (self.bitfield & ~before).search(1):
            swarm.downloader.download.addHave(index)
        for index in (before & ~self.bitfield).search(1):
            swarm.downloader.download.lostPiece(index)

    async def forget(self) -> None:
        """Know nothing of what is on disk."""
        await self._swarm.record.forget()
        for index in self.bitfield.search(1):
            self._swarm.downloader.download.lostPiece(index)
        self.bitfield.setall(False)

    def available(self, indices: Sequence[int]) -> None:
        """
        New pieces are here: bitfield and progress change together; see L{Telling} for who hears of them.
        """
        swarm = self._swarm
        fresh = zeros(swarm.layout.pieceCount)
        for index in indices:
            fresh[index] = True
        fresh &= ~self.bitfield
        if not fresh.any():
            return
        self.bitfield |= fresh
        swarm.record.pieceStored(fresh)
        self.telling.tell(fresh)
        for index in fresh.search(1):
            swarm.observers.tell("pieceVerified", swarm, index)
        if self.complete:
            self.telling.hurry()
        swarm.possessionChanged()

    def lost(self, index: int) -> None:
        """Piece C{index} was taken to be here, and is not: take it back, and get it."""
        if not self.bitfield[index]:
            return
        swarm = self._swarm
        self._log.warn("{name}: piece {index} on disk is damaged", name=swarm.name, index=index)
        self.bitfield[index] = False
        self.telling.forget(index)
        swarm.record.pieceLost(index)
        swarm.downloader.download.lostPiece(index)
        for peer in swarm.establishedPeers():
            peer.retract(index)
            peer.judgeInterest()
        swarm.possessionChanged()
