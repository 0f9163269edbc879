"""
NATs of several homes and of both families: neighbours, NATs behind NATs, IPv6 beside IPv4.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.error import ConnectionRefusedError, TimeoutError

from tests.testing.homes import OUTSIDE, Homes
from tests.testing.talkers import Socket, dial, listen
from twisted_bt.testing.firewall import Firewall
from twisted_bt.testing.natkinds import PORT_RESTRICTED, SYMMETRIC


class NeighbourTests(Homes):
    """Hosts behind one NAT."""

    def test_direct(self) -> None:
        """They reach each other by their own addresses, without the NAT."""
        first, second = self.home()
        served = listen(second, 80)
        self.assertIsNotNone(dial(first, "192.168.1.3", 80).made)
        self.network.advance(1)
        self.assertEqual(served.accepted[0].peer[0], "192.168.1.2")

    def test_hairpin(self) -> None:
        """By the NAT's own address they do so only if it turns packets round, and are seen under it."""
        for hairpin in (False, True):
            with self.subTest(hairpin=hairpin):
                self.setUp()
                first, second = self.home(replace(PORT_RESTRICTED, hairpin=hairpin))
                served = listen(second, 6881)
                self.nat.forward(second, 6881)
                made = dial(first, OUTSIDE, 6881, 5).made
                self.network.advance(1)
                self.assertEqual(made is not None, hairpin)
                if hairpin:
                    self.assertEqual(served.accepted[0].peer[0], OUTSIDE)

    def test_privateAddresses(self) -> None:
        """Nobody outside reaches a private address, and two homes may have the same ones."""
        first, _ = self.home()
        listen(first, 80)
        self.assertIs(dial(self.other, "192.168.1.2", 80, 5).failed, TimeoutError)
        there, _ = self.home(address="203.0.113.6")
        self.assertNotEqual(first.random.random(), there.random.random())
        self.assertRaises(ValueError, self.nat.host, "192.168.1.2")
        self.assertRaises(ValueError, self.network.nat, OUTSIDE)
        self.assertNotIn(self.nat.host().address, ("192.168.1.2", "192.168.1.3"))

    def test_router(self) -> None:
        """Behind its own inner address nobody listens."""
        first, _ = self.home()
        self.assertIs(dial(first, "192.168.0.1", 80).failed, ConnectionRefusedError)


class NestedTests(Homes):
    """Homes behind the NAT of a carrier."""

    def setUp(self) -> None:
        """Two homes of one carrier."""
        super().setUp()
        self.carrier = self.network.nat("203.0.113.1", kind=SYMMETRIC, inside="100.64.0.1")
        self.homes = [self.carrier.nat(f"100.64.0.{number}") for number in (2, 3)]
        self.hosts = [home.host("192.168.1.2") for home in self.homes]

    def test_outward(self) -> None:
        """Both reach the world, seen under the carrier's address."""
        served = listen(self.server, 80)
        for each in self.hosts:
            made = dial(each, "10.0.0.1", 80).made
            assert made is not None
            made.say(b"x")
        self.network.advance(1)
        self.assertEqual(
            [(each.heard, each.peer[0]) for each in served.accepted], [(b"x", "::ffff:203.0.113.1")] * 2
        )

    def test_inward(self) -> None:
        """A port is reached if both forward it; if the home alone does, by the carrier's other customers."""
        listen(self.hosts[0], 6881)
        self.homes[0].forward(self.hosts[0], 6881)
        self.assertIsNotNone(dial(self.other, "203.0.113.1", 6881, 5).failed)
        self.assertIsNotNone(dial(self.hosts[1], "100.64.0.2", 6881).made)
        self.carrier.forward(self.homes[0], 6881)
        self.assertIsNotNone(dial(self.other, "203.0.113.1", 6881).made)


class DualStackTests(Homes):
    """Homes with IPv6."""

    def setUp(self) -> None:
        """A home with IPv4 behind a NAT, and IPv6 of the world."""
        super().setUp()
        self.nat = self.network.nat(OUTSIDE)
        self.host = self.nat.host("192.168.1.2", "2001:db8::2")
        self.far = self.network.host("2001:db8:1::1")

    def test_outward(self) -> None:
        """Over IPv6 it is seen under its own address, over IPv4 under the NAT's."""
        served = listen(self.far, 80), listen(self.server, 80)
        dial(self.host, "2001:db8:1::1", 80)
        dial(self.host, "10.0.0.1", 80)
        self.network.advance(1)
        peers = [each.accepted[0].peer[0] for each in served]
        self.assertEqual(peers, ["2001:db8::2", f"::ffff:{OUTSIDE}"])

    def test_closed(self) -> None:
        """What comes in over IPv6 unasked is dropped, until its port is opened."""
        listen(self.host, 6881)
        self.assertIs(dial(self.far, "2001:db8::2", 6881, 5).failed, TimeoutError)
        inner, asked = Socket(self.host, 7000, "::"), Socket(self.far, 1, "::")
        asked.send(b"early", "2001:db8::2", 7000)
        inner.send(b"who", "2001:db8:1::1", 1)
        asked.send(b"me", "2001:db8::2", 7000)
        self.assertEqual(inner.heard, [b"me"])
        self.nat.forward(self.host, 6881)
        self.assertIsNotNone(dial(self.far, "2001:db8::2", 6881).made)

    def test_open(self) -> None:
        """Unless the home's firewall lets everything in."""
        self.nat.gate.rules = Firewall()
        listen(self.host, 6881)
        self.assertIsNotNone(dial(self.far, "2001:db8::2", 6881).made)

    def test_localAddresses(self) -> None:
        """Local addresses of IPv6 are translated like those of IPv4."""
        nat = self.network.nat("203.0.113.6", "2001:db8:6::1")
        inner = nat.host("fd00:6::2")
        served = listen(self.far, 80)
        self.assertIsNotNone(dial(inner, "2001:db8:1::1", 80).made)
        self.network.advance(1)
        self.assertEqual(served.accepted[0].peer[0], "2001:db8:6::1")
        self.assertIs(dial(self.far, "fd00:6::2", 80, 5).failed, TimeoutError)

    def test_taken(self) -> None:
        """An address of the world is had once, wherever."""
        self.assertRaises(ValueError, self.network.host, "2001:db8::2")
        self.assertRaises(ValueError, self.nat.host, "2001:db8:1::1")
