"""
Vocabulary: PeerSession, the first messages of a connection, as a peer sees them.
"""

from __future__ import annotations

from typing import Any

from tests.sessions.case import SwarmCase
from twisted_bt.peerwire.extended import ExtendedHandshake
from twisted_bt.peerwire.handshake import Handshake
from twisted_bt.peerwire.messages import (
    AllowedFast,
    Bitfield,
    Extended,
    HaveAll,
    HaveNone,
    Interested,
    Piece,
    Port,
    RejectRequest,
    Request,
)
from twisted_bt.settings import Extension, Settings
from twisted_bt.testing.scripted import EXTENSIONS, ScriptedPeer
from twisted_bt.testing.swarm import Member


class BeginningTests(SwarmCase):
    """initiatePeerSession, acceptPeerSession, sendClientStatus."""

    def first(self, member: Member, **more: Any) -> list[Any]:
        """The messages that a newcomer hears first."""
        return [each for each in self.met(member, **more).heard if not isinstance(each, Extended)]

    def test_acceptingAnswers(self) -> None:
        """The accepting side reads the info-hash before it answers, and answers before it has the rest."""
        member = self.swarm.leecher()
        peer = self.dialled(member)
        self.advance(1)
        self.assertIsNone(peer.handshake)
        greeting = Handshake(self.infoHash, peer.peerId).encode()
        peer.sendRaw(greeting[:47])
        self.advance(1)
        self.assertEqual(peer.reads, [])
        peer.sendRaw(greeting[47:48])
        self.advance(1)
        self.assertEqual(
            peer.handshake,
            Handshake(self.infoHash, member.client.clientPeerId, member.client.allowedExtensions),
        )
        self.assertEqual(self.sessionOf(member, peer).established, False)
        peer.sendRaw(greeting[48:])
        self.advance(1)
        self.assertEqual(self.sessionOf(member, peer).established, True)

    def test_byteByByte(self) -> None:
        """A peer whose bytes come one at a time is as good as any."""
        member = self.swarm.seeder()
        peer = self.dialled(member)
        said = Handshake(self.infoHash, peer.peerId, peer.extensions).encode()
        said += HaveNone().encode() + Interested().encode() + Request(2, 0, 16384).encode()
        for at in range(len(said)):
            peer.sendRaw(said[at : at + 1])
            self.advance(0.1)
        self.advance(1)
        self.assertEqual([each.index for each in peer.heardOf(Piece)], [2])

    def test_initiatingGreets(self) -> None:
        """The dialling side greets first."""
        member = self.swarm.leecher()
        peer = ScriptedPeer(self.infoHash)
        dialling = member.session.connectPeer(*peer.listen(self.network.host()))
        self.advance(1)
        assert peer.handshake is not None
        self.assertEqual(peer.handshake.infoHash, self.infoHash)
        self.assertEqual(peer.handshake.peerId, member.client.clientPeerId)
        self.assertNoResult(dialling)
        peer.greet()
        session = self.swarm.run(dialling)
        self.assertEqual(session.peerId, peer.peerId)
        self.assertIs(session.swarmSession, member.session)

    def test_oneWrite(self) -> None:
        """All the first messages come in one write."""
        member = self.swarm.seeder()
        peer = self.met(member)
        self.assertEqual(len(peer.reads), 1)
        self.assertGreater(len(peer.heard), 1)

    def test_all(self) -> None:
        """A seeder says that it has all (BEP 6)."""
        self.assertEqual(self.first(self.swarm.seeder())[0], HaveAll())

    def test_none(self) -> None:
        """Who has nothing says so (BEP 6)."""
        self.assertEqual(self.first(self.swarm.leecher())[0], HaveNone())

    def test_some(self) -> None:
        """Who has some sends a bitfield."""
        self.assertEqual(self.first(self.swarm.member([0, 9]))[0], Bitfield(b"\x80\x40"))

    def test_withoutFast(self) -> None:
        """Without BEP 6: a bitfield, or nothing, and nothing allowed fast."""
        self.assertEqual(self.first(self.swarm.seeder(), extensions=frozenset()), [Bitfield(b"\xff\xc0")])
        self.assertEqual(self.first(self.swarm.leecher(), extensions=frozenset()), [])

    def test_allowedFast(self) -> None:
        """With BEP 6 a few of a leecher's pieces are allowed fast, and served although the peer is choked."""
        member = self.swarm.member(range(9))
        peer = self.met(member, HaveNone())
        allowed = [each.index for each in peer.heardOf(AllowedFast)]
        self.assertIn(len(allowed), (4, 5))  # the piece that is not here may be one of them
        other = next(index for index in range(9) if index not in allowed)
        peer.say(Request(allowed[0], 0, 16384), Request(other, 0, 16384))
        self.advance(1)
        self.assertEqual([each.index for each in peer.heardOf(Piece)], [allowed[0]])
        self.assertEqual(peer.heardOf(RejectRequest), [RejectRequest(other, 0, 16384)])

    def test_seederAllowsNothingFast(self) -> None:
        """A seeder serves those that it unchokes, and nobody else."""
        peer = self.met(self.swarm.seeder(), HaveNone())
        self.assertEqual(peer.heardOf(AllowedFast), [])

    def test_extendedHandshake(self) -> None:
        """With BEP 10 we say who we are, our port, what may be asked of us, where we see the peer."""
        member = self.swarm.seeder(Settings(clientName="mine", extensionHandshake={b"x": b"y"}))
        peer = self.met(member)
        said = ExtendedHandshake.decode(peer.heardOf(Extended)[0].payload)
        self.assertEqual((said.client, said.port), ("mine", member.client.listenerPort))
        self.assertEqual(said.reqq, member.client.settings.requestQueueLimit)
        self.assertEqual(said.yourIp, peer.transport.getHost().host)
        self.assertEqual(said.metadataSize, len(self.metainfo.infoBytes))
        self.assertTrue(said.uploadOnly)
        self.assertIn(b"lt_donthave", said.extensions)
        self.assertEqual(said.raw[b"x"], b"y")

    def test_withoutExtended(self) -> None:
        """Without BEP 10 there is no extended handshake."""
        peer = self.met(self.swarm.seeder(), extensions=frozenset({Extension.FAST}))
        self.assertEqual(peer.heardOf(Extended), [])

    def test_port(self) -> None:
        """C{port} is sent where DHT is enabled on both sides, and one that comes is noted."""
        both = frozenset({Extension.DHT})
        settings = Settings(allowedExtensions=both, dht=True, dhtRouters=(), listenPort=4444)
        member = self.swarm.leecher(settings)
        self.assertEqual(member.client.dhtPort, 4444)
        peer = self.met(member, extensions=both)
        self.assertEqual(peer.heardOf(Port), [Port(4444)])
        peer.say(Port(5555))
        self.advance(1)
        self.assertEqual(self.sessionOf(member, peer).dhtPort, 5555)
        without = self.met(member, extensions=frozenset(), peerId=b"-SC0001-scripted0002")
        self.assertEqual(without.heardOf(Port), [])

    def test_whatBothAllow(self) -> None:
        """enabledExtensions: what both sides allow, fixed at the handshake."""
        member = self.swarm.leecher(Settings(allowedExtensions=EXTENSIONS))
        peer = self.met(member, extensions=frozenset({Extension.DHT, Extension.FAST}))
        self.assertEqual(self.sessionOf(member, peer).enabledExtensions, {Extension.FAST})
