"""Tests of L{twisted_bt.testing.link}."""

from __future__ import annotations

from math import inf
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.testing.clock import VirtualClock
from twisted_bt.testing.link import HEADERS, PAYLOAD, Link, wireSize
from twisted_bt.testing.pipe import Pipe


class LinkTests(SynchronousTestCase):
    """What a link may be."""

    def test_nonsense(self) -> None:
        """Links that go back in time, for ever, or carry nothing are refused."""
        wrongs: list[dict[str, Any]] = [{"latency": -1.0}, {"latency": inf}, {"up": 0.0}, {"down": -5.0}]
        wrongs += [{"jitter": -1.0}, {"loss": 1.1}, {"reordering": -0.1}, {"duplication": 2.0}]
        wrongs += [{"mtu": 100}, {"upQueue": 1000}, {"downQueue": 0}]
        for wrong in wrongs:
            self.assertRaises(ValueError, lambda wrong=wrong: Link(**wrong))

    def test_queues(self) -> None:
        """A queue holds a tenth of a second, at least 64 KiB, or what was said."""
        self.assertEqual((Link(up=10e6).queueUp, Link(up=10e3).queueUp), (1e6, 1 << 16))
        self.assertEqual((Link(upQueue=2000).queueUp, Link(downQueue=3000).queueDown), (2000, 3000))

    def test_presets(self) -> None:
        """Links as people have them, from the quickest to the slowest."""
        links = [Link.datacenter(), Link.fibre(), Link.mobile(), Link.home(), Link.dialup()]
        self.assertEqual(links, sorted(links, key=lambda link: link.down, reverse=True))
        self.assertGreater(Link.satellite().latency, max(link.latency for link in links))

    def test_wireSize(self) -> None:
        """Every packet has its headers, and so has one without payload."""
        self.assertEqual(wireSize(0), HEADERS)
        self.assertEqual(wireSize(PAYLOAD), PAYLOAD + HEADERS)
        self.assertEqual(wireSize(PAYLOAD + 1), PAYLOAD + 1 + 2 * HEADERS)


class PipeTests(SynchronousTestCase):
    """One way through a link."""

    def setUp(self) -> None:
        """A pipe of 1000 bytes a second."""
        self.clock = VirtualClock()
        self.pipe = Pipe(self.clock, 1000.0)
        self.seen: list[tuple[float, str]] = []

    def send(self, flow: str, size: int) -> None:
        """C{size} bytes of C{flow}; when they are through is noted."""
        self.pipe.send(flow, size, lambda: self.seen.append((round(self.clock.now, 6), flow)))

    def run_(self) -> None:
        """Everything."""
        while self.clock.run(inf):
            pass

    def test_rate(self) -> None:
        """Bytes take their time, one after the other."""
        self.send("a", 500)
        self.send("a", 1000)
        self.assertEqual(self.pipe.waiting, 1500)
        self.run_()
        self.assertEqual(self.seen, [(0.5, "a"), (1.5, "a")])
        self.assertEqual(self.pipe.waiting, 0)

    def test_inTurns(self) -> None:
        """A flow with much to send does not hold up one with little."""
        for _ in range(3):
            self.send("a", 1500)
        self.send("b", 1500)
        self.run_()
        self.assertEqual([flow for _, flow in self.seen], ["a", "b", "a", "a"])

    def test_fair(self) -> None:
        """Turns are of bytes, not of packets."""
        for _ in range(40):
            self.send("large", 1500)
        for _ in range(200):
            self.send("small", 300)
        self.run_()
        first = [flow for _, flow in self.seen[:120]]
        self.assertApproximates(first.count("small") / first.count("large"), 5, 0.5)

    def test_full(self) -> None:
        """What comes to a full queue is dropped, unless its flow has next to nothing there."""
        self.pipe.most = 5000
        taken = [self.pipe.send("a", 1500, lambda: None) for _ in range(6)]
        self.assertEqual(taken, [True] * 3 + [False] * 3)
        self.assertTrue(self.pipe.send("b", 1500, lambda: None))
        self.run_()
        self.assertTrue(self.pipe.send("a", 1500, lambda: None))
        self.assertEqual(self.pipe.waiting, 1500)

    def test_dropped(self) -> None:
        """What waits of a dropped flow never comes through, and takes no time of others."""
        for _ in range(3):
            self.send("a", 100)
        self.send("b", 100)
        self.pipe.drop("a")
        self.run_()
        self.assertEqual(self.seen, [(0.1, "a"), (0.2, "b")])
        self.assertEqual(self.pipe.waiting, 0)

    def test_unlimited(self) -> None:
        """Without a limit nothing waits."""
        self.pipe = Pipe(self.clock, inf)
        self.send("a", 1 << 30)
        self.assertEqual(self.seen, [(0.0, "a")])
