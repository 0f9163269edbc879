"""Tests for L{twisted_bt.exchange.download} and what it is made of, as a swarm uses it."""

from __future__ import annotations

import random

from bitarray import bitarray
from bitarray.util import ones
from twisted.trial.unittest import SynchronousTestCase

from tests.exchange.scene import Scene
from twisted_bt.errors import ProtocolError
from twisted_bt.exchange.peerdownload import PeerDownload
from twisted_bt.exchange.picker import RarestFirst, Sequential
from twisted_bt.torrent.pieces import BLOCK_LENGTH


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
