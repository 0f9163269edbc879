"""
Extensions of the user's own (BEP 10), among real sessions.
"""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from tests.sessions.case import SwarmCase
from twisted_bt.errors import PeerDisconnected, ProtocolError
from twisted_bt.interfaces import IExtension
from twisted_bt.peerwire.extended import ExtendedHandshake
from twisted_bt.peerwire.messages import Extended, HaveNone
from twisted_bt.sessions.peer import PeerSession
from twisted_bt.testing.scripted import ScriptedPeer


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
