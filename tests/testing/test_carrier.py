"""Tests of L{twisted_bt.testing.carrier}: one packet, from one host straight to another."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.testing.transfers import Mode
from twisted_bt.testing.carrier import carry
from twisted_bt.testing.link import Link
from twisted_bt.testing.network import Network

#: 10 ms from the middle, 100 kB/s.
LINK = Link(0.01, 1e5, 1e5)


class CarryCase(SynchronousTestCase):
    """Two hosts."""

    mode: Mode = "packets"

    def build(self, link: Link = LINK, other: Link | None = None, seed: int = 1) -> None:
        """Two hosts, and a list of what came when, and of what was lost."""
        self.network = Network(seed, mode=self.mode)
        self.one = self.network.host("10.0.0.1", link=link)
        self.two = self.network.host("10.0.0.2", link=other or Link(0.01, 1e9, 1e9))
        self.came: list[tuple[float, Any]] = []
        self.lost: list[object] = []

    def send(self, name: object, size: int = 1000, flow: object = "flow", fragments: bool = True) -> None:
        """Send it from the one to the other."""
        carry(
            self.one,
            self.two,
            flow,
            size,
            lambda: self.came.append((round(self.network.now, 4), name)),
            lambda: self.lost.append(name),
            fragments,
        )

    def many(self, count: int, seconds: float = 0.05) -> list[Any]:
        """Send C{count}, one after the other; which came, in order."""
        for number in range(count):
            self.send(number)
            self.network.advance(seconds)
        self.network.advance(5)
        return [name for _, name in self.came]


class CarryTests(CarryCase):
    """Packets that arrive or do not."""

    def test_arrives(self) -> None:
        """It takes its time on the uplink, the way, and the downlink."""
        self.build(LINK, LINK)
        self.send("a")
        self.network.advance(1)
        self.assertEqual(len(self.came), 1)
        self.assertApproximates(self.came[0][0], 0.02 + 0.015, 0.0055)

    def test_itself(self) -> None:
        """What a host sends to itself arrives at once, whatever its link is."""
        self.build(replace(LINK, loss=1.0))
        carry(self.one, self.one, "flow", 1000, lambda: self.came.append((self.network.now, "a")))
        self.assertEqual(self.came, [])
        self.network.advance(0)
        self.assertEqual(self.came, [(0.0, "a")])

    def test_loss(self) -> None:
        """Links lose the share that they say, of either side; who asks is told."""
        for link, other in ((replace(LINK, loss=0.2), None), (LINK, replace(LINK, loss=0.2))):
            self.build(link, other)
            came = self.many(500)
            self.assertApproximates(len(came), 400, 40)
            self.assertEqual(sorted([*came, *self.lost]), list(range(500)))

    def test_duplication(self) -> None:
        """Some come twice."""
        self.build(replace(LINK, duplication=0.2))
        came = self.many(500)
        self.assertApproximates(len(came), 600, 40)
        self.assertEqual(sorted(set(came)), list(range(500)))

    def test_reordering(self) -> None:
        """Some come behind others that were sent after them; all come."""
        self.build(Link(0.05, 1e9, 1e9, reordering=0.2))
        came = self.many(500, 0.005)
        self.assertEqual(sorted(came), list(range(500)))
        self.assertGreater(sum(a > b for a, b in pairwise(came)), 30)
        self.build(Link(0.05, 1e9, 1e9))
        self.assertEqual(self.many(500, 0.005), list(range(500)))

    def test_jitter(self) -> None:
        """They take up to so much longer, and none of a flow overtakes another."""
        self.build(replace(LINK, up=1e9, jitter=0.1))
        for number in range(300):
            self.network.clock.callLater(number * 0.3, self.send, (((number, number * 0.3),), {}))
        self.network.advance(200)
        delays = [time - begun for time, (_, begun) in self.came]
        self.assertGreater(max(delays) - min(delays), 0.08)
        self.assertLess(max(delays), 0.125)
        self.assertGreater(min(delays), 0.0199)
        self.build(replace(LINK, up=1e9, jitter=0.1))
        self.assertEqual(self.many(300, 0.01), list(range(300)))

    def test_tooLong(self) -> None:
        """What is longer than the MTU goes in parts, or not at all when it must not."""
        self.build(replace(LINK, mtu=1000))
        self.send("whole", 1000, fragments=False)
        self.send("parts", 3000)
        self.send("never", 1001, fragments=False)
        self.assertEqual(self.lost, ["never"])
        self.network.advance(1)
        self.assertEqual([name for _, name in self.came], ["whole", "parts"])

    def test_theirMTU(self) -> None:
        """The narrower of both links counts."""
        self.build(LINK, replace(LINK, mtu=1000))
        self.send("never", 1001, fragments=False)
        self.assertEqual(self.lost, ["never"])

    def test_full(self) -> None:
        """More than a queue holds is lost."""
        self.build(replace(LINK, upQueue=20_000))
        for number in range(100):
            self.send(number, 1500)
        self.network.advance(5)
        self.assertApproximates(len(self.came), 13, 3)
        self.assertEqual(len(self.came) + len(self.lost), 100)

    def test_fullDownlink(self) -> None:
        """So it is at the other end."""
        self.build(Link(0.01, 1e9, 1e9, upQueue=1 << 20), replace(LINK, downQueue=20_000))
        for number in range(100):
            self.send(number, 1500)
        self.network.advance(5)
        self.assertApproximates(len(self.came), 14, 3)

    def test_offline(self) -> None:
        """What a host off line sends, or would get, is lost, also while it is under way."""
        self.build()
        self.one.online = False
        self.send("from")
        self.one.online = True
        self.two.online = False
        self.send("to")
        self.network.advance(1)
        self.two.online = True
        self.send("under way")
        self.network.advance(0.011)
        self.two.online = False
        self.network.advance(1)
        self.assertEqual((self.came, self.lost), ([], ["from", "to", "under way"]))

    def test_partition(self) -> None:
        """Nothing passes between parts of the network."""
        self.build()
        self.send("before")
        self.network.advance(1)
        parted = self.network.partition([self.one], [self.two])
        self.send("while")
        self.network.advance(1)
        parted.heal()
        self.send("after")
        self.network.advance(1)
        self.assertEqual([name for _, name in self.came], ["before", "after"])
        self.assertEqual(self.lost, ["while"])

    def test_changed(self) -> None:
        """A link may change at any time."""
        self.build()
        self.one.link = replace(LINK, latency=1.0)
        self.send("a")
        self.network.advance(5)
        self.assertGreater(self.came[0][0], 1.0)

    def test_seed(self) -> None:
        """The seed decides what is lost, and other hosts change nothing of that."""

        def run(seed: int, others: int = 0) -> list[object]:
            self.build(replace(LINK, loss=0.3), seed=seed)
            for _ in range(others):
                self.network.host(link=replace(LINK, loss=0.5))
            return self.many(100)

        self.assertEqual(run(1), run(1, others=3))
        self.assertNotEqual(run(1), run(2))


class FlowCarryTests(CarryTests):
    """The same where the network is simulated as flows."""

    mode = "flow"


class FragmentTests(CarryCase):
    """What goes in parts."""

    def test_anyLost(self) -> None:
        """It is lost when a part is: more often than what is short."""
        self.build(replace(LINK, loss=0.1, upQueue=1 << 21))
        for number in range(300):
            self.send(number, 4400)
        self.network.advance(60)
        self.assertApproximates(len(self.came), 300 * 0.9**3, 30)
        self.assertEqual(len(self.lost) + len(self.came), 300)

    def test_headers(self) -> None:
        """Every part has headers of its own."""
        self.build(Link(0.0, 1e5, 1e9, mtu=1020, upQueue=1 << 20))
        self.send("a", 10_020)
        self.network.advance(1)
        self.assertApproximates(self.came[0][0], 0.01 + (10 * 1020) / 1e5, 1e-3)
