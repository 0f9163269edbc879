"""
One tracker's host, as those see it who announce many torrents there: how fast, and whether at all.

Pure: callers pass the time, in seconds.
"""

from __future__ import annotations

from twisted_bt.errors import TrackerError
from twisted_bt.interfaces import Random
from twisted_bt.tracker.announce import DEFAULT_INTERVAL
from twisted_bt.tracker.schedule import retryDelay
from twisted_bt.tracker.urls import TrackerURL

#: Announces a second where there is need for fewer: a tracker does not mind two.
LEAST_RATE = 2.0
#: So much faster than it has to be, to make up for what was missed.
HEADROOM = 1.25
#: Announces that may go at once when none went for a while.
BURST = 5.0
#: Failures in a row, of whichever torrents, after which it is the host that is taken to be at fault.
SUSPECT = 3


class Station:
    """
    @ivar count: torrents that are announced here.
    @ivar interval: seconds between two announces of one, as the tracker said last.
    @ivar underway: announces that wait for their answer.
    @ivar notBefore: not to be asked until then, since it did not answer.
    """

    __slots__ = ("_failures", "_nextAt", "count", "interval", "notBefore", "underway")

    def __init__(self) -> None:
        self.count = 0
        self.interval = float(DEFAULT_INTERVAL)
        self.underway = 0
        self.notBefore = 0.0
        self._failures = 0
        self._nextAt = 0.0

    @property
    def rate(self) -> float:
        """Announces a second, the most: spread over the interval, they are on time with a little less."""
        return max(LEAST_RATE, HEADROOM * self.count / self.interval)

    @property
    def doubted(self) -> bool:
        """Whether it failed so often that one question at a time is enough."""
        return self._failures >= SUSPECT

    def readyAt(self, window: float) -> float:
        """When the next announce may go, looking every C{window} seconds."""
        rate = self.rate
        return self._nextAt - (BURST + rate * window - 1.0) / rate

    def sent(self, now: float, window: float) -> None:
        """An announce goes out."""
        rate = self.rate
        self._nextAt = max(self._nextAt, now) + 1.0 / rate

    def answered(self, interval: float) -> None:
        """It answered; the next announce of that torrent is wanted in C{interval} seconds."""
        self.interval = interval
        self._failures = 0
        self.notBefore = 0.0

    def failed(self, now: float, random: Random) -> None:
        """It did not answer, or with nothing that can be used."""
        self._failures += 1
        if self.doubted:
            self.notBefore = now + retryDelay(self._failures - SUSPECT + 1, None, random)


class Stations:
    """
    @ivar named: one for each host, by its L{stationName}; whoever asks it keeps to its pace.
    """

    def __init__(self) -> None:
        self.named: dict[str, Station] = {}

    def of(self, url: str) -> Station:
        """Of the host of that tracker."""
        name = stationName(url) or ""
        station = self.named.get(name)
        if station is None:
            station = self.named[name] = Station()
        return station


def stationName(url: str) -> str | None:
    """Scheme, host and port of a tracker; C{None}: it cannot be asked."""
    try:
        tracker = TrackerURL.parse(url)
    except TrackerError:
        return None
    return f"{tracker.scheme}://{tracker.host}:{tracker.port}"
