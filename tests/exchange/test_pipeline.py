"""
How much is asked of a peer at a time, and what happens when it is slow to send it.
"""

from __future__ import annotations

from bitarray import bitarray
from twisted.trial.unittest import SynchronousTestCase

from tests.exchange.outcome import Outcome
from tests.exchange.scene import Scene
from twisted_bt.exchange.peerdownload import FIRST_PIPELINE, REFUSES_FOR, PeerDownload
from twisted_bt.torrent.pieces import BLOCK_LENGTH, Block


class PipelineTests(SynchronousTestCase):
    """How much is asked of a peer at a time."""

    def test_startsSmall(self) -> None:
        """A new peer is asked for few blocks, in order."""
        scene = Scene()
        self.assertEqual(
            scene.ask(scene.peer("a")), [scene.layout.block(0, n) for n in range(FIRST_PIPELINE)]
        )

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
        """Once the rate of a fast peer grows no more, three seconds of it are kept asked for."""
        scene = Scene(pieces=50, blocks=64)
        peer = scene.peer("a")
        owed: list[Block] = []
        for _ in range(30):
            for _ in range(100):  # a hundred blocks a second
                owed += scene.ask(peer)
                scene.send(peer, owed.pop(0))
                scene.now += 0.01
            scene.download.tick(scene.now)
        self.assertTrue(290 <= peer.target <= 310, peer.target)

    def answered(self, scene: Scene, peer: PeerDownload, trip: float, seconds: int) -> float:
        """
        For C{seconds} C{peer} sends what is asked, four blocks a second at most, each no sooner than C{trip}
        seconds after it was asked.  Returns how many it sent a second.
        """
        before, free = peer.rate.total, 0.0
        for _ in range(seconds):
            for _ in range(20):
                scene.ask(peer)
                block, asked = next(iter(peer.outstanding.items()), (0, scene.now))
                if block in peer.outstanding and scene.now >= max(free, asked + trip) - 1e-6:
                    scene.send(peer, scene.layout.block(*divmod(block, 64)))
                    free = max(free, scene.now - 0.05) + 0.25
                scene.now += 0.05
            scene.download.tick(scene.now)
        return (peer.rate.total - before) / BLOCK_LENGTH / seconds

    def test_slow(self) -> None:
        """
        A slow peer is asked ahead little more than its answers take: others may send the rest sooner.  It
        has always something to send all the same.
        """
        scene = Scene(pieces=8, blocks=64)
        peer = scene.peer("a")
        self.assertGreater(self.answered(scene, peer, 0.1, 30), 3.8)
        self.assertLessEqual(peer.target, 4)

    def test_longWay(self) -> None:
        """Where answers take longer it is asked further ahead."""
        scene = Scene(pieces=8, blocks=64)
        peer = scene.peer("a")
        self.assertGreater(self.answered(scene, peer, 2.0, 60), 3.5)
        self.assertTrue(8 <= peer.target <= 13, peer.target)

    def test_longerWay(self) -> None:
        """So it is soon when they begin to take longer, though nothing but that made it slower."""
        scene = Scene(pieces=16, blocks=64)
        peer = scene.peer("a")
        self.answered(scene, peer, 0.1, 30)
        self.answered(scene, peer, 2.0, 30)
        self.assertGreater(self.answered(scene, peer, 2.0, 30), 3.5)

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
        self.assertEqual(peer.target, FIRST_PIPELINE)

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
