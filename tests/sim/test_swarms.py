"""
Whole swarms on the virtual clock.
"""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.sessions.case import Noted
from tests.testing.traces import Trace, printedElsewhere
from twisted_bt.settings import Settings
from twisted_bt.storage.memory import MemoryStorageFactory
from twisted_bt.testing.link import Link
from twisted_bt.testing.network import Network
from twisted_bt.testing.swarm import Member, SimulatedSwarm
from twisted_bt.tracker.server import TrackerService

#: As at home: 1 MB/s down, an eighth of it up, 30 ms to everywhere.
HOME = Link(latency=0.015, up=125e3, down=1e6)


def fingerprint(swarm: SimulatedSwarm) -> str:
    """What C{swarm} did so far and will do until everybody is complete and has stopped, in one word."""
    sent = Trace(swarm.network)
    seeder = swarm.seeder(host=swarm.network.host(link=HOME))
    leechers = [swarm.leecher(host=swarm.network.host(link=HOME)) for _ in range(4)]
    for each in leechers:
        each.meet(seeder, *leechers)
    swarm.finish(600)
    swarm.stop()
    return str(sent)


class RepeatedTests(SynchronousTestCase):
    """One seed decides everything."""

    def test_again(self) -> None:
        """The same seed gives the identical trace; another seed another."""
        one, same, other = (fingerprint(SimulatedSwarm(size=500_000, seed=seed)) for seed in (1, 1, 2))
        self.assertEqual(one, same)
        self.assertNotEqual(one, other)

    def test_anyHashSeed(self) -> None:
        """So it does in another process, whatever C{PYTHONHASHSEED} is."""
        program = (
            "from tests.sim.test_swarms import fingerprint;"
            "from twisted_bt.testing.swarm import SimulatedSwarm;"
            "print(fingerprint(SimulatedSwarm(size=500_000, seed=1)))"
        )
        traces = {fingerprint(SimulatedSwarm(size=500_000, seed=1))}
        for hashSeed in (1, 4242):
            traces.update(printedElsewhere(program, hashSeed))
        self.assertEqual(len(traces), 1)


class HomeTests(SynchronousTestCase):
    """Leechers at home."""

    def test_everybodyFinishes(self) -> None:
        """
        One seeder and twelve leechers: the last is done within twice the time that it would take if data
        were a fluid.
        """
        swarm = SimulatedSwarm(size=2_000_000, seed=3)
        seeder = swarm.seeder(host=swarm.network.host(link=HOME))
        leechers = [swarm.leecher(host=swarm.network.host(link=HOME)) for _ in range(12)]
        start = swarm.network.now
        for each in leechers:
            each.meet(seeder, *leechers)
        swarm.finish(600)
        took = swarm.network.now - start
        ups = HOME.up * (1 + len(leechers))
        fluid = len(swarm.content) / min(HOME.up, ups / len(leechers), HOME.down)
        self.assertLess(took, 2 * fluid)
        self.assertTrue(all(each.content == swarm.content for each in leechers))
        given = [each.session.progress.uploaded for each in leechers]
        self.assertGreater(sum(given), seeder.session.progress.uploaded)  # they helped each other
        swarm.stop()

    def test_seederLeaves(self) -> None:
        """After the seeder gave a copy to one it may go: all still finish."""
        swarm = SimulatedSwarm(size=500_000, seed=4)
        seeder = swarm.seeder()
        leechers = [swarm.leecher() for _ in range(4)]
        leechers[0].meet(seeder)
        swarm.run(leechers[0].session.whenComplete())
        swarm.run(seeder.client.stopService())
        for each in leechers[1:]:
            each.meet(*leechers)
        swarm.run(leechers[1].session.whenComplete(), 600)
        for each in leechers:
            swarm.run(each.session.whenComplete(), 600)
        swarm.stop()


class TrackedTests(SynchronousTestCase):
    """Clients that know each other from a tracker alone."""

    def meetBy(self, scheme: str) -> tuple[SimulatedSwarm, Member, Member, Noted]:
        """A seeder and a leecher that announce to a tracker on the same network."""
        network = Network(seed=5)
        host = network.host("10.1.0.1", link=HOME)
        tracker = TrackerService(host, Random(1), httpPort=80, udpPort=80, interface="10.1.0.1")
        tracker.startService()
        network.name("tracker.test", "10.1.0.1")
        swarm = SimulatedSwarm(
            size=300_000, network=network, trackers=[f"{scheme}://tracker.test:80/announce"]
        )
        seeder = swarm.seeder()
        swarm.advance(10)
        noted = Noted()
        leecher = swarm.leecher()
        leecher.session.observe(noted)
        swarm.finish(120)
        swarm.advance(10)
        self.assertEqual(leecher.content, swarm.content)
        return swarm, seeder, leecher, noted

    def check(self, scheme: str) -> None:
        """They meet, exchange, and say goodbye; nothing is left."""
        swarm, _, leecher, noted = self.meetBy(scheme)
        answers = [event for event in noted.events if event[0] == "tracker"]
        self.assertGreaterEqual(len(answers), 1)
        swarm.stop()
        self.assertEqual(leecher.session.progress.downloaded, 300_000)

    def test_http(self) -> None:
        """Over HTTP."""
        self.check("http")

    def test_udp(self) -> None:
        """Over UDP."""
        self.check("udp")

    def test_trackerGone(self) -> None:
        """Without a tracker they stop in time all the same, and say that it does not answer."""
        swarm = SimulatedSwarm(size=300_000, seed=6, trackers=["http://10.1.0.9/announce"])
        noted = Noted()
        leecher = swarm.leecher()
        leecher.session.observe(noted)
        swarm.advance(60)
        self.assertEqual(noted.events[0][0], "tracker failed")
        before = swarm.network.now
        swarm.stop()
        self.assertLess(swarm.network.now - before, 10)


class ChurnTests(SynchronousTestCase):
    """Members that come and go, at moments that the seed decides."""

    def test_stoppedAtAnyMoment(self) -> None:
        """
        A leecher stopped after any event leaves nothing, claims nothing that it does not have, and when it
        comes again goes on from there.
        """
        swarm = SimulatedSwarm(size=300_000, seed=7)
        seeder = swarm.seeder()
        random = swarm.network.random
        for _ in range(40):
            storages = MemoryStorageFactory()
            leecher = swarm.leecher(Settings(), storageFactory=storages)
            leecher.meet(seeder)
            for _ in range(random.randrange(400)):
                swarm.network.step(swarm.network.now + 1)
            claimed = set(leecher.session.clientBitfield.search(1))
            stored = dict(leecher.stored.pieces)
            self.assertTrue(claimed <= set(stored))
            swarm.run(leecher.client.stopService())
            self.assertEqual(leecher.host.leftovers(), [])
            layout = swarm.metainfo.layout
            for index, data in stored.items():
                begin = layout.pieceOffset(index)
                self.assertEqual(data, swarm.content[begin : begin + layout.pieceSize(index)])
            again = swarm.leecher(storageFactory=storages)
            self.assertTrue(set(stored) <= set(again.session.clientBitfield.search(1)))
            swarm.run(again.client.stopService())
        swarm.stop()
