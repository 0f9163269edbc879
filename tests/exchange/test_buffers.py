"""Tests for L{twisted_bt.exchange.buffers}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.exchange.buffers import PieceBuffers


def taken(buffers: PieceBuffers, size: int) -> memoryview:
    """A buffer that must be granted."""
    view = buffers.take(size)
    assert view is not None
    return view


class PieceBuffersTests(SynchronousTestCase):
    """The pool that arriving pieces are put together in."""

    def test_takeAndGive(self) -> None:
        """A buffer has the size asked for and can be written; what is out is counted."""
        buffers = PieceBuffers(100)
        view = taken(buffers, 60)
        view[0:60] = bytes(60)
        self.assertEqual((len(view), buffers.out), (60, 60))
        buffers.give(view)
        self.assertEqual(buffers.out, 0)

    def test_budget(self) -> None:
        """What would pass the budget is refused, what just meets it is not."""
        buffers = PieceBuffers(100)
        taken(buffers, 60)
        self.assertIsNone(buffers.take(41))
        self.assertTrue(buffers.hungry)
        taken(buffers, 40)

    def test_largerThanBudget(self) -> None:
        """While nothing is out even a buffer over the budget is granted, but only one."""
        buffers = PieceBuffers(10)
        view = taken(buffers, 50)
        self.assertIsNone(buffers.take(1))
        buffers.give(view)
        taken(buffers, 50)

    def test_reuse(self) -> None:
        """What was given back is lent again."""
        buffers = PieceBuffers(100)
        view = taken(buffers, 30)
        buffers.give(view)
        self.assertIs(taken(buffers, 30), view)

    def test_keepsNoMoreThanTheBudget(self) -> None:
        """Memory kept for later goes when other sizes need the room, and when it never had any."""
        buffers = PieceBuffers(100)
        first = taken(buffers, 90)
        buffers.give(first)
        buffers.give(taken(buffers, 20))
        self.assertIsNot(taken(buffers, 90), first)
        small = PieceBuffers(10)
        large = taken(small, 50)
        small.give(large)
        self.assertIsNot(taken(small, 50), large)

    def test_trim(self) -> None:
        """After trimming, buffers are new ones."""
        buffers = PieceBuffers(100)
        view = taken(buffers, 30)
        buffers.give(view)
        buffers.trim()
        self.assertIsNot(taken(buffers, 30), view)

    def test_giveTwice(self) -> None:
        """What is not lent cannot be given back: two pieces would share it."""
        buffers = PieceBuffers(100)
        view = taken(buffers, 30)
        buffers.give(view)
        self.assertRaises(ValueError, buffers.give, view)
        self.assertRaises(ValueError, buffers.give, memoryview(bytearray(30)))
        self.assertEqual(buffers.out, 0)

    def test_onRoom(self) -> None:
        """Listeners hear once of room after a refusal, and not without one."""
        buffers = PieceBuffers(100)
        heard: list[str] = []
        end = buffers.onRoom(lambda: heard.append("room"))
        first, second = taken(buffers, 50), taken(buffers, 50)
        self.assertIsNone(buffers.take(50))
        buffers.give(first)
        self.assertEqual(heard, ["room"])
        buffers.give(second)
        self.assertEqual(heard, ["room"])
        whole = taken(buffers, 100)
        self.assertIsNone(buffers.take(1))
        end()
        end()
        buffers.give(whole)
        self.assertEqual(heard, ["room"])

    def test_onRoomOnlyWhenItFits(self) -> None:
        """Room for less than the least that was refused is none."""
        buffers = PieceBuffers(100)
        small, middle, _ = taken(buffers, 10), taken(buffers, 40), taken(buffers, 50)
        heard: list[str] = []
        buffers.onRoom(lambda: heard.append("room"))
        self.assertIsNone(buffers.take(80))
        self.assertIsNone(buffers.take(50))
        buffers.give(small)
        self.assertEqual(heard, [])
        buffers.give(middle)
        self.assertEqual(heard, ["room"])

    def test_takingInListener(self) -> None:
        """A listener may take what became free."""
        buffers = PieceBuffers(100)
        whole = taken(buffers, 100)
        got: list[memoryview | None] = []
        buffers.onRoom(lambda: got.append(buffers.take(70)))
        self.assertIsNone(buffers.take(70))
        buffers.give(whole)
        self.assertEqual(buffers.out, 70)
        self.assertEqual(len(got), 1)
