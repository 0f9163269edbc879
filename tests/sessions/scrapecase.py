"""
What the tests of scrapes of registered torrents share.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import gatherResults

from tests.sessions.manycase import INTERVAL, ManyCase, NotingStore
from twisted_bt.sessions.client import ClientSession
from twisted_bt.sessions.trackercounts import TrackerCounts
from twisted_bt.testing.trackers import SimulatedTracker
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.metainfo import Metainfo
from twisted_bt.tracker.announce import AnnounceRequest, Event, ScrapeEntry

EVERY = 4 * 3600
MOST = (1 << 31) - 1


class ScrapedStore(NotingStore):
    """Notes what was scraped, and when."""

    asked: list[tuple[float, bytes]]
    _announced = b""

    def announce(self, request: AnnounceRequest, addr: PeerAddr | None) -> None:
        """Noted; its answer has counts too, which are no scrape."""
        self._announced = request.infoHash
        super().announce(request, addr)

    def counts(self, infoHash: bytes) -> ScrapeEntry | None:
        """Noted."""
        if infoHash != self._announced:
            self.asked.append((self._seconds(), infoHash))
        self._announced = b""
        return super().counts(infoHash)


class ScrapeCase(ManyCase):
    """The tracker answers over HTTP too, and notes what is scraped."""

    settings: dict[str, Any] = {"scrapeInterval": EVERY}

    def setUp(self) -> None:
        """The tracker runs; the client scrapes every few hours."""
        super().setUp()
        self.simulated = SimulatedTracker(self.network, "tracker.test", interval=INTERVAL)
        self.tracker = self.simulated.host
        self.network.runUntil(self.simulated.stop())
        self.store = self.scrapes = ScrapedStore(self.network_seconds, self.tracker.random, lifetime=1e9)
        self.store.heard = []
        self.scrapes.asked = []
        self.simulated.service.store = self.store
        self.simulated.service.startService()

    def newClient(self, host: Any = None, **settings: Any) -> ClientSession:
        """A client with the settings of the case."""
        return super().newClient(host, **{**self.settings, **settings})

    @property
    def url(self) -> str:
        """Of the tracker."""
        return f"udp://{self.tracker.address}:6969/announce"

    @property
    def http(self) -> str:
        """The other."""
        return f"http://{self.tracker.address}/announce"

    def hashOf(self, number: int, **fields: Any) -> bytes:
        """A torrent is registered: its info-hash."""
        loc = self.torrent(number, **fields)
        self.register(loc)
        return Metainfo.fromBytes(loc.metafilePath.read_bytes()).wireHash

    def peer(self, infoHash: bytes, port: int, left: int, event: Event = Event.STARTED) -> None:
        """Somebody announces himself to the tracker."""
        request = AnnounceRequest(infoHash, b"-XX0001-%012d" % port, port, 0, 0, left, event)
        self.store.announce(request, PeerAddr("198.51.100.99", port))

    def silence(self, *infoHashes: bytes) -> None:
        """They are not announced any more."""
        timetable = self.client.torrentMap.timetable
        self.network.runUntil(gatherResults([timetable.reschedule(each, None) for each in infoHashes]))

    def known(self, infoHash: bytes) -> TrackerCounts | None:
        """What the client says it knows."""
        return self.network.runUntil(self.client.scraped(infoHash))

    def requests(self) -> list[float]:
        """When the tracker was scraped."""
        return list(dict.fromkeys(at for at, _ in self.scrapes.asked))

    def end(self) -> None:
        """The client stops, and what it owes is settled."""
        self.network.runUntil(self.client.stopService())
