"""
Wrong pieces: who sent what is wrong is found out, and nobody else suffers.
"""

from __future__ import annotations

import random
from collections.abc import Hashable

from bitarray import bitarray
from twisted.trial.unittest import SynchronousTestCase

from tests.exchange.outcome import Outcome
from tests.exchange.scene import Scene
from twisted_bt.exchange.peerdownload import FIRST_PIPELINE, PeerDownload
from twisted_bt.exchange.picker import RarestFirst
from twisted_bt.torrent.pieces import BLOCK_LENGTH, Block


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
        self.assertEqual(len(scene.ask(other)), FIRST_PIPELINE)
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
