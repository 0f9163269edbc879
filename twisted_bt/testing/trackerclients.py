"""
What every L{ITrackerClient} promises, as tests for yours::

    class MyClientTests(TrackerClientContract, SynchronousTestCase):
        scheme = "udp"

        def makeClient(self, reactor):
            return MyClient(reactor)

The client runs on a host of a simulated network, and asks a tracker there.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, ClassVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol
from zope.interface.verify import verifyObject

from twisted_bt.errors import TrackerError
from twisted_bt.interfaces import ITrackerClient
from twisted_bt.testing.host import Host
from twisted_bt.testing.network import Network
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.tracker.announce import AnnounceRequest, AnnounceResponse, Event, ScrapeEntry
from twisted_bt.tracker.server import TrackerService

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as _Base
else:
    _Base = object

_KNOWN, _UNKNOWN = b"k" * 20, b"u" * 20


def _request(port: int, event: Event = Event.STARTED, left: int = 1) -> AnnounceRequest:
    return AnnounceRequest(_KNOWN, b"-XX0001-%012d" % port, port, 0, 0, left, event)


class TrackerClientContract(_Base):
    """
    Mix into a C{SynchronousTestCase} and implement L{makeClient}.

    @cvar scheme: of the URLs that it understands.  For one that no tracker of the engine speaks, override
        L{startTracker} too.
    @cvar patience: seconds after which a client must have given up on a tracker that is silent.
    """

    scheme: ClassVar[str] = "http"
    patience: ClassVar[float] = 120.0

    def makeClient(self, reactor: Host) -> ITrackerClient:
        """A new client that runs on C{reactor}."""
        raise NotImplementedError

    def startTracker(self, host: Host) -> None:
        """Have a tracker answer at port 80 of C{host}, whatever the path; it goes on until the test ends."""
        TrackerService(host, Random(1), httpPort=80, udpPort=80, interface=host.address).startService()

    def setUp(self) -> None:
        """A tracker, a computer that is none, and the client's own."""
        super().setUp()
        self.network = Network(self.id())
        self.tracker, self.other, self.host = (
            self.network.host(f"198.51.100.{number}") for number in (1, 2, 3)
        )
        self.network.name("tracker.test", self.tracker.address)
        self.startTracker(self.tracker)
        self.client = self.makeClient(self.host)

    def url(self, host: str = "198.51.100.1") -> str:
        """The announce URL of C{host}."""
        return f"{self.scheme}://{host}:80/announce"

    def end(self) -> None:
        """Close the client; nothing of it may be left."""
        self.network.runUntil(self.client.close(), 60)
        self.network.advance(self.patience)
        self.assertEqual(self.host.leftovers(), [])
        self.assertEqual(self.network.failures, [])

    def refused(self, waited: Deferred[object]) -> None:
        """C{waited} fails with L{TrackerError}, in time."""
        self.assertRaises(TrackerError, self.network.runUntil, waited, self.patience)

    def test_interface(self) -> None:
        """It has the methods of the interface, and does nothing before it is asked to."""
        self.assertTrue(verifyObject(ITrackerClient, self.client))
        self.assertEqual(self.host.leftovers(), [])
        self.end()

    def test_announce(self) -> None:
        """An announce brings the others, and when to come again."""
        self.network.runUntil(self.client.announce(self.url(), _request(1001)))
        answer = self.network.runUntil(self.client.announce(self.url("tracker.test"), _request(1002)))
        self.assertIsInstance(answer, AnnounceResponse)
        self.assertGreater(answer.interval, 0)
        self.assertIn(PeerAddr(self.host.address, 1001), answer.peers)
        self.end()

    def test_leaves(self) -> None:
        """Who says that it stops is told to nobody any more."""
        for request in (_request(1001), _request(1001, Event.STOPPED)):
            self.network.runUntil(self.client.announce(self.url(), request))
        answer = self.network.runUntil(self.client.announce(self.url(), _request(1002)))
        self.assertNotIn(PeerAddr(self.host.address, 1001), answer.peers)
        self.end()

    def test_scrape(self) -> None:
        """A scrape gives counts of what was asked for and of nothing else."""
        self.network.runUntil(self.client.announce(self.url(), _request(1001)))
        self.network.runUntil(self.client.announce(self.url(), _request(1002, left=0)))
        found = self.network.runUntil(self.client.scrape(self.url(), [_UNKNOWN, _KNOWN]))
        self.assertIsInstance(found[_KNOWN], ScrapeEntry)
        self.assertEqual((found[_KNOWN].complete, found[_KNOWN].incomplete), (1, 1))
        self.assertLessEqual(set(found), {_KNOWN, _UNKNOWN})
        self.end()

    def test_noTracker(self) -> None:
        """Where no tracker is, nor a host of that name, that is a L{TrackerError}."""
        for host in (self.other.address, "203.0.113.1", "nowhere.test"):
            self.refused(self.client.announce(self.url(host), _request(1001)))
            self.refused(self.client.scrape(self.url(host), [_KNOWN]))
        self.end()

    def test_silence(self) -> None:
        """A tracker that no longer answers is given up in time."""
        self.network.runUntil(self.client.announce(self.url(), _request(1001)))
        self.tracker.online = False
        self.refused(self.client.announce(self.url(), _request(1001)))
        self.end()

    def test_mute(self) -> None:
        """Nor is one waited for much longer that lets us connect and says nothing."""
        self.other.listenTCP(80, Factory.forProtocol(Protocol))
        self.other.listenUDP(80, DatagramProtocol())
        self.refused(self.client.announce(self.url(self.other.address), _request(1001)))
        self.end()

    def test_comesBack(self) -> None:
        """A tracker that was away for a while is found again."""
        self.tracker.online = False
        self.refused(self.client.announce(self.url(), _request(1001)))
        self.tracker.online = True
        answer = self.network.runUntil(self.client.announce(self.url(), _request(1001)), self.patience)
        self.assertIsInstance(answer, AnnounceResponse)
        self.end()

    def test_nonsense(self) -> None:
        """A URL that makes no sense is a L{TrackerError}: whoever made the torrent wrote it."""
        urls = ["", "x", "://", f"{self.scheme}:", f"{self.scheme}://", f"{self.scheme}://[::1/announce"]
        urls += [f"{self.scheme}://a:99999/announce", f"{self.scheme}://\N{SNOWMAN}\0/announce"]
        for url in urls:
            self.refused(self.client.announce(url, _request(1001)))
            self.refused(self.client.scrape(url, [_KNOWN]))
        self.end()

    def test_cancelled(self) -> None:
        """Who no longer waits cancels; nothing of that request is left."""
        self.tracker.online = False
        asked = self.client.announce(self.url(), _request(1001))
        self.network.advance(1)
        asked.cancel()
        self.failureResultOf(asked, CancelledError, TrackerError)
        self.network.advance(self.patience)
        self.end()

    def test_close(self) -> None:
        """Closing ends what is under way, with a L{TrackerError}."""
        self.tracker.online = False
        asked = self.client.announce(self.url(), _request(1001))
        self.network.advance(1)
        closed = self.client.close()
        self.network.runUntil(closed, 60)
        self.failureResultOf(asked, TrackerError)
        self.assertEqual(self.host.leftovers(), [])

    def test_atOnce(self) -> None:
        """Many may ask at a time; each gets an answer of its own."""
        asked = [self.client.announce(self.url(), _request(1001 + each)) for each in range(20)]
        for each in asked:
            self.assertIsInstance(self.network.runUntil(each), AnnounceResponse)
        self.end()
