"""
Vocabulary: PeerSession, its timeouts, C{pendingMessages} and C{getPending}, SessionState, the first
messages, extensions; everything by the wire, as a peer sees it.
"""

from __future__ import annotations

import itertools
from typing import Any

from zope.interface import implementer

from tests.sessions.case import SwarmCase
from twisted_bt.errors import PeerDisconnected, ProtocolError
from twisted_bt.interfaces import IExtension
from twisted_bt.peerwire.extended import DontHave, ExtendedHandshake
from twisted_bt.peerwire.handshake import Handshake
from twisted_bt.peerwire.messages import (
    AllowedFast,
    Bitfield,
    Cancel,
    Extended,
    Have,
    HaveAll,
    HaveNone,
    Interested,
    KeepAlive,
    NotInterested,
    Piece,
    Port,
    RejectRequest,
    Request,
    SuggestPiece,
    Unchoke,
)
from twisted_bt.sessions.peer import PeerSession
from twisted_bt.settings import Extension, Settings
from twisted_bt.testing.scripted import EXTENSIONS, ScriptedPeer
from twisted_bt.testing.swarm import FOLDER, Member, makeTorrent


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


class AskingTests(SwarmCase):
    """What a peer asks of us."""

    def served(self, *said: Any, **more: Any) -> tuple[Member, ScriptedPeer]:
        """A seeder, and a peer that it unchoked."""
        member = self.swarm.seeder()
        peer = self.met(member, HaveNone(), Interested(), *said, **more)
        self.assertEqual(len(peer.heardOf(Unchoke)), 1)
        return member, peer

    def test_served(self) -> None:
        """Requests are answered with the bytes asked for, whatever the offset and length."""
        _, peer = self.served()
        for index, begin, length in ((0, 0, 16384), (3, 5, 1), (9, 0, 5088), (4, 100, 32000)):
            peer.say(Request(index, begin, length))
            self.advance(1)
            block = peer.heardOf(Piece)[-1]
            at = index * self.pieceLength + begin
            self.assertEqual((block.index, block.begin), (index, begin))
            self.assertEqual(bytes(block.data), self.swarm.content[at : at + length])

    def test_notThere(self) -> None:
        """What we do not have is rejected."""
        member = self.swarm.member([0])
        peer = self.met(member, HaveNone(), Interested())
        peer.say(Request(5, 0, 16384))
        self.advance(1)
        self.assertEqual(peer.heardOf(RejectRequest), [RejectRequest(5, 0, 16384)])

    def test_cancelled(self) -> None:
        """What is cancelled before it is sent is not sent (with BEP 6 it is rejected)."""
        _member, peer = self.served()
        peer.say(Request(1, 0, 16384), Request(2, 0, 16384), Cancel(2, 0, 16384))
        self.advance(1)
        self.assertEqual([each.index for each in peer.heardOf(Piece)], [1])
        self.assertEqual(peer.heardOf(RejectRequest), [RejectRequest(2, 0, 16384)])

    def test_choked(self) -> None:
        """When it is choked, what it asked for is dropped and rejected, but for what is allowed fast."""
        member, peer = self.served()
        allowed = {each.index for each in peer.heardOf(AllowedFast)}
        other = next(index for index in range(10) if index not in allowed)
        session = self.sessionOf(member, peer)
        session.sendingPaused(True)
        peer.say(Request(other, 0, 16384))
        self.advance(1)
        session.choke(self.network.now)
        session.sendingPaused(False)
        self.advance(0.5)
        self.assertEqual(peer.heardOf(RejectRequest), [RejectRequest(other, 0, 16384)])
        self.assertEqual(peer.heardOf(Piece), [])

    def test_requestsFirst(self) -> None:
        """When there is room again, what we ask for goes before the blocks that the peer asked for."""
        member = self.swarm.member(range(5))
        peer = self.met(member, HaveAll(), Interested())
        session = self.sessionOf(member, peer)
        session.sendingPaused(True)
        peer.say(Unchoke(), Request(0, 0, 16384))
        self.advance(1)
        self.assertEqual(peer.heardOf(Piece), [])
        session.sendingPaused(False)
        self.advance(1)
        said = [type(each) for each in peer.heard if isinstance(each, Request | Piece)]
        self.assertEqual(said[-1], Piece)
        self.assertIn(Request, said)

    def test_tooMany(self) -> None:
        """More requests than C{reqq} are rejected."""
        member = self.swarm.seeder(Settings(requestQueueLimit=5))
        peer = self.met(member, HaveNone(), Interested())
        self.sessionOf(member, peer).sendingPaused(True)
        peer.say(*[Request(0, 10 * number, 10) for number in range(8)])
        self.advance(1)
        self.sessionOf(member, peer).sendingPaused(False)
        self.advance(1)
        self.assertEqual(len(peer.heardOf(RejectRequest)), 3)
        self.assertEqual(len(peer.heardOf(Piece)), 5)

    def test_backPressure(self) -> None:
        """A peer that asks and does not read makes us hold no more than a little of it."""
        member, peer = self.served()
        peer.transport.pauseProducing()
        blocks = [Request(index, begin, 16384) for index in range(9) for begin in (0, 16384)]
        for _ in range(20):
            peer.say(*blocks)
            self.advance(1)
        (stream,) = member.host.streams
        self.assertLess(stream.unsent, 1 << 20)
        self.assertLess(member.session.progress.uploaded, 1 << 20)
        peer.transport.resumeProducing()
        self.advance(5)
        self.assertGreaterEqual(len(peer.heardOf(Piece)), 18)


class TellingTests(SwarmCase):
    """What a peer tells us."""

    def test_donthave(self) -> None:
        """A peer that takes back its last interesting piece is not interesting any more (BEP 54)."""
        member = self.swarm.leecher()
        peer = self.met(member, Bitfield(b"\x10\x00"))
        ours = ExtendedHandshake.decode(peer.heardOf(Extended)[0].payload).extensions[b"lt_donthave"]
        self.assertEqual(len(peer.heardOf(Interested)), 1)
        peer.say(Extended(ours, DontHave(3).encode()))
        self.advance(1)
        self.assertEqual(len(peer.heardOf(NotInterested)), 1)

    def test_reqq(self) -> None:
        """No more is asked than the peer keeps (BEP 10)."""
        member = self.swarm.leecher()
        peer = self.met(member, HaveAll())
        peer.say(ExtendedHandshake(reqq=2))
        self.advance(0.5)
        peer.say(Unchoke())
        self.advance(0.5)
        self.assertEqual(len(peer.heardOf(Request)), 2)

    def test_rejected(self) -> None:
        """What it rejects is not asked again of it at once."""
        member = self.swarm.leecher()
        peer = self.met(member, HaveAll())
        peer.reactions[Request] = lambda each: peer.say(RejectRequest(each.index, each.begin, each.length))
        peer.say(Unchoke())
        self.advance(5)
        asked = [(each.index, each.begin) for each in peer.heardOf(Request)]
        self.assertEqual(len(asked), len(set(asked)))
        self.assertIsNone(peer.lost)

    def test_suggested(self) -> None:
        """What it suggests is asked first (BEP 6)."""
        member = self.swarm.leecher()
        peer = self.met(member, HaveAll(), SuggestPiece(7))
        peer.say(Unchoke())
        self.advance(0.5)
        self.assertEqual(peer.heardOf(Request)[0].index, 7)

    def test_allowedFast(self) -> None:
        """What it allows fast is asked although it chokes us (BEP 6), and nothing else."""
        member = self.swarm.leecher()
        peer = self.met(member, HaveAll(), AllowedFast(4))
        self.assertEqual({each.index for each in peer.heardOf(Request)}, {4})

    def test_bitfieldAgain(self) -> None:
        """A bitfield in the place of many haves is taken as such."""
        member = self.swarm.leecher()
        peer = self.met(member, Bitfield(b"\x80\x00"))
        peer.say(Have(2), Bitfield(b"\xf8\x00"))
        self.advance(1)
        self.assertEqual(list(self.sessionOf(member, peer).state.bitfield.search(1)), [0, 1, 2, 3, 4])

    def test_unknownIgnored(self) -> None:
        """Messages and extensions that nobody knows are ignored."""
        member = self.swarm.leecher()
        peer = self.met(member, HaveNone())
        peer.sendRaw(b"\0\0\0\3\x63hi" + b"\0\0\0\1\x64")
        peer.say(Extended(99, b"whatever"))
        self.advance(1)
        self.assertIsNone(peer.lost)


@implementer(IExtension)
class Comment:
    """An extension of one's own: notes, and echoes."""

    name = b"ut_comment"

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []
        self.raises: BaseException | None = None

    def started(self, peer: PeerSession) -> None:
        """Noted."""
        self.events.append(("started", peer))
        if self.raises is not None:
            raise self.raises

    def received(self, peer: PeerSession, payload: bytes) -> None:
        """Noted and echoed."""
        self.events.append(("received", payload))
        if self.raises is not None:
            raise self.raises
        peer.sendExtended(self.name, payload.upper())

    def stopped(self, peer: PeerSession) -> None:
        """Noted."""
        self.events.append(("stopped", peer))


class ExtensionTests(SwarmCase):
    """IExtension: a protocol of one's own."""

    def setUp(self) -> None:
        """A leecher with an extension."""
        super().setUp()
        self.comment = Comment()
        self.member = self.swarm.leecher(extensions=lambda metainfo: [self.comment])

    def speaker(self) -> tuple[ScriptedPeer, int]:
        """A peer that speaks it too; the id by which we know it."""
        peer = self.met(self.member, HaveNone())
        peer.say(ExtendedHandshake(extensions={b"ut_comment": 33}))
        self.advance(1)
        ours = ExtendedHandshake.decode(peer.heardOf(Extended)[0].payload)
        return peer, ours.extensions[b"ut_comment"]

    def test_spoken(self) -> None:
        """It hears who speaks it, what they say, and when they go; and can say something."""
        peer, number = self.speaker()
        peer.say(Extended(number, b"hello"))
        self.advance(1)
        self.assertEqual(bytes(peer.heardOf(Extended)[-1].payload), b"HELLO")
        self.assertEqual(peer.heardOf(Extended)[-1].extensionId, 33)
        peer.close()
        self.advance(1)
        self.assertEqual([name for name, _ in self.comment.events], ["started", "received", "stopped"])

    def test_notSpoken(self) -> None:
        """Who does not speak it is not told of, and cannot be told anything by it."""
        peer = self.met(self.member, HaveNone())
        self.assertFalse(self.sessionOf(self.member, peer).sendExtended(b"ut_comment", b"x"))
        self.assertEqual(self.comment.events, [])

    def test_startedOnce(self) -> None:
        """A second extended handshake starts nothing again."""
        peer, _ = self.speaker()
        peer.say(ExtendedHandshake(extensions={b"ut_comment": 34}))
        self.advance(1)
        self.assertEqual([name for name, _ in self.comment.events], ["started"])

    def test_refuses(self) -> None:
        """If it raises C{ProtocolError}, the session ends for that reason."""
        noted = self.observed(self.member)
        peer, number = self.speaker()
        self.comment.raises = ProtocolError("bad comment")
        peer.say(Extended(number, b"hello"))
        self.advance(1)
        self.assertEnded(peer, noted, ProtocolError, "bad comment")

    def test_broken(self) -> None:
        """If it breaks, that is logged, and ends that session alone."""
        other = self.met(self.member, HaveNone(), peerId=b"-SC0001-scripted0002")
        noted = self.observed(self.member)
        peer, number = self.speaker()
        self.comment.raises = ZeroDivisionError()
        peer.say(Extended(number, b"hello"))
        self.advance(1)
        self.assertIsNotNone(peer.lost)
        self.assertEqual(len(noted.ended), 1)
        self.assertIsNone(other.lost)
        self.assertGreater(len(self.flushLoggedErrors(ZeroDivisionError)), 0)
        self.network.failures.clear()

    def test_brokenStart(self) -> None:
        """So if it breaks when it starts."""
        noted = self.observed(self.member)
        self.comment.raises = ZeroDivisionError()
        peer = self.met(self.member, HaveNone())
        peer.say(ExtendedHandshake(extensions={b"ut_comment": 33}))
        self.advance(1)
        self.assertEnded(peer, noted, PeerDisconnected, "ut_comment")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


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
