"""
Vocabulary: PeerSession: what peers ask of us, and what they tell us.
"""

from __future__ import annotations

from typing import Any

from tests.sessions.case import SwarmCase
from twisted_bt.peerwire.extended import DontHave, ExtendedHandshake
from twisted_bt.peerwire.messages import (
    AllowedFast,
    Bitfield,
    Cancel,
    Extended,
    Have,
    HaveAll,
    HaveNone,
    Interested,
    NotInterested,
    Piece,
    RejectRequest,
    Request,
    SuggestPiece,
    Unchoke,
)
from twisted_bt.settings import Settings
from twisted_bt.testing.scripted import ScriptedPeer
from twisted_bt.testing.swarm import Member


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
