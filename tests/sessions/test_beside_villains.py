"""
Peers that send corrupt pieces, too much, or nothing at all, beside an honest download: it completes.
"""

from __future__ import annotations

from tests.sessions.case import SwarmCase
from twisted_bt.peerwire.messages import (
    Choke,
    Have,
    HaveNone,
    Interested,
    NotInterested,
    Piece,
    Request,
    Unchoke,
)
from twisted_bt.testing.link import Link
from twisted_bt.testing.scripted import ScriptedPeer
from twisted_bt.testing.swarm import Member


class BesideHonestTests(SwarmCase):
    """A villain beside an honest seed: the download completes, and only the villain is punished."""

    def setUp(self) -> None:
        """A leecher, a seeder, and what happens."""
        super().setUp()
        self.leecher = self.swarm.leecher()
        self.noted = self.observed(self.leecher)

    def villain(self, **more: bytes) -> ScriptedPeer:
        """A scripted seed, connected, whose part is still to be told."""
        peer = ScriptedPeer(self.infoHash, b"-SC0001-villain00001")
        self.swarm.run(peer.dial(self.network.host(), self.leecher.address))
        return peer

    def banned(self, member: Member | ScriptedPeer) -> bool:
        """Whether the leecher will not talk to it again."""
        if isinstance(member, Member):
            return member.address in self.leecher.client.engine.bans
        here = member.transport.getHost()
        return any(addr.host == here.host for addr in self.leecher.client.engine.bans._addresses)

    def test_corrupt(self) -> None:
        """Who sends wrong data alone is found, banned and closed; all is right in the end."""
        villain = self.villain()
        villain.seed(self.metainfo, self.swarm.content, lambda request: bytes(request.length))
        villain.greet()
        self.network.runWhile(lambda: villain.lost is None)
        self.assertTrue(self.banned(villain))
        self.assertIn("wrong data", str(self.noted.ended[0]))
        seeder = self.swarm.seeder()
        self.swarm.run(self.leecher.connect(seeder))
        self.swarm.finish()
        self.assertEqual(self.leecher.content, self.swarm.content)
        self.assertFalse(self.banned(seeder))

    def test_banHolds(self) -> None:
        """Banned, it is not talked to again, whether it dials or is heard of."""
        villain = self.villain()
        villain.seed(self.metainfo, self.swarm.content, lambda request: bytes(request.length))
        villain.greet()
        self.network.runWhile(lambda: villain.lost is None)
        port = villain.transport.getHost().port
        host = self.network.hostAt(villain.transport.getHost().host)
        assert host is not None
        again = ScriptedPeer(self.infoHash, b"-SC0001-villain00002", greets=True)
        self.swarm.run(again.dial(host, self.leecher.address, port=port))
        self.advance(1)
        self.assertTrue(again.wasReset)

    def test_corruptBeside(self) -> None:
        """One that corrupts every second block is banned, honest ones beside it are not."""
        slow = Link(up=100e3)
        honest = [self.swarm.seeder(host=self.network.host(link=slow)) for _ in range(2)]
        for each in honest:
            self.leecher.meet(each)
        villain = self.villain()
        forged: list[Request] = []

        def forge(request: Request) -> bytes | None:
            if request.begin == 0:
                return None
            forged.append(request)
            return bytes(request.length)

        villain.seed(self.metainfo, self.swarm.content, forge)
        villain.greet()
        self.swarm.run(self.leecher.session.whenComplete(), 600)
        self.assertEqual(self.leecher.content, self.swarm.content)
        self.assertGreater(len(forged), 0)
        self.assertTrue(self.banned(villain))
        self.assertFalse(any(self.banned(each) for each in honest))

    def test_silentSeed(self) -> None:
        """One that unchokes and never sends holds up nobody."""
        seeder = self.swarm.seeder()
        villain = self.villain()
        villain.seed(self.metainfo, self.swarm.content)
        villain.reactions[Request] = lambda request: None
        villain.greet()
        self.advance(2)
        self.assertGreater(len(villain.heardOf(Request)), 0)
        start = self.network.now
        self.swarm.run(self.leecher.connect(seeder))
        self.swarm.run(self.leecher.session.whenComplete())
        self.assertLess(self.network.now - start, 70)
        self.assertEqual(self.leecher.content, self.swarm.content)

    def test_oneByteAtATime(self) -> None:
        """One that sends a byte now and then holds up nobody either."""
        seeder = self.swarm.seeder()
        villain = self.villain()
        villain.seed(self.metainfo, self.swarm.content)
        villain.reactions[Request] = lambda request: None
        villain.greet()
        self.advance(1)
        villain.sendRaw(Piece(0, 0, bytes(16384)).encode()[:20])
        dripping = True

        def drip() -> None:
            if dripping and villain.lost is None:
                villain.sendRaw(b"\0")
                self.network.clock.callLater(5.0, drip)

        drip()
        self.swarm.run(self.leecher.connect(seeder))
        self.swarm.run(self.leecher.session.whenComplete(), 120)
        dripping = False
        self.assertEqual(self.leecher.content, self.swarm.content)

    def test_chokesAndUnchokes(self) -> None:
        """One that chokes whenever it was asked holds up nobody."""
        seeder = self.swarm.seeder()
        villain = self.villain()
        villain.seed(self.metainfo, self.swarm.content)
        villain.reactions[Request] = lambda request: villain.say(Choke(), Unchoke())
        villain.greet()
        self.advance(0.2)
        villain.reactions[Request] = lambda request: villain.say(Choke())
        self.swarm.run(self.leecher.connect(seeder))
        self.swarm.run(self.leecher.session.whenComplete(), 120)
        self.assertEqual(self.leecher.content, self.swarm.content)

    def test_haveFlood(self) -> None:
        """One that tells of every piece a thousand times counts once, and then not at all."""
        villain = self.villain()
        villain.greet()
        villain.say(HaveNone(), *[Have(number % 10) for number in range(1_000)])
        self.advance(2)
        self.assertIsNone(villain.lost)
        self.assertEqual(self.leecher.session.downloader.download.availability.count(3), 1)
        villain.say(*[Have(number % 10) for number in range(9_000)])
        self.advance(2)
        self.assertTrue(villain.wasReset)
        self.assertEqual(self.leecher.session.downloader.download.availability.count(3), 0)

    def test_interestFlood(self) -> None:
        """One that changes its mind a thousand times is not answered a thousand times."""
        seeder = self.swarm.seeder()
        villain = ScriptedPeer(self.infoHash, b"-SC0001-villain00001")
        self.swarm.run(villain.dial(self.network.host(), seeder.address))
        villain.greet()
        villain.say(HaveNone())
        for _ in range(100):
            villain.say(Interested(), NotInterested())
        self.advance(2)
        answers = len(villain.heardOf(Unchoke)) + len(villain.heardOf(Choke))
        self.assertLessEqual(answers, 200)
        self.assertIsNone(villain.lost)
        for _ in range(1000):
            villain.say(Interested(), NotInterested())
        self.advance(2)
        self.assertTrue(villain.wasReset)

    def test_manyConnections(self) -> None:
        """Two hundred connections that say nothing keep no honest peer from its download for long."""
        host = self.network.host()
        for _ in range(200):
            self.swarm.run(ScriptedPeer(self.infoHash).dial(host, self.leecher.address))
        seeder = self.swarm.seeder()
        self.swarm.run(self.leecher.connect(seeder))
        self.swarm.run(self.leecher.session.whenComplete(), 30)
        self.assertEqual(self.leecher.content, self.swarm.content)
