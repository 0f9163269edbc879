"""
When to announce which torrent to the neighbours (BEP 14).  Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

#: Seconds between two announcements of a torrent; BEP 14, libtorrent.
INTERVAL = 300.0
#: A torrent is announced no more often, though it be stopped and started again (BEP 14).
LEAST = 60.0
#: Seconds from the first torrent to be announced until it is: others may come with it.
GATHER = 1.0
#: Seconds between two rounds of announcements.
ROUND = 5.0


class LocalTimes:
    """
    Torrents, and when each is to be announced next.

    Those that are due at about the same time are announced together: in one datagram there is room for
    many.
    """

    def __init__(self) -> None:
        self._next: dict[bytes, float] = {}
        self._last: dict[bytes, float] = {}
        self._roundAt = float("-inf")

    def __len__(self) -> int:
        return len(self._next)

    def __contains__(self, infoHash: bytes) -> bool:
        return infoHash in self._next

    def add(self, infoHash: bytes, now: float) -> None:
        """Announce C{infoHash} from now on."""
        if infoHash not in self._next:
            last = self._last.get(infoHash, float("-inf"))
            self._next[infoHash] = max(now + GATHER, last + LEAST)

    def remove(self, infoHash: bytes) -> None:
        """Announce it no more."""
        self._next.pop(infoHash, None)

    def nextAt(self) -> float | None:
        """When L{due} will have something."""
        return max(min(self._next.values()), self._roundAt + ROUND) if self._next else None

    def due(self, now: float) -> Sequence[bytes]:
        """What to announce at C{now}; it is taken for announced then."""
        at = self.nextAt()
        if at is None or now < at:
            return ()
        self._roundAt = now
        self._last = {each: last for each, last in self._last.items() if now - last < LEAST}
        # Those whose time is near go along, so that in the long run there are few rounds.
        found = [each for each, at in self._next.items() if at <= now + LEAST and each not in self._last]
        for each in found:
            self._next[each] = now + INTERVAL
            self._last[each] = now
        return found
