"""
What one peer asked of us and has not got.

A peer asks in order, some blocks ahead.  Reading each of them alone would be a disk operation for
every 16 KiB; so the queue says which I{run} of a piece to read at once, and then hands out all its
blocks in that run.  How far to read ahead of what was asked: only where the peer has shown
that it goes on in order, or it could make us read a lot for a little.

No order is due to the peer (BEP 3), so blocks in the run that is at hand go first: a peer that asks
for two pieces in turns does not make us read each run again and again.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from twisted_bt.torrent.pieces import BLOCK_LENGTH, Block, PieceLayout

#: Piece, offset in it and length: a L{Block}, or as it came.
Asked = tuple[int, int, int]


@dataclass(slots=True)
class Run:
    """
    Bytes to be read at once: C{length} from C{begin} in piece C{index}.

    @ivar at: where the next block in order would begin.
    """

    index: int
    begin: int
    length: int
    at: int

    @property
    def end(self) -> int:
        """Offset in the piece after the last byte."""
        return self.begin + self.length

    def covers(self, asked: Asked) -> bool:
        """Whether all of the block C{asked} is in the run."""
        index, begin, length = asked
        return index == self.index and self.begin <= begin and begin + length <= self.end


class UploadQueue:
    """
    Up to C{limit} requests (C{reqq} of BEP 10), in the order they came.

    @ivar bytes: bytes asked for and not handed out.
    """

    __slots__ = ("_next", "_queue", "bytes", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self._queue: dict[Asked, None] = {}  # in the order they came
        self._next = (-1, -1)  # piece and offset where a peer that goes on in order goes on

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, block: Asked) -> bool:
        """
        It asks for C{block}; twice is as good as once.  C{False}: too many, reject it.
        """
        queue = self._queue
        if block not in queue:
            if len(queue) >= self.limit:
                return False
            queue[block] = None
            self.bytes += block[2]
        return True

    def cancel(self, block: Asked) -> bool:
        """It does not need C{block} any more.  C{False}: it is not in the queue (any more)."""
        if block not in self._queue:
            return False
        del self._queue[block]
        self.bytes -= block[2]
        return True

    def choke(self, keep: Container[int] = ()) -> list[Block]:
        """
        It is choked: what it asked for is dropped, but for pieces in C{keep} (BEP 6, allowed fast).

        @return: what was dropped, to be rejected where BEP 6 is spoken.
        """
        dropped = [Block(*asked) for asked in self._queue if asked[0] not in keep]
        for block in dropped:
            self.cancel(block)
        return dropped

    def nextRun(self, readAhead: int, layout: PieceLayout) -> Run | None:
        """
        What to read next: from the first block in the queue, at least to the end of the blocks that follow
        it without a gap, C{readAhead} bytes if the peer goes on in order.  No longer than C{readAhead}
        (or that block), nor than the piece.  C{None}: nothing is asked for.
        """
        if not self._queue:
            return None
        head = Block(*next(iter(self._queue)))
        end = head.begin + head.length
        most = max(end, min(head.begin + readAhead, layout.pieceSize(head.index)))
        inOrder = head.begin == 0 or (head.index, head.begin) == self._next
        if inOrder or (head.index, end, head.length) in self._queue:
            end = most
        self._next = (head.index, end)
        return Run(head.index, head.begin, end - head.begin, head.begin)

    def take(self, run: Run, most: int) -> list[Asked]:
        """
        The next blocks to send out of C{run}, about C{most} bytes; they are in the queue no more.  Empty:
        none of those asked for lies in it (now).
        """
        queue = self._queue
        index, end = run.index, run.end
        at, size = run.at, 0
        taken: list[Asked] = []
        while at < end and size < most:
            length = min(BLOCK_LENGTH, end - at)
            asked = (index, at, length)
            at += length
            if asked in queue:
                del queue[asked]
                taken.append(asked)
                size += length
                run.at = at
        self.bytes -= size
        return taken or self._takeHead(run)

    def _takeHead(self, run: Run) -> list[Asked]:
        """What was not found going on in order: the first in the queue, if it lies in C{run}."""
        if self._queue:
            head = next(iter(self._queue))
            if run.covers(head):
                self.cancel(head)
                run.at = head[1] + head[2]
                return [head]
        return []
