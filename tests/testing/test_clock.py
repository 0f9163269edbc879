"""Tests of L{twisted_bt.testing.clock}."""

from __future__ import annotations

from math import inf

from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.interfaces import IDelayedCall
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_bt.testing.clock import VirtualClock


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

    def test_interface(self) -> None:
        """A call is an C{IDelayedCall} that says what it is."""
        call = self.later(1, "a")
        verifyObject(IDelayedCall, call)
        self.assertIn("append at 1.000000 active", repr(call))

    def test_noPast(self) -> None:
        """Nothing can be made for a time that was, or for no time."""
        self.assertRaises(ValueError, self.later, -0.1, "a")
        self.assertRaises(ValueError, self.later, float("nan"), "a")
