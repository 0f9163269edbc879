"""Tests for L{twisted_bt.exchange.download} and what it is made of, as a swarm uses it."""

from __future__ import annotations

import random
from collections.abc import Hashable
from functools import cached_property

from bitarray import bitarray
from bitarray.util import ones, zeros
from twisted.trial.unittest import SynchronousTestCase

from tests.exchange.outcome import Outcome, send
from twisted_bt.errors import ProtocolError
from twisted_bt.exchange.buffers import PieceBuffers
from twisted_bt.exchange.download import Download
from twisted_bt.exchange.peerdownload import MIN_PIPELINE, REFUSES_FOR, PeerDownload
from twisted_bt.exchange.picker import RarestFirst, Sequential
from twisted_bt.interfaces import Buffer, IPiecePicker
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


class WholeDownloadTests(SynchronousTestCase):
    """From nothing to everything."""

    def check(self, scene: Scene, *peers: PeerDownload) -> None:
        """All is here, and nothing was left behind."""
        scene.serve(*peers)
        download = scene.download
        self.assertTrue(download.complete)
        self.assertEqual((download.remaining, scene.buffers.out), (0, 0))
        self.assertFalse(download.missing.any())
        self.assertFalse(download.inEndgame)
        self.assertFalse(any(peer.outstanding for peer in peers))
        self.assertFalse(any(download.interesting(peer) for peer in peers))

    def test_onePeer(self) -> None:
        """One seed is enough, and nothing comes twice."""
        for tail in (0, 1, BLOCK_LENGTH, BLOCK_LENGTH + 1):
            scene = Scene(pieces=50, tail=tail)
            self.check(scene, scene.peer("a"))
            self.assertEqual(scene.download.wasted, 0)

    def test_manyPeers(self) -> None:
        """Peers that have parts complete each other."""
        scene = Scene(pieces=40, picker=RarestFirst(random.Random(2)))
        self.check(
            scene,
            scene.peer("a", "1" * 20 + "0" * 20),
            scene.peer("b", "0" * 10 + "1" * 30),
            scene.peer("c", "10" * 20, fast=False),
        )

    def test_tinyBudget(self) -> None:
        """With memory for one piece at a time it is slow but gets there."""
        scene = Scene(pieces=20, budget=1)
        self.check(scene, scene.peer("a"), scene.peer("b"))

    def test_tinyContent(self) -> None:
        """One byte is a torrent too."""
        scene = Scene(pieces=0, tail=1)
        self.check(scene, scene.peer("a"))

    def test_resumed(self) -> None:
        """Pieces that are here are not asked for."""
        scene = Scene(pieces=4, have=bitarray("1010"))
        self.assertEqual(scene.download.remaining, 2 * 4 * BLOCK_LENGTH)
        asked = set()
        peer = scene.peer("a")
        while blocks := scene.ask(peer):
            asked |= {block.index for block in blocks}
            for block in blocks:
                scene.send(peer, block)
        self.assertEqual(asked, {1, 3})


class PipelineTests(SynchronousTestCase):
    """How much is asked of a peer at a time."""

    def test_startsSmall(self) -> None:
        """A new peer is asked for few blocks, in order."""
        scene = Scene()
        self.assertEqual(scene.ask(scene.peer("a")), [scene.layout.block(0, n) for n in range(MIN_PIPELINE)])

    def test_batches(self) -> None:
        """Nothing more is asked until a quarter of the pipeline is free; then it is all at once."""
        scene = Scene(blocks=64)
        peer = scene.peer("a")
        peer.slowStart = False
        peer.target = 16
        blocks = scene.ask(peer)
        self.assertEqual(len(blocks), 16)
        for block in blocks[:4]:
            scene.send(peer, block)
            asked = scene.ask(peer) if block is not blocks[3] else []
            self.assertEqual(asked, [])
        scene.send(peer, blocks[4])
        self.assertEqual(len(scene.ask(peer)), 5)

    def test_slowStart(self) -> None:
        """Each block that comes makes room for two, so the pipeline doubles with each round trip."""
        scene = Scene(blocks=256)
        peer = scene.peer("a")
        lengths = []
        for _ in range(5):
            for block in scene.ask(peer):
                scene.send(peer, block)
            lengths.append(peer.target)
        self.assertEqual(lengths, [8, 16, 32, 64, 128])

    def test_threeSecondsOfTheRate(self) -> None:
        """Once the rate grows no more, three seconds of it are kept asked for."""
        scene = Scene(pieces=8, blocks=64)
        peer = scene.peer("a")
        owed: list[Block] = []
        for _ in range(30):
            for _ in range(10):  # ten blocks a second
                owed += scene.ask(peer)
                scene.send(peer, owed.pop(0))
                scene.now += 0.1
            scene.download.tick(scene.now)
        self.assertTrue(28 <= peer.target <= 34, peer.target)

    def test_limits(self) -> None:
        """Neither what the peer keeps nor our own limit is passed, however fast it is."""
        for reqq, limit in ((10, 500), (250, 20)):
            scene = Scene(pieces=100, maxPipeline=limit)
            peer = scene.peer("a", reqq=reqq)
            owed: list[Block] = []
            for _ in range(300):
                owed += scene.ask(peer)
                self.assertLessEqual(len(peer.outstanding), min(reqq, limit))
                scene.send(peer, owed.pop(0))
            self.assertGreater(peer.target, min(reqq, limit))
            scene.download.tick(scene.now)
            self.assertLessEqual(len(scene.ask(peer)), min(reqq, limit))

    def test_choked(self) -> None:
        """A peer that chokes us is asked for nothing."""
        scene = Scene()
        peer = scene.download.addPeer("a", True)
        scene.download.peerHasAll(peer)
        self.assertEqual(scene.ask(peer), [])

    def test_allowedFast(self) -> None:
        """But for pieces it allows, if it has them (BEP 6)."""
        scene = Scene()
        peer = scene.download.addPeer("a", True)
        scene.download.peerBitfield(peer, bitarray("0111"))
        for index in (0, 2):
            scene.download.allowFast(peer, index)
        self.assertEqual(scene.ask(peer), list(scene.layout.blocks(2)))

    def test_allowedFastIsBounded(self) -> None:
        """A peer that allows everything does not fill our memory."""
        scene = Scene(pieces=1000)
        peer = scene.peer("a")
        for index in range(1000):
            scene.download.allowFast(peer, index)
            scene.download.suggest(peer, index)
        self.assertLessEqual(len(peer.allowedFast), 256)
        self.assertLessEqual(len(peer.suggested), 16)


class ChoiceTests(SynchronousTestCase):
    """Which blocks are asked for."""

    def test_sharesPieces(self) -> None:
        """What is begun is finished first: a second peer joins in."""
        scene = Scene(blocks=8)
        first, second = scene.peer("a"), scene.peer("b")
        self.assertEqual({b.index for b in scene.ask(first) + scene.ask(second)}, {0})

    def test_staysWithItsPiece(self) -> None:
        """A peer goes on with its own piece before it helps with another."""
        scene = Scene(blocks=8)
        first, second = scene.peer("a", "0110"), scene.peer("b", "1000")
        own = scene.ask(second)
        scene.ask(first)
        scene.download.peerHasAll(second)
        for block in own:
            scene.send(second, block)
        self.assertEqual([b.index for b in scene.ask(second)[:4]], [0] * 4)

    def test_suggestion(self) -> None:
        """A suggested piece is begun first (BEP 6), unless the picker goes by order."""
        for picker, index in ((RarestFirst(random.Random(1)), 2), (Sequential(), 0)):
            scene = Scene(picker=picker)
            peer = scene.peer("a")
            scene.download.suggest(peer, 2)
            self.assertEqual({b.index for b in scene.ask(peer)}, {index})

    def test_suggestionBeforeBegun(self) -> None:
        """
        What a peer suggests comes before pieces that others began: those may be got from others, too, while
        what a seeder sends of them it could have sent of what only it has.
        """
        scene = Scene(blocks=8, picker=RarestFirst(random.Random(1)))
        (begun,) = {block.index for block in scene.ask(scene.peer("a"))}
        suggested = (begun + 1) % 4
        seeder = scene.peer("seeder")
        seeder.target = 12
        scene.download.suggest(seeder, suggested)
        asked = [block.index for block in scene.ask(seeder)]
        self.assertEqual(asked, [suggested] * 8 + [begun] * 4)

    def test_wanted(self) -> None:
        """Only what is wanted is asked for, and once that is here the download is complete."""
        scene = Scene(wanted=bitarray("0100"))
        peer = scene.peer("a")
        blocks = scene.ask(peer)
        self.assertEqual({b.index for b in blocks}, {1})
        for block in blocks:
            scene.send(peer, block)
        self.assertFalse(scene.download.complete)
        scene.judge(1)
        self.assertTrue(scene.download.complete)
        self.assertEqual(scene.download.missing, bitarray("1011"))

    def test_wantedChanges(self) -> None:
        """What is wanted no more is cancelled and its memory given back; what is wanted now is asked for."""
        scene = Scene()
        peer = scene.peer("a")
        blocks = scene.ask(peer)
        scene.download.setWanted(bitarray("0001"))
        self.assertEqual(scene.download.cancels(), [(peer, block) for block in blocks])
        self.assertEqual((scene.buffers.out, dict(peer.outstanding)), (0, {}))
        self.assertEqual({b.index for b in scene.ask(peer)}, {3})

    def test_badPicker(self) -> None:
        """A picker that picks what is no candidate is told so, rather than obeyed."""

        class Wrong(Sequential):
            def pick(self, candidates: bitarray, availability: object) -> int | None:
                return 0

        scene = Scene(picker=Wrong(), have=bitarray("1000"))
        self.assertRaises(ValueError, scene.ask, scene.peer("a"))

    def test_pickerThatDeclines(self) -> None:
        """Where the picker begins nothing, nothing is asked and no memory is held."""

        class Idle(Sequential):
            def pick(self, candidates: bitarray, availability: object) -> int | None:
                return None

        scene = Scene(picker=Idle())
        self.assertEqual(scene.ask(scene.peer("a")), [])
        self.assertEqual(scene.buffers.out, 0)


class InterestTests(SynchronousTestCase):
    """Whether a peer has what we need."""

    def test_follows(self) -> None:
        """Interest comes with a have and goes when that piece is here, lost or not wanted."""
        scene = Scene(have=bitarray("0011"))
        download = scene.download
        peer = download.addPeer("a", True)
        self.assertFalse(download.interesting(peer))
        download.peerHave(peer, 2)
        self.assertFalse(download.interesting(peer))
        download.peerHave(peer, 1)
        self.assertTrue(download.interesting(peer))
        download.peerLost(peer, 1)
        self.assertFalse(download.interesting(peer))
        download.peerHave(peer, 0)
        download.addHave(0)
        self.assertFalse(download.interesting(peer))
        download.lostPiece(2)
        self.assertTrue(download.interesting(peer))
        download.setWanted(bitarray("1100"))
        self.assertFalse(download.interesting(peer))
        download.peerHasAll(peer)
        self.assertTrue(download.interesting(peer))
        download.peerHasNone(peer)
        self.assertFalse(download.interesting(peer))

    def test_badNumbers(self) -> None:
        """Pieces there are not, and bitfields of another torrent, break the protocol."""
        scene = Scene(pieces=4)
        peer = scene.download.addPeer("a", True)
        for method in (
            scene.download.peerHave,
            scene.download.peerLost,
            scene.download.allowFast,
            scene.download.suggest,
        ):
            for index in (4, 2**32 - 1):
                self.assertRaises(ProtocolError, method, peer, index)
        for length in (0, 3, 5, 8):
            self.assertRaises(ProtocolError, scene.download.peerBitfield, peer, ones(length))

    def test_bitfieldIsCopied(self) -> None:
        """What is done to a bitfield later is not done to the peer."""
        scene = Scene()
        bits = bitarray("1000")
        peer = scene.download.addPeer("a", True)
        scene.download.peerBitfield(peer, bits)
        bits.setall(1)
        scene.download.peerHave(peer, 1)
        self.assertEqual(peer.have, bitarray("1100"))

    def test_seedThatLosesAPiece(self) -> None:
        """A seed may lose a piece (BEP 54); other seeds do not."""
        scene = Scene()
        one, other = scene.peer("a"), scene.peer("b")
        scene.download.peerLost(one, 2)
        self.assertEqual((one.have, other.have), (bitarray("1101"), bitarray("1111")))
        self.assertEqual([scene.download.availability.count(i) for i in range(4)], [2, 2, 1, 2])


class ReceivingTests(SynchronousTestCase):
    """What a block turns out to be."""

    def test_partsAndWhole(self) -> None:
        """All but the last block are partial, and the piece reads as it was sent."""
        scene = Scene(pieces=1, tail=100)
        peer = scene.peer("a")
        results = [scene.send(peer, block) for block in scene.ask(peer)]
        self.assertEqual(results, [Outcome.PARTIAL] * 3 + [Outcome.COMPLETE])
        self.assertEqual(scene.download.takePiece(0), scene.content[: 4 * BLOCK_LENGTH])
        self.assertEqual(scene.download.pieceVerified(0), frozenset())
        (block,) = scene.ask(peer)
        self.assertEqual(block, Block(1, 0, 100))
        self.assertEqual(scene.send(peer, block), Outcome.COMPLETE)
        self.assertEqual(scene.download.takePiece(1), scene.content[-100:])

    def test_unasked(self) -> None:
        """What was not asked of this peer, or is no such block, is not stored."""
        scene = Scene(pieces=2, tail=100)
        peer, other = scene.peer("a"), scene.peer("b")
        (block, *_) = scene.ask(peer)
        full = bytes(BLOCK_LENGTH)
        for index, begin, data in (
            (0, 0, full[:-1]),
            (0, 0, full + b"x"),
            (0, 0, b""),
            (0, 1, full),
            (0, 4 * BLOCK_LENGTH, full),  # by its id this would be block 0 of piece 1
            (1, 0, full),
            (2, 0, full),
            (3, 0, full),
            (2**32 - 1, 2**32 - 1, full),
        ):
            result = send(scene.download, peer, index, begin, data, scene.now)
            self.assertEqual(result, Outcome.UNASKED, (index, begin, len(data)))
        self.assertEqual(scene.send(other, block), Outcome.UNASKED)
        self.assertEqual(scene.send(peer, block), Outcome.PARTIAL)
        self.assertEqual(scene.send(peer, block), Outcome.UNASKED)
        self.assertEqual(peer.rate.total, BLOCK_LENGTH)

    def test_run(self) -> None:
        """Of blocks that come together each is judged by itself; pieces that are whole are named in order."""
        scene = Scene(pieces=2, tail=100)
        peer = scene.peer("a")
        peer.target = 100
        asked = scene.ask(peer)
        self.assertEqual(len(asked), 9)
        first, second = asked[0], asked[4]
        run: list[tuple[int, int, Buffer]] = [
            (each.index, each.begin, scene.data(each)) for each in asked[:8]
        ]
        run.insert(3, (7, 0, b"nothing"))
        run.append(run[0])
        arrival = scene.download.received(peer, run, scene.now)
        self.assertEqual(arrival.completed, [first.index, second.index])
        self.assertEqual(arrival.stored, sum(each.length for each in asked[:8]))
        self.assertEqual((arrival.unasked, arrival.duplicate), (7 + first.length, 0))
        self.assertEqual(arrival.size, sum(len(data) for _, _, data in run))
        self.assertEqual(list(peer.outstanding.values()), [scene.now])
        self.assertEqual(peer.rate.total, arrival.stored)
        for index in arrival.completed:
            self.assertEqual(scene.judge(index), frozenset())

    def test_lateAfterChoke(self) -> None:
        """A block that was under way when a choke dropped the requests is welcome, once."""
        scene = Scene()
        peer = scene.peer("a", fast=False)
        (block, *_) = scene.ask(peer)
        scene.download.peerChoked(peer)
        self.assertEqual(peer.outstanding, {})
        self.assertEqual(scene.send(peer, block), Outcome.PARTIAL)
        self.assertEqual(scene.send(peer, block), Outcome.UNASKED)

    def test_lateAndHere(self) -> None:
        """If somebody else sent it meanwhile it is a duplicate, and wasted."""
        scene = Scene()
        peer = scene.peer("a", fast=False)
        (block, *_) = scene.ask(peer)
        scene.download.peerChoked(peer)
        other = scene.peer("b")
        self.assertIn(block, scene.ask(other))
        scene.send(other, block)
        self.assertEqual(scene.send(peer, block), Outcome.DUPLICATE)
        self.assertEqual(scene.download.wasted, BLOCK_LENGTH)

    def test_lateFirst(self) -> None:
        """If it is asked of somebody else meanwhile, that is cancelled."""
        scene = Scene()
        peer = scene.peer("a", fast=False)
        (block, *_) = scene.ask(peer)
        scene.download.peerChoked(peer)
        other = scene.peer("b")
        scene.ask(other)
        self.assertEqual(scene.send(peer, block), Outcome.PARTIAL)
        self.assertEqual(scene.download.cancels(), [(other, block)])
        self.assertEqual(scene.download.cancels(), [])

    def test_lateIsBounded(self) -> None:
        """A peer that chokes and unchokes all the time makes us remember no more than so much."""
        scene = Scene(pieces=500, blocks=64)
        peer = scene.peer("a", fast=False, reqq=500)
        for _ in range(20):
            peer.target = 500
            asked = scene.ask(peer)
            scene.download.peerChoked(peer)
            for index in {block.index for block in asked}:
                scene.download.addHave(index)
            scene.download.peerUnchoked(peer, scene.now)
        self.assertEqual(len(peer.late), 2048)

    def test_fastChoke(self) -> None:
        """With BEP 6 a choke leaves requests standing until they are rejected."""
        scene = Scene()
        peer, other = scene.peer("a"), scene.peer("b")
        blocks = scene.ask(peer)
        scene.download.peerChoked(peer)
        self.assertEqual(scene.send(peer, blocks[0]), Outcome.PARTIAL)
        self.assertNotIn(blocks[1], scene.ask(other))
        self.assertTrue(scene.download.rejected(peer, blocks[1], scene.now))
        self.assertFalse(scene.download.rejected(peer, blocks[1], scene.now))
        for block in list(scene.layout.blocks(1)):
            scene.send(other, block)
        self.assertIn(blocks[1], scene.ask(other))

    def test_rejectsThatWereNotAsked(self) -> None:
        """Rejecting what was never asked is the peer's fault, whatever the numbers."""
        scene = Scene(pieces=2, tail=100)
        peer = scene.peer("a")
        scene.ask(peer)
        for block in (
            scene.layout.block(1, 0),
            Block(0, 0, 5),
            Block(0, 1, BLOCK_LENGTH),
            Block(0, 4 * BLOCK_LENGTH, BLOCK_LENGTH),
            Block(2, BLOCK_LENGTH, BLOCK_LENGTH),
            Block(9, 0, BLOCK_LENGTH),
        ):
            self.assertFalse(scene.download.rejected(peer, block, scene.now))

    def test_rejectingWhileUnchoked(self) -> None:
        """A piece that a peer rejects is not asked of it again and again, until it unchokes us anew."""
        scene = Scene(pieces=1)
        peer = scene.peer("a")
        for block in scene.ask(peer):
            scene.download.rejected(peer, block, scene.now)
        self.assertEqual(scene.ask(peer), [])
        scene.download.peerChoked(peer)
        scene.download.peerUnchoked(peer, scene.now)
        self.assertEqual(len(scene.ask(peer)), 4)

    def test_rejectedPieceBegunAnew(self) -> None:
        """Nor is such a piece asked of it when it has to be begun anew."""
        scene = Scene(pieces=1)
        peer, other = scene.peer("a"), scene.peer("b")
        for block in scene.ask(peer):
            scene.download.rejected(peer, block, scene.now)
        for block in scene.ask(other):
            scene.lie(other, block)
        self.assertEqual(scene.judge(0), {"b"})
        self.assertEqual(scene.ask(peer), [])
        self.assertEqual(len(scene.ask(scene.peer("c"))), 4)

    def test_rejectingAllowedFast(self) -> None:
        """A piece that is rejected though it was allowed is allowed no more."""
        scene = Scene()
        peer = scene.download.addPeer("a", True)
        scene.download.peerHasAll(peer)
        scene.download.allowFast(peer, 1)
        for block in scene.ask(peer):
            scene.download.rejected(peer, block, scene.now)
        self.assertEqual(scene.ask(peer), [])

    def test_removed(self) -> None:
        """What a peer owed when it went is asked of others, and what still comes of it is unasked."""
        scene = Scene()
        peer = scene.peer("a")
        blocks = scene.ask(peer)
        scene.download.removePeer(peer)
        scene.download.removePeer(peer)
        self.assertEqual(scene.send(peer, blocks[0]), Outcome.UNASKED)
        self.assertEqual([scene.download.availability.count(i) for i in range(4)], [0] * 4)
        self.assertEqual(scene.ask(scene.peer("b")), blocks)


class WholePieceTests(SynchronousTestCase):
    """What becomes of a piece that is all here."""

    def whole(self, scene: Scene, peer: PeerDownload) -> int:
        """A whole piece from C{peer}."""
        blocks = scene.ask(peer)
        results = [scene.send(peer, block) for block in blocks]
        assert results[-1] is Outcome.COMPLETE
        return blocks[0].index

    def test_verified(self) -> None:
        """A good piece is missing no more, and its memory is free."""
        scene = Scene()
        index = self.whole(scene, scene.peer("a"))
        self.assertTrue(scene.download.missing[index])
        self.assertEqual(scene.judge(index), frozenset())
        self.assertFalse(scene.download.missing[index])
        self.assertEqual(scene.buffers.out, 0)

    def test_notTwice(self) -> None:
        """While it waits to be stored it is not asked for again."""
        scene = Scene(pieces=1)
        peer = scene.peer("a")
        self.whole(scene, peer)
        self.assertEqual(scene.ask(peer), [])

    def test_returned(self) -> None:
        """A piece that could not be stored is asked for again, and nobody is to blame."""
        scene = Scene(pieces=1)
        peer = scene.peer("a")
        index = self.whole(scene, peer)
        scene.download.pieceReturned(index)
        self.assertEqual(scene.buffers.out, 0)
        self.assertEqual(len(scene.ask(peer)), 4)

    def test_notWhole(self) -> None:
        """A piece that is not whole can be neither taken nor judged."""
        scene = Scene()
        scene.ask(scene.peer("a"))
        for index in (0, 3):
            for method in (
                scene.download.takePiece,
                scene.download.pieceVerified,
                scene.download.pieceFailed,
                scene.download.pieceReturned,
            ):
                self.assertRaises(KeyError, method, index)

    def test_foundWhileStoring(self) -> None:
        """A piece may be found elsewhere, or be wanted no more, while it is being stored."""
        for verified in (True, False):
            scene = Scene(pieces=2)
            index = self.whole(scene, scene.peer("a"))
            scene.download.addHave(index)
            scene.download.setWanted(bitarray("01"))
            if verified:
                scene.download.pieceVerified(index)
            else:
                scene.download.pieceFailed(index)
            self.assertEqual(scene.download.missing, bitarray("01"))
            self.assertEqual(scene.buffers.out, 0)


class LiarTests(SynchronousTestCase):
    """Who lied."""

    def test_single(self) -> None:
        """The only sender of a corrupt piece is to blame at once, and is asked for nothing more."""
        scene = Scene(pieces=2)
        liar = scene.peer("liar")
        blocks = scene.ask(liar)
        for block in blocks:
            scene.lie(liar, block)
        self.assertEqual(scene.judge(0), {"liar"})
        self.assertEqual(scene.ask(liar), [])
        scene.download.tick(scene.now + 1)
        self.assertEqual(scene.ask(liar), [])
        self.assertEqual(scene.download.wasted, scene.layout.pieceLength)
        self.assertEqual(scene.ask(scene.peer("b")), blocks)

    def corruptPiece(self, scene: Scene) -> tuple[PeerDownload, PeerDownload]:
        """The one piece comes from two, half from each, and the second lies about one block."""
        honest, liar = scene.peer("honest"), scene.peer("liar")
        ours, theirs = scene.ask(honest), scene.ask(liar)
        assert ours
        assert theirs
        for block in ours:
            scene.send(honest, block)
        scene.lie(liar, theirs[0])
        for block in theirs[1:]:
            scene.send(liar, block)
        return honest, liar

    def test_comparison(self) -> None:
        """Of several senders nobody is blamed until a good version shows who sent something else."""
        scene = Scene(pieces=1, blocks=8)
        honest, _ = self.corruptPiece(scene)
        self.assertEqual(scene.judge(0), frozenset())
        other = scene.peer("other")
        blocks = scene.ask(other)
        while blocks:
            for block in blocks:
                scene.send(other, block)
            blocks = scene.ask(other)
        self.assertEqual(scene.judge(0), {"liar"})
        self.assertTrue(scene.download.complete)
        self.assertFalse(honest.liar)

    def test_oneAtATime(self) -> None:
        """A piece that was corrupt is asked of one peer alone; when that is gone another goes on."""
        scene = Scene(pieces=1, blocks=32)
        honest, liar = scene.peer("honest"), scene.peer("liar")
        while not scene.download._ledger.pieces or scene.download._ledger.pieces[0].left:
            for block in scene.ask(honest):
                scene.send(honest, block)
            for block in scene.ask(liar):
                scene.lie(liar, block)
        self.assertEqual(scene.judge(0), frozenset())
        other = scene.peer("other")
        self.assertEqual(len(scene.ask(other)), MIN_PIPELINE)
        self.assertEqual(scene.ask(honest), [])
        scene.download.peerChoked(other)
        self.assertGreater(len(scene.ask(honest)), 0)

    def test_othersFirst(self) -> None:
        """Who had a part in a corrupt piece rather begins another; if that is all there is, that one."""
        scene = Scene(pieces=2, blocks=8)
        honest, _ = self.corruptPiece(scene)
        self.assertEqual(scene.judge(0), frozenset())
        self.assertEqual({block.index for block in scene.ask(honest)}, {1})
        scene.download.addHave(1)
        self.assertEqual({block.index for block in scene.ask(honest)}, {0})

    def test_liarAlone(self) -> None:
        """A liar that gets the piece for itself is caught in the act."""
        scene = Scene(pieces=1, blocks=8)
        honest, liar = self.corruptPiece(scene)
        scene.judge(0)
        scene.download.removePeer(honest)
        while blocks := scene.ask(liar):
            for block in blocks:
                scene.lie(liar, block)
        self.assertEqual(scene.judge(0), {"liar"})

    def test_otherPiecesOfALiar(self) -> None:
        """What a liar sent of other pieces is not waited for to fail: it is asked for again."""
        scene = Scene(pieces=2, blocks=8)
        liar, other = scene.peer("liar", "10"), scene.peer("other", "01")
        while blocks := scene.ask(liar):
            for block in blocks:
                scene.lie(liar, block)
        scene.download.peerHave(liar, 1)
        owed = scene.ask(other)
        (wrong, *_) = scene.ask(liar)
        scene.lie(liar, wrong)
        self.assertEqual(scene.judge(0), {"liar"})
        while owed:
            for block in owed:
                scene.send(other, block)
            owed = scene.ask(other)
        self.assertEqual(scene.judge(1), frozenset())
        self.assertEqual(scene.download.wasted, 9 * BLOCK_LENGTH)


class ParoleTests(SynchronousTestCase):
    """Who had a part in a piece that was wrong works alone until it is known to be honest."""

    def scene(self) -> tuple[Scene, PeerDownload, PeerDownload]:
        """Five pieces; the first was wrong, and of two."""
        scene = Scene(pieces=5, blocks=8)
        both = scene.peer("honest"), scene.peer("liar")
        for number, block in enumerate([*scene.ask(both[0]), *scene.ask(both[1])]):
            (scene.send if number < 4 else scene.lie)(both[number >= 4], block)
        self.assertEqual(scene.judge(0), frozenset())
        return scene, *both

    def test_caught(self) -> None:
        """The liar begins a piece of its own, and is found with the first."""
        scene, honest, liar = self.scene()
        mine, theirs = scene.ask(honest), scene.ask(liar)
        self.assertNotEqual(mine[0].index, theirs[0].index)
        while theirs:
            for block in theirs:
                scene.lie(liar, block)
            last, theirs = theirs[0].index, scene.ask(liar) if theirs[0].begin == 0 else []
        self.assertEqual(scene.judge(last), {"liar"})
        self.assertFalse(honest.liar)

    def test_acquitted(self) -> None:
        """Who sends a piece of its own that is right works with others again."""
        scene, honest, _ = self.scene()
        self.assertTrue(honest.parole)
        while honest.parole:
            for block in scene.ask(honest):
                if scene.send(honest, block) is Outcome.COMPLETE:
                    scene.judge(block.index)
        (begun,) = {block.index for block in scene.ask(scene.peer("other", "00111"))}
        self.assertIn(begun, {block.index for block in scene.ask(honest)})

    def test_nothingElse(self) -> None:
        """Where there is nothing that it could begin, it works with others all the same."""
        scene, honest, _ = self.scene()
        scene.download.setWanted(bitarray("01000"))
        other = scene.peer("other")
        self.assertEqual(len(scene.ask(other)), 4)
        self.assertEqual({block.index for block in scene.ask(honest)}, {1})

    def test_refused(self) -> None:
        """A piece that who had it alone refuses is open to others at once."""
        scene = Scene(pieces=1, blocks=8)
        first, refuses = scene.peer("first"), scene.peer("refuses")
        refuses.parole = True
        asked = scene.ask(refuses)
        self.assertEqual(scene.ask(first), [])
        for block in asked:
            scene.download.rejected(refuses, block, scene.now)
        self.assertEqual(len(scene.ask(first)), 4)

    def test_rescued(self) -> None:
        """What a silent one has alone goes to who has nothing else to do, all of it."""
        scene = Scene(pieces=1, blocks=8)
        idle, slow = scene.peer("idle"), scene.peer("slow")
        slow.parole = True
        scene.ask(slow)
        self.assertEqual(scene.ask(idle), [])
        scene.now += 6
        self.assertEqual(len(scene.ask(idle)), 4)
        self.assertEqual(scene.ask(slow), [])

    def test_provenFirst(self) -> None:
        """A piece that was wrong is not for who never sent anything, while somebody is there who did."""
        scene, honest, liar = self.scene()
        scene.download.removePeer(liar)
        scene.download.setWanted(bitarray("10000"))
        silent = scene.peer("silent")
        self.assertEqual({block.index for block in scene.ask(silent)}, {0})
        scene.now += 6
        self.assertEqual({block.index for block in scene.ask(honest)}, {0})
        scene.download.peerChoked(honest)
        for block in list(honest.outstanding):
            scene.download.rejected(honest, Block(0, block * BLOCK_LENGTH, BLOCK_LENGTH), scene.now)
        self.assertEqual({block.index for block in scene.ask(silent)}, {0})

    def test_complete(self) -> None:
        """With one liar among three, sharing blocks at random, all is right in the end and the liar known."""
        for seed in range(20):
            source = random.Random(seed)
            scene = Scene(pieces=12, blocks=8, picker=RarestFirst(random.Random(seed)))
            peers = [scene.peer(key) for key in ("a", "b", "liar")]
            owed: dict[PeerDownload, list[Block]] = {peer: [] for peer in peers}
            found: set[Hashable] = set()
            for _ in range(3000):
                scene.now += 0.01
                peer = source.choice(peers)
                if peer.key in found:
                    continue
                owed[peer] += scene.ask(peer)
                if owed[peer]:
                    block = owed[peer].pop(0)
                    bad = peer.key == "liar" and source.random() < 0.3
                    if (scene.lie if bad else scene.send)(peer, block) is Outcome.COMPLETE:
                        found |= scene.judge(block.index)
                for other, block in scene.download.cancels():
                    if block in owed[other]:
                        owed[other].remove(block)
                if scene.download.complete:
                    break
            self.assertTrue(scene.download.complete)
            self.assertEqual(found, {"liar"})


class TimeTests(SynchronousTestCase):
    """Peers that do not answer."""

    def test_refusesForAWhile(self) -> None:
        """Who rejected requests for a piece is asked for it again later: it may have meant earlier ones."""
        scene = Scene(pieces=1, blocks=4)
        peer = scene.peer("a")
        asked = scene.ask(peer)
        for block in asked:
            scene.download.rejected(peer, block, scene.now)
        scene.now += REFUSES_FOR
        scene.download.tick(scene.now)
        self.assertEqual(scene.ask(peer), [])
        scene.now += 1
        scene.download.tick(scene.now)
        self.assertEqual(scene.ask(peer), asked)

    def test_snub(self) -> None:
        """Who owes us blocks and sends none for a minute loses them to others, and is asked for one."""
        scene = Scene(pieces=1)
        peer, other = scene.peer("a"), scene.peer("b")
        blocks = scene.ask(peer)
        scene.now += 59
        scene.download.tick(scene.now)
        self.assertFalse(peer.snubbed)
        scene.now += 1
        self.assertIn(other, scene.download.tick(scene.now))
        self.assertTrue(peer.snubbed)
        self.assertEqual(scene.ask(other), blocks)
        self.assertLessEqual(len(scene.ask(peer)), 1)

    def test_snubEnds(self) -> None:
        """When something comes after all, the peer starts anew."""
        scene = Scene(pieces=2)
        peer = scene.peer("a")
        (block, *_) = scene.ask(peer)
        scene.download.tick(scene.now + 60)
        self.assertEqual(scene.send(peer, block), Outcome.PARTIAL)
        self.assertFalse(peer.snubbed)
        self.assertEqual(peer.target, MIN_PIPELINE)

    def test_slowIsNoSnub(self) -> None:
        """A block every fifty seconds is slow, but no snub."""
        scene = Scene(pieces=1)
        peer = scene.peer("a")
        for block in scene.ask(peer):
            scene.now += 50
            scene.download.tick(scene.now)
            self.assertFalse(peer.snubbed)
            self.assertIn(scene.send(peer, block), (Outcome.PARTIAL, Outcome.COMPLETE))

    def test_idleIsNoSnub(self) -> None:
        """Who was asked for nothing owes nothing, however long; the clock starts with the request."""
        scene = Scene(pieces=1)
        peer = scene.peer("a")
        scene.now += 500
        scene.download.tick(scene.now)
        scene.ask(peer)
        scene.now += 30
        scene.download.tick(scene.now)
        self.assertFalse(peer.snubbed)

    def test_excuse(self) -> None:
        """While we read nothing nobody snubs us."""
        scene = Scene(pieces=1)
        peer = scene.peer("a")
        scene.ask(peer)
        scene.now += 300
        scene.download.excuse(scene.now)
        scene.download.tick(scene.now)
        self.assertFalse(peer.snubbed)

    def test_lostRequest(self) -> None:
        """A request that was passed over for twenty seconds is asked of others, those after it are not."""
        scene = Scene(pieces=10, blocks=8)
        peer = scene.peer("a")
        lost, *owed = scene.ask(peer)
        seconds = 0
        while 0 in peer.outstanding:
            owed += scene.ask(peer)
            scene.now += 1
            seconds += 1
            scene.send(peer, owed.pop(0))
            scene.download.tick(scene.now)
        self.assertEqual(seconds, 20)
        self.assertEqual(len(peer.outstanding), len(owed))
        self.assertFalse(peer.snubbed)
        self.assertEqual(scene.ask(scene.peer("b"))[0], lost)

    def test_rejectsThatNeverCome(self) -> None:
        """A peer that speaks BEP 6, chokes us and rejects nothing does not hold blocks for ever."""
        scene = Scene(pieces=1)
        peer = scene.peer("a")
        blocks = scene.ask(peer)
        scene.download.peerChoked(peer)
        other = scene.peer("b")
        scene.download.tick(scene.now)
        self.assertEqual(len(peer.outstanding), 4)
        scene.now += 20
        self.assertEqual(scene.download.tick(scene.now), [other])
        self.assertEqual(scene.ask(other), blocks)


class EndgameTests(SynchronousTestCase):
    """When everything is asked of somebody."""

    def slowAndFast(self, scene: Scene) -> tuple[PeerDownload, PeerDownload, list[Block]]:
        """One peer owes the only piece and is silent; another, that was fast, has nothing to do."""
        slow, fast = scene.peer("slow"), scene.peer("fast")
        slow.target = 8
        owed = scene.ask(slow)
        fast.rate.add(10**7, scene.now - 1)
        scene.now += 3
        return slow, fast, owed

    def test_inEndgame(self) -> None:
        """It is the end game while nothing is free and something is missing."""
        scene = Scene(pieces=1)
        self.assertFalse(scene.download.inEndgame)
        peer = scene.peer("a")
        blocks = scene.ask(peer)
        self.assertTrue(scene.download.inEndgame)
        for block in blocks:
            scene.send(peer, block)
        scene.judge(0)
        self.assertFalse(scene.download.inEndgame)

    def test_takesOver(self) -> None:
        """
        The fast one is asked for what the slow one owes, last blocks first; what it sends is
        cancelled there.
        """
        scene = Scene(pieces=1, blocks=8)
        slow, fast, owed = self.slowAndFast(scene)
        taken = scene.ask(fast)
        self.assertEqual(taken, owed[::-1][: len(taken)])
        self.assertGreaterEqual(len(taken), 4)
        self.assertEqual(scene.send(fast, taken[0]), Outcome.PARTIAL)
        self.assertEqual(scene.download.cancels(), [(slow, taken[0])])
        self.assertEqual(scene.send(slow, taken[0]), Outcome.DUPLICATE)

    def test_neverTwiceOfOne(self) -> None:
        """No block is asked of the same peer twice, nor of more than three that send."""
        scene = Scene(pieces=1, blocks=8)
        _, fast, _ = self.slowAndFast(scene)
        asked: list[Block] = []
        for _ in range(20):
            asked += scene.ask(fast)
            scene.now += 1
        self.assertEqual(len(asked), len(set(asked)))
        for key in range(10):
            peer = scene.peer(key)
            peer.rate.add(10**8, scene.now - 1)
            for _ in range(5):
                scene.ask(peer)
                scene.now += 1
                for each in scene.download.peers:
                    each.rate.add(1, scene.now)
        askers = [sum(block in peer.outstanding for peer in scene.download.peers) for block in range(8)]
        self.assertEqual(max(askers), 3)

    def test_notKeptAway(self) -> None:
        """A peer that sends takes over what is asked of any number that do not."""
        scene = Scene(pieces=1, blocks=4)
        for key in range(5):
            scene.ask(scene.peer(key))
            scene.now += 3
        sends = scene.peer("sends")
        sends.rate.add(10**7, scene.now)
        self.assertEqual(len(scene.ask(sends)), 4)

    def test_notFromTheFaster(self) -> None:
        """A slow peer takes nothing over from a faster one that answers."""
        scene = Scene(pieces=1, blocks=8)
        fast, slow = scene.peer("fast"), scene.peer("slow")
        fast.target = 8
        fast.rate.add(10**7, scene.now)
        slow.rate.add(10**4, scene.now)
        scene.now += 1
        fast.lastReceived = scene.now
        scene.ask(fast)
        self.assertEqual(scene.ask(slow), [])

    def test_equalsShare(self) -> None:
        """Of what a peer of equal speed owes, half is taken over."""
        scene = Scene(pieces=1, blocks=16)
        first, second = scene.peer("a"), scene.peer("b")
        first.target = second.target = 16
        owed = scene.ask(first)
        scene.now += 1
        for peer in (first, second):
            peer.rate.add(10**6, scene.now)
            peer.lastReceived = scene.now
        self.assertEqual(scene.ask(second), owed[:7:-1])

    def busy(self, scene: Scene) -> tuple[PeerDownload, PeerDownload, list[Block]]:
        """A peer that needs three seconds for the eight blocks that it owes; a fast one that is idle."""
        owner, idle = scene.peer("owner"), scene.peer("idle")
        owner.target = idle.target = 8
        owed = scene.ask(owner)
        owner.rate.add(8 * BLOCK_LENGTH, scene.now)
        scene.now += 3
        owner.lastReceived = scene.now
        idle.rate.add(10**7, scene.now)
        return owner, idle, owed

    def test_nextOnes(self) -> None:
        """The next two blocks of a peer that sends stay with it."""
        scene = Scene(pieces=1, blocks=8)
        _, idle, owed = self.busy(scene)
        self.assertEqual(scene.ask(idle), owed[:1:-1])

    def test_beforeTheEnd(self) -> None:
        """
        While others have work, who is idle takes over what it sends a second sooner, but not the next four.
        """
        scene = Scene(pieces=2, blocks=8)
        _, idle, owed = self.busy(scene)
        scene.download.peerBitfield(idle, bitarray("10"))
        self.assertEqual(scene.ask(idle), owed[:3:-1])
        self.assertFalse(scene.download.inEndgame)

    def test_notForWhoSnubs(self) -> None:
        """A peer that snubs us takes nothing over."""
        scene = Scene(pieces=1)
        slow, snubbing = scene.peer("a"), scene.peer("b")
        scene.ask(slow)
        snubbing.snubbed = True
        scene.now += 30
        self.assertEqual(scene.ask(snubbing), [])

    def test_notAloneInHaste(self) -> None:
        """A piece that one peer has for itself, to see who lies, is taken over only if that is very slow."""
        scene = Scene(pieces=1, blocks=8)
        for key, lies in (("a", False), ("b", True)):
            peer = scene.peer(key)
            for block in scene.ask(peer):
                scene.send(peer, block, bytes(block.length) if lies else None)
        self.assertEqual(scene.judge(0), frozenset())
        alone, fast = scene.peer("alone"), scene.peer("fast")
        alone.target = 8
        scene.ask(alone)
        fast.rate.add(10**7, scene.now)
        scene.now += 1
        self.assertEqual(scene.ask(fast), [])
        scene.now += 5
        self.assertNotEqual(scene.ask(fast), [])

    def test_aloneAndChoking(self) -> None:
        """Nor for ever by one that chokes us and does not say what it will not send (BEP 6)."""
        scene = Scene(pieces=1, blocks=8)
        for key, lies in (("a", False), ("b", True)):
            peer = scene.peer(key)
            for block in scene.ask(peer):
                scene.send(peer, block, bytes(block.length) if lies else None)
        self.assertEqual(scene.judge(0), frozenset())
        teaser, honest = scene.peer("teaser"), scene.peer("honest")
        teaser.target = honest.target = 8
        self.assertEqual(len(scene.ask(teaser)), 8)
        scene.download.peerChoked(teaser)
        honest.rate.add(10**6, scene.now)
        scene.now += 6
        asked = scene.ask(honest)
        self.assertEqual(len(asked), 8)
        for block in asked:
            scene.send(honest, block)
        scene.judge(0)
        self.assertEqual(scene.download.remaining, 0)

    def test_littleWaste(self) -> None:
        """Peers of very different speed finish together, and little comes twice."""
        scene = Scene(pieces=60, blocks=8)
        peers = [scene.peer(n) for n in range(3)]
        owed: dict[PeerDownload, list[Block]] = {peer: [] for peer in peers}
        paces = {peers[0]: 20, peers[1]: 20, peers[2]: 1}  # blocks a round
        rounds = 0
        while not scene.download.complete:
            rounds += 1
            assert rounds < 1000
            scene.now += 0.25
            if rounds % 4 == 0:
                for peer in scene.download.tick(scene.now):
                    owed[peer] += scene.ask(peer)
            for peer in peers:
                for _ in range(paces[peer]):
                    owed[peer] += scene.ask(peer)
                    if owed[peer]:
                        block = owed[peer].pop(0)
                        if scene.send(peer, block) is Outcome.COMPLETE:
                            scene.judge(block.index)
                    for other, block in scene.download.cancels():
                        if block in owed[other]:
                            owed[other].remove(block)
        self.assertLessEqual(rounds, 20)  # 480 blocks at 41 a round are 12, and a round trip or two
        self.assertLess(scene.download.wasted, 24 * BLOCK_LENGTH)


class HungryTests(SynchronousTestCase):
    """Who could do with more requests."""

    def test_who(self) -> None:
        """Those that serve us, have what we need, and owe little."""
        scene = Scene()
        free, busy, poor = scene.peer("free"), scene.peer("busy"), scene.peer("poor", "0000")
        choking, allowing = scene.download.addPeer("choking", True), scene.download.addPeer("allowing", True)
        for peer in (choking, allowing):
            scene.download.peerHasAll(peer)
        scene.download.allowFast(allowing, 1)
        scene.ask(busy)
        self.assertFalse(scene.download.interesting(poor))
        self.assertEqual(set(scene.download.hungry()), {free, allowing})

    def test_inTurns(self) -> None:
        """None of them always comes first."""
        scene = Scene()
        peers = {scene.peer(n) for n in range(5)}
        self.assertEqual({scene.download.hungry()[0] for _ in range(100)}, peers)


class MemoryTests(SynchronousTestCase):
    """Pieces are put together in memory, of which there is so much."""

    def test_noRoom(self) -> None:
        """Without room no piece is begun, but those that are get help."""
        piece = 8 * BLOCK_LENGTH
        scene = Scene(pieces=4, blocks=8, budget=piece)
        first, second = scene.peer("a"), scene.peer("b")
        blocks = scene.ask(first)
        first.target = 100
        self.assertEqual({b.index for b in blocks + scene.ask(second) + scene.ask(first)}, {0})
        self.assertEqual(scene.buffers.out, piece)

    def test_roomAgain(self) -> None:
        """When a piece is stored, listeners of the pool hear that there is room."""
        scene = Scene(pieces=2, budget=1)
        heard: list[str] = []
        scene.buffers.onRoom(lambda: heard.append("room"))
        peer = scene.peer("a")
        for block in scene.ask(peer):
            scene.send(peer, block)
        self.assertEqual(scene.ask(peer), [])
        scene.judge(0)
        self.assertEqual(heard, ["room"])
        self.assertEqual({b.index for b in scene.ask(peer)}, {1})

    def test_dropsWhatNobodyContinues(self) -> None:
        """A piece that no connected peer has makes room for another."""
        scene = Scene(pieces=2, budget=1)
        peer = scene.peer("a", "10")
        (block, *_) = scene.ask(peer)
        scene.send(peer, block)
        other = scene.peer("b", "01")
        self.assertEqual(scene.ask(other), [])
        scene.download.removePeer(peer)
        self.assertEqual({b.index for b in scene.ask(other)}, {1})
        self.assertEqual(scene.download.wasted, BLOCK_LENGTH)

    def test_dropsTheLeast(self) -> None:
        """Of several such pieces the one with least in it goes."""
        scene = Scene(pieces=3, budget=2 * 4 * BLOCK_LENGTH)
        peer = scene.peer("a", "110")
        peer.target = 8
        blocks = scene.ask(peer)
        for block in (blocks[0], blocks[1], blocks[4]):
            scene.send(peer, block)
        scene.download.removePeer(peer)
        self.assertEqual({b.index for b in scene.ask(scene.peer("b", "001"))}, {2})
        self.assertEqual(scene.download.wasted, BLOCK_LENGTH)
        self.assertEqual({b.index for b in scene.ask(scene.peer("c", "110"))}, {0})

    def test_dropsForOtherSwarms(self) -> None:
        """It does so for another swarm too, at the next tick."""
        scene = Scene(pieces=2, budget=1)
        peer = scene.peer("a", fast=False)
        scene.ask(peer)
        scene.download.tick(scene.now)
        scene.download.peerChoked(peer)
        scene.download.tick(scene.now)
        self.assertGreater(scene.buffers.out, 0)
        self.assertIsNone(scene.buffers.take(5))
        scene.download.tick(scene.now)
        self.assertEqual(scene.buffers.out, 0)
