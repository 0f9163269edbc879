"""Tests of L{twisted_bt.sessions.telling}: what peers hear of new pieces, and when."""

from __future__ import annotations

from typing import Any

from tests.sessions.case import SwarmCase
from twisted_bt.peerwire.messages import Bitfield, Have, HaveAll, HaveNone, Interested, NotInterested
from twisted_bt.sessions.telling import PAUSE
from twisted_bt.testing.scripted import ScriptedPeer


class TellingTests(SwarmCase):
    """One client, and peers that listen."""

    size = 5_000_000
    pieceLength = 1 << 14  # so many pieces that to tell of a few is shorter than a bitfield

    def setUp(self) -> None:
        """Nobody knows of any piece."""
        super().setUp()
        self.member = self.swarm.leecher()

    def listener(self, *said: Any) -> ScriptedPeer:
        """A peer that heard all there was to hear."""
        peer = self.met(self.member, *said)
        peer.heard.clear()
        peer.reads.clear()
        return peer

    def told(self, peer: ScriptedPeer) -> list[int]:
        """The pieces that C{peer} was told of one by one."""
        return [each.index for each in peer.heardOf(Have)]

    def test_atOnce(self) -> None:
        """The first piece is told without delay."""
        peer = self.listener(HaveNone())
        self.arrive(self.member, [3])
        self.advance(PAUSE / 2)
        self.assertEqual(self.told(peer), [3])

    def test_together(self) -> None:
        """Those that follow soon are told in one write, once, and none is left untold."""
        peer = self.listener(HaveNone())
        for index in range(1, 6):
            self.arrive(self.member, [index])
            self.advance(PAUSE / 10)
        self.assertEqual((self.told(peer), len(peer.reads)), ([1], 1))
        self.advance(PAUSE)
        self.assertEqual((self.told(peer), len(peer.reads)), ([1, 2, 3, 4, 5], 2))
        self.advance(10 * PAUSE)
        self.arrive(self.member, [6])
        self.advance(PAUSE / 2)
        self.assertEqual((self.told(peer), len(peer.reads)), ([1, 2, 3, 4, 5, 6], 3))

    def test_whoLacksThem(self) -> None:
        """A peer hears of the pieces it has not; of one it has, we judge whether we want more of it."""
        peer = self.listener(Have(1), Have(2))
        self.assertTrue(self.sessionOf(self.member, peer).wire.amInterested)
        self.arrive(self.member, [1, 2, 3])
        self.advance(1)
        self.assertEqual((self.told(peer), len(peer.heardOf(NotInterested))), ([3], 1))

    def test_seeds(self) -> None:
        """Who has everything hears nothing."""
        peer = self.listener(HaveAll())
        self.arrive(self.member, [1, 2, 3])
        self.advance(1)
        self.assertEqual(peer.heard, [])

    def test_newcomer(self) -> None:
        """Who comes while pieces are untold hears of each of them once."""
        peer = self.dialled(self.member)
        self.arrive(self.member, [1])
        self.advance(PAUSE / 10)
        self.arrive(self.member, [2])
        peer.greet()
        self.advance(1)
        self.assertEqual(self.told(peer), [2])
        (bitfield,) = peer.heardOf(Bitfield)
        self.assertEqual(bytes(bitfield.bits)[:1], b"\x40")

    def test_lost(self) -> None:
        """A piece that is found to be gone before it was told is not told."""
        peer = self.listener(HaveNone())
        self.arrive(self.member, [1])
        self.advance(PAUSE / 10)
        self.arrive(self.member, [2, 3])
        self.member.session.pieceLost(2)
        self.advance(1)
        self.assertEqual(self.told(peer), [1, 3])

    def test_complete(self) -> None:
        """The last piece is told at once, with all that were not."""
        peer = self.listener(HaveNone())
        self.arrive(self.member, [0])
        self.advance(PAUSE / 10)
        self.arrive(self.member, range(1, self.pieceCount))
        self.advance(PAUSE / 2)
        (bitfield,) = peer.heardOf(Bitfield)
        self.assertEqual(sum(each.bit_count() for each in bitfield.bits), self.pieceCount)
        self.assertEqual(peer.heardOf(Interested), [])

    def test_paused(self) -> None:
        """A swarm that is paused tells nobody, and waits for nothing."""
        self.listener(HaveNone())
        self.arrive(self.member, [1])
        self.advance(PAUSE / 10)
        self.arrive(self.member, [2])
        self.swarm.run(self.member.session.pause())
        self.arrive(self.member, [3])
        self.assertIsNone(self.member.session.possession.telling.untold)
        self.assertEqual(self.member.session.possession.told.count(), 3)
