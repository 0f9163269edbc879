"""
Vocabulary: SessionException.  It ends one peer session and touches nothing else: no other peer, tracker or
swarm.  Whoever lies about lengths, sends what nobody asked for, corrupt pieces, giant frames, or
nothing at all, loses its session; an honest download beside it completes.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sessions.case import SwarmCase
from twisted_bt.errors import PeerDisconnected, ProtocolError, SessionException, UnknownTorrent
from twisted_bt.peerwire.extended import DontHave, ExtendedHandshake
from twisted_bt.peerwire.handshake import Handshake
from twisted_bt.peerwire.messages import (
    AllowedFast,
    Bitfield,
    Cancel,
    Choke,
    Extended,
    Have,
    HaveAll,
    HaveNone,
    Interested,
    KeepAlive,
    NotInterested,
    Piece,
    RejectRequest,
    Request,
    SuggestPiece,
    Unchoke,
)
from twisted_bt.sessions.downloader import MAX_UNASKED
from twisted_bt.sessions.life import SwarmStatus
from twisted_bt.testing.link import Link
from twisted_bt.testing.scripted import EXTENSIONS, ScriptedPeer
from twisted_bt.testing.swarm import Member


class ExceptionTests(SwarmCase):
    """SessionException = PeerDisconnected / ProtocolError(reason) / UnknownTorrent(infoHash)."""

    def test_three(self) -> None:
        """There are three, and each says what was wrong."""
        self.assertEqual(ProtocolError("why").reason, "why")
        self.assertEqual(UnknownTorrent(bytes(20)).infoHash, bytes(20))
        for each in (PeerDisconnected("x"), ProtocolError("x"), UnknownTorrent(bytes(20))):
            self.assertIsInstance(each, SessionException)


class IllegalTests(SwarmCase):
    """Each broken rule ends the session of who broke it, at once, and nothing else."""

    def setUp(self) -> None:
        """A leecher that has a piece, and somebody honest beside."""
        super().setUp()
        self.member = self.swarm.member([0])
        self.honest = self.met(self.member, HaveNone(), peerId=b"-SC0001-honest000001")
        self.noted = self.observed(self.member)

    def tearDown(self) -> None:
        """The honest one is still there, and welcome."""
        if self.member.session.status is not SwarmStatus.STOPPED:
            self.advance(1)
            self.assertIsNone(self.honest.lost)
            self.assertEqual(len(self.member.session.connectedPeers), 1)
            self.assertEqual(self.member.session.status, SwarmStatus.DOWNLOADING)
        super().tearDown()

    def assertIllegal(self, raw: bytes, word: str, begin: tuple[object, ...] = (HaveNone(),)) -> None:
        """Who sends C{raw} loses its session, for a reason with C{word} in it."""
        peer = self.met(self.member, *begin)  # type: ignore[arg-type]
        self.assertIsNone(peer.lost)
        peer.sendRaw(raw)
        self.advance(1)
        self.assertEnded(peer, self.noted, ProtocolError, word)

    def test_giantFrame(self) -> None:
        """A frame of 100 MB, known by its first five bytes, before the rest came."""
        self.assertIllegal((100_000_000).to_bytes(4, "big") + b"\x14", "100000000")

    def test_giantUnknown(self) -> None:
        """So is one of a kind that nobody knows."""
        self.assertIllegal((100_000_000).to_bytes(4, "big") + b"\xc8", "100000000")

    def test_giantPiece(self) -> None:
        """So is a giant block."""
        self.assertIllegal((100_000_000).to_bytes(4, "big") + b"\x07", "100000000")

    def test_giantBitfield(self) -> None:
        """And a bitfield of another size than this torrent's."""
        self.assertIllegal(Bitfield(bytes(3)).encode(), "message 5 of 4 bytes")

    def test_shortBitfield(self) -> None:
        """Or a shorter one."""
        self.assertIllegal(Bitfield(bytes(1)).encode(), "message 5 of 2 bytes")

    def test_spareBits(self) -> None:
        """Bits for pieces that do not exist."""
        self.assertIllegal(Bitfield(b"\xff\xff").encode(), "beyond the last")

    def test_lengthLies(self) -> None:
        """Messages that are longer or shorter than their kind."""
        self.assertIllegal(b"\0\0\0\6\4\0\0\0\1\0", "message 4 of 6 bytes")

    def test_noSuchPiece(self) -> None:
        """Pieces that do not exist."""
        self.assertIllegal(Have(10).encode(), "no piece 10")

    def test_noSuchPieceAllowed(self) -> None:
        """Nor may they be allowed fast."""
        self.assertIllegal(AllowedFast(99).encode(), "no piece 99")

    def test_noSuchPieceSuggested(self) -> None:
        """Nor suggested."""
        self.assertIllegal(SuggestPiece(99).encode(), "no piece 99")

    def test_noSuchPieceLost(self) -> None:
        """Nor taken back (BEP 54)."""
        ours = ExtendedHandshake.decode(self.honest.heardOf(Extended)[0].payload)
        number = ours.extensions[b"lt_donthave"]
        self.assertIllegal(Extended(number, DontHave(10).encode()).encode(), "no piece 10")

    def test_requestOutside(self) -> None:
        """Requests for what is no part of its piece."""
        self.assertIllegal(Request(9, 5000, 100).encode(), "no block of 100 bytes at 5000 in piece 9")

    def test_requestEmpty(self) -> None:
        """Requests for nothing."""
        self.assertIllegal(Request(0, 0, 0).encode(), "no block of 0 bytes")

    def test_requestLong(self) -> None:
        """Requests that are too long for anybody."""
        self.assertIllegal(Request(0, 0, 1 << 31).encode(), "no block")

    def test_haveAllLate(self) -> None:
        """Have-all after other messages (BEP 6)."""
        self.assertIllegal(HaveAll().encode(), "after other messages")

    def test_rejectUnasked(self) -> None:
        """Rejects without BEP 6."""
        peer = self.met(self.member, extensions=frozenset())
        peer.say(RejectRequest(0, 0, 16384))
        self.advance(1)
        self.assertEnded(peer, self.noted, ProtocolError, "without FAST")

    def test_extendedUnasked(self) -> None:
        """Extended messages without BEP 10."""
        peer = self.met(self.member, extensions=frozenset())
        peer.say(Extended(0, b"de"))
        self.advance(1)
        self.assertEnded(peer, self.noted, ProtocolError, "without EXTENDED")

    def test_extendedGarbage(self) -> None:
        """An extended handshake that is no dictionary."""
        self.assertIllegal(Extended(0, b"garbage").encode(), "")

    def test_extendedBomb(self) -> None:
        """Or nested without end."""
        self.assertIllegal(Extended(0, b"l" * 100_000).encode(), "")

    def test_unasked(self) -> None:
        """A flood of blocks that nobody asked for; a few are borne, since a cancel may cross them."""
        peer = self.met(self.member, HaveAll())
        block = Piece(0, 0, bytes(16384))
        peer.say(*[block] * 10)
        self.advance(1)
        self.assertIsNone(peer.lost)
        for _ in range(MAX_UNASKED // 16384 // 10 + 1):
            peer.say(*[block] * 10)
            self.advance(0.1)
        self.advance(1)
        self.assertEnded(peer, self.noted, ProtocolError, "nobody asked for")
        self.assertEqual(self.member.session.progress.downloaded, 0)

    def test_blockOfAnotherLength(self) -> None:
        """A block of another length than was asked for is stored nowhere."""
        peer = self.met(self.member, HaveAll())
        peer.reactions[Request] = lambda each: peer.say(Piece(each.index, each.begin, b"x" * 100))
        peer.say(Unchoke())
        self.advance(5)
        self.assertEqual(self.member.session.clientBitfield.count(), 1)
        peer.close()

    def test_cancelOfNothing(self) -> None:
        """A cancel of what was never asked for is ignored."""
        peer = self.met(self.member, HaveNone())
        peer.say(Cancel(0, 0, 16384), Cancel(1 << 3, 7, 1 << 30), KeepAlive())
        self.advance(1)
        self.assertIsNone(peer.lost)
        peer.close()

    def test_keptBeforeTheRule(self) -> None:
        """A piece that was complete when its sender broke a rule is kept."""
        peer = self.met(self.member, HaveAll())
        peer.say(Unchoke())
        self.advance(0.1)
        first = peer.heardOf(Request)[0].index
        blocks = []
        for request in peer.heardOf(Request):
            if request.index == first:
                at = first * self.pieceLength + request.begin
                data = self.swarm.content[at : at + request.length]
                blocks.append(Piece(first, request.begin, data).encode())
        peer.sendRaw(b"".join(blocks) + Have(99).encode())
        self.advance(1)
        self.assertEnded(peer, self.noted, ProtocolError, "no piece 99")
        self.assertEqual(self.noted.pieces(), [first])

    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(st.binary(min_size=1, max_size=400), st.booleans())
    def test_anything(self, raw: bytes, fast: bool) -> None:
        """Whatever bytes come after the handshake: a session that goes on or ends, and no exception else."""
        peer = ScriptedPeer(self.infoHash, extensions=frozenset() if not fast else EXTENSIONS)
        self.swarm.run(peer.dial(self.network.host(), self.member.address))
        peer.greet()
        peer.sendRaw(raw)
        self.advance(1)
        self.assertEqual(self.network.failures, [])
        if peer.lost is None:
            peer.close()
        self.advance(1)
        self.assertEqual(len(self.member.session.connectedPeers), 1)
        self.assertTrue(all(isinstance(each, SessionException) for each in self.noted.ended))
        self.assertIsNone(self.honest.lost)
        self.honest.say(KeepAlive())


class HandshakeTests(SwarmCase):
    """A thousand handshakes, cut off or with a flipped bit: each ends in a session or in the end of it."""

    def test_variants(self) -> None:
        """No variant does more than lose its session, and none holds a slot in the end."""
        member = self.swarm.leecher()
        good = Handshake(self.infoHash, b"-SC0001-scripted0001", ScriptedPeer(b"").extensions).encode()
        random = self.network.random
        host = self.network.host()
        for number in range(1000):
            data = bytearray(good)
            if number % 2:
                bit = random.randrange(8 * len(data))
                data[bit // 8] ^= 1 << bit % 8
            else:
                del data[random.randrange(len(data)) :]
            peer = ScriptedPeer(self.infoHash)
            self.swarm.run(peer.dial(host, member.address))
            peer.sendRaw(bytes(data))
            self.advance(0.1)
            if peer.lost is None:
                peer.close()
                self.advance(0.1)
        self.advance(15)
        self.assertEqual(self.network.failures, [])
        self.assertEqual(member.session.connectedPeers, {})
        self.assertEqual(member.client.engine.clientSlots.taken, 0)


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
