"""
Who says more than anybody needs to hear, and who comes in crowds: each costs a bounded amount of work, and
takes nothing from those who come to exchange.
"""

from __future__ import annotations

from twisted.internet.testing import StringTransport

from tests.sessions.case import SwarmCase
from twisted_bt.errors import PeerFloods
from twisted_bt.peerwire.extended import ExtendedHandshake
from twisted_bt.peerwire.messages import (
    Have,
    HaveNone,
    Interested,
    KeepAlive,
    Message,
    NotInterested,
    Piece,
    Request,
    Unchoke,
)
from twisted_bt.sessions.doorkeeper import SHUNNED
from twisted_bt.sessions.joining import MAX_WAITING
from twisted_bt.sessions.meeting import FEW
from twisted_bt.settings import Settings
from twisted_bt.testing.scripted import ScriptedPeer
from twisted_bt.testing.swarm import Member


class FloodingTests(SwarmCase):
    """A session ends when its peer goes on saying what moves nothing."""

    def setUp(self) -> None:
        """A leecher that has a piece."""
        super().setUp()
        self.member = self.swarm.member([0])
        self.noted = self.observed(self.member)

    def flooded(self, *said: Message, count: int = 10_000) -> None:
        """Somebody says that C{count} times and loses its session."""
        peer = self.met(self.member, HaveNone())
        peer.sendRaw(b"".join(each.encode() for each in said) * count)
        self.advance(2)
        self.assertEnded(peer, self.noted, PeerFloods, "more than anybody")

    def test_haves(self) -> None:
        """The same pieces, told again and again; availability is as before."""
        self.flooded(Have(3))
        self.assertEqual(self.member.session.downloader.download.availability.count(3), 0)

    def test_requests(self) -> None:
        """Requests while choked: each would be answered by a reject."""
        self.flooded(Request(8, 0, 16384))

    def test_interest(self) -> None:
        """Interest that comes and goes."""
        self.flooded(Interested(), NotInterested())

    def test_extendedHandshakes(self) -> None:
        """Long extended handshakes, each of which has to be parsed: far fewer than of short messages."""
        names = {b"x_%d" % number: number % 256 for number in range(400)}
        self.flooded(ExtendedHandshake(names).message(), count=15)

    def test_shortHandshakes(self) -> None:
        """Those of usual length may come now and then, to tell of changes."""
        peer = self.met(self.member, HaveNone())
        for _ in range(50):
            peer.say(ExtendedHandshake({b"ut_pex": 1}, client="somebody", reqq=500, uploadOnly=False))
            self.advance(0.5)
        self.assertIsNone(peer.lost)
        peer.close()

    def test_keepAlives(self) -> None:
        """Keep-alives, the smallest of messages."""
        self.flooded(KeepAlive())

    def test_unknown(self) -> None:
        """Messages of no known kind."""
        peer = self.met(self.member, HaveNone())
        peer.sendRaw(b"\0\0\0\1\x99" * 10_000)
        self.advance(2)
        self.assertEnded(peer, self.noted, PeerFloods, "more than anybody")

    def test_slowly(self) -> None:
        """The same messages over a longer time are no flood."""
        peer = self.met(self.member, HaveNone())
        for _ in range(100):
            peer.say(*[Have(3)] * 100)
            self.advance(1)
        self.assertIsNone(peer.lost)

    def test_download(self) -> None:
        """A peer that downloads in thousands of requests is none: blocks went out for them."""
        seeder = self.swarm.seeder()
        peer = self.met(seeder, HaveNone(), Interested())
        self.assertEqual(len(peer.heardOf(Unchoke)), 1)
        for _ in range(100):
            peer.say(*[Request(index, 0, 16384) for index in range(9)] * 10)
            self.advance(2)
        self.assertIsNone(peer.lost)
        self.assertGreaterEqual(len(peer.heardOf(Piece)), 900)

    def test_shunned(self) -> None:
        """Its host is not let in again for some minutes, while others are."""
        host = self.network.host()
        peer = ScriptedPeer(self.infoHash)
        self.swarm.run(peer.dial(host, self.member.address))
        peer.greet()
        peer.sendRaw(KeepAlive().encode() * 10_000)
        self.advance(2)
        self.assertTrue(peer.wasReset)
        for wait, welcome in ((0.0, False), (SHUNNED, True)):
            self.advance(wait)
            again = ScriptedPeer(self.infoHash, b"-SC0001-another00001")
            self.swarm.run(again.dial(host, self.member.address))
            again.greet()
            self.advance(1)
            self.assertEqual(again.handshake is not None, welcome)
            again.close()
            self.assertIsNotNone(self.met(self.member, HaveNone(), peerId=b"-SC0001-honest000001").handshake)
            self.advance(1)

    def test_oneBreath(self) -> None:
        """A change of mind and back in one read has peers judged once, and the last word counts."""
        peer = self.met(self.member, HaveNone())
        rounds: list[float] = []
        judge = self.member.session.choking.rechoke

        def counted(now: float) -> None:
            rounds.append(now)
            judge(now)

        self.patch(self.member.session.choking, "rechoke", counted)
        peer.sendRaw((Interested().encode() + NotInterested().encode()) * 50 + Interested().encode())
        self.advance(0.5)
        self.assertLessEqual(len(rounds), 2)
        self.advance(2)
        self.assertFalse(self.sessionOf(self.member, peer).wire.amChoking)


class _Numbered(StringTransport):
    """A connection with that descriptor."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.fileno = lambda: number

    def abortConnection(self) -> None:
        """Noted."""
        self.disconnected = True


class CrowdTests(SwarmCase):
    """Those who knock cannot take what is for others."""

    size = 1 << 20

    def knock(self, member: Member, number: int, host: object = None) -> ScriptedPeer:
        """Somebody comes, C{number} being its name."""
        peer = ScriptedPeer(self.infoHash, b"-SC0001-%012d" % number)
        self.swarm.run(peer.dial(host or self.network.host(), member.address))  # type: ignore[arg-type]
        peer.greet()
        peer.say(HaveNone())
        return peer

    def test_dialled(self) -> None:
        """However many come, a leecher has slots left for peers that it dials."""
        member = self.swarm.leecher(Settings(maxPeersPerTorrent=10))
        came = [self.knock(member, number) for number in range(15)]
        self.advance(2)
        self.assertEqual(len(member.session.connectedPeers), 8)
        self.assertEqual(sum(peer.wasReset for peer in came), 7)
        seeder = self.swarm.seeder()
        self.swarm.run(member.connect(seeder))
        self.swarm.run(member.session.whenComplete())

    def test_oneHost(self) -> None:
        """One host has at most half of the slots."""
        member = self.swarm.leecher(Settings(maxPeersPerTorrent=20))
        host = self.network.host()
        for number in range(15):
            self.knock(member, number, host)
        self.advance(2)
        self.assertEqual(len(member.session.connectedPeers), 10)
        other = self.knock(member, 99)
        self.advance(1)
        self.assertIsNotNone(other.handshake)

    def test_few(self) -> None:
        """But always a few, however few slots there are."""
        member = self.swarm.leecher(Settings(maxPeersPerTorrent=FEW))
        host = self.network.host()
        for number in range(FEW + 2):
            self.knock(member, number, host)
        self.advance(1)
        self.assertEqual(len(member.session.connectedPeers), FEW)

    def test_waiting(self) -> None:
        """Only so many wait for a slot; others are closed at once."""
        member = self.swarm.member(range(self.pieceCount), Settings(maxPeersPerTorrent=1))
        came = [self.knock(member, number) for number in range(MAX_WAITING + 4)]
        self.advance(1)
        self.assertEqual(sum(peer.wasReset for peer in came), 3)
        self.assertEqual(member.client.engine.clientSlots.taken, MAX_WAITING + 1)

    def test_silent(self) -> None:
        """Those that say nothing keep nobody out: the oldest of the host with most of them goes."""
        member = self.swarm.leecher(Settings(maxIncomingHandshakes=5))
        crowd = self.network.host()
        silent = [ScriptedPeer(self.infoHash) for _ in range(8)]
        for each in silent:
            self.swarm.run(each.dial(crowd, member.address))
        alone = ScriptedPeer(self.infoHash)
        self.swarm.run(alone.dial(self.network.host(), member.address))
        honest = self.knock(member, 1)
        self.advance(1)
        self.assertIsNotNone(honest.handshake)
        self.assertIsNone(alone.lost)
        self.assertEqual([each.wasReset for each in silent], [True] * 5 + [False] * 3)

    def test_descriptors(self) -> None:
        """A connection that takes one of the last descriptors is closed at once."""
        member = self.swarm.leecher()
        listener = member.client._listener
        for number, closed in ((listener._highest - 1, False), (listener._highest, True)):
            protocol = listener.buildProtocol(None)
            assert protocol is not None
            transport = _Numbered(number)
            protocol.makeConnection(transport)
            self.assertEqual(transport.disconnected, closed)
            self.assertEqual(member.client.engine.clientSlots.taken, not closed)
            protocol.connectionLost()

    def test_storm(self) -> None:
        """A host that connects without end is closed at the door, and another comes in."""
        member = self.swarm.leecher()
        storm = self.network.host()
        for _ in range(600):
            ScriptedPeer(self.infoHash).dial(storm, member.address)
        self.advance(1)
        late = self.knock(member, 1, storm)
        honest = self.knock(member, 2)
        self.advance(1)
        self.assertIsNone(late.handshake)
        self.assertIsNotNone(honest.handshake)
