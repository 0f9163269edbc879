"""Tests of L{twisted_bt.testing.recording} and L{twisted_bt.testing.replaying}."""

from __future__ import annotations

import contextlib
import json
from io import StringIO
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv6Address
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.interfaces import IReactorTCP
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.sessions.case import Noted
from twisted_bt.exchange.picker import Sequential
from twisted_bt.interfaces import IClientReactor
from twisted_bt.peerwire.handshake import Handshake
from twisted_bt.peerwire.messages import Interested, Piece, Request, Unchoke
from twisted_bt.testing.network import Network
from twisted_bt.testing.recording import (
    FORMAT,
    Conversation,
    Recorder,
    Recording,
    RecordingError,
    Said,
)
from twisted_bt.testing.replaying import Pace, Replay
from twisted_bt.testing.script import Frames, Line, Script, requested
from twisted_bt.testing.swarm import Member, SimulatedSwarm
from twisted_bt.testing.villains import Corrupter, GiantFrames, Villain


def inOrder(random: Any) -> Sequential:
    """The picker of all these clients: what they ask for depends on nothing else."""
    return Sequential()


class RoundTripTests(SynchronousTestCase):
    """A download with a misbehaving peer, recorded; then the peers' part played to a client that is new."""

    def state(self, member: Member, noted: Noted) -> tuple[Any, ...]:
        """What became of C{member}."""
        return (
            member.content,
            sorted(str(each) for each in noted.ended if "both are seeds" not in str(each)),
            len(member.client.engine.bans),
            sorted(noted.pieces()),
        )

    def record(self, kind: type[Villain], atFirst: float) -> tuple[str, tuple[Any, ...]]:
        """The recording, and what became of the client in it."""
        text = StringIO()
        swarm = SimulatedSwarm(size=300_000, seed="recorded")
        recorder = Recorder(text.write, lambda: swarm.network.now, note=kind.name)
        leecher = swarm.leecher(
            host=recorder.on(swarm.network.host()), random=Random("leecher"), picker=inOrder
        )
        noted = Noted()
        leecher.session.observe(noted)
        villain = kind(swarm)
        villain.attack(leecher)
        swarm.advance(atFirst)
        seeder = swarm.seeder()
        leecher.meet(seeder)
        swarm.run(leecher.session.whenComplete(), 300)
        swarm.advance(1)
        state = self.state(leecher, noted)
        villain.stop()
        swarm.stop()
        return text.getvalue(), state

    def replay(self, text: str, pace: Pace) -> tuple[tuple[Any, ...], Replay]:
        """What becomes of a new client to which that is played."""
        swarm = SimulatedSwarm(size=300_000, seed="recorded")
        leecher = swarm.leecher(random=Random("leecher"), picker=inOrder)
        noted = Noted()
        leecher.session.observe(noted)
        replay = Replay(Recording.read(StringIO(text)), swarm.network, pace)
        replay.against(leecher)
        swarm.run(replay.whenPlayed(), 300)
        swarm.advance(1)
        state = self.state(leecher, noted)
        replay.stop()
        swarm.advance(1)
        swarm.stop()
        self.assertEqual(swarm.network.leftovers(), [])
        return state, replay

    def test_sameState(self) -> None:
        """The new client comes to the same state, at the recorded pace and as fast as it answers."""
        for kind, first in ((GiantFrames, 0.2), (Corrupter, 0.2)):
            text, state = self.record(kind, first)
            self.assertEqual(len(state[0]), 300_000)
            self.assertTrue(state[1])
            for pace in Pace:
                again, _ = self.replay(text, pace)
                self.assertEqual(again, state, f"{kind.name} {pace}")

    def test_sameWords(self) -> None:
        """It says the same bytes, but for who it is."""
        text, _ = self.record(GiantFrames, 0.2)
        _, replay = self.replay(text, Pace.RECORDED)
        for part in replay.parts:
            before = part.conversation.bytesOf(received=False)
            self.assertEqual(len(part.heard) > 0, len(before) > 0)
            self.assertEqual(bytes(part.heard[:48]), before[:48])

    def test_stopped(self) -> None:
        """A replay may be stopped in the middle; nothing is left."""
        text, _ = self.record(GiantFrames, 0.2)
        swarm = SimulatedSwarm(size=300_000, seed="recorded")
        leecher = swarm.leecher()
        replay = Replay(Recording.read(StringIO(text)), swarm.network)
        replay.against(leecher)
        swarm.advance(0.05)
        replay.stop()
        swarm.advance(1)
        swarm.stop()
        self.assertEqual(swarm.network.leftovers(), [])

    def test_nobodyThere(self) -> None:
        """Played to a client that is gone, it is over."""
        text, _ = self.record(GiantFrames, 0.2)
        swarm = SimulatedSwarm(size=300_000, seed="recorded")
        leecher = swarm.leecher()
        recording = Recording.read(StringIO(text))
        incoming = [each for each in recording.peers() if not each.dialled]
        replay = Replay(recording, swarm.network, conversations=incoming)
        replay.against(leecher)
        swarm.stop()
        swarm.run(replay.whenPlayed(), 60)


class Echo(Protocol):
    """Says again what it hears, once."""

    transport: Any

    def dataReceived(self, data: bytes) -> None:
        self.transport.writeSequence([data, b"!"])
        self.transport.loseConnection()


class Caller(Protocol):
    """Says something."""

    transport: Any

    def connectionMade(self) -> None:
        self.transport.write(b"hello")


class RecorderTests(SynchronousTestCase):
    """What is written."""

    def setUp(self) -> None:
        """Two hosts of which one is recorded."""
        self.network = Network(1)
        self.text = StringIO()
        self.recorder = Recorder(self.text.write, lambda: self.network.now, "a note")
        self.host, self.other = self.network.host(), self.network.host()
        self.recorded = self.recorder.on(self.host)

    def test_isReactor(self) -> None:
        """What takes the reactor's place provides what that did; a simulated host keeps its own place."""
        self.assertIs(self.recorded, self.host)
        self.assertTrue(verifyObject(IClientReactor, self.recorded))
        reactor = MemoryReactorClock()
        recorded = self.recorder.on(reactor)
        self.assertTrue(verifyObject(IReactorTCP, recorded))
        reactor.advance(5)
        self.assertEqual(recorded.seconds(), 5)
        recorded.listenTCP(80, Factory.forProtocol(Echo))
        protocol = reactor.tcpServers[0][1].buildProtocol(IPv6Address("TCP", "::1", 9))
        assert protocol is not None
        protocol.makeConnection(StringTransport())
        protocol.dataReceived(b"hello")
        self.assertIn("aGVsbG8=", self.text.getvalue())

    def test_bothWays(self) -> None:
        """Connections made and accepted by any protocol and endpoint, what they carry, and their end."""
        TCP4ServerEndpoint(self.recorded, 7).listen(Factory.forProtocol(Echo))
        TCP4ServerEndpoint(self.other, 7).listen(Factory.forProtocol(Echo))
        TCP4ClientEndpoint(self.recorded, self.other.address, 7).connect(Factory.forProtocol(Caller))
        self.network.advance(1)
        TCP4ClientEndpoint(self.other, self.host.address, 7).connect(Factory.forProtocol(Caller))
        self.network.advance(1)
        recording = Recording.read(self.text.getvalue().splitlines())
        self.assertEqual((recording.note, recording.truncated), ("a note", False))
        made, accepted = recording.conversations
        self.assertEqual((made.dialled, accepted.dialled), (True, False))
        self.assertEqual((made.bytesOf(False), made.bytesOf(True)), (b"hello", b"hello!"))
        self.assertEqual((accepted.bytesOf(False), accepted.bytesOf(True)), (b"hello!", b"hello"))
        self.assertEqual(made.there, f"{self.other.address}:7")
        self.assertGreater(accepted.openedAt, 1)
        for each in (made, accepted):
            assert each.closedAt is not None
            self.assertIn("closed cleanly", each.why)

    def test_limit(self) -> None:
        """Beyond its limit no data is recorded, and it is said that there was more."""
        recorder = Recorder(self.text.write, lambda: 0.0, limit=10)
        number = recorder.opened(True, None, IPv6Address("TCP", "::1", 7))
        recorder.data(number, "sent", b"12345")
        recorder.data(number, "sent", b"1234567")
        recorder.data(number, "sent", b"1")
        recorder.closed(number, "x" * 5000)
        recording = Recording.read(self.text.getvalue().splitlines()[1:])
        self.assertTrue(recording.truncated)
        self.assertEqual(recording.conversations[0].there, "[::1]:7")
        self.assertEqual(recording.conversations[0].bytesOf(False), b"12345")

    def test_peers(self) -> None:
        """Conversations of peers are told from others."""
        for first in (b"\x13BitTorrent protocol" + bytes(48), b"HTTP/1.1 200 OK", b"", b"\x13Bit"):
            number = self.recorder.opened(True, None, IPv6Address("TCP", "::1", 7))
            self.recorder.data(number, "received", first)
        recording = Recording.read(self.text.getvalue().splitlines())
        self.assertEqual([each.number for each in recording.peers()], [1, 3, 4])


class ScriptTests(SynchronousTestCase):
    """What a recorded peer said, apart from when."""

    def test_cut(self) -> None:
        """Pieces that were asked for are answers, the rest are lines, each after what the client had said."""
        hello = Handshake(bytes(20), bytes(20)).encode()
        asked, other = Piece(1, 0, b"abc"), Piece(2, 0, b"xyz")
        said = [
            Said(0.0, False, hello + Request(1, 0, 3).encode()),
            Said(0.1, True, hello + Unchoke().encode()[:3]),
            Said(0.2, True, Unchoke().encode()[3:] + asked.encode()),
            Said(0.3, False, Interested().encode()),
            Said(0.4, True, other.encode() + b"\xff\xff\xff\xff\x07more"),
        ]
        script = Script(Conversation(1, 0.0, True, "", "", said))
        first, then = 68 + 17, 68 + 17 + 5
        self.assertEqual(
            script.lines,
            [
                Line(first, hello),
                Line(first, Unchoke().encode()),
                Line(then, other.encode()),
                Line(then, b"\xff\xff\xff\xff\x07more"),
            ],
        )
        self.assertEqual(script.answer((1, 0, 3)), asked.encode())
        self.assertEqual(script.answer((1, 0, 3)), asked.encode())
        self.assertIsNone(script.answer((2, 0, 3)))

    def test_oneByteAtATime(self) -> None:
        """A stream fed a byte at a time is cut as when it comes whole."""
        stream = Handshake(bytes(20), bytes(20)).encode() + Request(1, 0, 3).encode() * 2 + b"\0\0\0\0"
        whole = list(Frames().feed(stream))
        frames = Frames()
        drips = [each for at in range(len(stream)) for each in frames.feed(stream[at : at + 1])]
        self.assertEqual(drips, whole)
        self.assertEqual([len(each) for each in whole], [68, 17, 17, 4])
        self.assertEqual([requested(each) for each in whole], [None, (1, 0, 3), (1, 0, 3), None])


HEAD = {"format": FORMAT, "version": 1, "note": ""}
OPENED = {"t": 0, "c": 1, "e": "opened", "dialled": True, "here": "a", "there": "b"}


class HostileFileTests(SynchronousTestCase):
    """Files from anybody: a recording, or one exception."""

    def assertRefused(self, word: str, *lines: object, **limits: int) -> None:
        """That is no recording, for a reason with C{word} in it."""
        text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        reason = self.assertRaises(RecordingError, Recording.read, text, **limits)
        self.assertIn(word, str(reason))

    def test_notOne(self) -> None:
        """What is something else, or of another version."""
        self.assertRefused("empty")
        self.assertRefused("not JSON", "hello")
        self.assertRefused("not JSON", "[" * 100_000)
        self.assertRefused("no object", [1])
        self.assertRefused("version", {**HEAD, "version": 2})
        self.assertRefused("note", {**HEAD, "note": 5})

    def test_events(self) -> None:
        """Events that cannot be."""
        for word, event in (
            ("time", {**OPENED, "t": "soon"}),
            ("time", {**OPENED, "t": True}),
            ("time", {**OPENED, "t": -1}),
            ("time", {**OPENED, "t": 1e300}),
            ("number", {**OPENED, "c": 0}),
            ("number", {**OPENED, "c": "1"}),
            ("by nobody", {**OPENED, "dialled": 1}),
            ("here", {**OPENED, "here": "x" * 5000}),
            ("not open", {**OPENED, "e": "closed"}),
        ):
            self.assertRefused(word, HEAD, event)

    def test_base64(self) -> None:
        """Data that is no base64, or is not even ASCII."""
        for data in ("A", "****", "\u00e4\u00e4\u00e4\u00e4"):
            self.assertRefused("line 3", HEAD, OPENED, {"t": 1, "c": 1, "e": "sent", "data": data})

    def test_conversations(self) -> None:
        """Connections that open twice, go on after their end, or do what nobody knows."""
        data = {"t": 1, "c": 1, "e": "sent", "data": "AAAA"}
        closed = {"t": 1, "c": 1, "e": "closed", "why": ""}
        self.assertRefused("twice", HEAD, OPENED, OPENED)
        self.assertRefused("not open", HEAD, OPENED, closed, data)
        self.assertRefused("line 3", HEAD, OPENED, {**data, "e": "sung"})
        self.assertRefused("time", HEAD, {**OPENED, "t": 5}, data)
        for wrong in ("%%%", "AAA", 5):
            self.assertRefused("line 3", HEAD, OPENED, {**data, "data": wrong})

    def test_limits(self) -> None:
        """Too long a line, too much data, too many connections."""
        data = {"t": 1, "c": 1, "e": "sent", "data": "AAAA"}
        self.assertRefused("characters", HEAD, OPENED, {**data, "data": "A" * 400}, maxLine=300)
        self.assertRefused("too much", HEAD, OPENED, data, data, maxData=5)
        self.assertRefused("too many", HEAD, OPENED, {**OPENED, "c": 2}, maxConnections=1)

    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(st.lists(st.one_of(st.just(json.dumps(OPENED)), st.text(max_size=50)), max_size=5))
    def test_anything(self, lines: list[str]) -> None:
        """Whatever the lines are."""
        with contextlib.suppress(RecordingError):
            Recording.read([json.dumps(HEAD), *lines])
