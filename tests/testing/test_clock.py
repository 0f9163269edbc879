"""Tests of L{twisted_bt.testing.clock}."""

from __future__ import annotations

from math import inf
from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_bt.testing.clock import VirtualClock
from twisted_bt.testing.network import Network


class VirtualClockTests(SynchronousTestCase):
    """The order of events."""

    def setUp(self) -> None:
        """A clock, and a list of what was called."""
        self.clock = VirtualClock()
        self.seen: list[object] = []

    def later(self, delay: float, name: object) -> IDelayedCall:
        """Note C{name} after C{delay} seconds."""
        return self.clock.callLater(delay, self.seen.append, ((name,), {}))

    def run_(self, until: float = inf) -> None:
        """All events until then."""
        while self.clock.run(until):
            pass

    def test_inOrder(self) -> None:
        """Events come in the order of their times, equal ones in the order they were made."""
        for delay, name in ((2, "c"), (1, "a"), (2, "d"), (1, "b")):
            self.later(delay, name)
        self.run_()
        self.assertEqual(self.seen, ["a", "b", "c", "d"])
        self.assertEqual(self.clock.now, 2.0)

    def test_onlyUntil(self) -> None:
        """What is due later stays, and the clock stands at the last event."""
        self.later(1, "a")
        self.later(3, "b")
        self.run_(until=2.0)
        self.assertEqual((self.seen, self.clock.now), (["a"], 1.0))

    def test_putOff(self) -> None:
        """A call that is reset comes at its new time, behind those made for that time before."""
        call = self.later(1, "a")
        self.later(2, "b")
        call.reset(2)
        self.run_()
        self.assertEqual(self.seen, ["b", "a"])

    def test_broughtForward(self) -> None:
        """A call that is reset to an earlier time comes then, and once."""
        call = self.later(5, "a")
        self.later(2, "b")
        call.reset(1)
        self.run_()
        self.assertEqual(self.seen, ["a", "b"])

    def test_backAndForth(self) -> None:
        """A call moved to and fro comes once, at the last time it was told."""
        call = self.later(5, "a")
        call.reset(1)
        call.reset(4)
        call.delay(2)
        self.assertEqual(call.getTime(), 6.0)
        self.run_(until=5.9)
        self.assertEqual(self.seen, [])
        self.run_()
        self.assertEqual((self.seen, self.clock.now), (["a"], 6.0))

    def test_cancelled(self) -> None:
        """A cancelled call never comes, and cannot be touched again."""
        call = self.later(1, "a")
        call.cancel()
        self.assertFalse(call.active())
        self.run_()
        self.assertEqual(self.seen, [])
        self.assertRaises(AlreadyCancelled, call.cancel)
        self.assertRaises(AlreadyCancelled, call.reset, 1)

    def test_called(self) -> None:
        """A call that came cannot be touched again."""
        call = self.later(1, "a")
        self.run_()
        self.assertFalse(call.active())
        self.assertRaises(AlreadyCalled, call.cancel)
        self.assertRaises(AlreadyCalled, call.delay, 1)

    def test_posted(self) -> None:
        """What is posted takes its place among the others; the past is now."""
        self.later(1, "a")
        self.clock.post(1.0, None, self.seen.append, "b")
        self.later(1, "c")
        self.clock.post(-5.0, None, self.seen.append, "first")
        self.run_()
        self.assertEqual(self.seen, ["first", "a", "b", "c"])

    def test_interface(self) -> None:
        """A call is an C{IDelayedCall} that says what it is."""
        call = self.later(1, "a")
        verifyObject(IDelayedCall, call)
        self.assertIn("append at 1.000000 active", repr(call))

    def test_noPast(self) -> None:
        """Nothing can be made for a time that was, or for no time."""
        self.assertRaises(ValueError, self.later, -0.1, "a")
        self.assertRaises(ValueError, self.later, float("nan"), "a")


class HostTests(SynchronousTestCase):
    """Whose events they are."""

    def setUp(self) -> None:
        """Two hosts."""
        self.network = Network()
        self.clock = self.network.clock
        self.one, self.two = self.network.host(), self.network.host()
        self.seen: list[Any] = []

    def look(self, name: str = "") -> None:
        """Note whose event this is."""
        self.seen.append((name, self.network.current) if name else self.network.current)

    def test_current(self) -> None:
        """During an event, and in what looks after it, the network knows its host."""
        self.network.afterEvent.append(self.look)
        self.one.callLater(1, self.look)
        self.clock.callLater(2, self.look)
        self.two.callFromThread(self.look)
        self.network.advance(3)
        self.assertEqual(self.seen, [self.two, self.two, self.one, self.one, None, None])
        self.assertIsNone(self.network.current)

    def test_inherited(self) -> None:
        """An event that nobody says is whose is of the host that made it."""
        self.one.callLater(1, self.clock.callLater, 1, self.look)
        self.network.advance(3)
        self.assertEqual(self.seen, [self.one])

    def test_raising(self) -> None:
        """So it is where an event raises something."""
        self.network.afterEvent.append(self.look)
        self.one.callLater(1, lambda: 1 // 0)
        self.network.advance(3)
        self.flushLoggedErrors(ZeroDivisionError)
        self.assertEqual((self.seen, self.network.current), ([self.one], None))

    def test_atEnd(self) -> None:
        """What is to be done at the end of a host's event is done in it; otherwise it is an event."""

        def event() -> None:
            self.clock.atEnd(self.one, lambda: self.look("end"))
            self.clock.atEnd(self.two, lambda: self.look("other"))
            self.look("event")

        self.one.callLater(1, event)
        self.one.callLater(1, self.look, "next")
        self.network.advance(2)
        names = [("event", self.one), ("end", self.one), ("next", self.one), ("other", self.two)]
        self.assertEqual(self.seen, names)
        self.clock.atEnd(self.one, lambda: self.look("without"))
        self.assertEqual(len(self.seen), 4)
        self.network.advance(0)
        self.assertEqual(self.seen[-1], ("without", self.one))

    def test_arrivals(self) -> None:
        """What comes over the network is an event of who gets it, in both modes; connections included."""
        for mode in ("packets", "flow"):
            network = Network(mode=mode)
            one, two = network.host("10.0.0.1"), network.host("10.0.0.2")
            noting = Protocol()
            noting.dataReceived = lambda _, network=network: self.seen.append(network.current)  # type: ignore[method-assign,misc]
            factory = Factory()
            factory.buildProtocol = lambda _, noting=noting: noting  # type: ignore[method-assign,misc]
            two.listenTCP(80, factory)
            client = network.runUntil(connectProtocol(TCP4ClientEndpoint(one, "10.0.0.2", 80), Protocol()))
            client.transport.write(b"x")
            network.advance(1)
            self.assertIs(self.seen[-1], two)

    def test_asleep(self) -> None:
        """What is to be called on a host that sleeps waits for it, in order; the network goes on."""
        self.one.callLater(1, self.look, "a")
        self.one.callLater(2, self.look, "b").reset(3)
        self.one.callLater(2, self.look, "gone").cancel()
        self.two.callLater(2, self.look, "c")
        self.clock.post(2.5, self.one, self.look, "network")
        self.one.suspend()
        self.network.advance(5)
        self.assertEqual([name for name, _ in self.seen], ["c", "network"])
        self.one.resume()
        self.network.advance(0)
        self.assertEqual([name for name, _ in self.seen][2:], ["a", "b"])
        self.assertEqual(self.network.now, 5.0)

    def test_callsOf(self) -> None:
        """What is to be called on a host is known, in order."""
        late, early = self.one.callLater(2, self.look), self.one.callLater(1, self.look)
        self.one.callLater(1, self.look).cancel()
        self.two.callLater(1, self.look)
        self.clock.post(1.0, self.one, self.look)
        late.reset(0.5)
        self.assertEqual(self.clock.callsOf(self.one), [late, early])
