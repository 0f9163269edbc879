"""Tests of L{twisted_bt.testing.trackers} and L{twisted_bt.testing.dht}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.sessions.case import Noted
from twisted_bt.settings import Settings
from twisted_bt.testing.dht import SimulatedDht
from twisted_bt.testing.footprint import Footprint
from twisted_bt.testing.network import Network
from twisted_bt.testing.swarm import Member, SimulatedSwarm
from twisted_bt.testing.trackers import HOSTILE_TRACKERS, Accuser, HostileTracker, SimulatedTracker
from twisted_bt.testing.villains import DhtPoison
from twisted_bt.tracker.service import MAX_BELIEVED


class SimulatedTrackerTests(SynchronousTestCase):
    """A tracker on a host of its own."""

    def test_findsPeers(self) -> None:
        """Clients that know its name, over either protocol, find each other."""
        for kind in ("http", "udp"):
            network = Network(kind)
            tracker = SimulatedTracker(network, "tracker.test")
            swarm = SimulatedSwarm(network=network, trackers=[getattr(tracker, kind)])
            swarm.seeder()
            swarm.advance(1)
            leecher = swarm.leecher()
            swarm.finish(60)
            counts = tracker.service.store.counts(swarm.metainfo.wireHash)
            assert counts is not None
            swarm.advance(1)
            self.assertEqual(counts.downloaded + counts.complete + counts.incomplete >= 2, True)
            self.assertEqual(leecher.content, swarm.content)
            swarm.stop()
            swarm.run(tracker.stop())
            swarm.advance(60)  # how long it is remembered where a name leads
            self.assertEqual(network.leftovers(), [])

    def test_again(self) -> None:
        """It may be stopped for a while."""
        network = Network(1)
        tracker = SimulatedTracker(network)
        swarm = SimulatedSwarm(network=network, trackers=[tracker.http])
        swarm.run(tracker.stop())
        leecher = swarm.leecher()
        noted = Noted()
        leecher.client.observe(noted)
        swarm.advance(120)
        self.assertEqual(noted.events[-1][0], "tracker failed")
        tracker.service.startService()
        swarm.seeder()
        swarm.finish(600)
        swarm.stop()
        swarm.run(tracker.stop())


class HostileTrackerTests(SynchronousTestCase):
    """Each kind of hostile tracker, over both protocols, before an honest one; tests are added below."""

    def play(self, kind: type[HostileTracker], protocol: str) -> tuple[Network, HostileTracker, Member]:
        """A download by the honest tracker where the hostile one gives no answer; else from a peer met."""
        network = Network(f"{kind.kind} {protocol}", mode="flow")
        hostile = kind(network)
        honest = SimulatedTracker(network)
        first, second = getattr(hostile, protocol), getattr(honest, protocol)
        swarm = SimulatedSwarm(network=network, trackers=[[first], [second]])
        seeder = swarm.seeder()
        swarm.advance(100)
        leecher = swarm.leecher()
        swarm.advance(0.5)
        if kind.answers:
            leecher.meet(seeder)
        swarm.run(leecher.session.whenComplete(), 200)
        most = Footprint.of(leecher.client, leecher.host)
        self.assertLess(most.known, MAX_BELIEVED + 5)
        self.assertLess(most.connections, 60)
        swarm.advance(3600)
        self.assertEqual(leecher.content, swarm.content)
        swarm.stop()
        swarm.run(hostile.stop())
        swarm.run(honest.stop())
        swarm.advance(60)
        self.assertEqual((network.failures, network.leftovers()), ([], []))
        return network, hostile, leecher


def _add(kind: type[HostileTracker]) -> None:
    def test(self: HostileTrackerTests) -> None:
        for protocol in ("http", "udp"):
            hostile = self.play(kind, protocol)[1]
            self.assertGreater(hostile.asked, 0)
            # Two clients for more than an hour, none of them more than once a minute; redirects and
            # repeated datagrams count too.
            self.assertLess(hostile.asked, 500)

    word = "".join(part.title() for part in kind.kind.split())
    test.__doc__ = kind.__doc__
    test.__name__ = f"test_{word[0].lower()}{word[1:]}"
    setattr(HostileTrackerTests, test.__name__, test)


for _kind in HOSTILE_TRACKERS.values():
    _add(_kind)


class AccuserTests(SynchronousTestCase):
    """A tracker that has a third party knocked at."""

    def test_knocks(self) -> None:
        """The victim, a host in the Internet, is told of on any number of ports, and dialled on a few."""
        network = Network(1)
        tracker = Accuser(network)
        tracker.victim = "81.2.3.4"
        victim = network.host(tracker.victim)
        knocks: list[float] = []
        network.watchers.append(
            lambda seen: (
                knocks.append(seen.time)
                if seen.kind == "connect" and seen.target.host == victim.address
                else None
            )
        )
        swarm = SimulatedSwarm(network=network, trackers=[tracker.http])
        swarm.leecher()
        swarm.advance(3600)
        self.assertGreater(len(knocks), 0)
        self.assertLess(len(knocks), 150)
        swarm.stop()
        swarm.run(tracker.stop())


class SimulatedDhtTests(SynchronousTestCase):
    """A DHT of a few nodes."""

    def setUp(self) -> None:
        """One, and clients that begin at its first node."""
        self.network = Network(self.id())
        self.dht = SimulatedDht(self.network)
        self.swarm = SimulatedSwarm(network=self.network)
        self.settings = Settings(dht=True, dhtRouters=self.dht.routers)

    def tearDown(self) -> None:
        """Nothing is left of it."""
        self.swarm.stop()
        self.swarm.run(self.dht.stop())
        self.swarm.advance(60)
        self.assertEqual(self.network.leftovers(), [])

    def test_findsPeers(self) -> None:
        """Clients find each other by it."""
        seeder = self.swarm.seeder(self.settings)
        self.swarm.advance(60)
        self.assertEqual(self.dht.peers(self.swarm.metainfo.wireHash), [seeder.address])
        self.swarm.leecher(self.settings)
        self.swarm.finish(120)

    def test_joins(self) -> None:
        """Nodes know each other, and one that comes later is known too."""
        self.assertTrue(all(node.nodeCount >= 5 for node in self.dht.nodes))
        late = self.dht.node()
        self.swarm.advance(60)
        self.assertGreaterEqual(late.nodeCount, 5)

    def test_poisoned(self) -> None:
        """They find each other although nodes lie to all of them, and tables stay small."""
        seeder = self.swarm.seeder(self.settings)
        villains = [DhtPoison(self.swarm) for _ in range(4)]
        leecher = self.swarm.leecher(self.settings)
        for each in villains:
            each.attack(seeder)
            each.attack(leecher)
        self.swarm.run(leecher.session.whenComplete(), 600)
        for member in (seeder, leecher):
            node = member.client.nodeListener.node
            assert node is not None
            self.assertLess(node.nodeCount, 100)
            self.assertLess(len(member.session.meeting.known), 1000)
        for each in villains:
            each.stop()
        self.assertEqual(self.network.failures, [])
