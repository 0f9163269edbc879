"""Tests of L{twisted_bt.testing.partition}."""

from __future__ import annotations

from typing import Literal

from twisted.internet.error import TimeoutError
from twisted.trial.unittest import SynchronousTestCase

from tests.testing.talkers import Socket, dial, listen
from twisted_bt.testing.network import Network


class PartitionTests(SynchronousTestCase):
    """Who reaches whom."""

    mode: Literal["packets", "flow"] = "flow"

    def setUp(self) -> None:
        """Three hosts, and one at home."""
        self.network = Network(mode=self.mode)
        self.one, self.two, self.three = (self.network.host(f"10.0.0.{number}") for number in (1, 2, 3))
        self.home = self.network.nat("10.0.0.4")
        self.inner = self.home.host("192.168.1.2")
        self.served = listen(self.two, 80)
        listen(self.three, 80)

    def test_separated(self) -> None:
        """Groups do not reach each other; who is in none reaches both."""
        self.network.partition([self.one], [self.two])
        self.assertIs(dial(self.one, "10.0.0.2", 80).failed, TimeoutError)
        self.assertIsNotNone(dial(self.one, "10.0.0.3", 80).made)
        self.assertIsNotNone(dial(self.three, "10.0.0.2", 80).made)
        server = Socket(self.two, 53)
        for each in (self.one, self.three):
            Socket(each).send(each.address.encode(), "10.0.0.2", 53)
        self.assertEqual(server.heard, [b"10.0.0.3"])

    def test_healed(self) -> None:
        """When it heals, who is still dialling gets through, and what was said arrives."""
        made = dial(self.one, "10.0.0.2", 80).made
        assert made is not None
        self.network.advance(1)
        partition = self.network.partition([self.one, self.three], [self.two])
        made.say(b"one")
        self.one.callLater(5, partition.heal)
        self.assertIsNotNone(dial(self.three, "10.0.0.2", 80).made)
        self.assertGreaterEqual(self.network.now, 5.0)
        made.say(b"two")
        self.network.advance(60)
        self.assertEqual(self.served.accepted[0].heard, b"onetwo")
        partition.heal()

    def test_several(self) -> None:
        """Of several partitions each must heal."""
        first = self.network.partition([self.one], [self.two])
        second = self.network.partition([self.one, self.three], [self.two])
        first.heal()
        self.assertFalse(self.network.reachable(self.one, self.two))
        second.heal()
        self.assertTrue(self.network.reachable(self.one, self.two))

    def test_home(self) -> None:
        """A NAT stands for all behind it; a host behind it may be named alone."""
        neighbour = self.home.host("192.168.1.3")
        listen(neighbour, 80)
        whole = self.network.partition([self.home], [self.two])
        self.assertIs(dial(self.inner, "10.0.0.2", 80).failed, TimeoutError)
        self.assertIsNotNone(dial(self.inner, "192.168.1.3", 80).made)
        whole.heal()
        self.network.partition([self.inner], [self.two])
        self.assertIs(dial(self.inner, "10.0.0.2", 80).failed, TimeoutError)
        self.assertIsNotNone(dial(neighbour, "10.0.0.2", 80).made)


class PacketPartitionTests(PartitionTests):
    """The same packet by packet."""

    mode = "packets"
