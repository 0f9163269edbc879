"""
What to ask of a peer when everything it could be asked for is asked of others.

BEP 3 (I{end game}): "once all sub-pieces which a given downloader doesn't have are actively being
requested, it sends requests for everything to all peers", and cancels what arrives.  That makes the
end quick, and wastes a good deal where peers are fast and pipelines long.  So a peer that runs dry
takes over blocks where it will be sooner: from the peer that will need longest, its last blocks
first, and only as far as this peer has them before that one would.  Two peers of equal speed share
what is left and waste nothing; a stalled one loses all it owes.

Before the end game the same happens, where it gains something (L{GAIN} seconds): in a young swarm
everything that an idle peer could serve is asked of busy ones.  The next few blocks of a peer are
probably on their way: to cancel them would come too late, so they stay unless it is much slower.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

from bitarray import bitarray

from twisted_bt.exchange.ledger import Ledger
from twisted_bt.exchange.peerdownload import OPTIMISTIC, PeerDownload
from twisted_bt.torrent.pieces import BLOCK_LENGTH, Block

#: Of how many peers a block is asked at a time.  A peer that sends is not kept away by others that do not.
MAX_ASKERS = 3

#: How many blocks a peer takes over at a time.
MAX_TAKEN = 32

#: Seconds sooner that a peer must be to take a block over while there is other work.
GAIN = 1.0

#: How many of a peer's next blocks are probably on their way: while there is other work, and at the end.
ON_THEIR_WAY, ON_THEIR_WAY_AT_END = 4, 2

#: Seconds sooner that a peer must be to take over one of those; and of silence, before who is on parole
#: does, or a piece that somebody works at alone is another's.
PATIENCE = 5.0

#: Seconds for which the order of peers by speed is used again, and between two looks of a peer that
#: found nothing: with hundreds of idle peers this is what keeps looking cheap.
_PAUSE = 0.25


class Endgame:
    """Takes blocks of one download from slow peers."""

    def __init__(self, ledger: Ledger, peers: Iterable[PeerDownload]) -> None:
        self._ledger = ledger
        self._peers = peers
        self._slowest: list[PeerDownload] = []
        self._sortedAt = float("-inf")
        self._sortedAtEnd = False

    def takeOver(self, peer: PeerDownload, mask: bitarray, room: int, now: float, atEnd: bool) -> list[Block]:
        """
        Ask C{peer} for up to C{room} blocks, out of the pieces in C{mask}, that others owe.

        @param atEnd: nothing is free to ask of anybody.
        """
        taken: list[Block] = []
        if now < peer.stealAt or peer.snubbed:
            return taken
        step = BLOCK_LENGTH / (peer.rate.rate(now) or OPTIMISTIC)
        mine = (len(peer.outstanding) + 1) * step
        patience = 0.0 if atEnd else GAIN
        coming = ON_THEIR_WAY_AT_END if atEnd else ON_THEIR_WAY
        room = min(room, MAX_TAKEN)
        # Fifty fast peers owe tens of thousands of blocks: who sends is found out once for all of them.
        sends = _Sends(now)
        idle = not sends[peer]
        for owner in self._inOrder(now, atEnd):
            if owner is peer or not owner.outstanding:
                continue
            theirs, theirStep = owner.finishesIn(now)
            if theirs - mine <= patience:
                break
            for before, block in zip(count(len(owner.outstanding) - 1, -1), reversed(owner.outstanding)):
                sooner = theirs - mine
                if room <= 0 or sooner <= (patience if before >= coming else PATIENCE):
                    break
                theirs -= theirStep
                index, number = divmod(block, self._ledger.blocksPerPiece)
                if not mask[index] or index in peer.refusing or block in peer.outstanding:
                    continue
                piece = self._ledger.pieces[index]
                if piece.solo or (peer.parole and owner.silence(now) <= PATIENCE):
                    continue
                askers = piece.askers[number]
                # Enough that will do are asked already.
                if len(askers) >= MAX_ASKERS and (
                    idle or sum([sends[each] for each in askers]) >= MAX_ASKERS
                ):
                    continue
                taken.append(self._ledger.askAlso(piece, peer, number, now))
                mine += step
                room -= 1
        if not taken:
            peer.stealAt = now + _PAUSE
        return taken

    def _inOrder(self, now: float, atEnd: bool) -> list[PeerDownload]:
        if now >= self._sortedAt + _PAUSE or (atEnd and not self._sortedAtEnd):
            busy = [peer for peer in self._peers if peer.outstanding]
            busy.sort(key=lambda peer: peer.finishesIn(now)[0], reverse=True)
            self._slowest, self._sortedAt, self._sortedAtEnd = busy, now, atEnd
        return self._slowest


class _Sends(dict[PeerDownload, bool]):
    """Whether a peer sent anything lately, looked up once for each."""

    def __init__(self, now: float) -> None:
        self._now = now

    def __missing__(self, peer: PeerDownload) -> bool:
        found = self[peer] = peer.rate.rate(self._now) > 0
        return found
