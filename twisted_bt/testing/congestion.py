"""
How much a TCP sender has on its way, and how long it waits: RFC 5681 and RFC 6298, without their options.
"""

from __future__ import annotations

from math import inf

#: Segments on their way to begin with (RFC 6928).
FIRST_SEGMENTS = 10
#: Seconds until something unacknowledged is sent again: to begin with, at least and at most, as Linux does.
FIRST_TIMEOUT, LEAST_TIMEOUT, MOST_TIMEOUT = 1.0, 0.2, 120.0


class CongestionWindow:
    """
    Slow start, then additive increase; halved by losses.

    @ivar size: bytes that may be on their way.
    @ivar threshold: below it the window doubles with each round trip.
    """

    def __init__(self, segment: int) -> None:
        """
        @param segment: bytes of the longest.
        """
        self._segment = segment
        self.size: float = FIRST_SEGMENTS * segment
        self.threshold = inf

    def acknowledged(self, size: int, flight: int) -> None:
        """C{size} bytes came through of C{flight} that were on their way."""
        if 2 * flight < self.size:
            return  # it was not the window that held it up
        if self.size < self.threshold:
            self.size += min(size, 2 * self._segment)
        else:
            self.size += self._segment * size / self.size

    def lost(self, flight: int) -> None:
        """Something was lost of C{flight} bytes on their way: told once for what was sent together."""
        self.size = self.threshold = max(flight / 2, 2 * self._segment)

    def expired(self, flight: int, first: bool) -> None:
        """
        Nothing comes back of C{flight} bytes.

        @param first: C{False}: it is still so.
        """
        if first:
            self.threshold = max(flight / 2, 2 * self._segment)
        self.size = self._segment


class RoundTrip:
    """
    @ivar smoothed: seconds that a round trip takes; C{None}: none was measured.
    @ivar timeout: seconds after which something unacknowledged is sent again.
    """

    def __init__(self) -> None:
        self.smoothed: float | None = None
        self._variation = 0.0
        self.timeout = FIRST_TIMEOUT

    def measured(self, seconds: float) -> None:
        """One took that long."""
        if self.smoothed is None:
            self.smoothed, self._variation = seconds, seconds / 2
        else:
            self._variation += (abs(self.smoothed - seconds) - self._variation) / 4
            self.smoothed += (seconds - self.smoothed) / 8
        # The variation counts as at least what systems wait at least, as on Linux: else the timeout ends
        # just before the answer where delays are even and then grow.
        self.timeout = min(MOST_TIMEOUT, self.smoothed + max(LEAST_TIMEOUT, 4 * self._variation))

    def expired(self) -> None:
        """Nothing came back in time: wait for twice as long."""
        self.timeout = min(MOST_TIMEOUT, 2 * self.timeout)
