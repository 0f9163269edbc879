"""
Tests for L{twisted_bt.exchange.ledger}: its invariant, under everything that a download goes through.
"""

from __future__ import annotations

import random

from bitarray import bitarray
from bitarray.util import zeros
from twisted.trial.unittest import SynchronousTestCase

from tests.exchange.outcome import Outcome, send
from twisted_bt.exchange.buffers import PieceBuffers
from twisted_bt.exchange.download import Download
from twisted_bt.exchange.peerdownload import PeerDownload
from twisted_bt.exchange.picker import RandomFirst, RarestFirst, Sequential
from twisted_bt.exchange.piece import NOBODY
from twisted_bt.torrent.pieces import BLOCK_LENGTH, Block, PieceLayout

_STORED = (Outcome.PARTIAL, Outcome.COMPLETE)


class Walk:
    """
    A random walk of one download through all that peers, storage and people may do to it.

    @ivar exposed: keys of the peers that were found lying.
    """

    def __init__(self, seed: int) -> None:
        self.random = source = random.Random(seed)
        self.layout = PieceLayout(
            source.choice([5 * 65536 + 1, 40 * 16384, 20 * 40000 + 7, 12345]),
            source.choice([16384, 65536, 40000, 1 << 18]),
        )
        self.content = source.randbytes(self.layout.totalLength)
        self.buffers = PieceBuffers(source.choice([1, 3 * self.layout.pieceLength, 1 << 30]))
        picker = source.choice([RarestFirst(source), RandomFirst(source), Sequential()])
        self.download = Download(
            self.layout,
            zeros(self.layout.pieceCount),
            picker,
            source,
            self.buffers,
            maxPipeline=source.choice([2, 8, 100]),
        )
        self.lying = source.random() < 0.5
        self.now = 0.0
        self.peers: list[PeerDownload] = []
        self.liars: set[int] = set()
        self.exposed: set[object] = set()
        self.storing: list[int] = []
        self.steps = [
            (3, self.addPeer),
            (2, self.removePeer),
            (3, lambda: self.download.peerHave(self.anyPeer(), self.anyPiece())),
            (1, lambda: self.download.peerLost(self.anyPeer(), self.anyPiece())),
            (2, lambda: self.download.peerChoked(self.anyPeer())),
            (3, lambda: self.download.peerUnchoked(self.anyPeer(), self.now)),
            (1, lambda: self.download.allowFast(self.anyPeer(), self.anyPiece())),
            (1, lambda: self.download.suggest(self.anyPeer(), self.anyPiece())),
            (1, lambda: self.download.setWanted(self.anyBits(0.8))),
            (1, lambda: self.download.addHave(self.anyPiece())),
            (2, lambda: self.download.lostPiece(self.anyPiece())),
            (5, self.tick),
            (3, self.reject),
            (30, lambda: self.ask(self.anyPeer())),
            (6, self.store),
            (36, self.send),
        ]

    def anyPeer(self) -> PeerDownload:
        """One of the peers."""
        return self.random.choice(self.peers)

    def anyPiece(self) -> int:
        """One of the pieces."""
        return self.random.randrange(self.layout.pieceCount)

    def anyBits(self, share: float) -> bitarray:
        """About that share of the pieces."""
        return bitarray(self.random.random() < share for _ in range(self.layout.pieceCount))

    def step(self) -> None:
        """Something happens."""
        self.now += self.random.choice([0, 0.01, 0.1, 1, 5])
        if not self.peers:
            self.addPeer()
        weights = [weight for weight, _ in self.steps]
        self.random.choices(self.steps, weights)[0][1]()
        for peer, block in self.download.cancels():
            assert self.layout.block(block.index, block.begin // BLOCK_LENGTH) == block
            assert peer in self.peers

    def addPeer(self) -> None:
        """A peer connects, and may or may not say what it has and unchoke us."""
        source = self.random
        key = len(self.liars) * 1000 + source.randrange(1 << 30)
        peer = self.download.addPeer(key, source.random() < 0.5, source.choice([1, 5, 250]))
        if self.lying and source.random() < 0.3:
            self.liars.add(key)
        self.peers.append(peer)
        kind = source.random()
        if kind < 0.4:
            self.download.peerHasAll(peer)
        elif kind < 0.8:
            self.download.peerBitfield(peer, self.anyBits(0.6))
        if source.random() < 0.8:
            self.download.peerUnchoked(peer, self.now)

    def removePeer(self) -> None:
        """A peer goes."""
        peer = self.peers.pop(self.random.randrange(len(self.peers)))
        self.download.removePeer(peer)

    def tick(self) -> None:
        """A second has passed."""
        for peer in self.download.tick(self.now):
            self.ask(peer)

    def ask(self, peer: PeerDownload) -> None:
        """What is asked of a peer is what may be."""
        before = set(peer.outstanding)
        blocks = self.download.nextRequests(peer, self.now)
        assert len(set(blocks)) == len(blocks)
        for block in blocks:
            number = block.begin // BLOCK_LENGTH
            assert self.layout.block(block.index, number) == block
            assert peer.have[block.index]
            assert self.download.missing[block.index]
            assert not peer.choked or block.index in peer.allowedFast
            assert block.index * self.layout.blocksPerPiece + number not in before
        assert not blocks or len(peer.outstanding) <= peer.reqq

    def blockOf(self, block: int) -> Block:
        """The block with that id."""
        return self.layout.block(*divmod(block, self.layout.blocksPerPiece))

    def reject(self) -> None:
        """A peer rejects a request."""
        peer = self.anyPeer()
        if peer.outstanding:
            block = self.blockOf(self.random.choice(list(peer.outstanding)))
            assert self.download.rejected(peer, block, self.now)

    def send(self) -> None:
        """A block comes, mostly one that is owed, and twice."""
        peer = self.anyPeer()
        pool = list(peer.outstanding) * 3 + list(peer.late)
        if not pool:
            return
        number = self.random.choice(pool)
        owed = number in peer.outstanding
        block = self.blockOf(number)
        start = self.layout.pieceOffset(block.index) + block.begin
        data = self.content[start : start + block.length]
        if peer.key in self.liars and self.random.random() < 0.5:
            data = self.random.randbytes(block.length)
        result = send(self.download, peer, block.index, block.begin, data, self.now)
        assert result in _STORED or (result is Outcome.DUPLICATE and not owed), result
        if result is Outcome.COMPLETE:
            self.storing.append(block.index)
        result = send(self.download, peer, block.index, block.begin, data, self.now)
        assert result is Outcome.UNASKED, result

    def store(self) -> None:
        """A whole piece is hashed, and stored or not; liars are disconnected."""
        if not self.storing:
            return
        index = self.storing.pop(self.random.randrange(len(self.storing)))
        start = self.layout.pieceOffset(index)
        right = self.content[start : start + self.layout.pieceSize(index)]
        liars: frozenset[object] = frozenset()
        if self.random.random() < 0.1:
            self.download.pieceReturned(index)
        elif self.download.takePiece(index) == right:
            liars = self.download.pieceVerified(index)
            assert not self.download.missing[index]
        else:
            liars = self.download.pieceFailed(index)
        assert liars <= self.liars, "the innocent is blamed"
        self.exposed |= liars
        for peer in [peer for peer in self.peers if peer.key in liars]:
            self.peers.remove(peer)
            self.download.removePeer(peer)

    def check(self) -> None:
        """The invariant holds."""
        download, ledger, wishes = self.download, self.download._ledger, self.download._wishes
        owed: dict[int, set[PeerDownload]] = {}
        for peer in self.peers:
            assert not peer.outstanding.keys() & peer.late.keys()
            times = list(peer.outstanding.values())
            assert times == sorted(times)
            for block in peer.outstanding:
                owed.setdefault(block, set()).add(peer)
        for index, piece in ledger.pieces.items():
            free = set(piece.free)
            assert piece.free == sorted(free, reverse=True)
            here = 0
            for number, (askers, sender) in enumerate(zip(piece.askers, piece.senders, strict=True)):
                states = [number in free, bool(askers), sender is not NOBODY]
                assert sum(states) == 1, (index, number, states)
                here += states[2]
                assert owed.pop(piece.base + number, set()) == set(askers)
                assert len(askers) != 1 or askers is askers[0].alone
            assert piece.left == piece.last + 1 - here
            assert piece.owner is None or (piece.solo and piece.owner in self.peers)
        assert not owed, "asked for pieces that are not under way"
        assert set(ledger.partial) == {i for i, piece in ledger.pieces.items() if piece.free}
        lent = sorted(id(piece.buffer) for piece in ledger.pieces.values())
        assert lent == sorted(self.buffers._lent)
        assert self.buffers.out == sum(len(piece.buffer) for piece in ledger.pieces.values())
        fresh = wishes.needed.copy()
        for index in ledger.pieces:
            fresh[index] = 0
        assert fresh == wishes.fresh
        assert fresh.count() == wishes.freshCount
        assert wishes.remaining == self.layout.bytesIn(wishes.needed)
        for peer in self.peers:
            assert download.interesting(peer) == (peer.have & wishes.needed).any()
        for index in range(self.layout.pieceCount):
            assert download.availability.count(index) == sum(peer.have[index] for peer in self.peers)


class LedgerTests(SynchronousTestCase):
    """Each missing block is in one state, and each buffer in one piece, whatever happens."""

    def test_invariant(self) -> None:
        """It holds after every step of random walks; no innocent is blamed, and liars are found."""
        exposed = 0
        for seed in range(25):
            walk = Walk(seed)
            for _ in range(400):
                walk.step()
                walk.check()
            exposed += len(walk.exposed)
        self.assertGreater(exposed, 5)  # or the walks do not go where they should

    def test_nothingLeaks(self) -> None:
        """When all peers are gone nobody owes anything, and a tick drops what nobody can continue."""
        for seed in range(40):
            walk = Walk(1000 + seed)
            for _ in range(300):
                walk.step()
            while walk.peers:
                walk.removePeer()
                walk.check()
            for index in walk.storing:
                walk.download.pieceReturned(index)
            while walk.buffers.out:
                before = walk.buffers.out
                walk.buffers.budget = 0
                self.assertIsNone(walk.buffers.take(1))
                walk.download.tick(walk.now)
                self.assertLess(walk.buffers.out, before)
            walk.check()
