"""Tests for L{twisted_bt.exchange.upload}."""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.exchange.upload import Run, UploadQueue
from twisted_bt.torrent.pieces import BLOCK_LENGTH, Block, PieceLayout

LAYOUT = PieceLayout(10 * (1 << 20) + 5000, 1 << 20)
AHEAD = 256 << 10


def drained(
    queue: UploadQueue, layout: PieceLayout = LAYOUT, ahead: int = AHEAD
) -> tuple[list[Run], list[Block]]:
    """Serve all of C{queue}: the runs that were read and the blocks that were sent."""
    runs, blocks = [], []
    while (run := queue.nextRun(ahead, layout)) is not None:
        runs.append(run)
        while taken := queue.take(run, 2 * BLOCK_LENGTH):
            assert all(map(run.covers, taken))
            blocks += [Block(*each) for each in taken]
    return runs, blocks


class UploadQueueTests(SynchronousTestCase):
    """What a peer asked of us."""

    def test_empty(self) -> None:
        """Nothing asked for, nothing to read or send."""
        queue = UploadQueue(10)
        self.assertIsNone(queue.nextRun(AHEAD, LAYOUT))
        self.assertEqual(queue.take(Run(0, 0, AHEAD, 0), AHEAD), [])
        self.assertEqual((len(queue), queue.bytes), (0, 0))

    def test_limit(self) -> None:
        """No more than the limit is kept; the same block twice is one."""
        queue = UploadQueue(2)
        self.assertTrue(queue.add(LAYOUT.block(0, 0)))
        self.assertTrue(queue.add(LAYOUT.block(0, 0)))
        self.assertTrue(queue.add(LAYOUT.block(0, 1)))
        self.assertFalse(queue.add(LAYOUT.block(0, 2)))
        self.assertEqual((len(queue), queue.bytes), (2, 2 * BLOCK_LENGTH))

    def test_cancel(self) -> None:
        """What was cancelled is not sent; a second cancel finds nothing."""
        queue = UploadQueue(10)
        queue.add(LAYOUT.block(0, 0))
        queue.add(LAYOUT.block(0, 1))
        self.assertTrue(queue.cancel(LAYOUT.block(0, 0)))
        self.assertFalse(queue.cancel(LAYOUT.block(0, 0)))
        self.assertEqual(drained(queue)[1], [LAYOUT.block(0, 1)])

    def test_choke(self) -> None:
        """A choke drops all but the pieces to keep, and says what."""
        queue = UploadQueue(10)
        for index in (1, 2, 3):
            queue.add(LAYOUT.block(index, 0))
        self.assertEqual(queue.choke(keep={2}), [LAYOUT.block(1, 0), LAYOUT.block(3, 0)])
        self.assertEqual((len(queue), queue.bytes), (1, BLOCK_LENGTH))
        self.assertEqual(queue.choke(), [LAYOUT.block(2, 0)])

    def test_inOrder(self) -> None:
        """A peer that asks for a piece in order, a few blocks ahead, costs a read for each run."""
        queue = UploadQueue(10)
        wanted = [LAYOUT.block(3, number) for number in range(64)]
        sent: list[Block] = []
        reads = 0
        run: Run | None = None
        for block in wanted:
            queue.add(block)
            if len(queue) < 4 and block is not wanted[-1]:
                continue
            while len(queue) and (len(queue) > 2 or block is wanted[-1]):
                served = queue.take(run, 1) if run is not None else []
                if not served:
                    run = queue.nextRun(AHEAD, LAYOUT)
                    reads += 1
                sent += [Block(*each) for each in served]
        self.assertEqual(sent, wanted)
        self.assertEqual(reads, (1 << 20) // AHEAD)

    def test_oneAtATime(self) -> None:
        """So does a peer that asks in order without asking ahead, once it has shown it."""
        queue = UploadQueue(10)
        run: Run | None = None
        reads = 0
        for number in range(64):
            queue.add(LAYOUT.block(3, number))
            if run is None or not (taken := queue.take(run, 1)):
                run = queue.nextRun(AHEAD, LAYOUT)
                assert run is not None
                taken = queue.take(run, 1)
                reads += 1
            self.assertEqual(taken, [LAYOUT.block(3, number)])
        self.assertEqual(reads, 4)

    def test_oneInTheMiddle(self) -> None:
        """A lone block in the middle of a piece is read alone: nothing says that more will follow."""
        queue = UploadQueue(10)
        queue.add(LAYOUT.block(3, 17))
        runs, _ = drained(queue)
        self.assertEqual([(run.begin, run.length) for run in runs], [(17 * BLOCK_LENGTH, BLOCK_LENGTH)])

    def test_twoPiecesInTurns(self) -> None:
        """Two pieces asked for in turns are read run by run all the same."""
        queue = UploadQueue(100)
        for number in range(16):
            queue.add(LAYOUT.block(1, number))
            queue.add(LAYOUT.block(2, number))
        runs, blocks = drained(queue)
        self.assertEqual(len(runs), 2)
        self.assertEqual(blocks, [LAYOUT.block(index, n) for index in (1, 2) for n in range(16)])

    def test_staysInThePiece(self) -> None:
        """A run ends where the piece ends, the short last one too."""
        queue = UploadQueue(10)
        queue.add(LAYOUT.block(10, 0))
        queue.add(LAYOUT.block(4, 63))
        runs, blocks = drained(queue)
        self.assertEqual([run.end for run in runs], [5000, 1 << 20])
        self.assertEqual([block.length for block in blocks], [5000, BLOCK_LENGTH])

    def test_longBlock(self) -> None:
        """A block longer than the read-ahead is read whole."""
        queue = UploadQueue(10)
        block = Block(0, 100, 100_000)
        queue.add(block)
        run = queue.nextRun(1 << 14, LAYOUT)
        assert run is not None
        self.assertTrue(run.covers(block))
        self.assertEqual(queue.take(run, 1), [block])

    def test_everythingOnce(self) -> None:
        """Whatever is asked for, of any length and order, is sent exactly once out of a run that has it."""
        source = random.Random(6)
        for _ in range(100):
            layout = PieceLayout(source.randrange(1, 10**6), source.choice([1000, 16384, 50000, 1 << 18]))
            queue = UploadQueue(1000)
            asked: set[Block] = set()
            for _ in range(60):
                index = source.randrange(layout.pieceCount)
                if source.random() < 0.7:
                    block = layout.block(index, source.randrange(layout.blockCount(index)))
                else:
                    begin = source.randrange(layout.pieceSize(index))
                    block = Block(index, begin, source.randrange(1, layout.pieceSize(index) - begin + 1))
                asked.add(block)
                queue.add(block)
            runs, blocks = drained(queue, layout, source.choice([1, 16384, 1 << 17]))
            self.assertEqual(len(blocks), len(asked))
            self.assertEqual(set(blocks), asked)
            self.assertEqual(queue.bytes, 0)
            for run in runs:
                layout.checkBlock(run.index, run.begin, run.length)
