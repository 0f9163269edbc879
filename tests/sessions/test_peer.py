"""
Vocabulary: PeerSession, its timeouts, C{pendingMessages} and C{getPending}, SessionState; everything by the
wire, as a peer sees it.
"""

from __future__ import annotations

import itertools

from tests.sessions.case import SwarmCase
from twisted_bt.errors import ProtocolError
from twisted_bt.peerwire.extended import ExtendedHandshake
from twisted_bt.peerwire.messages import (
    AllowedFast,
    Bitfield,
    Have,
    HaveAll,
    HaveNone,
    Interested,
    KeepAlive,
    Request,
    SuggestPiece,
    Unchoke,
)
from twisted_bt.testing.swarm import FOLDER, makeTorrent


class SessionStateTests(SwarmCase):
    """SessionState(bitfield, status)."""

    def test_state(self) -> None:
        """It shows what the peer has, and who chokes and wants whom."""
        member = self.swarm.member([0])
        peer = self.met(member, Bitfield(b"\xc0\x00"))
        state = self.sessionOf(member, peer).state
        self.assertEqual(list(state.bitfield.search(1)), [0, 1])
        self.assertTrue(state.status.amChoking and state.status.peerChoking)
        self.assertEqual((state.status.amInterested, state.status.peerInterested), (True, False))
        peer.say(Unchoke(), Interested(), Have(2))
        self.advance(1)
        state = self.sessionOf(member, peer).state
        self.assertEqual(list(state.bitfield.search(1)), [0, 1, 2])
        self.assertFalse(state.status.amChoking or state.status.peerChoking)
        self.assertTrue(state.status.peerInterested)

    def test_what(self) -> None:
        """The session knows the peer's address, software and whether it is a seed."""
        member = self.swarm.leecher()
        peer = self.met(member, HaveAll(), peerId=b"-TR3000-abcdefghijkl")
        session = self.sessionOf(member, peer)
        self.assertEqual(session.connectedPeerAddr.host, peer.transport.getHost().host)
        self.assertIn("Transmission", session.client)
        self.assertIn("Transmission", repr(session))
        self.assertTrue(session.isSeed)

    def test_uploadOnly(self) -> None:
        """A peer that downloads no more counts as a seed (BEP 21)."""
        member = self.swarm.leecher()
        peer = self.met(member, HaveNone())
        self.assertFalse(self.sessionOf(member, peer).isSeed)
        peer.say(ExtendedHandshake(uploadOnly=True))
        self.advance(1)
        self.assertTrue(self.sessionOf(member, peer).isSeed)


class TimeoutTests(SwarmCase):
    """incomingTimeout, outcomingTimeout: both on the clock that was handed in."""

    def test_silence(self) -> None:
        """Silence of 120 s closes the session, and no earlier."""
        member = self.swarm.leecher()
        noted = self.observed(member)
        peer = self.met(member, HaveNone())
        self.advance(118)
        self.assertIsNone(peer.lost)
        self.advance(3)
        self.assertTrue(peer.wasReset)
        self.assertIn("nothing heard for 120 seconds", str(noted.ended[0]))

    def test_heardOf(self) -> None:
        """Whatever comes, a keep-alive even, keeps it open."""
        member = self.swarm.leecher()
        peer = self.met(member, HaveNone())
        for _ in range(20):
            self.advance(110)
            peer.say(KeepAlive())
        self.advance(10)
        self.assertIsNone(peer.lost)

    def test_keepAlive(self) -> None:
        """When nothing was sent for a while a keep-alive is, in less than 120 s."""
        member = self.swarm.leecher()
        peer = self.met(member, HaveNone())
        times: list[float] = []
        peer.reactions[KeepAlive] = lambda _: times.append(self.network.now)
        for _ in range(5):
            self.advance(100)
            peer.say(KeepAlive())
        self.assertGreaterEqual(len(times), 4)
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        self.assertTrue(all(90 < gap < 120 for gap in gaps), gaps)

    def test_notWhileTalking(self) -> None:
        """While something else is said there is no keep-alive."""
        member = self.swarm.leecher()
        peer = self.met(member, HaveNone())
        for index in range(9):
            self.advance(60)
            self.arrive(member, [index])
            peer.say(KeepAlive())
        self.advance(1)
        self.assertEqual(peer.heardOf(KeepAlive), [])
        self.assertEqual(len(peer.heardOf(Have)), 9)

    def test_twoOfUs(self) -> None:
        """Two clients that have nothing to say to each other stay connected for hours."""
        one, two = self.swarm.leecher(), self.swarm.leecher()
        session = self.swarm.run(one.connect(two))
        self.advance(4 * 3600)
        self.assertTrue(session.established)
        self.assertEqual(len(two.session.connectedPeers), 1)

    def test_vanished(self) -> None:
        """A peer whose computer is gone is given up after the timeout, and its slot is free."""
        one, two = self.swarm.leecher(), self.swarm.leecher()
        self.swarm.run(one.connect(two))
        self.advance(1)
        two.host.online = False
        self.advance(121)
        self.assertEqual(one.session.connectedPeers, {})
        self.assertEqual(one.client.engine.clientSlots.taken, 0)

    def test_pausedReading(self) -> None:
        """While we do not read because the disk is behind, silence is not the peer's fault."""
        member = self.swarm.leecher()
        peer = self.met(member, HaveAll(), Unchoke())
        session = self.sessionOf(member, peer)
        session.pauseReading(True)
        self.advance(200)
        self.assertIsNone(peer.lost)
        peer.say(KeepAlive())
        session.pauseReading(False)
        self.advance(119)
        self.assertIsNone(peer.lost)
        self.advance(2)
        self.assertTrue(peer.wasReset)


class PendingTests(SwarmCase):
    """pendingMessages, getPending."""

    def test_oneWrite(self) -> None:
        """What is said in one turn goes out in one write."""
        member = self.swarm.leecher()
        peer = self.met(member, HaveNone())
        peer.reads.clear()
        self.arrive(member, [1])
        self.arrive(member, [2])
        self.sessionOf(member, peer).send(SuggestPiece(2))
        self.advance(1)
        self.assertEqual(len(peer.reads), 1)
        self.assertEqual(peer.heard[-2:], [SuggestPiece(2), Bitfield(b"\x60\x00")])

    def test_manyHaves(self) -> None:
        """Many C{have}s become one bitfield, where that is shorter."""
        member = self.swarm.leecher()
        peer = self.met(member, HaveNone())
        peer.heard.clear()
        self.arrive(member, range(8))
        self.advance(1)
        self.assertEqual(peer.heard, [Bitfield(b"\xff\x00")])
        self.assertEqual(member.session.clientBitfield.count(), 8)

    def test_answersTogether(self) -> None:
        """The answers to what came in one read go out in one write, requests included."""
        member = self.swarm.leecher()
        peer = self.met(member)
        peer.reads.clear()
        peer.say(HaveAll(), Unchoke())
        self.advance(0.5)
        self.assertEqual(len(peer.reads), 1)
        self.assertEqual(len(peer.heardOf(Interested)), 1)
        self.assertGreater(len(peer.heardOf(Request)), 1)

    def test_heldBack(self) -> None:
        """While the transport is full nothing is written; then all that waited is, in one go."""
        member = self.swarm.leecher()
        peer = self.met(member, HaveNone())
        session = self.sessionOf(member, peer)
        session.sendingPaused(True)
        self.arrive(member, [1, 2])
        self.advance(1)
        self.assertEqual(peer.heardOf(Bitfield), [])
        session.sendingPaused(False)
        self.advance(1)
        self.assertEqual(peer.heardOf(Bitfield), [Bitfield(b"\x60\x00")])

    def test_doesNotRead(self) -> None:
        """A peer that makes us answer and does not read loses its session; memory stays bounded."""
        member = self.swarm.seeder()
        noted = self.observed(member)
        peer = self.met(member, HaveNone())
        peer.transport.pauseProducing()
        forbidden = next(index for index in range(10) if AllowedFast(index) not in peer.heardOf(AllowedFast))
        requests = Request(forbidden, 0, 16384).encode() * 190  # just no flood
        for _ in range(400):
            peer.sendRaw(requests)
            self.advance(1)
        self.assertIsInstance(noted.ended[0], ProtocolError)
        self.assertIn("does not read", str(noted.ended[0]))


class SeveralTorrentsTests(SwarmCase):
    """Two torrents between the same two clients."""

    def test_eachItsOwn(self) -> None:
        """Each torrent has its own session, and its own slots."""
        one, two = self.swarm.leecher(), self.swarm.leecher()
        other = makeTorrent(b"other", name="other")
        swarms = [self.swarm.run(each.client.addTorrent(other, FOLDER)) for each in (one, two)]
        self.advance(1)
        self.swarm.run(one.connect(two))
        self.swarm.run(swarms[0].connectPeer(*two.address))
        self.advance(1)
        self.assertEqual((one.client.getPeerCount(), two.client.getPeerCount()), (2, 2))
        self.assertEqual(one.client.engine.clientSlots.taken, 2)
