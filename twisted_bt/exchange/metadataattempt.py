"""
Trying to put metadata of one size together, from one peer or from several.

For L{twisted_bt.exchange.metadata}, which decides who takes part.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from hashlib import blake2b, sha1, sha256
from typing import Generic, TypeVar

P = TypeVar("P", bound=Hashable)

#: Bytes in every piece of metadata but the last (BEP 9).
PIECE_LENGTH = 1 << 14

# What an adversary cannot meet, and is short enough to be kept for each piece.
_DIGEST_LENGTH = 16


def pieceCount(size: int) -> int:
    """Pieces in C{size} bytes of metadata."""
    return -(-size // PIECE_LENGTH)


def digest(data: bytes) -> bytes:
    """What to remember of a piece that somebody sent, to compare later."""
    return blake2b(data, digest_size=_DIGEST_LENGTH).digest()


@dataclass(slots=True, eq=False)
class MetadataPeer(Generic[P]):
    """
    A peer that offers metadata.

    @ivar waiting: what it was asked for and owes us.
    @ivar dueBy: something of that should have come by then.
    @ivar late: what it was asked for and did not send in time; it still may.
    @ivar restUntil: it is not asked before.
    @ivar rests: how often in a row it was of no use.
    """

    key: P
    size: int
    attempt: MetadataAttempt[P]
    waiting: set[int] = field(default_factory=set)
    dueBy: float = 0.0
    late: set[int] = field(default_factory=set)
    restUntil: float = 0.0
    rests: int = 0

    def rest(self, now: float, first: float, longest: float) -> None:
        """Ask it for nothing for a while: C{first} seconds, twice as long each further time."""
        self.restUntil = now + min(longest, first * 2 ** min(self.rests, 20))
        self.rests += 1

    def useful(self, now: float, timeout: float) -> None:
        """It sent something: the next thing is due in C{timeout} seconds."""
        self.rests, self.restUntil = 0, 0.0
        self.dueBy = now + timeout


class MetadataAttempt(Generic[P]):
    """
    One try.

    Invariant: each piece is here, or in C{todo}, or at least one member owes it; while the attempt is
    not active nobody owes anything.

    @ivar size: bytes of metadata.
    @ivar members: who is asked.
    @ivar active: members are asked.
    @ivar since: when it last became active.
    @ivar rounds: how often it had its time and did not finish.
    @ivar held: bytes that are here.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.members: dict[P, MetadataPeer[P]] = {}
        self.active = False
        self.since = 0.0
        self.rounds = 0
        self.held = 0
        self._pieces: dict[int, bytes] = {}
        self._senders: dict[int, P] = {}
        self._todo: dict[int, None] = {}  # the first is asked first
        self.clear()

    @property
    def complete(self) -> bool:
        """Whether every piece is here."""
        return len(self._pieces) == pieceCount(self.size)

    @property
    def senders(self) -> frozenset[P]:
        """Who sent what is here."""
        return frozenset(self._senders.values())

    def clear(self) -> None:
        """Forget what is here, and who owes what."""
        self._pieces.clear()
        self._senders.clear()
        self.held = 0
        self._todo = dict.fromkeys(range(pieceCount(self.size)))
        for peer in self.members.values():
            peer.waiting.clear()

    def available(self, now: float) -> bool:
        """Whether any member can be asked for something."""
        return any(peer.restUntil <= now for peer in self.members.values())

    def busy(self) -> bool:
        """Whether any member owes us something."""
        return any(peer.waiting for peer in self.members.values())

    def idlers(self, now: float) -> bool:
        """Whether any member could do what others owe: nothing is left to be asked for."""
        return not self._todo and any(
            not peer.waiting and peer.restUntil <= now for peer in self.members.values()
        )

    def lengthOf(self, piece: int) -> int:
        """Bytes in C{piece}."""
        return min(PIECE_LENGTH, self.size - piece * PIECE_LENGTH)

    def ask(self, now: float, timeout: float, pipeline: int) -> list[tuple[P, int]]:
        """
        Whom to ask for what now: one piece of each who owes none, then a second of each ...  What is
        asked of somebody is asked of nobody else.
        """
        asks: list[tuple[P, int]] = []
        if not self.active or not self._todo:
            return asks
        # Who was of no use before comes last, or a crowd of silent peers would keep the others out.
        able = [peer for peer in self.members.values() if peer.restUntil <= now]
        able.sort(key=lambda peer: peer.rests)
        for depth in range(pipeline):
            if not self._todo:
                break
            for peer in able:
                if not self._todo:
                    break
                if len(peer.waiting) > depth:
                    continue
                piece = next(iter(self._todo))
                del self._todo[piece]
                if not peer.waiting:
                    peer.dueBy = now + timeout
                peer.waiting.add(piece)
                asks.append((peer.key, piece))
        return asks

    def release(self, peer: MetadataPeer[P]) -> None:
        """Nothing is to be expected of C{peer}: what it owes may be asked of others, before all else."""
        owed = [piece for piece in sorted(peer.waiting) if piece not in self._pieces]
        self._todo = dict.fromkeys([*owed, *self._todo])
        peer.waiting.clear()

    def releasePiece(self, peer: MetadataPeer[P], piece: int) -> None:
        """C{peer} will not send C{piece}."""
        peer.waiting.discard(piece)
        if piece not in self._pieces:
            self._todo = dict.fromkeys([piece, *self._todo])

    def pause(self) -> None:
        """Ask no more; what is here stays."""
        self.active = False
        for peer in self.members.values():
            self.release(peer)

    def put(self, peer: MetadataPeer[P], piece: int, data: bytes) -> None:
        """C{peer} sent C{piece}; what is here already stays as it is."""
        peer.waiting.discard(piece)
        if piece in self._pieces:
            return
        self._todo.pop(piece, None)
        self._pieces[piece] = data
        self._senders[piece] = peer.key
        self.held += len(data)

    def verify(self, infoHash: bytes | None, infoHashV2: bytes | None) -> bytes | None:
        """All of it, if its SHA-1 and its SHA-256 are those given."""
        one, two = sha1(usedforsecurity=False), sha256()
        pieces = [self._pieces[piece] for piece in range(len(self._pieces))]
        for data in pieces:
            if infoHash is not None:
                one.update(data)
            if infoHashV2 is not None:
                two.update(data)
        if infoHash not in (None, one.digest()) or infoHashV2 not in (None, two.digest()):
            return None
        return b"".join(pieces)

    def digests(self) -> dict[int, tuple[bytes, P]]:
        """Of each piece what to remember, and who sent it."""
        return {piece: (digest(data), self._senders[piece]) for piece, data in self._pieces.items()}
