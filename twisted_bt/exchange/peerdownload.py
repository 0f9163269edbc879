"""
What a download knows of one peer: what it has, what it owes, and how much to ask of it at a time.

I{How much to ask.}  Enough that the peer always has work while our next requests travel.  Of a fast
peer that is C{pipelineSeconds} of what it was measured to send, so that no delay anywhere costs
throughput.  What waits at a slow one is kept from others that might send it sooner, and the pieces it
belongs to are passed on the later; so the slower a peer, the less beyond what its answers take.
A new peer was not measured, so as with TCP the length starts small and grows by a block with every
block that arrives (that doubles it every round trip) until a second brings no more than the one before.
"""

from __future__ import annotations

from collections.abc import Hashable

from bitarray import bitarray

from twisted_bt.exchange.piece import PieceDownload
from twisted_bt.exchange.rate import RateMeter
from twisted_bt.torrent.pieces import BLOCK_LENGTH

#: Blocks asked at a time of a peer that was not measured, and the least of one that was.
FIRST_PIPELINE, LEAST_PIPELINE = 4, 2

#: Bytes a second from which a peer is fast; and seconds beyond those that an answer takes that the slowest
#: is asked ahead.
FAST = 1 << 20
_SPARE = 0.25

#: Seconds, and answers, after which it is measured again how long these take; until hardly anything is owed
#: nothing is asked then, since otherwise what was asked before is measured with it.
_MEASURED_FOR, _ANSWERS = 10.0, 20

#: Blocks that are owed no more but would be welcome, remembered for each peer.
_MAX_LATE = 2048

#: BEP 6 has ten or so; what goes beyond is a peer playing with our memory.
_MAX_ALLOWED_FAST = 256
_MAX_SUGGESTED = 16

#: How much more a second must bring than the one before for the pipeline to grow on.
_GROWTH = 1.1

#: Seconds between two judgements after which the second says nothing.
_LONG = 60.0

#: Bytes a second expected of a peer that had no chance to show.
OPTIMISTIC = 65536.0

#: Seconds after which a request is taken for lost, if the peer served later ones...
LOST_AFTER = 20.0
#: ... that were asked so much later, since a peer may serve a little out of order.
_DISORDER = 5.0

#: Seconds after which a peer is asked again for pieces that it rejected: it may have meant an earlier request
#: for the same block, one that we had cancelled.
REFUSES_FOR = 20.0

#: Seconds in which a peer that choked us should have rejected what it will not send (BEP 6).
REJECTS_WITHIN = 20.0


class PeerDownload:
    """
    Made by L{Download.addPeer<twisted_bt.exchange.download.Download.addPeer>}.  To be read by
    anybody, and changed by the download only, but for C{reqq}.

    @ivar key: who it is, for as long as anybody remembers: its address, for example.
    @ivar fast: both sides speak BEP 6.
    @ivar reqq: how many requests it keeps (BEP 10).
    @ivar have: the pieces it has.  Never changed in place while C{seed}.
    @ivar seed: it said that it has everything.
    @ivar choked: it chokes us.
    @ivar snubbed: it owed us blocks and sent none for long.
    @ivar liar: it sent wrong data.
    @ivar parole: it had a part in a piece that was wrong; it works alone until a piece of its own is right.
    @ivar allowedFast: pieces it serves although it chokes us.
    @ivar suggested: pieces it suggested, the latest last.
    @ivar refusing: pieces it rejected requests for while it did not choke us; for a while.
    @ivar refusedAt: when it did so last.
    @ivar outstanding: ids of the blocks it owes us and when each was asked, oldest first.
    @ivar late: ids of the blocks asked once and owed no more; they may still come.
    @ivar rate: what it sends us.
    @ivar target: how many blocks it should owe us.
    @ivar trip: seconds from asking to the block, where hardly anything else was asked before.
    @ivar draining: nothing is to be asked until no more than a block is owed.
    @ivar current: the piece it works on.
    """

    __slots__ = (
        "_measuredAt",
        "_measuring",
        "_seen",
        "_seenAt",
        "_speed",
        "allowedFast",
        "alone",
        "choked",
        "chokedAt",
        "current",
        "draining",
        "fast",
        "have",
        "key",
        "lastReceived",
        "lastServed",
        "late",
        "liar",
        "outstanding",
        "parole",
        "rate",
        "refusedAt",
        "refusing",
        "reqq",
        "seed",
        "slowStart",
        "snubbed",
        "stealAt",
        "suggested",
        "target",
        "trip",
        "unchokedAt",
        "witness",
    )

    def __init__(self, key: Hashable, fast: bool, reqq: int, have: bitarray) -> None:
        self.key = key
        self.fast = fast
        self.reqq = reqq
        self.have = have
        self.seed = False
        self.choked = True
        self.snubbed = False
        self.liar = False
        self.parole = False
        self.allowedFast: set[int] = set()
        self.suggested: list[int] = []
        self.refusing: set[int] = set()
        self.outstanding: dict[int, float] = {}
        self.late: dict[int, None] = {}
        self.rate = RateMeter()
        self.target = FIRST_PIPELINE
        self.slowStart = True
        self.trip = 0.0
        self.draining = False
        self.current: PieceDownload | None = None
        self.alone = (self,)  # shared by all blocks asked of it alone: "is" tells them from duplicates
        self.witness = -1  # a piece it has that we need, or -1 if there is none
        self.lastReceived = self.unchokedAt = self.chokedAt = self.stealAt = float("-inf")
        self.refusedAt = float("-inf")
        self.lastServed = float("-inf")  # when the latest block that arrived had been asked
        self._seen = 0
        self._seenAt = float("-inf")
        self._speed = 0.0
        self._measuring = float("inf")  # since when; "inf": it is not measured now
        self._measuredAt = float("-inf")

    @property
    def servable(self) -> bool:
        """Whether there are pieces it would serve now."""
        return not self.liar and (not self.choked or bool(self.allowedFast))

    def serves(self, index: int) -> bool:
        """Whether it can be asked for piece C{index} now and is likely to answer."""
        return (
            bool(self.have[index])
            and (not self.choked or index in self.allowedFast)
            and not (self.snubbed or self.liar or index in self.refusing)
        )

    def allow(self, index: int) -> None:
        """It serves C{index} although it chokes us (BEP 6)."""
        if len(self.allowedFast) < _MAX_ALLOWED_FAST:
            self.allowedFast.add(index)

    def suggest(self, index: int) -> None:
        """It would like to be asked for C{index} (BEP 6)."""
        if index in self.suggested:
            self.suggested.remove(index)
        self.suggested.append(index)
        del self.suggested[:-_MAX_SUGGESTED]

    def remember(self, block: int) -> None:
        """C{block} is owed no more, but would be welcome."""
        late = self.late
        late[block] = None
        if len(late) > _MAX_LATE:
            del late[next(iter(late))]

    def restart(self, now: float) -> None:
        """Measure again how much to ask for."""
        self.snubbed = False
        self.slowStart = True
        self._speed = 0.0
        self.target = FIRST_PIPELINE
        self.measure(now)

    def measure(self, now: float) -> None:
        """It owes hardly anything: what it is asked from C{now} on tells how long its answers take."""
        self.draining = False
        self._measuring = now

    def served(self, blocks: int, now: float) -> None:
        """So many blocks of it were stored."""
        self.lastReceived = now
        if self.lastServed >= self._measuring:
            self._measuring = float("inf")
            self._measuredAt = now
            self.trip = now - self.lastServed
        if self.slowStart:
            self.target += blocks
        elif self.snubbed:
            self.restart(now)

    def adapt(self, now: float, seconds: float, most: int) -> None:
        """
        Set C{target} to C{seconds} of what comes, or less of a slow peer, at most C{most} blocks.  About
        once a second.
        """
        since = now - self._measuredAt - max(_MEASURED_FOR, self.trip * _ANSWERS)
        if self.draining and since >= seconds:
            # Something that it was asked does not come: go on without.
            self.draining = False
            self._measuredAt = now
        got = self.rate.total - self._seen
        elapsed = now - self._seenAt
        self._seen = self.rate.total
        self._seenAt = now
        if self.snubbed or self.liar or not got or not 0 < elapsed < _LONG:
            return
        speed = got / elapsed
        if self.slowStart:
            self.slowStart = speed > self._speed * _GROWTH
            self._speed = speed
        if self.slowStart:
            self.target = min(self.target, most)
        else:
            pace = max(speed, self.rate.rate(now))
            if pace < FAST:
                least = min(seconds, self.trip * 1.25 + _SPARE)
                seconds = least + (seconds - least) * pace / FAST
            self.draining = since >= 0 and pace < FAST and self._measuring > now
            due = int(pace * seconds / BLOCK_LENGTH) + 1
            self.target = max(LEAST_PIPELINE, min(due, most))

    def finishesIn(self, now: float) -> tuple[float, float]:
        """
        Seconds until it has sent what it owes, by its rate and by how long it has been silent
        (silence tends to go on), and the seconds that it takes for a block.
        """
        silence = self.silence(now)
        step = self.step(now)
        return len(self.outstanding) * step + silence, step

    def step(self, now: float) -> float:
        """Seconds that it takes for a block."""
        pace = self.rate.rate(now)
        if not pace and self.silence(now) < 2.0:
            pace = OPTIMISTIC
        return BLOCK_LENGTH / max(pace, 1.0)

    def silence(self, now: float) -> float:
        """Seconds for which it has owed us something and sent nothing."""
        asked = next(iter(self.outstanding.values()), now)
        return max(0.0, now - max(self.lastReceived, asked))

    def overdue(self, now: float, snubTimeout: float, blocksPerPiece: int) -> tuple[bool, list[int]]:
        """
        Whether it snubs us (from now on, then), and the blocks that better be asked of others.
        """
        outstanding = self.outstanding
        oldest = next(iter(outstanding.values()))
        if self.choked:
            self.chokedAt = min(self.chokedAt, now)
            if now - self.chokedAt >= REJECTS_WITHIN:
                lost = [block for block in outstanding if block // blocksPerPiece not in self.allowedFast]
                if lost:
                    return False, lost
        if now - max(oldest, self.lastReceived, self.unchokedAt) >= snubTimeout:
            # One block at a time, until something comes.
            self.snubbed = True
            self.slowStart = False
            self.target = 1
            return True, list(outstanding)
        if oldest <= now - LOST_AFTER:
            before = min(now - LOST_AFTER, self.lastServed - _DISORDER)
            return False, [block for block, asked in outstanding.items() if asked <= before]
        return False, []
