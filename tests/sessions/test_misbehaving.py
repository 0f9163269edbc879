"""
Vocabulary: SessionException.  It ends one peer session and touches nothing else: no other peer, tracker or
swarm.  Whoever breaks a rule of the protocol loses its session.
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
    Extended,
    Have,
    HaveAll,
    HaveNone,
    KeepAlive,
    Piece,
    RejectRequest,
    Request,
    SuggestPiece,
    Unchoke,
)
from twisted_bt.sessions.downloader import MAX_UNASKED
from twisted_bt.sessions.life import SwarmStatus
from twisted_bt.testing.scripted import EXTENSIONS, ScriptedPeer


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
