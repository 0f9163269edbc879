"""Tests of what may happen to a L{Host<twisted_bt.testing.host.Host>}: off line, asleep, elsewhere."""

from __future__ import annotations

from typing import Literal

from twisted.internet.error import TimeoutError
from twisted.trial.unittest import SynchronousTestCase

from tests.testing.talkers import Socket, Talker, dial, listen
from twisted_bt.naming import resolve
from twisted_bt.testing.network import Network


class FaultCase(SynchronousTestCase):
    """A client connected to a server."""

    mode: Literal["packets", "flow"] = "flow"

    def setUp(self) -> None:
        """Both are connected, and said nothing yet."""
        self.network = Network(mode=self.mode)
        self.host = self.network.host("10.0.0.1", "fd00::1")
        self.server = self.network.host("10.0.0.2", "fd00::2")
        self.served = listen(self.server, 80)
        self.made = self.connected()
        self.accepted = self.served.accepted[0]

    def connected(self) -> Talker:
        """One more connection."""
        made = dial(self.host, "10.0.0.2", 80).made
        self.network.advance(1)
        assert made is not None
        return made


class OnlineTests(FaultCase):
    """Without a network."""

    def test_connection(self) -> None:
        """What was said while a host was off line arrives when it is back."""
        for which in (0, 1):
            with self.subTest(which=which):
                self.setUp()
                host = (self.host, self.server)[which]
                host.online = False
                self.made.say(b"x")
                self.network.advance(5)
                self.assertEqual((self.accepted.heard, self.made.ended), (b"", []))
                host.online = True
                self.network.advance(60)
                self.assertEqual(self.accepted.heard, b"x")

    def test_dialling(self) -> None:
        """Dialling out or in comes to nothing, unless it is back in time."""
        self.server.online = False
        self.assertIs(dial(self.host, "10.0.0.2", 80, 5).failed, TimeoutError)
        self.host.callLater(3, setattr, self.server, "online", True)
        self.assertIsNotNone(dial(self.host, "10.0.0.2", 80, 10).made)

    def test_names(self) -> None:
        """Names are not found meanwhile."""
        self.network.name("server.test", "10.0.0.2")
        counts = []
        for online in (True, False):
            self.host.online = online
            counts.append(len(self.network.runUntil(resolve(self.host, "server.test", 80))))
        self.assertEqual(counts, [1, 0])


class PacketOnlineTests(OnlineTests):
    """The same packet by packet."""

    mode = "packets"


class AddressTests(FaultCase):
    """A host that gets another address."""

    def test_silent(self) -> None:
        """Its connections are dead, and nobody is told, whoever speaks."""
        self.host.readdress("10.0.0.9")
        self.made.say(b"x")
        self.accepted.say(b"y")
        self.network.advance(30)
        self.assertEqual((self.made.heard, self.accepted.heard), (b"", b""))
        self.assertEqual((self.made.ended, self.accepted.ended), ([], []))

    def test_reset(self) -> None:
        """Or both ends hear of it; connections from addresses that it keeps go on."""
        other = dial(self.host, "fd00::2", 80).made
        assert other is not None
        self.network.advance(1)
        self.host.readdress("10.0.0.9", "fd00::1", resets=True)
        self.network.advance(1)
        self.assertEqual((len(self.made.ended), len(self.accepted.ended), other.ended), (1, 1, []))

    def test_back(self) -> None:
        """If it gets its old address back in time, its connections go on."""
        self.host.readdress("10.0.0.9")
        self.made.say(b"x")
        self.network.advance(5)
        self.host.readdress("10.0.0.1")
        self.network.advance(60)
        self.assertEqual(self.accepted.heard, b"x")

    def test_onward(self) -> None:
        """New connections come from its new address, and its ports on any address are reached at it."""
        inner = listen(self.host, 81)
        socket, there = Socket(self.host, 7000), Socket(self.server, 1)
        self.host.readdress("10.0.0.9", "fd00::9")
        self.connected()
        self.assertEqual(self.served.accepted[-1].peer[0], "::ffff:10.0.0.9")
        for address in ("10.0.0.9", "fd00::9"):
            self.assertIsNotNone(dial(self.server, address, 81).made)
        self.assertIs(dial(self.server, "10.0.0.1", 81, 5).failed, TimeoutError)
        self.assertEqual(len(inner.accepted), 2)
        socket.send(b"x", "10.0.0.2", 1)
        self.assertEqual(there.last, ("10.0.0.9", 7000))
        there.send(b"y", "10.0.0.9", 7000)
        self.assertEqual(socket.heard, [b"y"])

    def test_taken(self) -> None:
        """An address that somebody has is not to be had; one that was given up is."""
        self.assertRaises(ValueError, self.host.readdress, "10.0.0.2")
        self.assertEqual(self.host.addresses, ("10.0.0.1", "fd00::1"))
        self.host.readdress("10.0.0.9", "10.0.0.1")
        self.host.readdress("10.0.0.9")
        self.assertEqual(self.network.host("10.0.0.1").address, "10.0.0.1")
        self.assertIs(self.network.hostAt("10.0.0.9"), self.host)


class PacketAddressTests(AddressTests):
    """The same packet by packet."""

    mode = "packets"


class ClockTests(SynchronousTestCase):
    """The date."""

    def test_jump(self) -> None:
        """It jumps forward and back; what is due comes as if nothing were, and others keep their date."""
        network = Network()
        host, other = network.host(), network.host()
        seen: list[float] = []
        host.callLater(10, lambda: seen.append(host.seconds()))
        before = host.wallClock()
        host.wallClockJump(86400.0 * 365)
        self.assertEqual(host.wallClock() - before, 86400.0 * 365)
        host.wallClockJump(-86400.0 * 730)
        self.assertEqual(host.wallClock() - before, -86400.0 * 365)
        network.advance(20)
        self.assertEqual((seen, other.wallClock() - before), ([10.0], 20.0))


class SleepTests(FaultCase):
    """A laptop with its lid closed."""

    def test_late(self) -> None:
        """All that is overdue comes at once, in order; what is not yet due comes in time."""
        seen: list[tuple[str, float]] = []

        def note(name: str) -> None:
            seen.append((name, self.host.seconds()))

        start = self.network.now
        for delay, name in ((30, "second"), (20, "first"), (300, "third")):
            self.host.callLater(delay, note, name)
        self.host.suspend()
        self.network.advance(100)
        self.assertEqual(seen, [])
        self.host.resume()
        self.network.advance(1000)
        self.assertEqual(seen, [("first", start + 100), ("second", start + 100), ("third", start + 300)])

    def test_changed(self) -> None:
        """What is cancelled or put off while it waits does not come, or comes later."""
        seen: list[str] = []
        cancelled = self.host.callLater(1, seen.append, "cancelled")
        later = self.host.callLater(2, seen.append, "later")
        sooner = self.host.callLater(50, seen.append, "sooner")
        self.host.suspend()
        self.network.advance(10)
        cancelled.cancel()
        later.reset(100)
        sooner.reset(5)
        self.host.resume()
        self.network.advance(50)
        self.assertEqual(seen, ["sooner"])
        self.network.advance(51)
        self.assertEqual((seen, self.host.getDelayedCalls()), (["sooner", "later"], []))

    def test_unheard(self) -> None:
        """What is sent to it meanwhile is lost, but not what connections bring again."""
        socket, there = Socket(self.host, 7000), Socket(self.server)
        self.host.suspend()
        there.send(b"x", "10.0.0.1", 7000)
        self.accepted.say(b"y")
        self.network.advance(20)
        self.host.resume()
        self.network.advance(60)
        self.assertEqual((socket.heard, self.made.heard), ([], b"y"))

    def test_online(self) -> None:
        """It is off line as long as it sleeps, and after that if it was before."""
        self.host.suspend()
        self.assertFalse(self.host.online)
        self.host.resume()
        self.assertTrue(self.host.online)
        self.host.online = False
        self.host.suspend()
        self.host.resume()
        self.assertFalse(self.host.online)


class PacketSleepTests(SleepTests):
    """The same packet by packet."""

    mode = "packets"
