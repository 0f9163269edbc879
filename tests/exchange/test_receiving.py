"""
Blocks that come: asked for or not, in parts, late, refused; and the pieces that they make whole.
"""

from __future__ import annotations

from bitarray import bitarray
from twisted.trial.unittest import SynchronousTestCase

from tests.exchange.outcome import Outcome, send
from tests.exchange.scene import Scene
from twisted_bt.exchange.peerdownload import PeerDownload
from twisted_bt.interfaces import Buffer
from twisted_bt.torrent.pieces import BLOCK_LENGTH, Block


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
