"""
Clients whose clock is set, or whose computer sleeps.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

from tests.sessions.case import Noted
from tests.sim.hostcase import HOME, PORT, HostCase
from twisted_bt.sessions.client import ClientSession
from twisted_bt.settings import Settings
from twisted_bt.testing.host import Host
from twisted_bt.testing.network import Network
from twisted_bt.testing.swarm import SimulatedSwarm
from twisted_bt.tracker.server import TrackerService

YEARS = 10 * 365 * 86400.0


class ClockTests(HostCase):
    """The date jumps by ten years, forward and back, whenever it likes."""

    def setUp(self) -> None:
        """A tracker, and a DHT node for others to begin at."""
        self.network = Network(self.id(), mode=self.mode)
        self.trackerHost = self.network.host("10.1.0.1")
        self.tracker = TrackerService(
            self.trackerHost, Random(1), httpPort=80, udpPort=80, interface="10.1.0.1"
        )
        self.tracker.startService()
        self.network.name("tracker.test", "10.1.0.1")
        self.swarm = SimulatedSwarm(
            self.size,
            network=self.network,
            trackers=["http://tracker.test/announce", "udp://tracker.test:80"],
        )
        self.random = Random(1)
        self.settings = Settings(dht=True, dhtRouters=(("10.2.0.1", PORT),))

    def jumps(self) -> None:
        """From now on, on every host."""
        host = self.network.hosts[self.random.randrange(len(self.network.hosts))]
        host.wallClockJump(self.random.uniform(-YEARS, YEARS))
        self.network.clock.callLater(self.random.uniform(0.1, 60), self.jumps)

    def test_nothingDepends(self) -> None:
        """Trackers are told, the DHT finds peers, downloads complete: exactly as if it did not jump."""
        traces = []
        for jumping in (False, True):
            self.setUp()
            if jumping:
                self.jumps()
            router = self.swarm.leecher(
                Settings(dht=True, dhtRouters=(), listenPort=PORT), host=self.network.host("10.2.0.1")
            )
            seeder = self.swarm.seeder(self.settings, host=self.network.host(link=HOME))
            leecher = self.swarm.leecher(self.settings, host=self.network.host(link=HOME))
            noted = Noted()
            leecher.session.observe(noted)
            self.completes(router, leecher)
            self.network.advance(2 * 3600)
            kinds = [event[0] for event in noted.events]
            self.assertGreater(kinds.count("tracker"), 2)
            self.assertNotIn("tracker failed", kinds)
            traces.append((self.network.now, kinds, seeder.session.progress.uploaded))
            if not jumping:
                self.swarm.stop()
        self.assertEqual(*traces)

    def test_banned(self) -> None:
        """Who was banned stays banned."""
        seeder, leecher = self.swarm.seeder(), self.swarm.leecher()
        leecher.session.meeting.ban(seeder.address, "the test wants it")
        self.jumps()
        leecher.meet(seeder)
        self.network.advance(600)
        self.assertEqual(leecher.stored.pieces, {})


class ResumeClockTests(HostCase):
    """The date jumps between and during the lives of a client that remembers."""

    def life(self, host: Host, until: float) -> tuple[ClientSession, int, set[int]]:
        """
        A client that downloads until it has that share; how many pieces it had to hash at the beginning,
        and those it claimed then.
        """
        noted = Noted()
        client = ClientSession(host, Settings(stateDir=Path("/state")), host.plugins(), host.random)
        client.startService()
        client.observe(noted)
        swarm = self.swarm.run(client.addTorrent(self.swarm.metainfo, Path("/data")))
        self.swarm.run(swarm.whenChecked())
        claimed = set(swarm.clientBitfield.search(1))
        hashed = max((event[1] for event in noted.events if event[0] == "checked"), default=0)
        swarm.peersFound([self.seeder.address], "tracker")
        wanted = until * self.swarm.metainfo.layout.pieceCount
        self.network.runWhile(lambda: swarm.clientBitfield.count() < wanted, 600)
        return client, hashed, claimed

    def test_stopped(self) -> None:
        """What a client knew when it stopped it knows when it starts, whatever the date; none is hashed."""
        for jump in (YEARS, -YEARS):
            with self.subTest(jump=jump):
                self.setUp()
                self.seeder = self.swarm.seeder(host=self.network.host(link=HOME))
                host = self.network.host(link=HOME)
                client, _, _ = self.life(host, 0.5)
                self.swarm.run(client.stopService())
                host.wallClockJump(jump)
                client, hashed, claimed = self.life(host, 1.0)
                self.assertEqual(hashed, 0)
                self.assertGreaterEqual(len(claimed), 8)
                self.swarm.run(client.stopService())
                if jump > 0:
                    self.swarm.stop()

    def test_crashed(self) -> None:
        """After jumps and a crash it claims nothing that is not there, and completes."""
        for jump in (YEARS, -YEARS, 20.0, -20.0):
            with self.subTest(jump=jump):
                self.setUp()
                self.seeder = self.swarm.seeder(host=self.network.host(link=HOME))
                host = self.network.host(link=HOME)
                self.life(host, 0.3)
                host.wallClockJump(jump)
                self.network.advance(1.5)
                host.crash()
                host.wallClockJump(-jump)
                host.restart()
                client, _, claimed = self.life(host, 1.0)
                self.assertLess(len(claimed), self.swarm.metainfo.layout.pieceCount)
                self.assertEqual(host.files.content(Path("/data/content")), self.swarm.content)
                self.swarm.run(client.stopService())
                if jump != -20.0:
                    self.swarm.stop()


class SleepTests(HostCase):
    """A laptop with its lid closed for an hour."""

    def test_leecher(self) -> None:
        """When it wakes up, what is overdue is done, dead sessions end, others begin, and it completes."""
        seeder, leecher = self.begun()
        leecher.host.suspend()
        self.network.advance(3600)
        self.assertEqual(seeder.session.connectedPeers, {})
        leecher.host.resume()
        self.assertLess(self.completes(leecher), 300)
        self.assertLessEqual(len(leecher.session.connectedPeers), 1)

    def test_seeder(self) -> None:
        """The same if the seeder sleeps."""
        seeder, leecher = self.begun()
        seeder.host.suspend()
        self.network.advance(3600)
        seeder.host.resume()
        self.completes(leecher, timeout=3600)

    def test_moment(self) -> None:
        """A minute of sleep ends no session."""
        _, leecher = self.begun()
        noted = Noted()
        leecher.session.observe(noted)
        leecher.host.suspend()
        self.network.advance(60)
        leecher.host.resume()
        self.completes(leecher)
        self.assertEqual(noted.ended, [])


class PacketSleepTests(SleepTests):
    """The same packet by packet."""

    mode = "packets"
