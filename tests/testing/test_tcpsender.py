"""Tests of L{twisted_bt.testing.tcpsender} and L{twisted_bt.testing.tcpreceiver}: TCP packet by packet."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from math import sqrt

from twisted.internet.error import ConnectionDone, ConnectionLost, TimeoutError

from tests.testing.transfers import Endless, TransferCase, fairness
from twisted_bt.testing.link import Link
from twisted_bt.testing.network import Traffic
from twisted_bt.testing.sender import WINDOW

#: 30 ms there and back to the server, 1 MB/s.
NEAR = Link(0.015, 1e6, 1e6)
#: 100 ms, and as quick as can be.
FAR = Link(0.05, 1e8, 1e8)


class WindowTests(TransferCase):
    """How much is sent at a time."""

    def setUp(self) -> None:
        """A server."""
        self.build()

    def test_slowStart(self) -> None:
        """Ten segments go with the first round trip, twice as many with the next."""
        client, server = self.dial(FAR)
        begun = self.network.now
        client.transport.write(bytes(1_000_000))
        self.network.advance(0.051)
        self.assertEqual(len(server.data), 10 * 1460)
        self.network.advance(0.1)
        self.assertEqual(len(server.data), 30 * 1460)
        self.network.advance(0.1)
        self.assertEqual(len(server.data), 70 * 1460)
        self.assertLess(self.network.now - begun, 0.3)

    def test_fills(self) -> None:
        """A link is used all but the headers, whatever is its delay."""
        for latency in (0.001, 0.03):
            with self.subTest(latency=latency):
                self.build()
                client, _ = self.dial(Link(latency, 1e6, 1e6))
                self.assertGreater(self.rates([client], 8)[0], 0.93e6)

    def test_receiver(self) -> None:
        """No more than the receiver's window is on its way: over a long way that is the limit."""
        client, _ = self.dial(Link(0.25, 1e8, 1e8))
        rate = self.rates([client], 20, 10)[0]
        self.assertApproximates(rate, WINDOW / 0.5, WINDOW * 0.05)

    def test_queue(self) -> None:
        """What waits for an uplink is no more than fits into its queue, however many connections send."""
        host = self.network.host(link=replace(NEAR, up=125e3, upQueue=40_000))
        for _ in range(4):
            Endless(self.dial(host)[0].transport)
        most = 0.0
        for _ in range(200):
            self.network.advance(0.05)
            most = max(most, host.access.up.waiting)
        self.assertLess(most, 40_000 + 4 * 2 * 1500)
        self.assertGreater(most, 30_000)

    def test_small(self) -> None:
        """Who sends little on a full uplink waits for a few packets, not for the whole queue."""
        client, _ = self.dial(Link(0.015, 125e3, 1e6))
        Endless(client.transport)
        self.network.advance(5)
        small, heard = self.dial(client.transport.host)
        for _ in range(20):
            begun = self.network.now
            small.transport.write(b"request")
            self.network.advance(0.3)
            self.assertLess(heard.times[-1] - begun, 0.015 + 3 * 1500 / 125e3)
        self.assertEqual(len(heard.times), 20)


class PausedTests(TransferCase):
    """Receivers that do not read."""

    def setUp(self) -> None:
        """A connection."""
        self.build()
        self.client, self.heardBy = self.dial(NEAR)

    def test_probed(self) -> None:
        """A window that opens is found although the word of it was lost."""
        self.heardBy.transport.pauseProducing()
        self.client.transport.write(bytes(WINDOW + 100_000))
        self.network.advance(20)
        self.assertEqual(self.client.transport.unsent, 100_000)
        self.server.online = False
        self.heardBy.transport.resumeProducing()
        self.network.advance(5)
        self.server.online = True
        self.assertEqual(len(self.heardBy.data), WINDOW)
        self.network.advance(60)
        self.assertEqual(len(self.heardBy.data), WINDOW + 100_000)

    def test_patient(self) -> None:
        """Who does not read for an hour is waited for."""
        self.heardBy.transport.pauseProducing()
        self.client.transport.write(bytes(WINDOW + 1))
        self.network.advance(3600)
        self.assertIsNone(self.client.reason)
        self.heardBy.transport.resumeProducing()
        self.network.advance(1)
        self.assertEqual(len(self.heardBy.data), WINDOW + 1)

    def test_slowReader(self) -> None:
        """Who reads slowly slows the sender to that."""
        client, heard = self.client, self.heardBy

        def pause(data: bytes) -> None:
            heard.data += data
            heard.transport.pauseProducing()
            self.network.clock.callLater(len(data) / 50e3, heard.transport.resumeProducing)

        heard.dataReceived = pause  # type: ignore[method-assign]
        rate = self.rates([client], 60, 30)[0]
        self.assertApproximates(rate, 50e3, 5e3)


class LossTests(TransferCase):
    """Links that lose, repeat and overtake packets."""

    def transfer(self, link: Link, size: int = 400_000, seed: int = 1, server: Link | None = None) -> bytes:
        """What arrives of random bytes."""
        self.build(server or Link(0.0, 1e9, 1e9), seed=seed)
        client, heard = self.dial(link)
        self.sent = self.network.random.randbytes(size)
        self.client = client
        client.transport.write(self.sent)
        client.transport.loseConnection()
        self.network.advance(300)
        self.assertIsInstance(heard.reason, ConnectionDone)
        self.assertIsInstance(client.reason, ConnectionDone)
        return bytes(heard.data)

    def test_allArrives(self) -> None:
        """Whatever links do, bytes arrive once and in order, and both ends part cleanly."""
        kinds = {
            "loss": replace(NEAR, loss=0.05),
            "reordering": replace(NEAR, reordering=0.2),
            "duplication": replace(NEAR, duplication=0.3),
            "jitter": replace(NEAR, jitter=0.1),
            "fragments": replace(NEAR, mtu=576),
            "all": replace(NEAR, loss=0.02, reordering=0.1, duplication=0.1, jitter=0.02, upQueue=5000),
        }
        for name, link in kinds.items():
            for seed in (1, 2):
                with self.subTest(name, seed=seed):
                    self.assertTrue(self.transfer(link, seed=seed) == self.sent)

    def test_theirs(self) -> None:
        """The link at the other end counts as much."""
        self.assertTrue(self.transfer(NEAR, server=Link(0.0, 1e6, 1e6, loss=0.05)) == self.sent)
        self.assertGreater(self.client.sender.sentAgain, 5)

    def test_noneForNothing(self) -> None:
        """Where nothing is lost, nothing is sent twice."""
        self.transfer(replace(NEAR, jitter=0.03, duplication=0.1, upQueue=1 << 20, downQueue=1 << 20))
        self.assertEqual(self.client.sender.sentAgain, 0)

    def test_quickRepair(self) -> None:
        """A single loss costs a round trip or two, not a timeout: later packets tell of it."""
        self.build()
        client, heard = self.dial(FAR)
        client.transport.write(bytes(40_000))
        host = client.transport.host
        host.link = replace(FAR, loss=1.0)  # the first packet of the window alone
        self.network.clock.callLater(2e-5, setattr, ((host, "link", FAR), {}))
        begun = self.network.now
        self.network.runWhile(lambda: len(heard.data) < 40_000)
        self.assertGreater(client.sender.sentAgain, 0)
        self.assertLess(self.network.now - begun, 0.5)

    def test_law(self) -> None:
        """The rate goes with one over the square root of the loss, and one over the round trip."""

        def rate(loss: float, latency: float) -> float:
            self.build()
            client, _ = self.dial(Link(latency, 1e8, 1e8, loss=loss))
            return self.rates([client], 60)[0]

        rare, often, far = rate(0.002, 0.05), rate(0.018, 0.05), rate(0.002, 0.1)
        self.assertApproximates(rare / often, sqrt(9), 1.2)
        self.assertApproximates(rare / far, 2, 0.7)
        self.assertApproximates(rare / (1.22 * 1460 / 0.1 / sqrt(0.002)), 1, 0.4)

    def test_repeatable(self) -> None:
        """The seed decides who loses what."""

        def trace(seed: int) -> str:
            self.build(seed=seed)
            seen = sha256()

            def watch(traffic: Traffic) -> None:
                seen.update(repr((traffic.time, traffic.kind, len(traffic.data))).encode())

            self.network.watchers.append(watch)
            client, _ = self.dial(replace(NEAR, loss=0.05, reordering=0.1, jitter=0.01))
            client.transport.write(bytes(100_000))
            self.network.advance(30)
            return seen.hexdigest()

        self.assertEqual(trace(1), trace(1))
        self.assertNotEqual(trace(1), trace(2))


class FairnessTests(TransferCase):
    """Connections that share a link."""

    def test_uplink(self) -> None:
        """On one uplink all get the same, and together all of it."""
        self.build()
        host = self.network.host(link=Link(0.015, 125e3, 1e6))
        clients = [self.dial(host)[0] for _ in range(6)]
        rates = self.rates(clients, 15)
        self.assertGreater(fairness(rates), 0.98)
        self.assertGreater(sum(rates), 0.93 * 125e3)

    def test_downlink(self) -> None:
        """At a downlink, too, whatever is their distance."""
        self.build(Link(0.01, 1e6, 1e6))
        clients = [self.dial(Link(0.005 * number))[0] for number in range(1, 7)]
        rates = self.rates(clients, 8)
        self.assertGreater(fairness(rates), 0.95)
        self.assertGreater(sum(rates), 0.93e6)

    def test_bothWays(self) -> None:
        """What comes down is hardly held up by a busy uplink that has to carry its acknowledgements."""
        self.build()
        host = self.network.host(link=Link(0.015, 125e3, 1e6))
        (busy, heard), (client, server) = self.dial(host), self.dial(host)
        Endless(busy.transport)
        Endless(server.transport)
        self.network.advance(5)
        up, down = len(heard.data), len(client.data)
        self.network.advance(20)
        self.assertGreater(len(heard.data) - up, 20 * 80e3)
        self.assertGreater(len(client.data) - down, 20 * 800e3)


class EndTests(TransferCase):
    """Connections that break."""

    def setUp(self) -> None:
        """A server."""
        self.build()

    def test_gaveUp(self) -> None:
        """Who gets no answer gives up after about a quarter of an hour."""
        client, _ = self.dial(NEAR)
        self.server.online = False
        begun = self.network.now
        client.transport.write(b"x")
        self.network.runWhile(lambda: client.reason is None)
        self.assertIsInstance(client.reason, ConnectionLost)
        self.assertApproximates(self.network.now - begun, 1000, 400)
        before = self.network.events
        self.network.advance(3600)
        self.assertEqual(self.network.events, before)  # nobody tries any more

    def test_lostHandshake(self) -> None:
        """A handshake that got lost is repeated."""
        link = replace(NEAR, loss=0.25)
        took = []
        for seed in range(12):
            self.build(seed=seed)
            try:
                self.dial(link)
            except TimeoutError:
                continue
            took.append(self.network.now)
        self.assertGreater(len(took), 8)
        self.assertGreater(max(took), 1.0)
        self.assertLess(min(took), 0.1)

    def test_lostReset(self) -> None:
        """That a reset got lost is made good by the answer to what is sent after it."""
        client, heard = self.dial(NEAR)
        self.server.online = False
        heard.transport.abortConnection()
        self.network.advance(1)
        self.server.online = True
        client.transport.write(b"x")
        self.network.advance(1)
        self.assertIsInstance(client.reason, ConnectionLost)

    def test_lastWords(self) -> None:
        """What was written before a close arrives although packets were lost and the writer is gone."""
        client, heard = self.dial(NEAR)
        client.transport.write(bytes(5000))
        client.transport.loseConnection()
        self.server.online = False
        self.network.advance(2)
        self.assertIsInstance(client.reason, ConnectionDone)
        self.server.online = True
        self.network.advance(10)
        self.assertEqual(len(heard.data), 5000)
        self.assertIsInstance(heard.reason, ConnectionDone)

    def test_lostAcknowledgement(self) -> None:
        """Who closes after it read all is not taken to refuse what the other side repeats."""
        client, heard = self.dial(NEAR)
        client.transport.write(bytes(5000))
        self.network.runWhile(lambda: len(heard.data) < 5000)
        self.server.online = False  # what it says now is lost
        heard.transport.loseConnection()
        self.network.advance(0.01)
        self.server.online = True
        self.network.advance(30)
        self.assertIsInstance(client.reason, ConnectionDone)
