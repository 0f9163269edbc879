"""
One torrent's download: whom to ask for what, and what became of it.

This is the front of the package; behind it each file answers one question:

 - L{holdings<twisted_bt.exchange.holdings>}: what the peers have;
 - L{wishes<twisted_bt.exchange.wishes>}: which pieces are here, wanted, free to begin;
 - L{ledger<twisted_bt.exchange.ledger>}: who owes us which block of the pieces under way;
 - L{peerdownload<twisted_bt.exchange.peerdownload>}: how much a peer should owe us;
 - L{requests<twisted_bt.exchange.requests>}: what to ask of a peer next;
 - L{endgame<twisted_bt.exchange.endgame>}: and if everything is asked of others;
 - L{arrivals<twisted_bt.exchange.arrivals>}: what came, and into which piece it goes;
 - L{verdicts<twisted_bt.exchange.verdicts>}: what becomes of a piece that is whole;
 - L{suspects<twisted_bt.exchange.suspects>}: who lied, when a piece is corrupt.

Nothing in it reads a clock: C{now} is in seconds, of one clock that does not go back.  BEP 3, 6, 54.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from bitarray import bitarray
from bitarray.util import zeros

from twisted_bt.exchange.arrivals import Arrival, Arrivals
from twisted_bt.exchange.availability import Availability
from twisted_bt.exchange.buffers import PieceBuffers
from twisted_bt.exchange.holdings import Holdings
from twisted_bt.exchange.ledger import Ledger
from twisted_bt.exchange.peerdownload import REFUSES_FOR, PeerDownload
from twisted_bt.exchange.requests import Requests
from twisted_bt.exchange.suspects import Suspects
from twisted_bt.exchange.verdicts import Verdicts
from twisted_bt.exchange.wishes import Wishes
from twisted_bt.interfaces import Buffer, IPiecePicker, Random
from twisted_bt.torrent.pieces import Block, PieceLayout


class Download:
    """
    @param have: the pieces that are here (copied).
    @param picker: chooses which piece to begin next.
    @param random: decides who comes first.
    @param buffers: where pieces are put together; shared by the downloads of a client.
    @param wanted: the pieces to get; C{None}: all.
    @param maxPipeline: the most blocks asked of a peer at a time.
    @param pipelineSeconds: how much of its measured rate a fast peer should owe us.
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
        self._peers: dict[PeerDownload, None] = {}
        self._wishes = Wishes(layout, have, wanted)
        self._ledger = Ledger(layout, buffers)
        self._suspects = Suspects()
        self._holdings = Holdings(layout, self.availability, self._wishes)
        self._arrivals = Arrivals(layout, self._ledger)
        self._verdicts = Verdicts(self._ledger, self._wishes, self._suspects, self._peers.keys())
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
        self._holdings.nothing(peer)
        peer.late.clear()
        del self._peers[peer]
        self._requests.mayDrop = True

    def peerHasAll(self, peer: PeerDownload) -> None:
        """It has every piece (BEP 6, or a full bitfield)."""
        self._holdings.everything(peer)

    def peerHasNone(self, peer: PeerDownload) -> None:
        """It has nothing (BEP 6)."""
        self._holdings.nothing(peer)

    def peerBitfield(self, peer: PeerDownload, bits: bitarray) -> None:
        """
        It has the pieces in C{bits} (copied) and no others.

        @raise ProtocolError: that is not a bit for each piece.
        """
        self._holdings.only(peer, bits)

    def peerHave(self, peer: PeerDownload, index: int) -> None:
        """
        It has piece C{index} too.

        @raise ProtocolError: there is no such piece.
        """
        self._holdings.more(peer, index)

    def peerLost(self, peer: PeerDownload, index: int) -> None:
        """
        It has piece C{index} no more (BEP 54).

        @raise ProtocolError: there is no such piece.
        """
        if not self._holdings.less(peer, index):
            return
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
            peer.restart(now)

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
        """Whether it has anything that is wanted and not here."""
        return self._holdings.interesting(peer)

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

    def received(self, peer: PeerDownload, blocks: Iterable[tuple[int, int, Buffer]], now: float) -> Arrival:
        """
        C{blocks} came from C{peer}: index, begin and data of each.  The data is copied.

        Any numbers will do.  For the pieces that are whole now see L{takePiece}.
        """
        return self._arrivals.received(peer, blocks, now)

    def rejected(self, peer: PeerDownload, block: Block, now: float) -> bool:
        """
        It will not send C{block} (BEP 6).  Returns whether that was asked of it, ever: a peer that
        rejects what was not breaks the rules.
        """
        asked = self._arrivals.rejected(peer, block)
        if peer.refusing:
            peer.refusedAt = now
        return asked

    def cancels(self) -> list[tuple[PeerDownload, Block]]:
        """Who should be told, once, that a block is not needed any more.  Peers may be gone meanwhile."""
        if not self._ledger.cancels:
            return []
        cancels, self._ledger.cancels = self._ledger.cancels, []
        return cancels

    # ------------------------------------------------------------ whole pieces

    def takePiece(self, index: int) -> memoryview:
        """
        The bytes of a piece that is whole (see L{Arrival}); they may be read until L{pieceVerified},
        L{pieceFailed} or L{pieceReturned} is called for it, one of which must be.

        @raise KeyError: it is not whole.
        """
        return self._verdicts.take(index)

    def pieceVerified(self, index: int) -> frozenset[Hashable]:
        """
        It matched its hash and is stored.

        @return: the keys of peers that sent something else for a block of it before.
        @raise KeyError: it is not whole.
        """
        return self._verdicts.good(index)

    def pieceFailed(self, index: int) -> frozenset[Hashable]:
        """
        It does not match its hash; it will be asked for again.

        @return: the key of its sender, if it was one.
        @raise KeyError: it is not whole.
        """
        return self._verdicts.corrupt(index)

    def pieceReturned(self, index: int) -> None:
        """
        It could not be stored; that is nobody's fault here.  It will be asked for again.

        @raise KeyError: it is not whole.
        """
        self._verdicts.returned(index)

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
        piece = self._ledger.pieces.get(index)
        if piece is not None and piece.left:
            self._ledger.drop(index)
        self._suspects.forget(index)
        self._wishes.arrive(index)

    def lostPiece(self, index: int) -> None:
        """Piece C{index} is not here, although it was thought to be."""
        if not self._wishes.missing[index]:
            self._wishes.lose(index, self._ledger.pieces)
            self._holdings.judge(self._peers)

    def dropPartial(self) -> None:
        """
        Give back the memory of all pieces that are under way, unless they are whole; they will be
        asked for again.
        """
        for index, piece in list(self._ledger.pieces.items()):
            if piece.left:
                self._ledger.drop(index)
                self._wishes.giveBack(index)

    def setWanted(self, bits: bitarray) -> None:
        """
        From now on get the pieces in C{bits} (copied) and no others.  What is under way of others is
        dropped, unless it is whole.
        """
        for index, piece in list(self._ledger.pieces.items()):
            if piece.left and not bits[index]:
                self._ledger.drop(index)
        self._wishes.want(bits, self._ledger.pieces)
        self._holdings.judge(self._peers)

    # ------------------------------------------------------------ time

    def tick(self, now: float) -> list[PeerDownload]:
        """
        To be called about once a second: judges rates, finds who snubs us and which requests were
        lost.  Not while nothing is read from peers: see L{excuse}.

        @return: the peers for which L{nextRequests} should be asked.
        """
        for peer in self._peers:
            peer.adapt(now, self._pipelineSeconds, self._requests.maxPipeline)
            if peer.refusing and now - peer.refusedAt > REFUSES_FOR:
                peer.refusing.clear()
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
