"""
One torrent's download: whom to ask for what, and what became of it.

What has to be weighed for every request, and is, in this order:

 - the piece is wanted and not here, and the peer has it;
 - the peer does not choke us, or allows this piece nevertheless (BEP 6, allowed fast);
 - the peer did not just reject this piece, and was not found lying;
 - it owes us less than it should (L{PeerDownload<twisted_bt.exchange.peerdownload.PeerDownload>}),
   and so much less that a message is worth while;
 - first the piece it works on, then other pieces that are begun, then a new one: what is
   begun holds memory and is good for nobody until it is whole;
 - a new one only if there is memory for it, by the picker, if need be out of what the peer suggests;
 - a piece that was corrupt only if nobody works on it, and better not by those who sent it;
 - if all that is asked of others: L{twisted_bt.exchange.endgame}.

The state of blocks is in L{Ledger<twisted_bt.exchange.ledger.Ledger>}, with its invariant.  Of pieces:
each is exactly one of I{here} (not C{missing}), I{not wanted}, I{fresh} (may be begun) or I{under way};
a piece under way stays so while it is being hashed and stored.

Nothing here reads a clock: C{now} is in seconds, of one clock that does not go back.
BEP 3, 6, 54.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from enum import Enum

from bitarray import bitarray
from bitarray.util import ones, zeros

from twisted_bt.exchange.availability import Availability
from twisted_bt.exchange.buffers import PieceBuffers
from twisted_bt.exchange.endgame import takeOver
from twisted_bt.exchange.ledger import Ledger
from twisted_bt.exchange.peerdownload import PeerDownload
from twisted_bt.exchange.piece import NOBODY, PieceDownload
from twisted_bt.exchange.suspects import Suspects
from twisted_bt.interfaces import Buffer, IPiecePicker, Random
from twisted_bt.torrent.pieces import BLOCK_LENGTH, Block, PieceLayout


class Received(Enum):
    """What a block turned out to be."""

    UNASKED = "unasked"
    """Never asked of this peer, or not of this length.  Nothing was stored."""
    DUPLICATE = "duplicate"
    """Asked once, but it is here already.  Nothing was stored."""
    PARTIAL = "partial"
    """Stored; the piece is not whole."""
    COMPLETE = "complete"
    """Stored, and it was the last: see L{Download.takePiece}."""


_PARTIAL = Received.PARTIAL
_COMPLETE = Received.COMPLETE

#: Seconds after which a request is taken for lost if the peer served later ones.
LOST_AFTER = 20.0
#: How much later those were asked, since peers may serve a little out of order.
_DISORDER = 5.0

#: Seconds in which a peer that choked us should have rejected what it will not send (BEP 6).
REJECTS_WITHIN = 20.0


class Download:
    """
    @param have: the pieces that are here (copied).
    @param wanted: the pieces to get; C{None}: all.
    @param maxPipeline: the most blocks asked of a peer at a time.
    @param pipelineSeconds: how much of its measured rate a peer should owe us.
    @param snubTimeout: seconds without a block after which a peer that owes some is snubbing us.

    @ivar missing: the pieces that are not here.
    @ivar availability: how many of the peers have each piece.
    @ivar picker: may be replaced at any time.
    @ivar remaining: bytes of the pieces that are wanted and not here.
    @ivar wasted: bytes that came for nothing: twice, corrupt, or dropped for want of memory.
    """

    def __init__(
        self,
        layout: PieceLayout,
        have: bitarray,
        picker: IPiecePicker,
        random: Random,
        buffers: PieceBuffers,
        maxPipeline: int = 500,
        pipelineSeconds: float = 3.0,
        snubTimeout: float = 60.0,
        wanted: bitarray | None = None,
    ) -> None:
        self.layout = layout
        self.picker = picker
        self.availability = Availability(layout.pieceCount)
        self.wasted = 0
        self._random = random
        self._buffers = buffers
        self._bufferSize = min(layout.pieceLength, layout.totalLength)
        self._maxPipeline = maxPipeline
        self._pipelineSeconds = pipelineSeconds
        self._snubTimeout = snubTimeout
        self._pieceCount = layout.pieceCount
        self._everything = ones(self._pieceCount)
        self._peers: dict[PeerDownload, None] = {}
        self._ledger = Ledger(layout, buffers)
        self._pieces = self._ledger.pieces
        self._suspects = Suspects()
        self._stale = False  # whether looking for pieces to drop might find one
        self.missing = ~have
        self._wanted = self._everything
        self._needed = self.missing.copy()
        self._fresh = self._needed.copy()
        self._freshCount = 0
        self.remaining = 0
        self.setWanted(self._everything if wanted is None else wanted)

    # ------------------------------------------------------------ peers

    @property
    def peers(self) -> Iterable[PeerDownload]:
        """Those that were added and not removed."""
        return self._peers.keys()

    def addPeer(self, key: Hashable, fast: bool, reqq: int = 250) -> PeerDownload:
        """
        Somebody new, who has nothing and chokes us.

        @param key: whom to blame; the same for the same peer when it comes again.
        @param fast: both sides speak BEP 6.
        @param reqq: how many requests it keeps (BEP 10); C{peer.reqq} may be set later.
        """
        peer = PeerDownload(key, fast, reqq, zeros(self._pieceCount))
        self._peers[peer] = None
        return peer

    def removePeer(self, peer: PeerDownload) -> None:
        """It is gone: what it owed is asked of others.  A second time does nothing."""
        if peer not in self._peers:
            return
        self._ledger.release(peer, list(peer.outstanding))
        self._ledger.disown(peer)
        self._setHave(peer, zeros(self._pieceCount), seed=False)
        peer.late.clear()
        del self._peers[peer]
        self._stale = True

    def peerHasAll(self, peer: PeerDownload) -> None:
        """It has every piece (BEP 6, or a full bitfield)."""
        self._setHave(peer, self._everything, seed=True)

    def peerHasNone(self, peer: PeerDownload) -> None:
        """It has nothing (BEP 6)."""
        self._setHave(peer, zeros(self._pieceCount), seed=False)

    def peerBitfield(self, peer: PeerDownload, bits: bitarray) -> None:
        """It has the pieces in C{bits} (copied) and no others."""
        if bits.all():
            self.peerHasAll(peer)
        else:
            self._setHave(peer, bits.copy(), seed=False)

    def _setHave(self, peer: PeerDownload, bits: bitarray, seed: bool) -> None:
        if peer.seed:
            self.availability.removeAll()
        else:
            self.availability.removeBitfield(peer.have)
        peer.have, peer.seed = bits, seed
        if seed:
            self.availability.addAll()
        else:
            self.availability.addBitfield(bits)
        self._findWitness(peer)

    def peerHave(self, peer: PeerDownload, index: int) -> None:
        """It has piece C{index} too."""
        if peer.have[index]:
            return
        peer.have[index] = 1
        peer.refusing.discard(index)
        self.availability.add(index)
        if peer.witness < 0 and self._needed[index]:
            peer.witness = index

    def peerLost(self, peer: PeerDownload, index: int) -> None:
        """It has piece C{index} no more (BEP 54)."""
        if not peer.have[index]:
            return
        if peer.seed:
            bits = self._everything.copy()
            bits[index] = 0
            self._setHave(peer, bits, seed=False)
        else:
            peer.have[index] = 0
            self.availability.remove(index)
            if peer.witness == index:
                self._findWitness(peer)
        first = index * self._ledger.blocksPerPiece
        owed = range(first, first + self.layout.blockCount(index))
        self._ledger.release(peer, [block for block in owed if block in peer.outstanding])
        self._stale = True

    def peerChoked(self, peer: PeerDownload) -> None:
        """
        It chokes us.  Without BEP 6 that drops all requests; with it they stay until they are rejected.
        """
        if peer.choked:
            return
        peer.choked = True
        peer.chokedAt = float("inf")  # L{tick} knows when
        if not peer.fast:
            self._ledger.release(peer, list(peer.outstanding))
        self._ledger.disown(peer)
        self._stale = True

    def peerUnchoked(self, peer: PeerDownload, now: float) -> None:
        """It serves us."""
        if not peer.choked:
            return
        peer.choked = False
        peer.unchokedAt = now
        peer.refusing.clear()
        if not peer.liar:
            peer.restart()

    def allowFast(self, peer: PeerDownload, index: int) -> None:
        """It serves piece C{index} even while it chokes us (BEP 6).  Its set is bounded."""
        peer.allow(index)

    def suggest(self, peer: PeerDownload, index: int) -> None:
        """It would rather be asked for piece C{index} (BEP 6).  The latest few count."""
        peer.suggest(index)

    def interesting(self, peer: PeerDownload) -> bool:
        """
        Whether it has anything that is wanted and not here.

        One such piece is remembered as a witness.  That is cheaper than a count, which would have to
        be kept for every peer with every piece.
        """
        witness = peer.witness
        if witness < 0 or self._needed[witness]:
            return witness >= 0
        return self._findWitness(peer)

    def _findWitness(self, peer: PeerDownload) -> bool:
        # From the end: in a sequential download that piece stays missing longest.
        peer.witness = (peer.have & self._needed).find(1, right=True)
        return peer.witness >= 0

    # ------------------------------------------------------------ asking

    def nextRequests(self, peer: PeerDownload, now: float) -> list[Block]:
        """
        What to ask of C{peer} now; taken as asked.  Empty while it owes about what it should, and
        when there is nothing that it could be asked for.
        """
        target = min(peer.target, peer.reqq, self._maxPipeline)
        room = target - len(peer.outstanding)
        if room * 4 <= target:
            return []
        mask = peer.have
        if peer.choked:
            if not peer.allowedFast:
                return []
            mask = zeros(self._pieceCount)
            for index in peer.allowedFast:
                mask[index] = peer.have[index]
        asked: list[Block] = []
        ledger = self._ledger
        current = peer.current
        if current is not None and current.free and mask[current.index] and current.openTo(peer):
            room -= ledger.ask(current, peer, room, now, asked)
        if room and ledger.partial:
            room -= self._continue(peer, mask, room, now, asked)
        if room and self._freshCount:
            room -= self._begin(peer, mask, room, now, asked)
        if room and len(peer.outstanding) * 4 <= target:
            asked += takeOver(ledger, self._peers, peer, mask, room, now, self.inEndgame)
        return asked

    def _continue(self, peer: PeerDownload, mask: bitarray, room: int, now: float, asked: list[Block]) -> int:
        """Ask for blocks of pieces that are begun.  Returns how many."""
        before = len(asked)
        for piece in list(self._ledger.partial.values()):
            index = piece.index
            if mask[index] and piece.openTo(peer) and index not in peer.refusing:
                room -= self._ledger.ask(piece, peer, room, now, asked)
                peer.current = piece
                if not room:
                    break
        return len(asked) - before

    def _begin(self, peer: PeerDownload, mask: bitarray, room: int, now: float, asked: list[Block]) -> int:
        """Ask for blocks of new pieces.  Returns how many."""
        before = len(asked)
        candidates = mask & self._fresh
        for index in peer.refusing:
            candidates[index] = 0
        avoided: list[int] = []
        if self._suspects:
            # A piece that it had a part in when that was corrupt: rather let somebody else try.
            avoided = [index for index in self._suspects.involved(peer.key) if candidates[index]]
            for index in avoided:
                candidates[index] = 0
        while room:
            if not candidates.any():
                if not avoided:
                    break
                for index in avoided:
                    candidates[index] = 1
                avoided = []
            buffer = self._buffers.take(self._bufferSize)
            if buffer is None:
                if self._stale and self._dropStale():
                    continue
                break
            picked = self._pick(peer, candidates)
            if picked is None:
                self._buffers.give(buffer)
                break
            candidates[picked] = 0
            self._fresh[picked] = 0
            self._freshCount -= 1
            piece = self._ledger.begin(picked, buffer, picked in self._suspects)
            peer.current = piece
            room -= self._ledger.ask(piece, peer, room, now, asked)
        return len(asked) - before

    def _pick(self, peer: PeerDownload, candidates: bitarray) -> int | None:
        suggested = [index for index in peer.suggested if candidates[index]]
        if suggested and not getattr(self.picker, "inOrder", False):
            candidates = zeros(self._pieceCount)
            candidates[suggested] = 1
        picked = self.picker.pick(candidates, self.availability)
        if picked is not None and not candidates[picked]:
            raise ValueError(f"{self.picker!r} picked {picked}, which is no candidate")
        return picked

    def _dropStale(self) -> bool:
        """
        Make room: drop the piece with least in it of those that are asked of nobody and that no
        connected peer would serve.
        """
        victims = [
            piece
            for piece in self._ledger.partial.values()
            if len(piece.free) == piece.left and not any(peer.serves(piece.index) for peer in self._peers)
        ]
        if not victims:
            self._stale = False
            return False
        victim = min(victims, key=lambda piece: piece.here)
        self.wasted += victim.here
        self._close(victim.index)
        return True

    @property
    def inEndgame(self) -> bool:
        """Whether every block that is wanted and not here is asked of somebody."""
        return not self._freshCount and not self._ledger.partial and self.remaining > 0

    def hungry(self) -> list[PeerDownload]:
        """Peers that owe less than they should and could serve something: ask L{nextRequests} for them."""
        return [
            peer
            for peer in self._peers
            if peer.servable and len(peer.outstanding) * 4 < peer.target * 3 and self.interesting(peer)
        ]

    # ------------------------------------------------------------ receiving

    def received(self, peer: PeerDownload, index: int, begin: int, data: Buffer, now: float) -> Received:
        """
        C{data} came from C{peer} as the block at C{begin} of piece C{index}.  It is copied.

        Any numbers will do.
        """
        number, rest = divmod(begin, BLOCK_LENGTH)
        piece = self._pieces.get(index)
        size = len(data)
        if (
            piece is None
            or rest
            or number > piece.last
            or size != (BLOCK_LENGTH if number < piece.last else piece.tail)
            or (asked := peer.outstanding.pop(piece.base + number, None)) is None
        ):
            return self._stray(peer, index, begin, data, now)
        if piece.askers[number] is peer.alone:
            piece.askers[number] = ()
        else:
            self._ledger.settle(piece, number, peer)
        peer.lastServed = asked
        return self._store(peer, piece, number, data, now)

    def _stray(self, peer: PeerDownload, index: int, begin: int, data: Buffer, now: float) -> Received:
        """What came is not owed.  It may have been: then it is welcome, if it is not here."""
        number, rest = divmod(begin, BLOCK_LENGTH)
        if rest or not 0 <= index < self._pieceCount or not 0 <= number < self.layout.blockCount(index):
            return Received.UNASKED
        block = index * self._ledger.blocksPerPiece + number
        size = len(data)
        if block not in peer.late or size != self.layout.block(index, number).length:
            return Received.UNASKED
        del peer.late[block]
        piece = self._pieces.get(index)
        if piece is None or piece.senders[number] is not NOBODY:
            peer.rate.add(size, now)
            self.wasted += size
            return Received.DUPLICATE
        self._ledger.claim(piece, number, peer)
        return self._store(peer, piece, number, data, now)

    def _store(
        self, peer: PeerDownload, piece: PieceDownload, number: int, data: Buffer, now: float
    ) -> Received:
        begin = number * BLOCK_LENGTH
        size = len(data)
        piece.buffer[begin : begin + size] = data
        piece.senders[number] = peer.key
        peer.rate.add(size, now)
        peer.lastReceived = now
        if peer.slowStart:
            peer.target += 1
        elif peer.snubbed:
            peer.restart()
        piece.left -= 1
        return _PARTIAL if piece.left else _COMPLETE

    def rejected(self, peer: PeerDownload, block: Block, now: float) -> bool:
        """
        It will not send C{block} (BEP 6).  Returns whether that was asked of it, ever: a peer that
        rejects what was not breaks the rules.
        """
        number, rest = divmod(block.begin, BLOCK_LENGTH)
        if rest or block != self.layout.block(block.index, number):
            return False
        owed = block.index * self._ledger.blocksPerPiece + number
        if owed not in peer.outstanding:
            return peer.late.pop(owed, self) is None
        self._ledger.release(peer, [owed])
        del peer.late[owed]
        if peer.choked:
            peer.allowedFast.discard(block.index)
        else:
            # Or it would be asked for the very same at once, for ever.
            peer.refusing.add(block.index)
        return True

    def cancels(self) -> list[tuple[PeerDownload, Block]]:
        """Who should be told, once, that a block is not needed any more.  Peers may be gone meanwhile."""
        if not self._ledger.cancels:
            return []
        cancels, self._ledger.cancels = self._ledger.cancels, []
        return cancels

    # ------------------------------------------------------------ whole pieces

    def takePiece(self, index: int) -> memoryview:
        """
        The bytes of a piece that is L{Received.COMPLETE}; they may be read until L{pieceVerified},
        L{pieceFailed} or L{pieceReturned} is called for it, one of which must be.

        @raise KeyError: it is not whole.
        """
        piece = self._whole(index)
        return piece.buffer[: piece.size]

    def _whole(self, index: int) -> PieceDownload:
        piece = self._pieces[index]
        if piece.left:
            raise KeyError(index)
        return piece

    def pieceVerified(self, index: int) -> frozenset[Hashable]:
        """
        It matched its hash and is stored.

        @return: the keys of peers that sent something else for a block of it before.
        @raise KeyError: it is not whole.
        """
        piece = self._whole(index)
        liars = self._suspects.good(piece) if self._suspects else frozenset()
        self._ledger.close(index)
        self._arrived(index)
        if liars:
            self._distrust(liars)
        return liars

    def pieceFailed(self, index: int) -> frozenset[Hashable]:
        """
        It does not match its hash; it will be asked for again.

        @return: the key of its sender, if it was one.
        @raise KeyError: it is not whole.
        """
        piece = self._whole(index)
        liars = self._suspects.corrupt(piece)
        self.wasted += piece.size
        self._close(index)
        if liars:
            self._distrust(liars)
        return liars

    def pieceReturned(self, index: int) -> None:
        """
        It could not be stored; that is nobody's fault here.  It will be asked for again.

        @raise KeyError: it is not whole.
        """
        self.wasted += self._whole(index).size
        self._close(index)

    def _close(self, index: int) -> None:
        self._ledger.close(index)
        if self._needed[index]:
            self._fresh[index] = 1
            self._freshCount += 1

    def _distrust(self, liars: frozenset[Hashable]) -> None:
        """Nothing more is asked of them, and what they sent of other pieces is asked for again."""
        for peer in self._peers:
            if peer.key in liars:
                self._ledger.release(peer, list(peer.outstanding))
                self._ledger.disown(peer)
                peer.late.clear()
                peer.liar = True
                peer.target = 0
        for piece in list(self._pieces.values()):
            if piece.left:
                self.wasted += self._ledger.discard(piece, liars) * BLOCK_LENGTH

    # ------------------------------------------------------------ what is missing

    @property
    def complete(self) -> bool:
        """Whether all that is wanted is here."""
        return not self.remaining

    def addHave(self, index: int) -> None:
        """Piece C{index} is here, without having been downloaded."""
        piece = self._pieces.get(index)
        if piece is not None and piece.left:
            self.wasted += piece.here
            self._ledger.close(index)
        self._suspects.forget(index)
        self._arrived(index)

    def _arrived(self, index: int) -> None:
        self.missing[index] = 0
        if self._needed[index]:
            self._needed[index] = 0
            self.remaining -= self.layout.pieceSize(index)
        if self._fresh[index]:
            self._fresh[index] = 0
            self._freshCount -= 1

    def lostPiece(self, index: int) -> None:
        """Piece C{index} is not here, although it was thought to be."""
        if self.missing[index]:
            return
        self.missing[index] = 1
        self.setWanted(self._wanted)

    def setWanted(self, bits: bitarray) -> None:
        """
        From now on get the pieces in C{bits} (copied) and no others.  What is under way of others is
        dropped, unless it is whole.
        """
        self._wanted = bits.copy()
        self._needed = self.missing & bits
        self.remaining = self.layout.bytesIn(self._needed)
        for index, piece in list(self._pieces.items()):
            if piece.left and not self._needed[index]:
                self.wasted += piece.here
                self._ledger.close(index)
        self._fresh = self._needed.copy()
        for index in self._pieces:
            self._fresh[index] = 0
        self._freshCount = self._fresh.count()
        for peer in self._peers:
            self._findWitness(peer)

    # ------------------------------------------------------------ time

    def tick(self, now: float) -> list[PeerDownload]:
        """
        To be called about once a second: judges rates, finds who snubs us and which requests were
        lost.

        @return: the peers for which L{nextRequests} should be asked.
        """
        for peer in self._peers:
            peer.adapt(now, self._pipelineSeconds, self._maxPipeline)
            if peer.outstanding:
                self._expire(peer, now)
        self._stale = True
        if self._buffers.hungry and self._ledger.partial:
            self._dropStale()  # another swarm may need the room
        return self.hungry()

    def _expire(self, peer: PeerDownload, now: float) -> None:
        """Ask others for what C{peer} seems not to send."""
        outstanding = peer.outstanding
        oldest = next(iter(outstanding.values()))
        lost: list[int] = []
        if peer.choked:
            peer.chokedAt = min(peer.chokedAt, now)
            if now - peer.chokedAt >= REJECTS_WITHIN:
                lost = [b for b in outstanding if b // self._ledger.blocksPerPiece not in peer.allowedFast]
        if not lost and now - max(oldest, peer.lastReceived, peer.unchokedAt) >= self._snubTimeout:
            lost = list(outstanding)
            self._ledger.disown(peer)
            peer.snub()
        elif oldest <= now - LOST_AFTER:
            served = min(now - LOST_AFTER, peer.lastServed - _DISORDER)
            lost = lost or [block for block, asked in outstanding.items() if asked <= served]
        if lost:
            self._ledger.release(peer, lost)
