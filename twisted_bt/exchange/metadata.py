"""
The C{info} dictionary from peers (BEP 9): whom to ask for what, until it all has the info-hash.

Pure.  Nothing can be verified but the whole.  So

 - all who state the same size are asked together, each for other pieces: a I{shared attempt};
 - if that comes out wrong, one of those who sent something lied, and each of them is asked for the whole
   alone: a I{solo attempt}.  Who then sends something wrong is a liar for certain;
 - attempts at other sizes, and those alone, go on side by side, a few at a time.  Where more wait, one
   that does not get on makes room for them, and has its turn again later, with more time;
 - once the metadata is here, who sent other pieces for it before is a liar too.

Hence, however many liars there are, and whatever they do: as long as one honest peer stays, and answers,
its turn comes, and then it all arrives.  Liars can only make that late.  No honest peer is called a liar.
Held is little more than twice what metadata may have at most, whatever peers state.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from twisted_bt.errors import ProtocolError
from twisted_bt.exchange.metadataattempt import PIECE_LENGTH, MetadataAttempt, MetadataPeer, digest

P = TypeVar("P", bound=Hashable)

#: Bytes of metadata at most; libtorrent's, and rain's.
MAX_METADATA = 30 << 20
#: Seconds in which the next piece should come from who owes some; then others are asked for them.
TIMEOUT = 15.0
#: The same where others have nothing to do.
HURRY = 5.0
#: Pieces asked of a peer at a time.
PIPELINE = 4
#: Attempts that go on side by side.
MAX_ATTEMPTS = 4
#: Seconds that an attempt has while others wait, the first time; then twice as long each time.
FIRST_TURN = 30.0
_LONGEST_TURN = 7200.0

#: Seconds for which who was of no use is not asked: the first time after a reject, and at most.
_REST, _LONGEST_REST = 10.0, 300.0
#: Attempts that failed and are remembered, to expose liars later; and what waits with pieces in it.
_MAX_FAILED, _MAX_KEPT = 8, 16
#: Most metadata is smaller than the limit by so much; of what is larger there is one attempt at a time.
_SMALL = 16


@dataclass(frozen=True, slots=True)
class MetadataSteps(Generic[P]):
    """
    What to do now.

    @ivar asks: send these peers a request for these pieces.
    @ivar liars: they were proved to have sent something wrong; they take no part any more.
    @ivar metadata: it is here, verified.  Said once.
    """

    asks: tuple[tuple[P, int], ...] = ()
    liars: frozenset[P] = frozenset()
    metadata: bytes | None = None


class MetadataDownload(Generic[P]):
    """
    Metadata on its way.

    Peers are known by any key, one for a session.  Times are seconds of one clock.  Call L{tick} about
    once a second.

    Invariant: each peer that is known is a member of one attempt, which is in C{_active} or in
    C{_waiting}, and of no other.

    @ivar done: it is here, and nothing is asked any more.
    """

    def __init__(
        self,
        infoHash: bytes | None,
        infoHashV2: bytes | None = None,
        sizeLimit: int = MAX_METADATA,
    ) -> None:
        """
        @param infoHash: 20 bytes, SHA-1.
        @param infoHashV2: 32 bytes, SHA-256 (BEP 52); with both, both must match.
        @param sizeLimit: peers that state more are not asked.
        @raise ValueError: there is no hash.
        """
        if infoHash is None and infoHashV2 is None:
            raise ValueError("metadata is known by a hash")
        self.done = False
        self._hashes = (infoHash, infoHashV2)
        self._limit = sizeLimit
        self._small = sizeLimit // _SMALL
        self._peers: dict[P, MetadataPeer[P]] = {}
        self._shared: dict[int, MetadataAttempt[P]] = {}
        self._active: dict[MetadataAttempt[P], None] = {}
        self._waiting: dict[MetadataAttempt[P], None] = {}
        self._kept: dict[MetadataAttempt[P], None] = {}  # not active, and something is here
        self._failed: list[tuple[int, dict[int, tuple[bytes, P]]]] = []

    def __len__(self) -> int:
        """Peers that offer metadata."""
        return len(self._peers)

    def __contains__(self, key: P) -> bool:
        return key in self._peers

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return sum(attempt.held for attempt in {**self._active, **self._kept})

    @property
    def progress(self) -> tuple[int, int]:
        """Bytes here, and bytes in all, of the attempt that is farthest; C{(0, 0)} if there is none."""
        return max(((attempt.held, attempt.size) for attempt in self._active), default=(0, 0))

    # -- who is there

    def joined(self, key: P, size: int | None, now: float) -> MetadataSteps[P]:
        """
        A peer told (in its extended handshake, the first or a later one) that it has C{size} bytes of
        metadata.  C{None}: it has none, or it does not speak C{ut_metadata}.
        """
        if self.done:
            return MetadataSteps()
        peer = self._peers.get(key)
        if peer is not None and peer.size == size:
            return self._go(now)
        self._remove(key)
        if size is not None and 0 < size <= self._limit:
            attempt = self._shared.get(size)
            if attempt is None:
                attempt = self._shared[size] = MetadataAttempt(size)
            self._enter(MetadataPeer(key, size, attempt))
        return self._go(now)

    def left(self, key: P, now: float) -> MetadataSteps[P]:
        """The session with the peer ended."""
        self._remove(key)
        return self._go(now)

    def _enter(self, peer: MetadataPeer[P]) -> None:
        """Make C{peer} a member of its attempt, which waits for its turn if it is new."""
        attempt = peer.attempt
        self._peers[peer.key] = peer
        attempt.members[peer.key] = peer
        if attempt not in self._active:
            self._waiting.setdefault(attempt)

    def _remove(self, key: P) -> None:
        peer = self._peers.pop(key, None)
        if peer is None:
            return
        attempt = peer.attempt
        attempt.release(peer)
        del attempt.members[key]
        if not attempt.members:
            self._pause(attempt)
            self._waiting.pop(attempt, None)
            # What it sent may be of use to others who come and state that size.
            if attempt not in self._kept or self._shared.get(attempt.size) is not attempt:
                self._drop(attempt)

    # -- what comes

    def received(self, key: P, piece: int, total: int | None, data: bytes, now: float) -> MetadataSteps[P]:
        """
        C{data} of C{piece} came from a peer, which stated C{total} bytes for all of it.  Ignored if it
        was not asked for.

        @raise ProtocolError: it is not as long as the piece, or the size is not what it stated before.
        """
        peer = self._peers.get(key)
        if peer is None or self.done:
            return MetadataSteps()
        if total is not None and total != peer.size:
            raise ProtocolError(f"metadata of {total} bytes, which were {peer.size}")
        if piece not in peer.waiting and piece not in peer.late:
            return MetadataSteps()
        attempt = peer.attempt
        if len(data) != attempt.lengthOf(piece):
            raise ProtocolError(f"piece {piece} of the metadata has {len(data)} bytes")
        peer.late.discard(piece)
        peer.useful(now, TIMEOUT)
        if not attempt.active:
            return self._go(now)
        attempt.put(peer, piece, data)
        return self._judge(attempt, now) if attempt.complete else self._go(now)

    def rejected(self, key: P, piece: int, now: float) -> MetadataSteps[P]:
        """A peer will not send C{piece}: it does not have it, or was asked too much."""
        peer = self._peers.get(key)
        if peer is None or self.done:
            return MetadataSteps()
        peer.late.discard(piece)
        if piece in peer.waiting:
            peer.attempt.releasePiece(peer, piece)
            peer.rest(now, _REST, _LONGEST_REST)
        return self._go(now)

    def tick(self, now: float) -> MetadataSteps[P]:
        """Time passed: who is late, and whose turn is over."""
        if self.done:
            return MetadataSteps()
        for attempt in list(self._active):
            patience = TIMEOUT - HURRY if attempt.idlers(now) else 0.0
            for peer in attempt.members.values():
                if peer.waiting and peer.dueBy - patience <= now:
                    peer.late.update(peer.waiting)
                    attempt.release(peer)
                    peer.rest(now, TIMEOUT, _LONGEST_REST)
        return self._go(now)

    # -- whose turn it is

    def _go(self, now: float) -> MetadataSteps[P]:
        """Begin what there is room for, and ask."""
        if self.done:
            return MetadataSteps()
        self._makeRoom(now)
        large = any(attempt.size > self._small for attempt in self._active)
        for attempt in list(self._waiting):
            if len(self._active) >= MAX_ATTEMPTS:
                break
            if not attempt.available(now):
                continue
            if large and attempt.size > self._small:
                continue
            large = large or attempt.size > self._small
            del self._waiting[attempt]
            self._kept.pop(attempt, None)
            attempt.active, attempt.since = True, now
            self._active[attempt] = None
        asks = [ask for attempt in self._active for ask in attempt.ask(now, TIMEOUT, PIPELINE)]
        return MetadataSteps(tuple(asks))

    def _makeRoom(self, now: float) -> None:
        """If others wait, those whose turn is over, or who can do nothing, go to the end of the queue."""
        if not any(attempt.available(now) for attempt in self._waiting):
            return
        for attempt in list(self._active):
            turn = min(_LONGEST_TURN, FIRST_TURN * 2 ** min(attempt.rounds, 20))
            idle = not attempt.busy() and not attempt.available(now)
            if idle or now - attempt.since >= turn:
                attempt.rounds += not idle
                self._pause(attempt)
                self._waiting[attempt] = None

    def _pause(self, attempt: MetadataAttempt[P]) -> None:
        """C{attempt} is not active any more; what is here of it is kept as far as there is memory."""
        if attempt not in self._active:
            return
        del self._active[attempt]
        attempt.pause()
        if attempt.held:
            self._kept[attempt] = None
        while len(self._kept) > _MAX_KEPT or sum(each.held for each in self._kept) > self._limit:
            oldest = next(iter(self._kept))
            del self._kept[oldest]
            oldest.clear()
            if not oldest.members:
                self._drop(oldest)

    def _drop(self, attempt: MetadataAttempt[P]) -> None:
        """Nobody takes part in C{attempt} any more, and nothing of it is worth keeping."""
        self._kept.pop(attempt, None)
        if self._shared.get(attempt.size) is attempt:
            del self._shared[attempt.size]

    # -- what it came to

    def _judge(self, attempt: MetadataAttempt[P], now: float) -> MetadataSteps[P]:
        """All of C{attempt} is here: is it what it should be, and if not, who lied?"""
        metadata = attempt.verify(*self._hashes)
        if metadata is not None:
            liars = self._exposed(metadata)
            self.done = True
            for each in (self._peers, self._shared, self._active, self._waiting, self._kept, self._failed):
                each.clear()
            return MetadataSteps((), liars, metadata)
        senders = attempt.senders
        if len(senders) == 1:
            liars = senders
        else:
            liars = frozenset()
            self._failed = [*self._failed[1 - _MAX_FAILED :], (attempt.size, attempt.digests())]
        attempt.clear()
        attempt.active = False
        del self._active[attempt]
        if attempt.members:
            self._waiting[attempt] = None
        for key in senders & (attempt.members.keys() | liars):
            self._remove(key)
            if key not in liars:
                self._enter(MetadataPeer(key, attempt.size, MetadataAttempt(attempt.size)))
        return MetadataSteps(self._go(now).asks, liars)

    def _exposed(self, metadata: bytes) -> frozenset[P]:
        """Who had sent something else."""
        right = [digest(metadata[at : at + PIECE_LENGTH]) for at in range(0, len(metadata), PIECE_LENGTH)]
        return frozenset(
            sender
            for size, version in self._failed
            for piece, (found, sender) in version.items()
            if size != len(metadata) or found != right[piece]
        )
