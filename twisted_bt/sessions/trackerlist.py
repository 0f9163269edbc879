"""
The trackers of one registered torrent, or of very many that have the same ones.
"""

from __future__ import annotations

import math

from twisted_bt.errors import TrackerError
from twisted_bt.interfaces import ITrackerClient
from twisted_bt.sessions.engine import Engine
from twisted_bt.sessions.station import stationName
from twisted_bt.sessions.timetable import Tiers
from twisted_bt.tracker.tiers import TrackerTiers
from twisted_bt.tracker.urls import TrackerURL


class TrackerList:
    """
    In which order to ask, and by which number to remember who answered.

    @ivar order: see L{TrackerTiers.order}.
    @ivar answered: see L{TrackerTiers.answered}.
    """

    def __init__(self, tiers: Tiers, engine: Engine) -> None:
        self._tiers = TrackerTiers(tiers, engine.random)
        self._urls = [url.strip() for tier in tiers for url in tier]
        self._clients = engine.trackers
        self.order = self._tiers.order
        self.answered = self._tiers.answered

    @property
    def station(self) -> str:
        """Where the torrents are counted."""
        return next((name for name in map(stationName, self._urls) if name is not None), "")

    def number(self, url: str) -> int:
        """By which it is remembered."""
        return self._urls.index(url)

    def numbered(self, number: int) -> str | None:
        """The inverse, as far as there is one."""
        return self._urls[number] if 0 <= number < len(self._urls) else None

    def client(self, url: str) -> ITrackerClient:
        """Who speaks to it.  @raise TrackerError: nobody."""
        client = self._clients.get(TrackerURL.parse(url).scheme)
        if client is None:
            raise TrackerError("trackers of this kind are switched off", math.inf)
        return client
