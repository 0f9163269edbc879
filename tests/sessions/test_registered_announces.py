"""
Who hears of registered torrents: trackers by a timetable, the DHT by turns, while no swarm is open.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.sessions.manycase import INTERVAL, ManyCase
from twisted_bt.dht.service import DhtNode
from twisted_bt.dht.settings import DhtSettings
from twisted_bt.sessions.station import BURST, LEAST_RATE, SUSPECT, Station
from twisted_bt.sessions.torrentmap import TorrentLoc
from twisted_bt.testing.host import Host
from twisted_bt.testing.network import Network
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.metainfo import Metainfo
from twisted_bt.tracker.announce import Event


class AnnounceTests(ManyCase):
    """Registered torrents and their tracker."""

    def test_announced(self) -> None:
        """Each is announced as complete, at once while they are few, then at the interval; none is opened."""
        self.register(*self.torrents(4))
        self.network.advance(5)
        requests = [request for _, request in self.store.heard]
        self.assertEqual(len({each.infoHash for each in requests}), 4)
        self.assertEqual(
            {(each.event, each.left, each.numwant) for each in requests}, {(Event.STARTED, 0, 0)}
        )
        self.store.heard.clear()
        self.network.advance(INTERVAL - 10)
        self.assertEqual(self.store.heard, [])
        self.network.advance(10)
        self.assertEqual([request.event for _, request in self.store.heard], [Event.NONE] * 4)
        self.assertEqual(self.client.getSwarmCount(), 0)

    def test_evenly(self) -> None:
        """Many do not come at once, but at the pace that spreads them over the interval, all of them."""
        count = 600
        station = Station()
        station.count = count
        self.register(*self.torrents(count))
        self.network.advance(INTERVAL)
        times = [at for at, _ in self.store.heard]
        self.assertEqual(len(set(self.hashes())), count)
        for start in range(0, int(times[-1]), 30):
            within = sum(start <= at < start + 30 for at in times)
            self.assertLessEqual(within, station.rate * 30 + BURST + 1)

    def test_restart(self) -> None:
        """The schedule outlives a restart: nobody is announced again before its time."""
        self.register(*self.torrents(300))
        self.network.advance(INTERVAL - 300)
        self.assertEqual(len(self.store.heard), 300)
        order = self.hashes()
        self.restart()
        self.network.advance(60)
        self.assertEqual(self.store.heard, [])
        self.network.advance(INTERVAL)
        self.assertEqual(self.hashes()[:300], order)
        self.assertEqual(self.store.heard[0][1].event, Event.STARTED)  # by a new peer id

    def test_longPause(self) -> None:
        """All being overdue after a long time off line, they are not announced at once."""
        self.register(*self.torrents(300))
        self.network.advance(INTERVAL)
        self.restart(after=3 * INTERVAL)
        self.network.advance(10)
        self.assertLessEqual(len(self.store.heard), 10 * LEAST_RATE + BURST + 1)
        self.network.advance(300)
        self.assertEqual(len(set(self.hashes())), 300)

    def test_unregistered(self) -> None:
        """The tracker hears that one is no more, and then nothing of it."""
        self.register(self.torrent(0), self.torrent(1))
        self.network.advance(5)
        gone = self.store.heard[0][1].infoHash
        self.store.heard.clear()
        self.network.runUntil(self.client.unregisterTorrent(gone))
        self.network.advance(2 * INTERVAL)
        events = [request.event for _, request in self.store.heard if request.infoHash == gone]
        self.assertEqual(events, [Event.STOPPED])
        self.assertEqual(len(self.store.heard), 3)

    def test_farewell(self) -> None:
        """Trackers of a few hear that the client stops; and that it starts again."""
        self.register(*self.torrents(3))
        self.network.advance(5)
        self.store.heard.clear()
        port = self.client.listenerPort
        self.network.runUntil(self.client.stopService())
        told = [(request.event, request.port) for _, request in self.store.heard]
        self.assertEqual(told, [(Event.STOPPED, port)] * 3)
        self.restart()
        self.network.advance(5)
        self.assertEqual([request.event for _, request in self.store.heard], [Event.STARTED] * 3)

    def test_farewellOfSwarm(self) -> None:
        """An open swarm takes leave by the port it was announced with, though that is closed by then."""
        self.network.runUntil(self.client.addTorrent(self.torrent(0).metafilePath, self.folder))
        self.network.advance(5)
        port = self.client.listenerPort
        self.network.runUntil(self.client.stopService())
        told = [(request.event, request.port) for _, request in self.store.heard]
        self.assertEqual(told, [(Event.STARTED, port), (Event.STOPPED, port)])

    def test_farewellBounded(self) -> None:
        """A tracker that is silent keeps nobody from stopping."""
        self.register(*self.torrents(3))
        self.network.advance(5)
        self.tracker.online = False
        begun = self.network.clock.now
        self.network.runUntil(self.client.stopService())
        self.assertLess(self.network.clock.now - begun, 6)

    def test_silentTracker(self) -> None:
        """While a tracker is silent it is asked seldom; when it is back, all are announced."""
        self.tracker.online = False
        self.register(*self.torrents(30))
        self.network.advance(3600)
        self.assertEqual(self.store.heard, [])
        self.tracker.online = True
        self.network.advance(3 * 3600)
        self.assertEqual(len(set(self.hashes())), 30)

    def test_refusals(self) -> None:
        """A tracker that refuses is asked again later and later."""
        self.store.refusing = "no such torrent"
        self.register(self.torrent(0))
        self.network.advance(24 * 3600)
        self.assertTrue(20 <= len(self.store.heard) <= 70, len(self.store.heard))

    def test_otherTracker(self) -> None:
        """Where the first tracker is silent the next one is asked (BEP 12)."""
        other = f"udp://{self.network.host().address}:6969/announce"
        self.register(self.torrent(0, trackers=[other, self.url]))
        self.network.advance(60)
        self.assertEqual(len(self.store.heard), 1)

    def test_private(self) -> None:
        """A private torrent is announced to its tracker like any other."""
        self.register(self.torrent(0, private=True))
        self.network.advance(5)
        self.assertEqual(len(self.store.heard), 1)

    def test_noTracker(self) -> None:
        """A torrent without trackers, or with ones that cannot be asked, is registered all the same."""
        outcome = self.register(self.torrent(0, trackers=[]), self.torrent(1, trackers=["wss://there/"]))
        self.network.advance(60)
        self.assertEqual((outcome.count, self.store.heard), (2, []))


class DhtTurnsTests(ManyCase):
    """Registered torrents in the DHT."""

    def setUp(self) -> None:
        """A few nodes of others, and a client that knows one of them."""
        super().setUp()
        self.nodes: list[DhtNode] = []
        for _ in range(8):
            host = self.network.host()
            routers = tuple((each.address, node.port) for each, node in self.known()[:1])
            node = DhtNode(host, host.random, 0, ("",), b"", DhtSettings(routers=routers))
            node.startService()
            self.nodes.append(node)
            self.hosts.append(host)
        self.network.advance(30)
        self.network.runUntil(self.client.stopService())
        router = (self.hosts[0].address, self.nodes[0].port)
        self.client = self.newClient(dht=True, dhtRouters=(router,), dhtAnnouncesPerMinute=6)

    def known(self) -> list[tuple[Host, DhtNode]]:
        """The nodes and where they are."""
        if not self.nodes:
            self.hosts: list[Host] = []
        return list(zip(self.hosts, self.nodes, strict=True))

    def tearDown(self) -> None:
        """They stop."""
        super().tearDown()
        for each in self.nodes:
            self.network.runUntil(each.stopService())

    def announced(self, infoHash: bytes) -> bool:
        """Whether the DHT knows the client as a peer of it."""
        found = self.network.runUntil(self.nodes[-1].getPeers(infoHash))
        return PeerAddr(self.host.address, self.client.listenerPort or 0) in found

    def hashOf(self, loc: TorrentLoc) -> bytes:
        """Its info-hash."""
        return Metainfo.fromBytes(loc.metafilePath.read_bytes()).wireHash

    def test_turns(self) -> None:
        """They are announced one after the other, within the budget, all of them in time; no swarm opens."""
        locs = list(self.torrents(12))
        self.register(*locs)
        self.network.advance(60)
        early = sum(self.announced(self.hashOf(each)) for each in locs)
        self.assertTrue(1 <= early <= 8, early)
        self.network.advance(240)
        self.assertTrue(all(self.announced(self.hashOf(each)) for each in locs))
        self.assertEqual(self.client.getSwarmCount(), 0)

    def test_private(self) -> None:
        """A private torrent has no turn (BEP 27), whoever has one; one without trackers has."""
        private, public = self.torrent(0, private=True), self.torrent(1, trackers=[])
        self.register(private, public)
        self.network.advance(300)
        self.assertEqual([self.announced(self.hashOf(each)) for each in (private, public)], [False, True])


class StationTests(SynchronousTestCase):
    """Station: the pace."""

    def test_pace(self) -> None:
        """So many as are needed to be on time, and a little more; the burst is bounded."""
        station = Station()
        station.count = 100_000
        now, sent = 0.0, 0
        while now < 100.0:
            while station.readyAt(0.1) <= now:
                station.sent(now, 0.1)
                sent += 1
            now += 0.1
        self.assertLess(abs(sent / 100 - 1.25 * 100_000 / 1800), 1)

    def test_doubted(self) -> None:
        """After a few failures it is left alone, longer each time, until it answers."""
        station = Station()
        network = Network("doubt")
        for _ in range(SUSPECT - 1):
            station.failed(0.0, network.random)
        self.assertEqual((station.doubted, station.notBefore), (False, 0.0))
        waits = []
        for _ in range(8):
            station.failed(0.0, network.random)
            waits.append(station.notBefore)
        self.assertTrue(station.doubted)
        self.assertTrue(waits[0] < 10 and 2700 <= waits[-1] <= 4500, waits)
        station.answered(1800.0)
        self.assertEqual((station.doubted, station.notBefore), (False, 0.0))
