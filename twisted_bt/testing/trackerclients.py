"""
What every L{ITrackerClient} promises, as tests for yours, against trackers on a simulated network::

    class MyClientTests(TrackerClientContract, SynchronousTestCase):
        protocol = "http"

        def makeClient(self, host):
            return MyClient(host)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from zope.interface.verify import verifyObject

from twisted_bt.errors import TrackerError
from twisted_bt.interfaces import ITrackerClient
from twisted_bt.testing.host import Host
from twisted_bt.testing.network import Network
from twisted_bt.testing.trackers import HOSTILE_TRACKERS, HostileTracker, Silence, SimulatedTracker
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.tracker.announce import AnnounceRequest, AnnounceResponse, Event, ScrapeEntry

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as _Base
else:
    _Base = object

HASH, OTHER = b"h" * 20, b"o" * 20


class TrackerClientContract(_Base):
    """
    Mix into a C{SynchronousTestCase} and implement L{makeClient}.

    @cvar protocol: C{"http"} or C{"udp"}: which of a tracker's URLs it is given.
    @cvar patience: seconds in which it must have given up on a tracker that does not answer.
    @cvar aftermath: seconds in which all that it began is over after C{close}.
    """

    protocol = "http"
    patience = 120.0
    aftermath = 90.0

    def makeClient(self, host: Host) -> ITrackerClient:
        """A new client on C{host}."""
        raise NotImplementedError

    def setUp(self) -> None:
        """A tracker, and a client on another host."""
        super().setUp()
        self.network = Network(self.id())
        self.tracker = SimulatedTracker(self.network)
        self.url = str(getattr(self.tracker, self.protocol))
        self.host = self.network.host()
        self.client = self.makeClient(self.host)

    def tearDown(self) -> None:
        """They end; nothing is left of them, and nothing was raised."""
        self.network.runUntil(self.client.close())
        self.network.runUntil(self.tracker.stop())
        self.network.advance(self.aftermath)
        self.assertEqual((self.host.leftovers(), self.network.failures), ([], []))
        super().tearDown()

    def request(self, number: int = 0, **more: Any) -> AnnounceRequest:
        """An announce of one of several peers."""
        usual: dict[str, Any] = {"uploaded": 0, "downloaded": 0, "left": 5, "event": Event.STARTED}
        return AnnounceRequest(HASH, b"-XX0000-%012d" % number, 6881 + number, **{**usual, **more})

    def announce(self, number: int = 0, **more: Any) -> AnnounceResponse:
        """Announce a peer, and wait for the answer."""
        response: AnnounceResponse = self.network.runUntil(
            self.client.announce(self.url, self.request(number, **more)), self.patience
        )
        return response

    def hostile(self, kind: type[HostileTracker]) -> tuple[HostileTracker, str]:
        """Another tracker, and its URL."""
        made = kind(self.network, f"{kind.kind.replace(' ', '-')}.test")
        return made, str(getattr(made, self.protocol))

    def fails(self, waited: Deferred[Any]) -> str:
        """What C{waited} fails with, in time: a L{TrackerError}, for people."""
        reason = self.assertRaises(TrackerError, self.network.runUntil, waited, self.patience)
        self.assertTrue(str(reason))
        return str(reason)

    def test_interface(self) -> None:
        """It has the methods of the interface."""
        self.assertTrue(verifyObject(ITrackerClient, self.client))

    def test_announce(self) -> None:
        """A tracker hears of us, and names the others."""
        first = self.announce(1)
        self.assertIsInstance(first, AnnounceResponse)
        self.assertEqual(first.peers, ())
        second = self.announce(2, left=0)
        self.assertEqual(second.peers, (PeerAddr(self.host.address, 6882),))
        self.assertGreater(second.interval, 0)
        counts = self.tracker.service.store.counts(HASH)
        assert counts is not None
        self.assertEqual((counts.complete, counts.incomplete), (1, 1))

    def test_events(self) -> None:
        """Each event arrives: who stopped is not named any more."""
        self.announce(1)
        self.announce(1, event=Event.COMPLETED, left=0)
        counts = self.tracker.service.store.counts(HASH)
        assert counts is not None
        self.assertEqual((counts.complete, counts.downloaded), (1, 1))
        self.announce(1, event=Event.STOPPED, left=0, numwant=0)
        self.assertEqual(self.announce(2, event=Event.NONE).peers, ())

    def test_numwant(self) -> None:
        """No more are named than are wanted."""
        for number in range(5):
            self.announce(number)
        self.assertEqual(len(self.announce(9, numwant=2).peers), 2)

    def test_scrape(self) -> None:
        """Counts of what a tracker knows."""
        self.announce(1)
        self.announce(2, left=0)
        found = self.network.runUntil(self.client.scrape(self.url, [HASH, OTHER]), self.patience)
        entry = found[HASH]
        self.assertIsInstance(entry, ScrapeEntry)
        self.assertEqual((entry.complete, entry.incomplete), (1, 1))
        other = found.get(OTHER, ScrapeEntry(0, 0, 0))
        self.assertEqual((other.complete, other.incomplete), (0, 0))

    def test_hostile(self) -> None:
        """Of a tracker that answers wrongly comes an answer or a L{TrackerError}, in time."""
        for kind in HOSTILE_TRACKERS.values():
            tracker, url = self.hostile(kind)
            try:
                answer = self.network.runUntil(self.client.announce(url, self.request()), self.patience)
            except TrackerError:
                pass
            else:
                self.assertTrue(kind.answers, f"an answer of {kind.kind}")
                self.assertIsInstance(answer, AnnounceResponse)
            self.network.runUntil(tracker.stop())

    def test_nobody(self) -> None:
        """Names and ports where nobody is fail."""
        self.network.runUntil(self.tracker.stop())
        self.fails(self.client.announce(self.url, self.request()))
        elsewhere = self.url.replace("tracker.test", "nowhere.test")
        self.fails(self.client.announce(elsewhere, self.request()))
        self.fails(self.client.scrape(self.url, [HASH]))
        self.tracker.service.startService()

    def test_cancelled(self) -> None:
        """An announce can be cancelled at any time."""
        tracker, url = self.hostile(Silence)
        for after in (0.0, 0.01, 0.05, 1.0, 10.0):
            waiting = self.client.announce(url, self.request())
            self.network.advance(after)
            waiting.cancel()
            self.failureResultOf(waiting, CancelledError, TrackerError)
        self.network.runUntil(tracker.stop())

    def test_closed(self) -> None:
        """To close it ends what is under way; later requests fail."""
        tracker, url = self.hostile(Silence)
        waiting = [self.client.announce(url, self.request(number)) for number in range(3)]
        self.network.advance(1)
        self.network.runUntil(self.client.close(), self.patience)
        for each in waiting:
            self.failureResultOf(each, TrackerError, CancelledError)
        self.fails(self.client.announce(self.url, self.request()))
        self.network.runUntil(tracker.stop())
