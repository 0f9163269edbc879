"""
Clients where clients are: behind NATs, on laptops, in networks that break.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Literal

from twisted.trial.unittest import SynchronousTestCase

from tests.sessions.case import Noted
from twisted_bt.sessions.client import ClientSession
from twisted_bt.settings import Settings
from twisted_bt.testing.host import Host
from twisted_bt.testing.link import Link
from twisted_bt.testing.nat import Nat
from twisted_bt.testing.natkinds import ADDRESS_RESTRICTED, FULL_CONE, PORT_RESTRICTED, SYMMETRIC, NatKind
from twisted_bt.testing.network import Network
from twisted_bt.testing.swarm import Member, SimulatedSwarm
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.tracker.server import TrackerService

KINDS = (FULL_CONE, ADDRESS_RESTRICTED, PORT_RESTRICTED, SYMMETRIC)
HOME = Link(latency=0.015, up=125e3, down=1e6)
#: The port that forwardings are for.
PORT = 6881
YEARS = 10 * 365 * 86400.0


class HostCase(SynchronousTestCase):
    """A swarm, on the computed network; at the end all stop, and nothing is left."""

    size = 500_000
    mode: Literal["packets", "flow"] = "flow"

    def setUp(self) -> None:
        """Nobody is there yet."""
        self.network = Network(self.id(), mode=self.mode)
        self.swarm = SimulatedSwarm(self.size, network=self.network)

    def tearDown(self) -> None:
        """Everybody stops."""
        self.swarm.stop()

    def home(self, kind: NatKind = PORT_RESTRICTED) -> tuple[Nat, Host]:
        """A host behind a NAT."""
        nat = self.network.nat(kind=kind, link=HOME)
        return nat, nat.host("192.168.1.2")

    def begun(self, share: float = 0.3, host: Host | None = None) -> tuple[Member, Member]:
        """A seeder at home, and a leecher that has that share of the content."""
        seeder = self.swarm.seeder(host=self.network.host(link=HOME))
        leecher = self.swarm.leecher(host=host or self.network.host(link=HOME))
        leecher.meet(seeder)
        wanted = share * self.swarm.metainfo.layout.pieceCount
        self.network.runWhile(lambda: len(leecher.stored.pieces) < wanted, 60)
        return seeder, leecher

    def completes(self, *members: Member, timeout: float = 600) -> float:
        """They all do; how many seconds it took."""
        begun = self.network.now
        for each in members:
            self.swarm.run(each.session.whenComplete(), timeout)
            self.assertEqual(each.content, self.swarm.content)
        return self.network.now - begun


class NatTests(HostCase):
    """Clients at home."""

    def test_dialsOut(self) -> None:
        """A leecher behind a NAT of any kind downloads from a seeder in the world, and gives to others."""
        seeder = self.swarm.seeder()
        members = [self.swarm.leecher(host=self.home(kind)[1]) for kind in KINDS]
        for each in members:
            each.meet(seeder)
        self.completes(*members)

    def test_mute(self) -> None:
        """
        Two behind NATs do not reach each other.  Neither is stuck: dials time out, what they held is given
        back, and both complete as soon as somebody is there whom they reach.
        """
        nats, hosts = zip(*(self.home() for _ in range(2)), strict=True)
        one = self.swarm.seeder(Settings(listenPort=PORT), host=hosts[0])
        other = self.swarm.leecher(Settings(listenPort=PORT), host=hosts[1])
        one.session.peersFound([PeerAddr(nats[1].address, PORT)], "tracker")
        other.session.peersFound([PeerAddr(nats[0].address, PORT)], "tracker")
        self.network.advance(5)
        self.assertEqual(
            [each.client.engine.dialSlots.taken for each in (one, other)], [0, 1]
        )  # seeders wait
        self.network.advance(25)
        for each in (one, other):
            engine = each.client.engine
            self.assertEqual((engine.dialSlots.taken, engine.clientSlots.taken), (0, 0))
        between = self.swarm.leecher()
        for each in (one, other):
            each.meet(between)
        self.completes(between, other)

    def test_forwarded(self) -> None:
        """A seeder at home whose port is forwarded is reached by all, from the world and from other homes."""
        nat, host = self.home()
        nat.forward(host, PORT)
        self.swarm.seeder(Settings(listenPort=PORT), host=host)
        members = [self.swarm.leecher(), self.swarm.leecher(host=self.home(SYMMETRIC)[1])]
        for each in members:
            each.session.peersFound([PeerAddr(nat.address, PORT)], "tracker")
        self.completes(*members)

    def test_sharedLink(self) -> None:
        """Two at one home share its link, and what one has the other gets without it."""
        nat, host = self.home()
        seeder = self.swarm.seeder()
        one, other = self.swarm.leecher(host=host), self.swarm.leecher(host=nat.host("192.168.1.3"))
        one.meet(seeder)
        self.completes(one)
        other.meet(one)
        self.assertLess(self.completes(other), self.size / HOME.down)

    def test_rebooted(self) -> None:
        """The NAT forgets everything during a download: the leecher finds out, dials again, completes."""
        nat, host = self.home()
        seeder, leecher = self.begun(host=host)
        nat.reboot()
        self.completes(leecher)
        self.network.advance(300)
        self.assertEqual(seeder.client.engine.clientSlots.taken, 0)


class PacketNatTests(NatTests):
    """The same packet by packet."""

    mode = "packets"


class PartitionTests(HostCase):
    """Networks that break."""

    def test_short(self) -> None:
        """A download goes on after half a minute without the other side, in the same session."""
        seeder, leecher = self.begun()
        noted = Noted()
        leecher.session.observe(noted)
        partition = self.network.partition([seeder.host], [leecher.host])
        self.network.advance(30)
        partition.heal()
        self.completes(leecher)
        self.assertEqual(noted.ended, [])

    def test_long(self) -> None:
        """After ten minutes sessions have ended, with all that they held; it completes once it heals."""
        seeder, leecher = self.begun()
        partition = self.network.partition([seeder.host], [leecher.host])
        self.network.advance(600)
        for each in (seeder, leecher):
            self.assertEqual(each.session.connectedPeers, {})
        partition.heal()
        self.completes(leecher, timeout=3600)

    def test_split(self) -> None:
        """Two halves of a swarm each go on; what one half lacks it gets when they meet again."""
        seeder = self.swarm.seeder(host=self.network.host(link=HOME))
        leechers = [self.swarm.leecher(host=self.network.host(link=HOME)) for _ in range(4)]
        for each in leechers:
            each.meet(seeder, *leechers)
        self.network.advance(1)
        with_, without = leechers[:2], leechers[2:]
        partition = self.network.partition(
            [seeder.host, *(each.host for each in with_)], [each.host for each in without]
        )
        self.completes(*with_)
        self.network.advance(300)
        partition.heal()
        self.completes(*without, timeout=3600)


class PacketPartitionTests(PartitionTests):
    """The same packet by packet."""

    mode = "packets"


class AddressTests(HostCase):
    """Clients that move."""

    def moved(self, *, resets: bool, seeder: bool) -> float:
        """Seconds until the leecher completes after one of both got another address."""
        members = self.begun()
        members[not seeder].host.readdress("10.9.9.9", resets=resets)
        if seeder:
            members[1].meet(members[0])  # as a tracker would tell
        return self.completes(members[1], timeout=3600)

    def test_leecherReset(self) -> None:
        """A leecher that hears of it is soon complete."""
        self.assertLess(self.moved(resets=True, seeder=False), 100)

    def test_leecherSilent(self) -> None:
        """One that is not told finds out, and completes."""
        self.assertLess(self.moved(resets=False, seeder=False), 400)

    def test_seeder(self) -> None:
        """So it does when the seeder moves, and the new address is told."""
        self.assertLess(self.moved(resets=False, seeder=True), 300)

    def test_listening(self) -> None:
        """Who moved is reached at the new address by the port that it had."""
        seeder, leecher = self.swarm.seeder(), self.swarm.leecher()
        seeder.host.readdress("10.9.9.9")
        leecher.meet(seeder)
        self.completes(leecher)


class PacketAddressTests(AddressTests):
    """The same packet by packet."""

    mode = "packets"


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


class LocalTests(HostCase):
    """Clients that find each other on the local network."""

    def test_found(self) -> None:
        """On one segment two find each other by LSD; on different ones they do not."""
        settings = Settings(lsd=True)
        segment, elsewhere = self.network.segment(), self.network.segment()
        self.swarm.seeder(settings, host=self.network.host("10.0.0.1", "fd00::1", segment=segment))
        near, far = (
            self.swarm.leecher(
                settings, host=self.network.host(f"10.0.0.{number}", f"fd00::{number}", segment=lan)
            )
            for number, lan in ((2, segment), (3, elsewhere))
        )
        self.completes(near)
        self.network.advance(600)
        self.assertEqual(far.stored.pieces, {})

    def test_oneKind(self) -> None:
        """They do over IPv6 alone, too, and behind one NAT."""
        settings = Settings(lsd=True)
        nat = self.network.nat()
        for hosts in (
            [nat.host("192.168.1.2"), nat.host("192.168.1.3")],
            [self.network.host(f"fd00::{number}") for number in (1, 2)],
        ):
            if hosts[0].behind is None:
                segment = self.network.segment()
                for each in hosts:
                    segment.join(each)
            self.swarm.seeder(settings, host=hosts[0])
            self.completes(self.swarm.leecher(settings, host=hosts[1]))
