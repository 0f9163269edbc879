"""
What a downloaded block costs in calls, from the connection to its piece and on to the next request.

Calls are counted and not timed, so a slower way is found on a busy machine too.  The bounds are a
little over what was counted when they were set; who goes below may lower them.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.peerwire.framing import WireDecoder
from twisted_bt.peerwire.messages import HaveAll, HaveNone, Message, Piece, Request, Unchoke
from twisted_bt.testing.scripted import ScriptedPeer
from twisted_bt.testing.swarm import SimulatedSwarm
from twisted_bt.torrent.pieces import BLOCK_LENGTH

PIECE = 1 << 20
SIZE = 16 * PIECE

#: Bytes in a read from a fast peer; see L{twisted_bt.transport.plainsocket}.
READ = 1 << 18


class Calls:
    """Counts calls while it is entered: of functions in Python, and of all (those of C too)."""

    def __init__(self) -> None:
        self.python = 0
        self.all = 0
        self.names: Counter[str] = Counter()

    def _event(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            self.python += 1
            self.names[f"{frame.f_code.co_filename}:{frame.f_code.co_name}"] += 1
        self.all += event in ("call", "c_call")

    def __enter__(self) -> Calls:
        self._before = sys.getprofile()
        sys.setprofile(self._event)
        return self

    def __exit__(self, *reason: object) -> None:
        sys.setprofile(self._before)


class Stream:
    """A leecher, and a seed that answers each request at once, in reads of a given size."""

    def __init__(self, test: SynchronousTestCase, pieceLength: int = PIECE) -> None:
        self.pieceLength = pieceLength
        self.swarm = SimulatedSwarm(SIZE, pieceLength)
        test.addCleanup(self.swarm.stop)
        self.member = self.swarm.leecher()
        peer = ScriptedPeer(self.swarm.metainfo.wireHash)
        self.swarm.run(peer.dial(self.swarm.network.host(), self.member.address))
        peer.greet()
        peer.say(HaveAll())
        self.swarm.advance(1)
        (self.session,) = self.member.session.connectedPeers.values()
        protocol = self.session._protocol
        assert protocol is not None
        self.protocol = protocol
        self.written: list[bytes] = []
        self.protocol.write = self.written.append  # type: ignore[assignment, method-assign]
        self._decoder = WireDecoder(1 << 20, 1 << 20)

    def _answers(self) -> list[Message]:
        written, self.written[:] = b"".join(self.written), []
        return [self._answer(each) for each in self._decoder.feed(written) if isinstance(each, Request)]

    def _answer(self, request: Request) -> Piece:
        begin = request.index * self.pieceLength + request.begin
        return Piece(request.index, request.begin, self.swarm.content[begin : begin + request.length])

    def run(self, read: int, feed: Callable[[memoryview], object]) -> int:
        """Download all; each read goes to C{feed}.  Returns how many blocks came."""
        blocks, pending = 0, b""
        feed(memoryview(Unchoke().encode()))
        while not self.member.session.complete:
            answers = self._answers()
            blocks += len(answers)
            pending += b"".join(each.encode() for each in answers)
            if not pending:
                self.swarm.advance(1)
                continue
            feed(memoryview(bytearray(pending[:read])))
            pending = pending[read:]
        return blocks


class CallTests(SynchronousTestCase):
    """How many calls there are for each block of a download, its storing in memory included."""

    def assertCalls(self, read: int, python: float, every: float, stream: Stream | None = None) -> None:
        """With reads of C{read} bytes there are at most so many in Python, and of all kinds, for a block."""
        stream = stream or Stream(self)
        calls = Calls()

        def feed(data: memoryview) -> None:
            with calls:
                stream.protocol.dataReceived(data)

        blocks = stream.run(read, feed)
        self.assertEqual(blocks, SIZE >> 14)
        self.assertEqual(stream.member.content, stream.swarm.content)
        where = f"most often {calls.names.most_common(8)}"
        self.assertLess(calls.python / blocks, python, where)
        self.assertLess(calls.all / blocks, every, where)

    def test_fastPeer(self) -> None:
        """Of a fast peer, whose blocks come sixteen to a read."""
        self.assertCalls(READ, python=3.5, every=12)

    def test_slowPeer(self) -> None:
        """Of a peer whose blocks come in halves: two reads with all that has to be done for each."""
        self.assertCalls(1 << 13, python=68, every=110)

    def test_smallPieces(self) -> None:
        """In pieces of one block; and as many are stored at a time as come with a read."""
        stream = Stream(self, BLOCK_LENGTH)
        storage: Any = stream.member.session.storage
        jobs: list[int] = []
        write = storage.writePieces

        def counted(pieces: Any) -> Any:
            jobs.append(len(pieces))
            return write(pieces)

        storage.writePieces = counted
        self.assertCalls(READ, python=13.5, every=30, stream=stream)
        self.assertEqual(sum(jobs), SIZE // BLOCK_LENGTH)
        self.assertLess(len(jobs) * READ, SIZE * 1.2)


class TellingCostTests(SynchronousTestCase):
    """What it costs that others hear of the pieces that arrive."""

    def test_writes(self) -> None:
        """A fast download takes each peer that has nothing ten writes a second, not one for each piece."""
        swarm = SimulatedSwarm(SIZE, PIECE >> 4)
        self.addCleanup(swarm.stop)
        member = swarm.leecher()
        idle = ScriptedPeer(swarm.metainfo.wireHash)
        swarm.run(idle.dial(swarm.network.host(), member.address))
        idle.greet()
        idle.say(HaveNone())
        swarm.advance(1)
        idle.reads.clear()
        pieces, rate = 200, 200
        for index in range(pieces):
            member.session.downloader.download.addHave(index)
            member.session.available([index])
            swarm.advance(1 / rate)
        swarm.advance(1)
        self.assertLessEqual(len(idle.reads), pieces / rate * 10 + 2)
