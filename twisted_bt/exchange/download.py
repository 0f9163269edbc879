"""
One torrent's download: whom to ask for what, and what became of it.

This is the front of the package; behind it each file answers one question:

 - L{wishes<twisted_bt.exchange.wishes>}: which pieces are here, wanted, free to begin;
 - L{ledger<twisted_bt.exchange.ledger>}: who owes us which block of the pieces under way;
 - L{peerdownload<twisted_bt.exchange.peerdownload>}: how much a peer should owe us;
 - L{requests<twisted_bt.exchange.requests>}: what to ask of a peer next;
 - L{endgame<twisted_bt.exchange.endgame>}: and if everything is asked of others;
 - L{suspects<twisted_bt.exchange.suspects>}: who lied, when a piece is corrupt.

Nothing in it reads a clock: C{now} is in seconds, of one clock that does not go back.  BEP 3, 6, 54.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from enum import Enum

from bitarray import bitarray
from bitarray.util import ones, zeros

from twisted_bt.errors import ProtocolError
from twisted_bt.exchange.availability import Availability
from twisted_bt.exchange.buffers import PieceBuffers
from twisted_bt.exchange.ledger import Ledger
from twisted_bt.exchange.peerdownload import PeerDownload
from twisted_bt.exchange.piece import NOBODY, PieceDownload
from twisted_bt.exchange.requests import Requests
from twisted_bt.exchange.suspects import Suspects
from twisted_bt.exchange.wishes import Wishes
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


class Download:
    """
    @param have: the pieces that are here (copied).
    @param picker: chooses which piece to begin next.
    @param random: decides who comes first.
    @param buffers: where pieces are put together; shared by the downloads of a client.
    @param wanted: the pieces to get; C{None}: all.
    @param maxPipeline: the most blocks asked of a peer at a time.
    @param pipelineSeconds: how much of its measured rate a peer should owe us.
    @param snubTimeout: seconds without a block after which a peer that owes some is snubbing us.

    @ivar availability: how many of the peers have each piece.
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
        self.availability = Availability(layout.pieceCount)
        self._random = random
        self._buffers = buffers
        self._pipelineSeconds = pipelineSeconds
        self._snubTimeout = snubTimeout
        self._pieceCount = layout.pieceCount
        self._everything = ones(self._pieceCount)
        self._peers: dict[PeerDownload, None] = {}
        self._wishes = Wishes(layout, have, wanted)
        self._ledger = Ledger(layout, buffers)
        self._pieces = self._ledger.pieces
        self._suspects = Suspects()
        self._requests = Requests(
            layout,
            picker,
            self.availability,
            buffers,
            self._wishes,
            self._ledger,
            self._suspects,
            self._peers.keys(),
            maxPipeline,
        )

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
        self._requests.mayDrop = True

    def peerHasAll(self, peer: PeerDownload) -> None:
        """It has every piece (BEP 6, or a full bitfield)."""
        self._setHave(peer, self._everything, seed=True)

    def peerHasNone(self, peer: PeerDownload) -> None:
        """It has nothing (BEP 6)."""
        self._setHave(peer, zeros(self._pieceCount), seed=False)

    def peerBitfield(self, peer: PeerDownload, bits: bitarray) -> None:
        """
        It has the pieces in C{bits} (copied) and no others.

        @raise ProtocolError: that is not a bit for each piece.
        """
        if len(bits) != self._pieceCount:
            raise ProtocolError(f"bitfield of {len(bits)} pieces, not {self._pieceCount}")
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
        """
        It has piece C{index} too.

        @raise ProtocolError: there is no such piece.
        """
        self.layout.checkPiece(index)
        if peer.have[index]:
            return
        peer.have[index] = 1
        peer.refusing.discard(index)
        self.availability.add(index)
        if peer.witness < 0 and self._wishes.needed[index]:
            peer.witness = index

    def peerLost(self, peer: PeerDownload, index: int) -> None:
        """
        It has piece C{index} no more (BEP 54).

        @raise ProtocolError: there is no such piece.
        """
        self.layout.checkPiece(index)
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
        self._requests.mayDrop = True

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
        self._requests.mayDrop = True

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
        """
        It serves piece C{index} even while it chokes us (BEP 6).  The first few hundred count.

        @raise ProtocolError: there is no such piece.
        """
        peer.allow(self.layout.checkPiece(index))

    def suggest(self, peer: PeerDownload, index: int) -> None:
        """
        It would rather be asked for piece C{index} (BEP 6).  The latest few count.

        @raise ProtocolError: there is no such piece.
        """
        peer.suggest(self.layout.checkPiece(index))

    def interesting(self, peer: PeerDownload) -> bool:
        """
        Whether it has anything that is wanted and not here.

        One such piece is remembered as a witness.  That is cheaper than a count, which would have to
        be kept for every peer with every piece.
        """
        witness = peer.witness
        if witness < 0 or self._wishes.needed[witness]:
            return witness >= 0
        return self._findWitness(peer)

    def _findWitness(self, peer: PeerDownload) -> bool:
        # From the end: in a sequential download that piece stays missing longest.
        peer.witness = (peer.have & self._wishes.needed).find(1, right=True)
        return peer.witness >= 0

    # ------------------------------------------------------------ asking

    @property
    def picker(self) -> IPiecePicker:
        """Chooses which piece to begin next; may be replaced at any time."""
        return self._requests.picker

    @picker.setter
    def picker(self, picker: IPiecePicker) -> None:
        self._requests.picker = picker

    def nextRequests(self, peer: PeerDownload, now: float) -> list[Block]:
        """
        What to ask of C{peer} now; taken as asked.  Empty while it owes about what it should, and
        when there is nothing that it could be asked for.
        """
        return self._requests.next(peer, now)

    @property
    def inEndgame(self) -> bool:
        """Whether every block that is wanted and not here is asked of somebody."""
        return self._requests.allAsked and self.remaining > 0

    def hungry(self) -> list[PeerDownload]:
        """
        Peers that owe less than they should and could serve something, in no particular order: ask
        L{nextRequests} for them, for example after a peer is gone.
        """
        found = [
            peer
            for peer in self._peers
            if peer.servable and len(peer.outstanding) * 4 < peer.target * 3 and self.interesting(peer)
        ]
        # Or the first would always have the choice, and the last what is left.
        self._random.shuffle(found)
        return found

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
        size = len(data)
        block = self._blockId(index, begin, size)
        if block not in peer.late:
            return Received.UNASKED
        number = begin // BLOCK_LENGTH
        del peer.late[block]
        piece = self._pieces.get(index)
        if piece is None or piece.senders[number] is not NOBODY:
            peer.rate.add(size, now)
            self._ledger.wasted += size
            return Received.DUPLICATE
        self._ledger.claim(piece, number, peer)
        return self._store(peer, piece, number, data, now)

    def _blockId(self, index: int, begin: int, length: int) -> int:
        """The id of that block; -1 if we would never ask for it."""
        number, rest = divmod(begin, BLOCK_LENGTH)
        if rest or not 0 <= index < self._pieceCount or not 0 <= number < self.layout.blockCount(index):
            return -1
        if length != self.layout.block(index, number).length:
            return -1
        return index * self._ledger.blocksPerPiece + number

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
        owed = self._blockId(block.index, block.begin, block.length)
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
        self._wishes.arrive(index)
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
        self._ledger.wasted += piece.size
        self._close(index)
        if liars:
            self._distrust(liars)
        return liars

    def pieceReturned(self, index: int) -> None:
        """
        It could not be stored; that is nobody's fault here.  It will be asked for again.

        @raise KeyError: it is not whole.
        """
        self._ledger.wasted += self._whole(index).size
        self._close(index)

    def _close(self, index: int) -> None:
        self._ledger.close(index)
        self._wishes.giveBack(index)

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
                self._ledger.discard(piece, liars)

    # ------------------------------------------------------------ what is missing

    @property
    def missing(self) -> bitarray:
        """The pieces that are not here.  Not to be changed."""
        return self._wishes.missing

    @property
    def remaining(self) -> int:
        """Bytes of the pieces that are wanted and not here."""
        return self._wishes.remaining

    @property
    def complete(self) -> bool:
        """Whether all that is wanted is here."""
        return not self._wishes.remaining

    @property
    def wasted(self) -> int:
        """Bytes that came for nothing: twice, corrupt, or dropped."""
        return self._ledger.wasted

    def addHave(self, index: int) -> None:
        """Piece C{index} is here, without having been downloaded."""
        piece = self._pieces.get(index)
        if piece is not None and piece.left:
            self._ledger.drop(index)
        self._suspects.forget(index)
        self._wishes.arrive(index)

    def lostPiece(self, index: int) -> None:
        """Piece C{index} is not here, although it was thought to be."""
        if not self._wishes.missing[index]:
            self._wishes.lose(index, self._pieces)
            self._judge()

    def setWanted(self, bits: bitarray) -> None:
        """
        From now on get the pieces in C{bits} (copied) and no others.  What is under way of others is
        dropped, unless it is whole.
        """
        for index, piece in list(self._pieces.items()):
            if piece.left and not bits[index]:
                self._ledger.drop(index)
        self._wishes.want(bits, self._pieces)
        self._judge()

    def _judge(self) -> None:
        for peer in self._peers:
            self._findWitness(peer)

    # ------------------------------------------------------------ time

    def tick(self, now: float) -> list[PeerDownload]:
        """
        To be called about once a second: judges rates, finds who snubs us and which requests were
        lost.  Not while nothing is read from peers: see L{excuse}.

        @return: the peers for which L{nextRequests} should be asked.
        """
        for peer in self._peers:
            peer.adapt(now, self._pipelineSeconds, self._requests.maxPipeline)
            if peer.outstanding:
                snubs, lost = peer.overdue(now, self._snubTimeout, self._ledger.blocksPerPiece)
                if snubs:
                    self._ledger.disown(peer)
                if lost:
                    self._ledger.release(peer, lost)
        self._requests.mayDrop = True
        if self._buffers.hungry and self._ledger.partial:
            self._requests.dropIdle()  # another swarm may need the room
        return self.hungry()

    def excuse(self, now: float) -> None:
        """
        Nothing was read from peers for a while, because we could not take more: that they were
        silent until C{now} is not their fault.
        """
        for peer in self._peers:
            peer.lastReceived = now
