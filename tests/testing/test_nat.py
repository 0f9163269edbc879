"""Tests of L{twisted_bt.testing.nat} and L{twisted_bt.testing.natkinds}."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from twisted.internet.error import ConnectionRefusedError, TimeoutError

from tests.testing.homes import CONES, OUTSIDE, Homes
from tests.testing.talkers import Socket, dial, listen
from twisted_bt.testing.firewall import Firewall
from twisted_bt.testing.link import Link
from twisted_bt.testing.natkinds import (
    ADDRESS_RESTRICTED,
    FULL_CONE,
    PORT_RESTRICTED,
    SYMMETRIC,
    Dependence,
    Mappings,
    NatKind,
)
from twisted_bt.testing.route import Endpoint


class MappingTests(Homes):
    """Under which address hosts behind a NAT are seen."""

    def seenBy(self, kind: NatKind) -> list[tuple[str, int]]:
        """As whom one socket behind a NAT is seen by a host, by another port of it, and by another host."""
        host, _ = self.home(kind)
        inner = Socket(host, 6881)
        seen = []
        for server, port in ((self.server, 1), (self.server, 2), (self.other, 1)):
            heard = Socket(server, port)
            inner.send(b"x", server.address, port)
            seen.append(heard.last)
        self.assertEqual({address for address, _ in seen}, {OUTSIDE})
        return seen

    def test_cones(self) -> None:
        """Of all cones everybody sees the same port; the number is kept where it is free."""
        for number, kind in enumerate(CONES):
            with self.subTest(kind=number):
                self.setUp()
                self.assertEqual(self.seenBy(kind), [(OUTSIDE, 6881)] * 3)

    def test_symmetric(self) -> None:
        """Of a symmetric one everybody sees another, and none is the one behind it."""
        self.assertEqual(len({*self.seenBy(SYMMETRIC), (OUTSIDE, 6881)}), 4)

    def test_addressDependent(self) -> None:
        """Or every host another, its ports the same."""
        dependence = Dependence.ADDRESS_DEPENDENT
        one, same, other = self.seenBy(NatKind(dependence, dependence, preserving=False))
        self.assertEqual(one, same)
        self.assertNotEqual(one, other)

    def test_sameNumber(self) -> None:
        """Of two hosts with the same port each is seen under its own, and answered."""
        first, second = self.home()
        server = Socket(self.server, 1)
        sockets = [Socket(each, 6881) for each in (first, second)]
        for each in sockets:
            each.send(b"who", "10.0.0.1", 1)
            server.send(b"you", *server.last)
        self.assertEqual(len({addr for _, addr in server.protocol.heard}), 2)
        self.assertEqual([each.heard for each in sockets], [[b"you"], [b"you"]])

    def test_seeded(self) -> None:
        """The seed decides which ports it gives out."""
        traces = []
        for _ in range(2):
            self.setUp()
            traces.append(self.seenBy(SYMMETRIC))
        self.assertEqual(*traces)

    def test_full(self) -> None:
        """It remembers so many, and when those are forgotten, others."""
        now = [0.0]
        table = Mappings(replace(SYMMETRIC, capacity=100), Random(1), lambda: now[0])
        there = Endpoint("10.0.0.1", 1)

        def count(ports: range) -> int:
            inner = (Endpoint("192.168.1.2", port) for port in ports)
            return sum(table.outgoing("udp", each, there, OUTSIDE) is not None for each in inner)

        self.assertEqual((count(range(1, 201)), len(table)), (100, 100))
        self.assertEqual(count(range(1, 201)), 100)  # those that it knows
        now[0] = 121.0
        self.assertEqual((len(table), count(range(150, 201)), len(table)), (0, 51, 51))


class FilteringTests(Homes):
    """Whom a NAT lets in."""

    def admitted(self, kind: NatKind) -> list[bytes]:
        """What came in after something was sent to one port of one host: from it, its neighbour, another."""
        host, _ = self.home(kind)
        asked, neighbour, stranger = Socket(self.server, 1), Socket(self.server, 2), Socket(self.other, 1)
        inner = Socket(host, 6881)
        stranger.send(b"early", OUTSIDE, 6881)
        inner.send(b"hello", "10.0.0.1", 1)
        address, port = asked.last
        for name, each in ((b"asked", asked), (b"neighbour", neighbour), (b"stranger", stranger)):
            each.send(name, address, port)
        return inner.heard

    def test_fullCone(self) -> None:
        """Everybody, once something was sent."""
        self.assertEqual(self.admitted(FULL_CONE), [b"asked", b"neighbour", b"stranger"])

    def test_addressRestricted(self) -> None:
        """Whom something was sent to, from any of their ports."""
        self.assertEqual(self.admitted(ADDRESS_RESTRICTED), [b"asked", b"neighbour"])

    def test_portRestricted(self) -> None:
        """The very port that something was sent to."""
        self.assertEqual(self.admitted(PORT_RESTRICTED), [b"asked"])

    def test_symmetric(self) -> None:
        """The same, which sees a port of its own."""
        self.assertEqual(self.admitted(SYMMETRIC), [b"asked"])

    def test_timeout(self) -> None:
        """What was not used for two minutes is forgotten; using it is sending, not hearing."""
        host, _ = self.home(FULL_CONE)
        server, inner = Socket(self.server, 1), Socket(host, 6881)
        for _ in range(3):
            inner.send(b"keep", "10.0.0.1", 1)
            self.network.advance(100)
        for wait in (10, 15):
            self.network.advance(wait)
            server.send(b"%d" % wait, OUTSIDE, 6881)
        self.assertEqual(inner.heard, [b"10"])

    def test_dialledFromOutside(self) -> None:
        """No kind lets anybody connect, and nobody is told."""
        for number, kind in enumerate((*CONES, SYMMETRIC)):
            with self.subTest(kind=number):
                self.setUp()
                host, _ = self.home(kind)
                listen(host, 6881)
                self.assertIs(dial(self.other, OUTSIDE, 6881).failed, TimeoutError)

    def test_rejecting(self) -> None:
        """Or they are told."""
        host, _ = self.home()
        listen(host, 6881)
        self.nat.gate.rules = Firewall(rejects=True)
        self.assertIs(dial(self.other, OUTSIDE, 6881).failed, ConnectionRefusedError)


class ConnectionTests(Homes):
    """TCP through a NAT."""

    def test_thereAndBack(self) -> None:
        """Who is behind it connects to the world, is seen under its address, and closes."""
        for number, kind in enumerate((*CONES, SYMMETRIC)):
            with self.subTest(kind=number):
                self.setUp()
                host, _ = self.home(kind)
                served = listen(self.server, 80)
                made = dial(host, "10.0.0.1", 80).made
                assert made is not None
                made.say(b"question")
                self.network.advance(1)
                (accepted,) = served.accepted
                self.assertEqual((accepted.heard, accepted.peer[0]), (b"question", f"::ffff:{OUTSIDE}"))
                accepted.say(b"answer" * 10_000)
                self.network.advance(1)
                self.assertEqual((made.heard, made.peer), (b"answer" * 10_000, ("10.0.0.1", 80)))
                assert made.transport is not None
                made.transport.loseConnection()
                self.network.advance(1)
                self.assertEqual((len(made.ended), len(accepted.ended)), (1, 1))
                self.assertEqual(host.leftovers(), [])

    def test_refused(self) -> None:
        """That nobody listens out there is heard."""
        host, _ = self.home()
        self.assertIs(dial(host, "10.0.0.1", 81).failed, ConnectionRefusedError)

    def test_delay(self) -> None:
        """Both links take their time."""
        self.nat = self.network.nat(OUTSIDE, link=Link(0.1))
        host = self.nat.host("192.168.1.2", link=Link(0.05))
        listen(self.server, 80)
        self.assertIsNotNone(dial(host, "10.0.0.1", 80).made)
        self.assertAlmostEqual(self.network.now, 2 * (0.05 + 0.1 + 0.01), 2)

    def test_sharedLink(self) -> None:
        """Two hosts together are no quicker than the link of their NAT."""
        self.nat = self.network.nat(OUTSIDE, link=Link(0.01, up=100e3, down=1e6))
        served = listen(self.server, 80)
        made = [dial(self.nat.host(), "10.0.0.1", 80).made for _ in range(2)]
        begun = self.network.now
        for each in made:
            assert each is not None
            each.say(bytes(200_000))
        self.network.runWhile(lambda: sum(len(each.heard) for each in served.accepted) < 400_000)
        self.assertGreater(self.network.now - begun, 4.0)
        self.assertLess(self.network.now - begun, 6.0)

    def test_forgotten(self) -> None:
        """A connection that the NAT forgot is dead, and nobody is told; one in use is not forgotten."""
        for idle in (7000, 8000):
            with self.subTest(idle=idle):
                self.setUp()
                host, _ = self.home()
                served = listen(self.server, 80)
                made = dial(host, "10.0.0.1", 80).made
                assert made is not None
                made.say(b"a")
                for _ in range(2):
                    self.network.advance(idle)
                    made.say(b"b")
                    self.network.advance(1)
                self.assertEqual(served.accepted[0].heard, b"abb" if idle == 7000 else b"a")

    def test_reboot(self) -> None:
        """A NAT that reboots forgets its connections; new ones are made."""
        host, _ = self.home()
        served = listen(self.server, 80)
        made = dial(host, "10.0.0.1", 80).made
        self.network.advance(1)
        self.nat.reboot()
        assert made is not None
        made.say(b"x")
        self.network.advance(5)
        self.assertEqual((served.accepted[0].heard, made.ended), (b"", []))
        self.assertIsNotNone(dial(host, "10.0.0.1", 80).made)

    def test_readdressed(self) -> None:
        """One that gets another address is seen under that, and old connections are dead."""
        host, _ = self.home()
        served = listen(self.server, 80)
        made = dial(host, "10.0.0.1", 80).made
        self.network.advance(1)
        self.nat.readdress("203.0.113.9")
        assert made is not None
        made.say(b"x")
        self.network.advance(5)
        self.assertEqual(served.accepted[0].heard, b"")
        dial(host, "10.0.0.1", 80)
        self.network.advance(1)
        self.assertEqual(served.accepted[1].peer[0], "::ffff:203.0.113.9")

    def test_offline(self) -> None:
        """Without power nobody gets through it; neighbours reach each other all the same."""
        host, neighbour = self.home()
        listen(self.server, 80)
        listen(neighbour, 80)
        self.nat.online = False
        self.assertIs(dial(host, "10.0.0.1", 80).failed, TimeoutError)
        self.assertIsNotNone(dial(host, "192.168.1.3", 80).made)


class ForwardingTests(Homes):
    """Ports that somebody opened."""

    def test_forwarded(self) -> None:
        """A forwarded port is reached by everybody, over TCP and UDP, whatever the kind."""
        for number, kind in enumerate((*CONES, SYMMETRIC)):
            with self.subTest(kind=number):
                self.setUp()
                host, _ = self.home(kind)
                served = listen(host, 6881)
                self.nat.forward(host, 6881)
                made = dial(self.other, OUTSIDE, 6881).made
                assert made is not None
                made.say(b"x")
                self.network.advance(1)
                self.assertEqual((served.accepted[0].heard, served.accepted[0].peer[0]), (b"x", "10.0.0.2"))
                inner, asker = Socket(host, 6881), Socket(self.other)
                asker.send(b"who", OUTSIDE, 6881)
                inner.send(b"me", *inner.last)
                self.assertEqual((asker.heard, asker.last), ([b"me"], (OUTSIDE, 6881)))

    def test_otherNumber(self) -> None:
        """The port outside may be another; one of the two protocols may be meant."""
        host, _ = self.home()
        listen(host, 6881)
        self.nat.forward(host, 6881, outside=50_000, kinds=("tcp",))
        self.assertIsNotNone(dial(self.other, OUTSIDE, 50_000).made)
        self.assertIsNotNone(dial(self.other, OUTSIDE, 6881, 5).failed)
        inner = Socket(host, 6881)
        Socket(self.other).send(b"x", OUTSIDE, 50_000)
        self.assertEqual(inner.heard, [])

    def test_afterReboot(self) -> None:
        """It outlives a reboot and a change of address."""
        host, _ = self.home()
        listen(host, 6881)
        self.nat.forward(host, 6881)
        self.nat.readdress("203.0.113.9")
        self.assertIsNotNone(dial(self.other, "203.0.113.9", 6881).made)
