"""Tests for L{twisted_bt.exchange.endgame}: the last blocks are asked of several peers."""

from __future__ import annotations

from bitarray import bitarray
from twisted.trial.unittest import SynchronousTestCase

from tests.exchange.outcome import Outcome
from tests.exchange.scene import Scene
from twisted_bt.exchange.peerdownload import PeerDownload
from twisted_bt.exchange.rate import RateMeter
from twisted_bt.torrent.pieces import BLOCK_LENGTH, Block


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

    def test_cheapInCrowds(self) -> None:
        """Among many fast peers who owe much it is looked up once who sends, not for each block owed."""
        scene = Scene(pieces=50, blocks=16)
        crowd = [scene.peer(key) for key in range(30)]
        for _ in range(4):
            for peer in crowd:
                peer.rate.add(10**6, scene.now)
                peer.target = 100
                scene.ask(peer)
            scene.now += 0.3
        self.assertGreater(sum(len(peer.outstanding) for peer in crowd), 1200)
        looks = 0
        rate = RateMeter.rate

        def counted(meter: RateMeter, now: float) -> float:
            nonlocal looks
            looks += 1
            return rate(meter, now)

        newcomer = scene.peer("newcomer")
        newcomer.rate.add(10**8, scene.now)
        newcomer.target = 100
        self.patch(RateMeter, "rate", counted)
        scene.ask(newcomer)
        self.assertLess(looks, 10 * len(crowd))

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

    def suspected(self) -> Scene:
        """Of two peers one lied about the only piece, so that it is asked of one alone."""
        scene = Scene(pieces=1, blocks=8)
        for key, lies in (("a", False), ("b", True)):
            peer = scene.peer(key)
            for block in scene.ask(peer):
                scene.send(peer, block, bytes(block.length) if lies else None)
        self.assertEqual(scene.judge(0), frozenset())
        return scene

    def test_notAloneInHaste(self) -> None:
        """A piece that one peer has for itself, to see who lies, is taken over only if that is very slow."""
        scene = self.suspected()
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
        scene = self.suspected()
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
