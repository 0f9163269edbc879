"""Tests of L{twisted_bt.testing.flow} and L{twisted_bt.testing.flowsender}: the cheap mode."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from tests.testing.traces import Trace, printedElsewhere
from tests.testing.transfers import Endless, Mode, Talker, TransferCase, fairness
from twisted_bt.testing.flowsender import lossWindow
from twisted_bt.testing.link import Link
from twisted_bt.testing.network import Network
from twisted_bt.testing.sender import WINDOW
from twisted_bt.testing.swarm import SimulatedSwarm

#: 30 ms there and back to the server, an eighth up of what comes down.
HOME = Link(0.015, 125e3, 1e6)
#: A block, with its message.
BLOCK = 16397


class FlowCase(TransferCase):
    """The network is simulated as flows."""

    mode: Mode = "flow"

    def setUp(self) -> None:
        """A server."""
        self.build()

    def perBlock(self, clients: list[Talker], seconds: float = 20.0) -> float:
        """Events for each block that arrives of C{clients}, which send without end."""
        for each in clients:
            Endless(each.transport)
        self.network.advance(5)
        events, heard = self.network.events, sum(len(each.data) for each in self.heard)
        self.network.advance(seconds)
        return (self.network.events - events) / ((sum(len(each.data) for each in self.heard) - heard) / BLOCK)


class CostTests(FlowCase):
    """How many events there are."""

    def test_uplink(self) -> None:
        """Connections that share an uplink cost two for a block."""
        host = self.network.host(link=HOME)
        self.assertLess(self.perBlock([self.dial(host)[0] for _ in range(5)]), 2.2)

    def test_downlink(self) -> None:
        """Those that share a downlink cost few more."""
        self.build(Link(0.01, 1e6, 1e6))
        self.assertLess(self.perBlock([self.dial(Link(0.01))[0] for _ in range(5)]), 6)

    def test_lossy(self) -> None:
        """So do those over a link that loses much."""
        self.assertLess(self.perBlock([self.dial(Link(0.05, 1e7, 1e7, loss=0.005))[0]]), 6)

    def test_single(self) -> None:
        """A block alone, and a small message, cost one."""
        client, heard = self.dial(HOME)
        self.network.advance(1)
        for size in (BLOCK, 17):
            events = self.network.events
            self.network.clock.post(
                self.network.now, client.transport.host, client.transport.write, bytes(size)
            )
            self.network.advance(1)
            # One that writes, and if it is much, one in which the uplink is free for it.
            self.assertLessEqual(self.network.events - events, 3 if size == BLOCK else 2)
        self.assertEqual(len(heard.data), BLOCK + 17)

    def test_cheaper(self) -> None:
        """A whole swarm takes a fraction of the events, and about the same time as packet by packet."""
        took, events = [], []
        for mode in ("packets", "flow"):
            self.mode = mode
            self.build()
            swarm = SimulatedSwarm(size=300_000, network=self.network)
            seeder = swarm.seeder(host=self.network.host(link=HOME))
            leechers = [swarm.leecher(host=self.network.host(link=HOME)) for _ in range(4)]
            for each in leechers:
                each.meet(seeder, *leechers)
            begun, before = self.network.now, self.network.events
            swarm.finish()
            took.append(self.network.now - begun)
            events.append(self.network.events - before)
            swarm.stop()
        self.assertLess(events[1] * 4, events[0])
        self.assertApproximates(took[0] / took[1], 1.0, 0.4)


class RateTests(FlowCase):
    """How quick connections are."""

    def test_fills(self) -> None:
        """A link is used all but the headers, whatever is its delay."""
        for link in (HOME, replace(HOME, latency=0.0001), Link(0.01, 10e6, 10e6), Link(0.05, 1e6, 1e6)):
            self.build()
            client, _ = self.dial(link)
            self.assertGreater(self.rates([client], 10)[0], 0.94 * link.up)

    def test_downlink(self) -> None:
        """So it is where the downlink is the narrower one."""
        self.build(Link(0.01, 1e6, 1e6))
        client, _ = self.dial(Link(0.01, 10e6, 10e6))
        self.assertGreater(self.rates([client], 10)[0], 0.94e6)

    def test_window(self) -> None:
        """Over a long way the receiver's window is the limit."""
        client, _ = self.dial(Link(0.25, 1e8, 1e8))
        self.assertApproximates(self.rates([client], 20, 20)[0], WINDOW / 0.5, WINDOW * 0.2)

    def test_slowStart(self) -> None:
        """It takes some round trips to be quick."""
        client, heard = self.dial(Link(0.1, 1e8, 1e8))
        client.transport.write(bytes(WINDOW))
        self.network.advance(0.25)
        self.assertLess(len(heard.data), WINDOW / 2)
        self.network.advance(1)
        self.assertEqual(len(heard.data), WINDOW)

    def test_loss(self) -> None:
        """Losses make it as slow as they make TCP; twice the way, half as quick."""
        rates: dict[tuple[str, float, float], float] = {}
        for mode in ("packets", "flow"):
            for loss, latency in ((0.002, 0.05), (0.02, 0.05), (0.002, 0.1)):
                self.mode = mode
                self.build()
                client, _ = self.dial(Link(latency, 1e8, 1e8, loss=loss))
                rates[mode, loss, latency] = self.rates([client], 30)[0]
        for loss, latency in ((0.002, 0.05), (0.02, 0.05), (0.002, 0.1)):
            ratio = rates["packets", loss, latency] / rates["flow", loss, latency]
            self.assertApproximates(ratio, 1.0, 0.45)
        self.assertGreater(rates["flow", 0.002, 0.05], 1.7 * rates["flow", 0.002, 0.1])

    def test_fair(self) -> None:
        """All get the same of an uplink, and of a downlink, whatever is their distance."""
        host = self.network.host(link=HOME)
        rates = self.rates([self.dial(host)[0] for _ in range(8)], 20)
        self.assertGreater(fairness(rates), 0.98)
        self.assertGreater(sum(rates), 0.94 * 125e3)
        self.build(Link(0.01, 1e6, 1e6))
        rates = self.rates([self.dial(Link(0.005 * number))[0] for number in range(1, 9)], 20)
        self.assertGreater(fairness(rates), 0.95)
        self.assertGreater(sum(rates), 0.94e6)

    def test_behindNAT(self) -> None:
        """Hosts behind one NAT share its uplink."""
        nat = self.network.nat("203.0.113.1", link=HOME)
        rates = self.rates([self.dial(nat.host())[0] for _ in range(3)], 20)
        self.assertGreater(fairness(rates), 0.98)
        self.assertApproximates(sum(rates), 122e3, 3e3)

    def test_dialup(self) -> None:
        """On a slow link not much arrives at a time."""
        client, heard = self.dial(Link.dialup())
        client.transport.write(bytes(20_000))
        self.network.advance(1.5)
        self.assertGreater(len(heard.data), 2000)


class QueueTests(FlowCase):
    """What waits for what."""

    def test_small(self) -> None:
        """A small message waits for a packet or two of each that sends on the same uplink, not for chunks."""
        host = self.network.host(link=HOME)
        for _ in range(4):
            Endless(self.dial(host)[0].transport)
        small, heard = self.dial(host)
        self.network.advance(5)
        for _ in range(20):
            begun = self.network.now
            small.transport.write(b"request")
            self.network.advance(0.31)
            self.assertLess(heard.times[-1] - begun, 0.015 + 6 * 1500 / 125e3)
        self.assertEqual(len(heard.times), 20)

    def test_behindOwn(self) -> None:
        """It does not overtake what its own connection sent before."""
        client, heard = self.dial(HOME)
        client.transport.write(bytes(BLOCK))
        self.network.advance(0.001)
        client.transport.write(b"small")
        self.network.advance(1)
        self.assertEqual(heard.data, bytes(BLOCK) + b"small")

    def test_noMore(self) -> None:
        """Who sends only small messages sends no more than the uplink carries."""
        clients = [self.dial(self.network.host(link=replace(HOME, up=20e3)))[0] for _ in range(1)]
        for number in range(2000):
            self.network.clock.callLater(number * 0.01, clients[0].transport.write, ((bytes(1000),), {}))
        self.network.advance(20)
        self.assertApproximates(len(self.heard[0].data) / 20, 19e3, 1.5e3)

    def test_producer(self) -> None:
        """A producer is asked for more when little is left, so that what it says next does not wait long."""
        client, heard = self.dial(HOME)
        Endless(client.transport)
        self.network.advance(5)
        said = len(heard.data) + client.transport.unsent
        self.assertLess(said - len(heard.data), 1 << 17)
        client.transport.unregisterProducer()
        begun = self.network.now
        client.transport.write(b"end")
        self.network.runWhile(lambda: not heard.data.endswith(b"end"))
        self.assertLess(self.network.now - begun, 1.0)

    def test_shortQueue(self) -> None:
        """Many who send to one slow downlink keep its queue short: nothing waits there for seconds."""
        self.build(Link(0.01, 1e6, 250e3))
        for _ in range(6):
            Endless(self.dial(Link(0.01, 10e6, 10e6))[0].transport)
        self.network.advance(10)
        waits = self.server.access.flowDown.freeAt - self.network.now
        self.assertLess(waits, 1.0)
        small, heard = self.dial(Link(0.01, 10e6, 10e6))
        begun = self.network.now
        small.transport.write(b"hello")
        self.network.runWhile(lambda: not heard.data)
        self.assertLess(self.network.now - begun, 1.0)

    def test_slowReader(self) -> None:
        """Who reads slowly slows the sender to that."""
        client, heard = self.dial(HOME)

        def pause(data: bytes) -> None:
            heard.data += data
            heard.transport.pauseProducing()
            self.network.clock.callLater(len(data) / 30e3, heard.transport.resumeProducing)

        heard.dataReceived = pause  # type: ignore[method-assign]
        self.assertApproximates(self.rates([client], 60, 30)[0], 30e3, 3e3)


class BrokenTests(FlowCase):
    """What is in the way."""

    def test_interrupted(self) -> None:
        """What was lost while a host was off line is sent again, in order, once."""
        client, heard = self.dial(HOME)
        sent = self.network.random.randbytes(500_000)
        client.transport.write(sent)
        client.transport.loseConnection()
        for offline in (0.3, 2.0, 20.0):
            self.network.advance(0.7)
            self.server.online = False
            self.network.advance(offline)
            self.server.online = True
        self.network.advance(100)
        self.assertTrue(bytes(heard.data) == sent)
        self.assertIsNotNone(heard.reason)

    def test_partition(self) -> None:
        """So it is between parts of the network."""
        client, heard = self.dial(HOME)
        client.transport.write(bytes(200_000))
        self.network.advance(0.5)
        parted = self.network.partition([client.transport.host], [self.server])
        before = len(heard.data)
        self.network.advance(30)
        self.assertEqual(len(heard.data), before)
        parted.heal()
        self.network.advance(60)
        self.assertEqual(len(heard.data), 200_000)


class LossWindowTests(SynchronousTestCase):
    """How much is on its way where losses are the limit."""

    def test_law(self) -> None:
        """For few losses, 1.22 segments over their square root; for many, less."""
        self.assertApproximates(lossWindow(1e-4, 0.1), 1.22 * 1460 * 100, 3000)
        self.assertLess(lossWindow(0.1, 0.1), 0.7 * 1.22 * 1460 / 0.1**0.5)
        self.assertEqual(lossWindow(0.9, 0.1), 1460)


def trace(mode: Mode, seed: int) -> str:
    """What a small swarm does, over links that lose, repeat and overtake, in one word."""
    network = Network(seed, mode=mode)
    sent = Trace(network)
    link = replace(HOME, up=1e6, loss=0.01, jitter=0.005, reordering=0.01, duplication=0.01)
    swarm = SimulatedSwarm(size=100_000, network=network)
    seeder = swarm.seeder(host=network.host(link=link))
    leechers = [swarm.leecher(host=network.host(link=link)) for _ in range(2)]
    for each in leechers:
        each.meet(seeder, *leechers)
    swarm.finish(600)
    swarm.stop()
    return str(sent)


class RepeatedTests(SynchronousTestCase):
    """One seed decides everything, in both modes and whatever links do."""

    def test_again(self) -> None:
        """The same seed gives the identical trace, also in a process with another C{PYTHONHASHSEED}."""
        program = (
            "from tests.testing.test_flow import trace; print(trace('flow', 1)); print(trace('packets', 1))"
        )
        here = [trace("flow", 1), trace("packets", 1)]
        self.assertEqual(printedElsewhere(program, hashSeed=4242), here)
        self.assertNotIn(trace("flow", 2), here)
