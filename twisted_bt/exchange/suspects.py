"""
Who lied, when a piece that came from several peers does not match its hash.

One sender: it lied.  Several: all that is known is that one of them did.  So a digest of each block
is kept with its sender, the piece is asked for again (of one peer at a time, see L{PieceDownload}),
and when a good version arrives, whoever had sent something else for a block is exposed, and nobody
else.  The wire protocol has no means against this; libtorrent calls it smart ban.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from hashlib import blake2b

from twisted_bt.exchange.piece import PieceDownload

# A digest an adversary cannot meet, as it could that of a checksum, short enough to keep many.
_DIGEST_LENGTH = 16

#: Pieces remembered, and versions of each; the oldest go.  A block is about 100 bytes.
_MAX_PIECES = 64
_MAX_VERSIONS = 8


def _digest(data: memoryview) -> bytes:
    return blake2b(data, digest_size=_DIGEST_LENGTH).digest()


class Suspects:
    """The corrupt versions of pieces that are not here yet."""

    def __init__(self) -> None:
        self._versions: dict[int, list[list[tuple[bytes, Hashable]]]] = {}

    def __len__(self) -> int:
        return len(self._versions)

    def __contains__(self, index: int) -> bool:
        return index in self._versions

    def __iter__(self) -> Iterator[int]:
        return iter(self._versions)

    def versions(self, index: int) -> int:
        """How many corrupt versions of piece C{index} are known."""
        return len(self._versions.get(index, ()))

    def involved(self, key: Hashable) -> list[int]:
        """The pieces of which C{key} sent a part of a corrupt version."""
        return [
            index
            for index, versions in self._versions.items()
            if any(sender == key for version in versions for _, sender in version)
        ]

    def corrupt(self, piece: PieceDownload) -> frozenset[Hashable]:
        """C{piece} is all here and wrong.  Who lied, if that is plain at once."""
        senders = frozenset(piece.senders)
        versions = self._versions.pop(piece.index, [])
        if len(senders) > 1:
            versions.append([(_digest(piece.data(n)), sender) for n, sender in enumerate(piece.senders)])
        if versions:
            self._versions[piece.index] = versions[-_MAX_VERSIONS:]
            if len(self._versions) > _MAX_PIECES:
                del self._versions[next(iter(self._versions))]
        return senders if len(senders) == 1 else frozenset()

    def good(self, piece: PieceDownload) -> frozenset[Hashable]:
        """C{piece} is all here and right.  Who had sent something else; the piece is forgotten."""
        versions = self._versions.pop(piece.index, None)
        if not versions:
            return frozenset()
        liars: set[Hashable] = set()
        for number in range(piece.last + 1):
            right = _digest(piece.data(number))
            liars.update(sender for digest, sender in (v[number] for v in versions) if digest != right)
        return frozenset(liars)

    def forget(self, index: int) -> None:
        """Piece C{index} came from elsewhere; nothing can be compared."""
        self._versions.pop(index, None)
