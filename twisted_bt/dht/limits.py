"""
Limits both ways: how much we send, and how often one address may ask.
"""

from __future__ import annotations

from typing import NamedTuple

#: Of the budget, what answers leave for queries of our own: others' questions do not stop our searches.
_RESERVE = 0.25


class SendBudget:
    """
    Bytes that may be sent: C{rate} a second, saved up for at most C{burst} of them.

    @param rate: bytes a second.
    @param burst: seconds.
    """

    def __init__(self, rate: float, burst: float = 2.0) -> None:
        self._rate = rate
        self._most = rate * burst
        self._level = self._most
        self._at: float | None = None

    def takeAnswer(self, size: int, now: float) -> bool:
        """Whether an answer of C{size} bytes may go out; if so it is counted.  Otherwise drop it."""
        return self._take(size, self._most * _RESERVE, now)

    def takeQuery(self, size: int, now: float) -> bool:
        """Whether a query of C{size} bytes may go out now; if so it is counted.  Otherwise wait."""
        return self._take(size, 0.0, now)

    def wait(self, size: int) -> float:
        """Seconds until a query of C{size} bytes may go out."""
        return max(0.0, (min(size, self._most) - self._level) / self._rate)

    def _take(self, size: int, floor: float, now: float) -> bool:
        if self._at is not None:
            self._level = min(self._most, self._level + (now - self._at) * self._rate)
        self._at = now
        # What is larger than the whole budget goes out once that is full.
        if self._level - min(size, self._most - floor) < floor:
            return False
        self._level -= size
        return True


class _Count(NamedTuple):
    start: float
    seen: int


class FloodGuard:
    """
    Blocks addresses that send too much.

    @param rate: datagrams a second, on average over C{window} seconds, that one address may send.
    @param blockTime: seconds it is not listened to after that.
    @param capacity: addresses remembered.
    """

    def __init__(
        self, rate: float = 5.0, window: float = 10.0, blockTime: float = 300.0, capacity: int = 4096
    ) -> None:
        self._most = rate * window
        self._window = window
        self._blockTime = blockTime
        self._capacity = capacity
        self._counts: dict[str, _Count] = {}
        self._blocked: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._counts) + len(self._blocked)

    def blocked(self, host: str, now: float) -> bool:
        """Whether nothing from C{host} is to be looked at."""
        until = self._blocked.get(host)
        if until is None:
            return False
        if until > now:
            return True
        del self._blocked[host]
        return False

    def allows(self, host: str, now: float) -> bool:
        """Count a datagram from C{host}; C{False}: it was one too many, and C{host} is blocked now."""
        start, count = self._counts.get(host, _NONE)
        if count == 0 or now - start >= self._window:
            if count == 0 and len(self._counts) >= self._capacity:
                self._forget(now)
            self._counts[host] = _Count(now, 1)
            return True
        if count < self._most:
            self._counts[host] = _Count(start, count + 1)
            return True
        del self._counts[host]
        if len(self._blocked) >= self._capacity:
            del self._blocked[next(iter(self._blocked))]
        self._blocked[host] = now + self._blockTime
        return False

    def _forget(self, now: float) -> None:
        """Make room: those whose window is over, or else the older half."""
        kept = {host: each for host, each in self._counts.items() if now - each.start < self._window}
        if len(kept) > self._capacity // 2:
            kept = dict(list(kept.items())[-(self._capacity // 2) :])
        self._counts = kept


_NONE = _Count(0.0, 0)
