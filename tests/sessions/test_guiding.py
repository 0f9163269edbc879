"""
L{twisted_bt.sessions.guiding}.
"""

from __future__ import annotations

from tests.sessions.case import SwarmCase
from twisted_bt.peerwire.messages import (
    Bitfield,
    HaveNone,
    Interested,
    Request,
    SuggestPiece,
    Unchoke,
)
from twisted_bt.settings import Settings
from twisted_bt.testing.scripted import ScriptedPeer
from twisted_bt.testing.swarm import Member


class GuidingTests(SwarmCase):
    """A seeder that serves several peers."""

    def served(self, member: Member, count: int, first: int = 0) -> list[ScriptedPeer]:
        """C{count} peers that it serves."""
        peers = [
            self.met(member, HaveNone(), Interested(), peerId=b"-SC0001-scripted%04d" % (first + number))
            for number in range(count)
        ]
        self.assertTrue(all(peer.heardOf(Unchoke) for peer in peers))
        return peers

    def told(self, peer: ScriptedPeer) -> list[int]:
        """What C{peer} was told to ask for."""
        return [each.index for each in peer.heardOf(SuggestPiece)]

    def test_different(self) -> None:
        """Each is told to ask for other pieces."""
        peers = self.served(self.swarm.seeder(), 3)
        self.advance(2)
        told = [index for peer in peers for index in self.told(peer)]
        self.assertEqual(len(told), len(set(told)))
        self.assertTrue(all(self.told(peer) for peer in peers))

    def test_more(self) -> None:
        """Who took what it was told to is told of more, until nothing is left."""
        peers = self.served(self.swarm.seeder(), 2)
        asked: set[int] = set()
        for _ in range(40):
            self.advance(1)
            for peer in peers:
                for index in set(self.told(peer)) - asked:
                    asked.add(index)
                    size = self.swarm.metainfo.layout.pieceSize(index)
                    blocks = range(0, size, 16384)
                    peer.say(*[Request(index, begin, min(16384, size - begin)) for begin in blocks])
        told = [index for peer in peers for index in self.told(peer)]
        self.assertEqual(sorted(told), list(range(10)))

    def test_alone(self) -> None:
        """Who is served alone may take what it likes."""
        (peer,) = self.served(self.swarm.seeder(), 1)
        self.advance(5)
        self.assertEqual(self.told(peer), [])

    def test_leeching(self) -> None:
        """A leecher tells nobody what to ask for."""
        peers = self.served(self.swarm.member(range(9)), 2)
        self.advance(5)
        self.assertEqual([self.told(peer) for peer in peers], [[], []])

    def test_whatOthersHave(self) -> None:
        """What a peer has needs no spreading."""
        member = self.swarm.seeder(Settings(uploadSlots=4, maxPeersPerTorrent=9))
        self.met(member, Bitfield(b"\xff\x80"), peerId=b"-SC0001-scripted0009")
        peers = self.served(member, 2)
        self.advance(5)
        self.assertEqual([index for peer in peers for index in self.told(peer)], [9])
