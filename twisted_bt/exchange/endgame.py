"""
What to ask of a peer when everything it could be asked for is asked of others.

BEP 3 (I{end game}): "once all sub-pieces which a given downloader doesn't have are actively being
requested, it sends requests for everything to all peers", and cancels what arrives.  That makes the
end quick and wastes a good deal where peers are fast and pipelines long.  So a peer that runs dry
takes over blocks where it will be sooner: from the peer that will need longest, its last blocks
first, and only as far as this peer has them before that one would.  Two peers of equal speed share
what is left and waste nothing; a stalled one loses all it owes.

Before the end game the same happens for peers that are much slower (C{PATIENCE} seconds), since
their pieces hold buffers that others could use.
"""

from __future__ import annotations

from collections.abc import Iterable

from bitarray import bitarray

from twisted_bt.exchange.ledger import Ledger
from twisted_bt.exchange.peerdownload import OPTIMISTIC, PeerDownload
from twisted_bt.torrent.pieces import BLOCK_LENGTH, Block

#: Of how many peers a block is asked at a time.
MAX_ASKERS = 3

#: How many blocks a peer takes over at a time.
MAX_TAKEN = 32

#: Seconds sooner that a peer must be to take a block over while there is other work, or of a solo piece.
PATIENCE = 5.0

#: Seconds between two looks that found nothing.
_PAUSE = 0.25


def takeOver(
    ledger: Ledger,
    peers: Iterable[PeerDownload],
    peer: PeerDownload,
    mask: bitarray,
    room: int,
    now: float,
    atEnd: bool,
) -> list[Block]:
    """
    Ask C{peer} for up to C{room} blocks of the pieces in C{mask} that others owe.

    @param atEnd: nothing is free to ask of anybody.
    """
    taken: list[Block] = []
    if now < peer.stealAt:
        return taken
    step = BLOCK_LENGTH / max(peer.rate.rate(now), OPTIMISTIC)
    mine = len(peer.outstanding) * step
    room = min(room, MAX_TAKEN)
    slowest = [(*each.finishesIn(now), each) for each in peers if each.outstanding and each is not peer]
    slowest.sort(key=lambda owner: owner[0], reverse=True)
    for theirs, theirStep, owner in slowest:
        for block in reversed(owner.outstanding):
            sooner = theirs - mine - step
            if room <= 0 or sooner <= (0.0 if atEnd else PATIENCE):
                break
            theirs -= theirStep
            index, number = divmod(block, ledger.blocksPerPiece)
            if not mask[index] or index in peer.refusing or block in peer.outstanding:
                continue
            piece = ledger.pieces[index]
            if len(piece.askers[number]) >= MAX_ASKERS or (piece.solo and sooner <= PATIENCE):
                continue
            taken.append(ledger.askAlso(piece, peer, number, now))
            mine += step
            room -= 1
    if not taken:
        peer.stealAt = now + _PAUSE
    return taken
