"""
What is decided in C{twisted_bt.exchange}, seen from outside: choke rounds, snubbing, the end game,
back-pressure from a slow disk.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import gatherResults

from tests.sessions.case import SwarmCase
from twisted_bt.peerwire.messages import (
    Cancel,
    Choke,
    HaveAll,
    HaveNone,
    Interested,
    NotInterested,
    Piece,
    Request,
    Unchoke,
)
from twisted_bt.settings import Settings
from twisted_bt.testing.disk import Disk, DiskQueue
from twisted_bt.testing.link import Link
from twisted_bt.testing.scripted import ScriptedPeer
from twisted_bt.testing.swarm import Member


class TransportTests(SwarmCase):
    """What is asked of the connection."""

    def test_noDelay(self) -> None:
        """What a turn says is not held back until the other side acknowledges what came before."""
        seeder, leecher = self.swarm.seeder(), self.swarm.leecher()
        self.swarm.run(leecher.connect(seeder))
        streams = [*seeder.host.streams, *leecher.host.streams]
        self.assertEqual([each.getTcpNoDelay() for each in streams], [True, True])


class StoringTests(SwarmCase):
    """What becomes of a stored piece."""

    def test_troubleAfterwards(self) -> None:
        """What goes wrong once a piece is stored is told as it is, not taken for a failure of the disk."""
        seeder, leecher = self.swarm.seeder(), self.swarm.leecher()
        available = leecher.session.available

        def trouble(indices: Sequence[int]) -> None:
            available(indices)
            raise ZeroDivisionError

        leecher.session.available = trouble  # type: ignore[method-assign]
        leecher.meet(seeder)
        self.swarm.finish()
        self.assertTrue(leecher.session.complete)
        logged = self.flushLoggedErrors(ZeroDivisionError)
        self.assertEqual(len(logged), self.swarm.metainfo.layout.pieceCount)


class ChokingTests(SwarmCase):
    """Rounds of choking."""

    def interested(self, member: Member, count: int) -> list[ScriptedPeer]:
        """C{count} peers that want something."""
        return [
            self.met(member, HaveNone(), Interested(), peerId=b"-SC0001-scripted%04d" % number)
            for number in range(count)
        ]

    def unchoked(self, peers: list[ScriptedPeer]) -> list[ScriptedPeer]:
        """Those whose last word from us was C{unchoke}."""
        return [
            peer
            for peer in peers
            if [each for each in peer.heard if isinstance(each, Choke | Unchoke)][-1:] == [Unchoke()]
        ]

    def test_atOnce(self) -> None:
        """While slots are free, who becomes interested is served at once, not at the next round."""
        member = self.swarm.seeder()
        peer = self.met(member, HaveNone())
        self.advance(15)
        self.assertEqual(peer.heardOf(Unchoke), [])
        peer.say(Interested())
        self.advance(0.1)
        self.assertEqual(len(peer.heardOf(Unchoke)), 1)

    def test_noMoreThanSlots(self) -> None:
        """No more than C{uploadSlots} interested peers are unchoked, at any time."""
        member = self.swarm.seeder(Settings(uploadSlots=3, maxPeersPerTorrent=20))
        peers = self.interested(member, 8)

        def judge() -> None:
            serving = [
                peer
                for peer in member.session.establishedPeers()
                if peer.wire.peerInterested and not peer.wire.amChoking
            ]
            self.assertLessEqual(len(serving), 3)

        self.network.afterEvent.append(judge)
        self.advance(60)
        self.network.afterEvent.remove(judge)
        self.assertEqual(len(self.unchoked(peers)), 3)

    def test_everybodyGetsATurn(self) -> None:
        """Seeding, everybody who waits is served in turn."""
        member = self.swarm.seeder(Settings(uploadSlots=2, maxPeersPerTorrent=20))
        peers = self.interested(member, 5)
        for _ in range(20):
            self.advance(15)
            for peer in peers:
                peer.say(Interested())
        self.assertTrue(all(peer.heardOf(Unchoke) for peer in peers))

    def test_noFlutter(self) -> None:
        """Nobody is choked within ten seconds of being unchoked, as long as it is interested."""
        member = self.swarm.seeder(Settings(uploadSlots=2, maxPeersPerTorrent=20))
        peers = self.interested(member, 5)
        times: dict[ScriptedPeer, float] = {}
        held: list[float] = []

        def unchoked(peer: ScriptedPeer) -> None:
            times[peer] = self.network.now

        def choked(peer: ScriptedPeer) -> None:
            held.append(self.network.now - times[peer])

        for peer in peers:
            times[peer] = -100.0
            peer.reactions[Unchoke] = lambda _, peer=peer: unchoked(peer)  # type: ignore[misc]
            peer.reactions[Choke] = lambda _, peer=peer: choked(peer)  # type: ignore[misc]
        self.advance(110)
        self.assertGreater(len(held), 0)
        self.assertGreaterEqual(min(held), 9.9)

    def test_slotFallsFree(self) -> None:
        """When one that was served goes, or wants no more, another is served at once."""
        member = self.swarm.seeder(Settings(uploadSlots=1, maxPeersPerTorrent=20))
        peers = self.interested(member, 3)
        (first,) = self.unchoked(peers)
        peers.remove(first)
        first.close()
        self.advance(0.1)
        (second,) = self.unchoked(peers)
        peers.remove(second)
        second.say(NotInterested())
        self.advance(0.1)
        self.assertEqual(len(self.unchoked(peers)), 1)
        self.assertEqual(len(second.heardOf(Choke)), 1)

    def test_reciprocal(self) -> None:
        """While leeching, those who give are served rather than those who do not."""
        member = self.swarm.member([0], Settings(uploadSlots=2))
        takers = self.interested(member, 4)
        giver = ScriptedPeer(self.infoHash, b"-SC0001-giver0000001")
        giver.seed(self.metainfo, self.swarm.content)
        self.swarm.run(giver.dial(self.network.host(link=Link(up=5e3)), member.address))
        giver.greet()
        giver.say(Interested())
        self.advance(45)
        self.assertFalse(member.session.complete)
        self.assertEqual(self.unchoked([giver]), [giver])
        self.assertLessEqual(len(self.unchoked(takers)), 1)


class SnubTests(SwarmCase):
    """One that owes us blocks and does not send them."""

    def test_snubbed(self) -> None:
        """After a minute it is snubbing us: what it owes is asked of others, and of it a block at most."""
        leecher = self.swarm.leecher()
        silent = self.met(leecher, HaveAll())
        silent.say(Unchoke())
        self.advance(0.5)
        self.assertGreater(len(silent.heardOf(Request)), 1)
        self.assertFalse(self.sessionOf(leecher, silent).download.snubbed)
        self.advance(63)
        self.assertTrue(self.sessionOf(leecher, silent).download.snubbed)
        owed = len(self.sessionOf(leecher, silent).download.outstanding)
        self.assertLessEqual(owed, 1)

    def test_comesBack(self) -> None:
        """When it sends again it is forgiven."""
        leecher = self.swarm.leecher()
        silent = self.met(leecher, HaveAll())
        silent.say(Unchoke())
        self.advance(65)
        silent.seed(self.metainfo, self.swarm.content)
        for request in silent.heardOf(Request):
            silent.reactions[Request](request)
        self.swarm.run(leecher.session.whenComplete(), 30)
        self.assertEqual(leecher.content, self.swarm.content)


class EndgameTests(SwarmCase):
    """The last blocks."""

    def test_takenOver(self) -> None:
        """What a slow peer owes at the end is asked of a quick one too, and cancelled when it came."""
        leecher = self.swarm.leecher()
        slow = self.met(leecher, HaveAll())
        slow.say(Unchoke())
        self.advance(1)
        owed = len(slow.heardOf(Request))
        self.assertGreater(owed, 0)
        seeder = self.swarm.seeder()
        start = self.network.now
        self.swarm.run(leecher.connect(seeder))
        self.swarm.run(leecher.session.whenComplete(), 60)
        self.assertLess(self.network.now - start, 30)
        self.advance(1)
        asked = {(each.index, each.begin) for each in slow.heardOf(Request)}
        cancelled = {(each.index, each.begin) for each in slow.heardOf(Cancel)}
        self.assertTrue(cancelled <= asked)
        self.assertGreater(len(cancelled), 0)

    def test_goneInTheMiddle(self) -> None:
        """What a peer owed when it went is asked of another at once."""
        leecher = self.swarm.leecher()
        slow = self.met(leecher, HaveAll())
        slow.say(Unchoke())
        self.advance(1)
        other = ScriptedPeer(self.infoHash, b"-SC0001-other0000001")
        other.seed(self.metainfo, self.swarm.content)
        self.swarm.run(other.dial(self.network.host(), leecher.address))
        other.greet()
        slow.transport.abortConnection()
        self.swarm.run(leecher.session.whenComplete(), 5)
        self.assertEqual(leecher.content, self.swarm.content)


class PressureTests(SwarmCase):
    """A disk that is slower than the network."""

    size = 3_000_000

    def test_slowDisk(self) -> None:
        """Reading from peers is paused, so that memory stays within the budgets; the download completes."""
        seeder = self.swarm.seeder()
        budget = 200_000
        host = self.network.host(disk=Disk(rate=100e3))
        leecher = self.swarm.leecher(Settings(writeBudget=budget, partialPieceBudget=500_000), host)
        queue = leecher.client.engine.disk
        assert isinstance(queue, DiskQueue)
        waiting, lent = [0], [0]

        def look() -> None:
            waiting.append(queue.waiting)
            lent.append(leecher.client.engine.buffers.out)

        self.network.afterEvent.append(look)
        self.swarm.run(leecher.connect(seeder))
        start = self.network.now
        self.swarm.run(leecher.session.whenComplete(), 600)
        self.network.afterEvent.remove(look)
        self.assertEqual(leecher.content, self.swarm.content)
        self.assertGreater(self.network.now - start, 14)
        # One read may complete some pieces more than the budget.
        self.assertLess(max(waiting), budget + 3 * self.pieceLength)
        self.assertGreater(max(waiting), budget)
        self.assertLessEqual(max(lent), 500_000)

    def test_notSnubbed(self) -> None:
        """Those we do not read from are not taken for snubbing us, nor for gone."""
        seeder = self.swarm.seeder()
        host = self.network.host(disk=Disk(rate=5e3))
        leecher = self.swarm.leecher(Settings(writeBudget=100_000), host)
        noted = self.observed(leecher)
        self.swarm.run(leecher.connect(seeder))
        self.swarm.run(leecher.session.whenComplete(), 3600)
        self.assertEqual(leecher.content, self.swarm.content)
        self.assertEqual([event for event in noted.events if event[0] == "disconnected"], [])

    def test_newcomerUnderPressure(self) -> None:
        """Who comes while the disk is behind is not read from either, until it is not."""
        seeder = self.swarm.seeder()
        host = self.network.host(disk=Disk(rate=100e3))
        leecher = self.swarm.leecher(Settings(writeBudget=200_000), host)
        self.swarm.run(leecher.connect(seeder))
        self.network.runWhile(lambda: not leecher.client.engine.disk.congested)
        peer = ScriptedPeer(self.infoHash, greets=True)
        self.swarm.run(peer.dial(self.network.host(), leecher.address))
        self.advance(0.1)
        peer.say(HaveNone(), Interested())
        self.advance(0.2)
        self.assertTrue(leecher.client.engine.disk.congested)
        self.assertFalse(self.sessionOf(leecher, peer).wire.peerInterested)
        self.network.runWhile(lambda: leecher.client.engine.disk.congested)
        self.advance(0.1)
        self.assertTrue(self.sessionOf(leecher, peer).wire.peerInterested)
        self.swarm.run(leecher.session.whenComplete(), 600)
        self.assertIsNone(peer.lost)
        self.assertEqual(leecher.content, self.swarm.content)

    def test_stoppedUnderPressure(self) -> None:
        """It can be stopped while the disk is behind; what was handed to the disk is kept."""
        seeder = self.swarm.seeder()
        host = self.network.host(disk=Disk(rate=100e3))
        leecher = self.swarm.leecher(Settings(writeBudget=200_000), host)
        stored = leecher.stored
        self.swarm.run(leecher.connect(seeder))
        self.network.runWhile(lambda: not leecher.client.engine.disk.congested)
        engine = leecher.client.engine
        self.swarm.run(gatherResults([leecher.client.stopService()]))
        self.assertEqual(engine.buffers.out, 0)
        self.assertGreater(len(stored.pieces), 3)


class ServingTests(SwarmCase):
    """One seeder, several leechers."""

    def test_severalAtOnce(self) -> None:
        """Everybody gets everything, and the seeder sends not much more than a copy each would need alone."""
        seeder = self.swarm.seeder()
        leechers = [self.swarm.leecher() for _ in range(4)]
        for each in leechers:
            each.meet(seeder, *leechers)
        self.swarm.finish(300)
        for each in leechers:
            self.assertEqual(each.content, self.swarm.content)
        uploaded = sum(each.session.progress.uploaded for each in self.swarm.members)
        self.assertLess(uploaded, 1.2 * 4 * self.size)

    def test_fastBlocksInRuns(self) -> None:
        """Blocks asked in order are all served in order."""
        member = self.swarm.seeder()
        peer = self.met(member, HaveNone(), Interested())
        wanted = [Request(index, begin, 16384) for index in range(9) for begin in (0, 16384)]
        peer.say(*wanted)
        self.advance(2)
        self.assertEqual(
            [(each.index, each.begin) for each in peer.heardOf(Piece)],
            [(each.index, each.begin) for each in wanted],
        )
