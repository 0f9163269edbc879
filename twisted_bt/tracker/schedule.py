"""
When to announce again: pure arithmetic, so that it can be argued about in one place.

All times are seconds.
"""

from __future__ import annotations

import math

from twisted_bt.interfaces import Random
from twisted_bt.tracker.announce import AnnounceResponse

SHORTEST_INTERVAL = 60.0
"""No tracker is asked more often, whatever it says: an interval of 0 would make us a flood."""
LONGEST_INTERVAL = 24 * 3600.0
"""Nor less often: a longer one is a mistake, and trackers forget peers much earlier."""
EARLY_INTERVAL = 300.0
"""How soon a starving swarm may ask a tracker that names no minimum; libtorrent's."""

FIRST_BACKOFF = 5.0
LONGEST_BACKOFF = 3600.0
BACKOFF_FACTOR = 2.5
"""After failures: 5 s growing by 2.5 to 60 min; libtorrent's."""


def regularDelay(response: AnnounceResponse, shortest: float = SHORTEST_INTERVAL) -> float:
    """From an answer to the next regular announce."""
    return min(max(response.interval, response.minInterval, shortest), LONGEST_INTERVAL)


def earlyDelay(response: AnnounceResponse, shortest: float = SHORTEST_INTERVAL) -> float:
    """From an answer to the earliest announce of a swarm that needs peers."""
    wanted = response.minInterval or EARLY_INTERVAL
    return min(max(wanted, shortest), regularDelay(response, shortest))


def retryDelay(failures: int, retryIn: float | None, random: Random) -> float:
    """
    From a failure, the C{failures}th in a row (from 1), to the next try; C{inf}: never again.

    @param retryIn: what the tracker said (BEP 31), or C{None}.
    """
    if retryIn is not None and math.isinf(retryIn):
        return math.inf
    delay = min(FIRST_BACKOFF * BACKOFF_FACTOR ** min(failures - 1, 20), LONGEST_BACKOFF)
    # A quarter more or less, so that the clients of a tracker that comes back do not come as one.
    delay *= random.uniform(0.75, 1.25)
    return max(delay, min(retryIn or 0.0, LONGEST_INTERVAL))
