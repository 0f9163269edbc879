"""
A download on its own, with peers that a test makes say this and that.
"""

from __future__ import annotations

import random
from collections.abc import Hashable
from functools import cached_property

from bitarray import bitarray
from bitarray.util import zeros

from tests.exchange.outcome import Outcome, send
from twisted_bt.exchange.buffers import PieceBuffers
from twisted_bt.exchange.download import Download
from twisted_bt.exchange.peerdownload import PeerDownload
from twisted_bt.exchange.picker import Sequential
from twisted_bt.interfaces import IPiecePicker
from twisted_bt.torrent.pieces import BLOCK_LENGTH, Block, PieceLayout


class Scene:
    """
    A download, its content, and a clock that the test moves.

    @ivar blocks: blocks per piece.
    """

    def __init__(
        self,
        pieces: int = 4,
        blocks: int = 4,
        tail: int = 0,
        budget: int = 1 << 30,
        picker: IPiecePicker | None = None,
        maxPipeline: int = 500,
        wanted: bitarray | None = None,
        have: bitarray | None = None,
    ) -> None:
        length = blocks * BLOCK_LENGTH
        self.layout = PieceLayout(pieces * length + tail, length)
        self.buffers = PieceBuffers(budget)
        self.now = 1000.0
        self.download = Download(
            self.layout,
            zeros(self.layout.pieceCount) if have is None else have,
            Sequential() if picker is None else picker,
            random.Random(1),
            self.buffers,
            maxPipeline=maxPipeline,
            wanted=wanted,
        )

    @cached_property
    def content(self) -> bytes:
        """What the pieces are made of."""
        return random.Random(9).randbytes(self.layout.totalLength)

    def peer(self, key: Hashable, has: str | None = None, fast: bool = True, reqq: int = 250) -> PeerDownload:
        """A peer that does not choke us and has everything, or the pieces in C{has}."""
        peer = self.download.addPeer(key, fast, reqq)
        if has is None:
            self.download.peerHasAll(peer)
        else:
            self.download.peerBitfield(peer, bitarray(has))
        self.download.peerUnchoked(peer, self.now)
        return peer

    def ask(self, peer: PeerDownload) -> list[Block]:
        """What to ask of C{peer} now."""
        return self.download.nextRequests(peer, self.now)

    def data(self, block: Block) -> bytes:
        """The content of C{block}."""
        start = self.layout.pieceOffset(block.index) + block.begin
        return self.content[start : start + block.length]

    def send(self, peer: PeerDownload, block: Block, data: bytes | None = None) -> Outcome:
        """C{block} comes from C{peer}."""
        content = self.data(block) if data is None else data
        return send(self.download, peer, block.index, block.begin, memoryview(content), self.now)

    def lie(self, peer: PeerDownload, block: Block) -> Outcome:
        """C{block} comes from C{peer}, and is wrong."""
        return self.send(peer, block, bytes(block.length))

    def judge(self, index: int) -> frozenset[Hashable]:
        """Check a whole piece as the storage would; returns the liars."""
        start = self.layout.pieceOffset(index)
        right = self.content[start : start + self.layout.pieceSize(index)]
        if self.download.takePiece(index) == right:
            return self.download.pieceVerified(index)
        return self.download.pieceFailed(index)

    def serve(self, *peers: PeerDownload, rounds: int = 10_000) -> None:
        """Peers send what is asked of them, one block each in turn, until nothing is asked any more."""
        owed: dict[PeerDownload, list[Block]] = {peer: [] for peer in peers}
        for _ in range(rounds):
            self.now += 0.01
            idle = True
            for peer, blocks in owed.items():
                blocks += self.ask(peer)
                if blocks:
                    idle = False
                    block = blocks.pop(0)
                    if self.send(peer, block) is Outcome.COMPLETE:
                        self.judge(block.index)
                for other, block in self.download.cancels():
                    owed[other].remove(block)
            if idle:
                return
        raise AssertionError("there is no end to it")
