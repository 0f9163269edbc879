"""
How fast bytes go by, over the last seconds.

Bytes are added for every block, so adding must cost next to nothing: the meter counts into one
bucket and starts a new one twenty times per window.  Asking is rarer and may do the work.

BEP 3 speaks of rates "averaged over 20 seconds"; that is the default window.
"""

from __future__ import annotations

_BUCKETS = 20
_YOUNGEST = 0.5


class RateMeter:
    """
    Bytes a second over the last C{window} seconds.

    A young meter divides by its age instead of the window, so that a peer that began a moment ago
    is not taken for a slow one.  After a silence of a whole window it is young again.  Times may be
    of any clock that does not go back.

    @ivar window: seconds looked at.
    @ivar total: bytes ever added.
    """

    __slots__ = ("_age0", "_buckets", "_current", "_end", "_older", "_start", "_width", "total", "window")

    def __init__(self, window: float = 20.0) -> None:
        self.window = window
        self.total = 0
        self._width = window / _BUCKETS
        # (start, bytes), without the current one.  A list: an empty deque takes 760 bytes, and there may be
        # thousands of meters at which nothing goes by.
        self._buckets: list[tuple[float, int]] = []
        self._older = 0  # bytes in _buckets
        self._current = 0
        self._start = self._end = self._age0 = float("-inf")

    def add(self, n: int, now: float) -> None:
        """Count C{n} bytes at C{now} seconds."""
        self.total += n
        if now < self._end:
            self._current += n
        else:
            self._next(n, now)

    def _next(self, n: int, now: float) -> None:
        if self._current:
            self._buckets.append((self._start, self._current))
            self._older += self._current
        self._expire(now)
        if not self._buckets:
            self._age0 = now
        self._start, self._end, self._current = now, now + self._width, n

    def _expire(self, now: float) -> None:
        edge = now - self.window
        buckets = self._buckets
        while buckets and buckets[0][0] <= edge:
            self._older -= buckets.pop(0)[1]

    def rate(self, now: float) -> float:
        """Bytes a second at C{now}."""
        self._expire(now)
        counted = self._older
        if self._start > now - self.window:
            counted += self._current
        if not counted:
            return 0.0
        return counted / min(self.window, max(now - self._age0, _YOUNGEST))
