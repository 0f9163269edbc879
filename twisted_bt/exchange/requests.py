"""
What to ask of a peer.

What has to be weighed for every request, and is, in this order:

 - the piece is wanted and not here, and the peer has it;
 - the peer does not choke us, or allows this piece nevertheless (BEP 6, allowed fast);
 - the peer did not just reject this piece, and was not found lying;
 - it owes us less than it should (L{PeerDownload}), and so much less that a message is worth while;
 - first the piece it works on, then a new one that it suggests (BEP 6: a seeder wants to give each piece away
   once before it gives any twice), then others that are begun, then any new one: what is begun holds memory
   and is good for nobody until it is whole;
 - a new one only if there is memory for it, and by the picker;
 - a piece that was corrupt only if nobody works on it, and rather not by those who sent it;
 - who had a part in one works alone until a piece of its own is right, if there is any that it can begin: so
   it spoils no more pieces of others if it lies, and is found out at once;
 - if everything is asked of others: L{twisted_bt.exchange.endgame}.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

from bitarray import bitarray
from bitarray.util import zeros

from twisted_bt.exchange.availability import Availability
from twisted_bt.exchange.buffers import PieceBuffers
from twisted_bt.exchange.endgame import PATIENCE, Endgame
from twisted_bt.exchange.ledger import Ledger
from twisted_bt.exchange.peerdownload import PeerDownload
from twisted_bt.exchange.piece import PieceDownload
from twisted_bt.exchange.suspects import Suspects
from twisted_bt.exchange.wishes import Wishes
from twisted_bt.interfaces import IPiecePicker
from twisted_bt.torrent.pieces import BLOCK_LENGTH, Block, PieceLayout

_LEFT = attrgetter("left")

#: Seconds that a peer which works at a piece alone may need for it when others have nothing else to do;
#: twice as many for each version of it that was wrong, or it might be shared with a liar for ever.
RESCUED_AFTER = 20.0


class Requests:
    """
    Chooses for all peers of a download, and enters what it chose in the C{ledger}.

    @ivar picker: chooses new pieces; may be replaced at any time.
    @ivar maxPipeline: the most blocks asked of a peer at a time.
    @ivar mayDrop: looking for pieces to drop for want of memory might find one.
    """

    def __init__(
        self,
        layout: PieceLayout,
        picker: IPiecePicker,
        availability: Availability,
        buffers: PieceBuffers,
        wishes: Wishes,
        ledger: Ledger,
        suspects: Suspects,
        peers: Iterable[PeerDownload],
        maxPipeline: int,
    ) -> None:
        self.picker = picker
        self.maxPipeline = maxPipeline
        self.mayDrop = False
        self._pieceCount = layout.pieceCount
        # One size for all, the short last piece too: it is the pool that gains from it.
        self._bufferSize = min(layout.pieceLength, layout.totalLength)
        self._availability = availability
        self._buffers = buffers
        self._wishes = wishes
        self._ledger = ledger
        self._suspects = suspects
        self._peers = peers
        self._endgame = Endgame(ledger, peers)

    @property
    def allAsked(self) -> bool:
        """Whether there is no block left that may be asked of anybody for the first time."""
        return not self._wishes.freshCount and not self._ledger.partial

    def next(self, peer: PeerDownload, now: float) -> list[Block]:
        """See L{Download.nextRequests<twisted_bt.exchange.download.Download.nextRequests>}."""
        target = min(peer.target, peer.reqq, self.maxPipeline)
        room = target - len(peer.outstanding)
        if room * 4 <= target:
            return []
        if peer.draining:
            if len(peer.outstanding) > 1:
                return []
            peer.measure(now)
        mask = peer.have
        if peer.choked:
            if not peer.allowedFast:
                return []
            mask = zeros(self._pieceCount)
            for index in peer.allowedFast:
                mask[index] = peer.have[index]
        asked: list[Block] = []
        current = peer.current
        if current is not None and current.free and self._open(current.index, peer, mask):
            room -= self._ledger.ask(current, peer, room, now, asked)
        if room and peer.suggested and self._wishes.freshCount:
            suggested = self._suggested(peer, mask)
            if suggested is not None:
                room -= self._begin(peer, suggested, room, now, asked)
        if room and self._ledger.partial:
            room -= self._continue(peer, mask, room, now, asked)
        if room and self._wishes.freshCount:
            room -= self._begin(peer, mask, room, now, asked)
        if room and not peer.outstanding and now >= peer.stealAt:
            room -= self._rescue(peer, mask, room, now, asked)
        if room and len(peer.outstanding) * 4 <= target:
            asked += self._endgame.takeOver(peer, mask, room, now, self.allAsked)
        return asked

    def _open(self, index: int, peer: PeerDownload, mask: bitarray) -> bool:
        if not mask[index] or index in peer.refusing:
            return False
        piece = self._ledger.pieces[index]
        return piece.openTo(peer) and (not piece.solo or piece.owner is peer or self._trusted(index, peer))

    def _continue(self, peer: PeerDownload, mask: bitarray, room: int, now: float, asked: list[Block]) -> int:
        """Ask for blocks of pieces that are begun.  Returns how many."""
        before = len(asked)
        # Nearly whole ones first: they give their memory back soonest.
        for piece in sorted(self._ledger.partial.values(), key=_LEFT):
            if self._open(piece.index, peer, mask):
                room -= self._ledger.ask(piece, peer, room, now, asked)
                peer.current = piece
                if not room:
                    break
        return len(asked) - before

    def _rescue(self, peer: PeerDownload, mask: bitarray, room: int, now: float, asked: list[Block]) -> int:
        """
        There is nothing else for it: ask for blocks of pieces that it should not work at, because it is on
        parole, or because somebody else does so alone and is silent or too slow.  Returns how many.
        """
        before = len(asked)
        for piece in list(self._ledger.pieces.values()):
            if not piece.left or not mask[piece.index] or piece.index in peer.refusing:
                continue
            if piece.solo and not (self._trusted(piece.index, peer) and self._takeAway(piece, now)):
                continue
            if piece.free:
                room -= self._ledger.ask(piece, peer, room, now, asked)
                peer.current = piece
                if not room:
                    break
        return len(asked) - before

    def _trusted(self, index: int, peer: PeerDownload) -> bool:
        """Whether C{peer} ever sent anything, or nobody who did has piece C{index}."""
        if peer.rate.total:
            return True
        return not any(other.rate.total and other.serves(index) for other in self._peers)

    def _takeAway(self, piece: PieceDownload, now: float) -> bool:
        """Whether C{piece} is nobody's now, since who had it alone is silent, or much too slow."""
        owner = piece.owner
        if owner is not None:
            pace = owner.rate.rate(now)
            patience = RESCUED_AFTER * 2**piece.wrong
            if owner.silence(now) <= PATIENCE and (not pace or piece.left * BLOCK_LENGTH <= pace * patience):
                return False
        blocks = range(piece.base, piece.base + piece.last + 1)
        # It is not the owner's any more when that chokes us, but owes us what it did not reject.
        for peer in dict.fromkeys(each for askers in piece.askers for each in askers):
            if peer is owner or peer.choked or peer.silence(now) > PATIENCE:
                self._ledger.release(peer, [block for block in blocks if block in peer.outstanding])
        piece.owner = None
        return True

    def _suggested(self, peer: PeerDownload, mask: bitarray) -> bitarray | None:
        """The new pieces that C{peer} suggests; C{None}: there is none, or order is the point."""
        fresh = self._wishes.fresh
        suggested = [
            index for index in peer.suggested if fresh[index] and mask[index] and index not in self._suspects
        ]
        if not suggested or getattr(self.picker, "inOrder", False):
            return None
        found = zeros(self._pieceCount)
        found[suggested] = 1
        return found

    def _begin(self, peer: PeerDownload, mask: bitarray, room: int, now: float, asked: list[Block]) -> int:
        """Ask for blocks of new pieces.  Returns how many."""
        before = len(asked)
        candidates = mask & self._wishes.fresh
        for index in peer.refusing:
            candidates[index] = 0
        avoided: list[int] = []
        suspected = bool(self._suspects)
        if suspected:
            # Pieces that it had a part in when they were corrupt: rather let somebody else try, who sends.
            suspicious = self._suspects.involved(peer.key) if peer.rate.total else self._suspects
            avoided = [index for index in suspicious if candidates[index]]
            for index in avoided:
                candidates[index] = 0
        while room:
            buffer = self._buffers.take(self._bufferSize)
            if buffer is None:
                if self.mayDrop and self.dropIdle():
                    continue
                break
            picked = self.picker.pick(candidates, self._availability)
            if picked is not None and not candidates[picked]:
                raise ValueError(f"{self.picker!r} picked {picked}, which is no candidate")
            if picked is None:
                self._buffers.give(buffer)
                if not avoided:
                    break
                for index in avoided:
                    candidates[index] = 1
                avoided = []
                continue
            candidates[picked] = 0
            self._wishes.begin(picked)
            wrong = self._suspects.versions(picked) if suspected else 0
            piece = self._ledger.begin(picked, buffer, peer.parole or wrong > 0)
            piece.wrong = wrong
            peer.current = piece
            room -= self._ledger.ask(piece, peer, room, now, asked)
        return len(asked) - before

    def dropIdle(self) -> bool:
        """
        Make room: drop the piece with least in it of those that are asked of nobody and that no
        connected peer would serve.  Returns whether there was one.
        """
        victims = [
            piece
            for piece in self._ledger.partial.values()
            if len(piece.free) == piece.left and not any(peer.serves(piece.index) for peer in self._peers)
        ]
        if not victims:
            self.mayDrop = False
            return False
        index = max(victims, key=lambda piece: piece.left / (piece.last + 1)).index
        self._ledger.drop(index)
        self._wishes.giveBack(index)
        return True
