"""
What a block costs in system calls, copies and memory, from the connection to the disk and back.

All of it is counted and nothing is timed, so a slower way is found on a busy machine too.  The bounds are a
little over what was counted when they were set; who goes below may lower them.  What a downloaded block
costs in calls of functions is in C{test_cost}.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections import Counter
from statistics import median
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.sessions.counted import PIECE, CountedClient
from tests.sessions.test_cost import Calls
from twisted_bt.peerwire.messages import HaveAll, HaveNone, Interested, Piece, Request, Unchoke
from twisted_bt.torrent.pieces import BLOCK_LENGTH

PIECES = 24
SIZE = PIECES * PIECE
#: Pieces that are left out: buffers are made meanwhile, and the peer shows how fast it is.
WARM = 8


class DownloadTests(SynchronousTestCase):
    """Blocks of a fast peer, to files."""

    def setUp(self) -> None:
        """A peer that has everything and answers all requests at once, in order."""
        self.client = CountedClient(self, SIZE, complete=False)
        self.client.say(HaveAll().encode() + Unchoke().encode())
        self.blocks = 0
        self.taken: list[int] = []

    def read(self) -> None:
        """One read; how much memory it took at most is noted."""
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        self.client.read()
        _, peak = tracemalloc.get_traced_memory()
        self.taken.append(peak - before)

    def download(self, pieces: int) -> int:
        """Go on until so many pieces came; the blocks since."""
        before = self.blocks
        while self.blocks * BLOCK_LENGTH < pieces * PIECE and not self.client.session.complete:
            wanted = [each for each in self.client.heard() if isinstance(each, Request)]
            self.blocks += len(wanted)
            self.client.socket.put(b"".join([self.answer(each) for each in wanted]))
            while self.client.socket.left:
                self.read()
            self.client.rest()
        return self.blocks - before

    def answer(self, request: Request) -> bytes:
        """The block that was asked for, as it is sent."""
        start = request.index * PIECE + request.begin
        data = self.client.swarm.content[start : start + request.length]
        return Piece(request.index, request.begin, data).encode()

    def test_calls(self) -> None:
        """Of sockets: one for a quarter of a MiB; of files: one for a piece, and none to read it again."""
        self.download(WARM)
        self.client.forget()
        blocks = self.download(PIECES)
        self.assertTrue(self.client.session.complete)
        calls = Counter(self.client.socket.calls)
        self.assertLess(calls["recv_into"] / blocks, 1 / 14, calls)
        self.assertLessEqual(calls["send"] + calls["sendmsg"], calls["recv_into"], calls)
        self.assertLessEqual(calls.keys(), {"recv_into", "send", "sendmsg"})
        self.assertLessEqual(len(self.client.written), blocks * BLOCK_LENGTH // PIECE + 1)
        self.assertEqual(self.client.found, [])

    def test_copies(self) -> None:
        """A piece is written out of the buffer that its blocks were put into, and that is used again."""
        self.download(PIECES)
        self.assertTrue(self.client.session.complete)
        self.assertEqual(sum(len(part) for vector in self.client.written for part in vector), SIZE)
        buffers: dict[int, Any] = {
            id(part.obj): part.obj for vector in self.client.written for part in vector
        }
        self.assertEqual({(type(each), len(each)) for each in buffers.values()}, {(bytearray, PIECE)})
        self.assertLessEqual(len(buffers), PIECES // 2)

    def test_memory(self) -> None:
        """A read of a quarter of a MiB takes memory for small objects, at times for a block that was cut."""
        self.download(WARM)
        self.taken.clear()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.download(PIECES)
        self.assertTrue(self.client.session.complete)
        self.assertLess(median(self.taken), 8 << 10, self.taken)
        # Now and then a piece needs a buffer when all are at the disk.
        few = len(self.taken) // 16
        self.assertLess(sorted(self.taken)[-1 - few], 40 << 10, self.taken)

    def test_keeps(self) -> None:
        """Once a block is stored hardly anything is kept of it."""
        self.client.dropWrites()
        self.download(WARM)
        gc.collect()
        before = sys.getallocatedblocks()
        blocks = self.download(PIECES - WARM)
        gc.collect()
        self.assertLess((sys.getallocatedblocks() - before) / blocks, 0.5)


class UploadTests(SynchronousTestCase):
    """Blocks to a fast peer, out of files."""

    def setUp(self) -> None:
        """A peer that wants everything, and has shown how much it takes in a second."""
        self.client = CountedClient(self, SIZE, complete=True)
        self.assertTrue(self.client.session.complete)
        self.client.say(HaveNone().encode() + Interested().encode())
        self.client.rest(15)
        for _ in range(20):
            for index in range(WARM):
                self.ask(index)
            self.client.rest(1)
        self.client.forget()

    def ask(self, index: int) -> None:
        """Ask for all blocks of a piece."""
        self.client.say(self.requests(index))

    def requests(self, index: int) -> bytes:
        """Those for all blocks of a piece."""
        starts = range(0, PIECE, BLOCK_LENGTH)
        return b"".join([Request(index, begin, BLOCK_LENGTH).encode() for begin in starts])

    def test_calls(self) -> None:
        """A MiB that is asked for is one read of the requests, one of the file, and one write."""
        for index in range(WARM, PIECES):
            self.ask(index)
        self.assertEqual(self.client.socket.calls, ["recv_into", "sendmsg"] * (PIECES - WARM))
        self.assertEqual(list(map(len, self.client.found)), [PIECE] * (PIECES - WARM))

    def test_copies(self) -> None:
        """What the disk gave is what the socket is handed, block by block."""
        self.ask(WARM)
        (data,) = self.client.found
        blocks = [part for part in self.client.socket.parts if len(part) == BLOCK_LENGTH]
        self.assertEqual(len(blocks), PIECE // BLOCK_LENGTH)
        for part in blocks:
            assert isinstance(part, memoryview)
            self.assertIs(part.obj, data)

    def test_functions(self) -> None:
        """Requests are read in runs, and blocks sent in runs: few functions are called for one of them."""
        calls = Calls()
        requests = [self.requests(index) for index in range(WARM, PIECES)]
        with calls:
            for each in requests:
                self.client.say(each)
        blocks = (PIECES - WARM) * PIECE // BLOCK_LENGTH
        where = f"most often {calls.names.most_common(8)}"
        self.assertLess(calls.python / blocks, 4.6, where)
        self.assertLess(calls.all / blocks, 31.5, where)

    def test_memory(self) -> None:
        """Beside the data itself, a MiB that is asked for takes memory for small objects."""
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.ask(WARM)
        self.client.forget()
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        self.ask(WARM + 1)
        _, peak = tracemalloc.get_traced_memory()
        self.assertLess(peak - before - PIECE, 100 << 10)
