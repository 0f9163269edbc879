"""Tests of L{twisted_bt.discovery.localservice} and L{twisted_bt.discovery.localtimes}."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.discovery.multicast import FakeMulticastReactor, LocalNetwork
from twisted_bt.discovery.localservice import FEW_TORRENTS, LocalDiscovery, Outlet, outletsOf
from twisted_bt.discovery.localtimes import GATHER, INTERVAL, LEAST, ROUND, LocalTimes
from twisted_bt.discovery.lsd import IPV4_GROUP, IPV6_GROUP, PORT, LocalAnnounce
from twisted_bt.torrent.addresses import PeerAddr


def hashes(count: int) -> list[bytes]:
    """C{count} info-hashes."""
    return [n.to_bytes(20, "big") for n in range(1, count + 1)]


class LocalTimesTests(SynchronousTestCase):
    """When to announce what."""

    def test_interval(self) -> None:
        """Soon after it came, and then every five minutes."""
        times = LocalTimes()
        self.assertIsNone(times.nextAt())
        (one,) = hashes(1)
        times.add(one, 0.0)
        at = []
        for _ in range(4):
            now = times.nextAt()
            assert now is not None
            self.assertEqual(times.due(now - 0.1), ())
            self.assertEqual(list(times.due(now)), [one])
            at.append(now)
        self.assertEqual(at, [GATHER + n * INTERVAL for n in range(4)])

    def test_together(self) -> None:
        """Torrents that come within seconds are announced together, and sooner or later all are."""
        times, now = LocalTimes(), 0.0
        for n, each in enumerate(hashes(100)):
            times.add(each, n / 2)
        rounds = []
        while now < 3600:
            at = times.nextAt()
            assert at is not None
            now = max(at, 50.0)
            rounds.append((now, len(times.due(now))))
        self.assertTrue(all(count == 100 for _, count in rounds))
        self.assertLessEqual(len(rounds), 3600 / INTERVAL + 1)

    def test_nearGoesAlong(self) -> None:
        """A torrent whose time is near goes along with another; one that was just announced does not."""
        times = LocalTimes()
        one, two = hashes(2)
        times.add(one, 0.0)
        times.due(GATHER)
        near = GATHER + INTERVAL - LEAST
        times.add(two, near - GATHER)
        self.assertEqual(set(times.due(near)), {one, two})
        times.remove(two)
        times.add(two, near + LEAST - 5)
        self.assertEqual(list(times.due(near + LEAST)), [two])

    def test_leastApart(self) -> None:
        """However often it stops and starts, a torrent is announced once a minute at most."""
        times, random, now = LocalTimes(), Random(1), 0.0
        last: dict[bytes, float] = {}
        known = hashes(10)
        for _ in range(5000):
            now += random.uniform(0, 10)
            each = random.choice(known)
            (times.add(each, now) if random.random() < 0.6 else times.remove(each))
            for said in times.due(now):
                self.assertGreaterEqual(now - last.get(said, -INTERVAL), LEAST)
                last[said] = now
        self.assertLessEqual(len(times._last), len(known))

    def test_rounds(self) -> None:
        """Torrents that come one by one do not make a datagram each."""
        times, now, rounds = LocalTimes(), 0.0, 0
        for each in hashes(60):
            now += 1.0
            times.add(each, now)
            rounds += bool(times.due(now))
        self.assertLessEqual(rounds, 60 / ROUND)


class OutletTests(SynchronousTestCase):
    """Where to announce."""

    def test_outlets(self) -> None:
        """What a client listens on says on which interfaces."""
        four, six = Outlet(False, ""), Outlet(True, 0)
        for interfaces, expected in (
            (("",), (four, six)),
            (("::",), (four, six)),
            (("0.0.0.0",), (four,)),
            (("10.0.0.1", "10.0.0.2", "10.0.0.1"), (Outlet(False, "10.0.0.1"), Outlet(False, "10.0.0.2"))),
            (("fd00::1",), (six,)),
            (("fe80::1%3", "fd00::1%3"), (Outlet(True, 3),)),
            (("fe80::1%eth0",), (six,)),
            (("fe80::1%99999999999999999999",), (six,)),
            (("host.test",), ()),
            ((), ()),
        ):
            self.assertEqual(outletsOf(interfaces), expected, interfaces)


class LocalDiscoveryTests(SynchronousTestCase):
    """The service on a network of others."""

    def setUp(self) -> None:
        """An empty network."""
        self.network = LocalNetwork()
        self.found: list[tuple[str, bytes, PeerAddr]] = []
        self.services: list[LocalDiscovery] = []

    def tearDown(self) -> None:
        """Every service stops, and leaves nothing behind."""
        stopped = [service.stopService() for service in self.services]
        self.network.clock.advance(0)
        for each in stopped:
            self.assertIsNone(self.successResultOf(each))
        self.assertEqual(self.network.ports, [])
        self.assertEqual(self.network.clock.getDelayedCalls(), [])

    def service(
        self, reactor: FakeMulticastReactor, port: int | None = 6881, interfaces: tuple[str, ...] = ("",)
    ) -> LocalDiscovery:
        """A running service on a host of the network."""
        name = reactor.addresses[False]
        made = LocalDiscovery(
            reactor,
            Random(name),
            lambda: port,
            lambda infoHash, addr: self.found.append((name, infoHash, addr)),
            interfaces,
        )
        made.startService()
        self.services.append(made)
        return made

    def pump(self, seconds: int) -> None:
        """Time passes."""
        self.network.clock.pump([1.0] * seconds)

    def test_meet(self) -> None:
        """Two in one swarm hear of each other, over both families, and nobody of itself."""
        (one,) = hashes(1)
        for host in (1, 2):
            reactor = self.network.host(f"10.0.0.{host}", f"fd00::{host}")
            self.service(reactor, 6880 + host).register(one)
        self.pump(3)
        self.assertEqual(
            set(self.found),
            {
                ("10.0.0.1", one, PeerAddr("10.0.0.2", 6882)),
                ("10.0.0.1", one, PeerAddr("fd00::2", 6882)),
                ("10.0.0.2", one, PeerAddr("10.0.0.1", 6881)),
                ("10.0.0.2", one, PeerAddr("fd00::1", 6881)),
            },
        )
        self.assertEqual(len(self.network.sent), 4)
        self.pump(int(INTERVAL))
        self.assertEqual(len(self.network.sent), 8)

    def test_sockets(self) -> None:
        """The ports share their number, join the groups, and announcements stay in this network."""
        self.service(self.network.host("10.0.0.1"), interfaces=("10.0.0.1", "10.0.0.7", "fd00::1%513"))
        four, six = self.network.ports
        self.assertEqual((four.port, six.port), (PORT, PORT))
        self.assertEqual(four.joined, {(IPV4_GROUP, "10.0.0.1"), (IPV4_GROUP, "10.0.0.7")})
        ((group, interface),) = six.joined
        self.assertEqual(group, IPV6_GROUP)
        self.assertIn(interface, ("102::", "0:201::"))  # 513 as the machine writes it
        self.assertEqual(four.ttl, 1)

    def test_interfaces(self) -> None:
        """Each announcement goes out on each interface."""
        service = self.service(
            self.network.host("10.0.0.1"), interfaces=("10.0.0.1", "10.0.0.7", "fd00::1%3")
        )
        service.register(hashes(1)[0])
        self.pump(2)
        self.assertEqual(
            [(interface, target) for _, interface, _, target in self.network.sent],
            [
                ("10.0.0.1", (IPV4_GROUP, PORT)),
                ("10.0.0.7", (IPV4_GROUP, PORT)),
                (3, (IPV6_GROUP, PORT)),
            ],
        )

    def test_batches(self) -> None:
        """A few torrents have a datagram each; many share them."""
        for count, datagrams in ((1, 1), (FEW_TORRENTS, FEW_TORRENTS), (FEW_TORRENTS + 1, 1), (100, 5)):
            self.network.sent.clear()
            service = self.service(self.network.host("10.0.0.1"), interfaces=("10.0.0.1",))
            for each in hashes(count):
                service.register(each)
            self.pump(2)
            self.assertEqual(len(self.network.sent), datagrams)
            said = [LocalAnnounce.decode(datagram) for _, _, datagram, _ in self.network.sent]
            heard = [infoHash for announce in said if announce for infoHash in announce.infoHashes]
            self.assertEqual(heard, hashes(count))
            service.stopService()

    def test_unregistered(self) -> None:
        """What was ended is announced no more, and not listened for."""
        one, two = hashes(2)
        first = self.service(self.network.host("10.0.0.1"), interfaces=("10.0.0.1",))
        second = self.service(self.network.host("10.0.0.2"), interfaces=("10.0.0.2",))
        first.register(one)
        first.register(two)
        first.unregister(one)
        second.register(one)
        self.assertIn(two, first)
        self.assertNotIn(one, first)
        self.pump(400)
        self.assertEqual(self.found, [])
        self.assertTrue(self.network.sent)

    def test_noPort(self) -> None:
        """Who listens nowhere announces nothing, but hears; once it listens it announces."""
        one = hashes(1)[0]
        ports: list[int | None] = [None]
        service = LocalDiscovery(self.network.host("10.0.0.1"), Random(1), lambda: ports[-1], self._found)
        service.startService()
        self.services.append(service)
        service.register(one)
        self.pump(100)
        self.assertEqual(self.network.sent, [])
        other = self.service(self.network.host("10.0.0.2"))
        other.register(one)
        self.pump(5)
        self.assertIn(("service", one, PeerAddr("10.0.0.2", 6881)), self.found)
        ports.append(7000)
        self.pump(10)
        self.assertIn(("10.0.0.2", one, PeerAddr("10.0.0.1", 7000)), self.found)

    def _found(self, infoHash: bytes, addr: PeerAddr) -> None:
        self.found.append(("service", infoHash, addr))

    def test_hostile(self) -> None:
        """Rubbish, impossible senders and floods do no harm."""
        service = self.service(self.network.host("10.0.0.1"), interfaces=("10.0.0.1",))
        one = hashes(1)[0]
        service.register(one)
        (port,) = self.network.ports
        good = LocalAnnounce(1, (one,)).encode(IPV4_GROUP)
        for datagram in (b"", b"\xff" * 5000, good[:-60], good * 50):
            port.hear(datagram, ("10.0.0.9", PORT))
        for host in ("0.0.0.0", "224.0.0.1", "fe80::1", "fe80::1%eth0"):
            port.hear(good, (host, PORT))
        self.assertEqual(self.found, [])
        port.hear(good, ("::ffff:10.0.0.9", PORT))
        self.assertEqual(self.found, [("10.0.0.1", one, PeerAddr("10.0.0.9", 1))])
        for _ in range(10_000):
            port.hear(good, ("10.0.0.9", PORT))
        self.assertLess(len(self.found), 1000)
        self.found.clear()
        self.pump(10)
        port.hear(good, ("10.0.0.9", PORT))
        self.assertEqual(len(self.found), 1)

    def test_refusals(self) -> None:
        """Whatever the network refuses: the service runs, does what it can, and says each thing once."""
        for refused, sent in (
            ({"listen"}, False),
            ({"listen6"}, True),
            ({"join"}, True),
            ({"write"}, False),
            ({"interface"}, False),
        ):
            reactor = self.network.host("10.0.0.1")
            reactor.refuse = refused
            service = self.service(reactor)
            self.network.sent.clear()
            service.register(hashes(1)[0])
            self.pump(2000)
            self.assertEqual(bool(self.network.sent), sent, refused)
            self.assertTrue(service._logged)
            self.assertLessEqual(len(service._logged), 2)
            service.stopService()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_startAndStop(self) -> None:
        """It can start twice, stop twice, and start again."""
        service = self.service(self.network.host("10.0.0.1"))
        service.register(hashes(1)[0])
        service.startService()
        self.assertEqual(len(self.network.ports), 2)
        first, second = service.stopService(), service.stopService()
        self.pump(1000)
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertEqual(self.network.sent, [])
        service.startService()
        self.pump(3)
        self.assertEqual(len(self.network.sent), 2)
