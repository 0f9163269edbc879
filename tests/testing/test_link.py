"""Tests of L{twisted_bt.testing.link}."""

from __future__ import annotations

from math import inf

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.testing.clock import VirtualClock
from twisted_bt.testing.link import HEADERS, PAYLOAD, Link, wireSize
from twisted_bt.testing.pipe import Pipe


class LinkTests(SynchronousTestCase):
    """What a link may be."""

    def test_nonsense(self) -> None:
        """Links that go back in time, for ever, or carry nothing are refused."""
        for wrong in ({"latency": -1.0}, {"latency": inf}, {"up": 0.0}, {"down": -5.0}):
            self.assertRaises(ValueError, lambda wrong=wrong: Link(**wrong))

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
            self.send("a", 100)
        self.send("b", 100)
        self.run_()
        self.assertEqual([flow for _, flow in self.seen], ["a", "b", "a", "a"])

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
