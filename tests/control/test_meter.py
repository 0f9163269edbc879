"""Tests for L{twisted_bt.control.meter}."""

from __future__ import annotations

from io import StringIO
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.control.meter import LINE_INTERVAL, BarMeter, LineMeter, Pace, meterFor


class Terminal(StringIO):
    """Somebody watches."""

    def isatty(self) -> bool:
        return True


class ChoiceTests(SynchronousTestCase):
    """Which meter is used where."""

    def test_terminal(self) -> None:
        """On a terminal there is a bar."""
        meter = meterFor("x", 10, Terminal(), Clock().seconds)
        self.assertIsInstance(meter, BarMeter)
        meter.close()

    def test_file(self) -> None:
        """Elsewhere there are lines, and nothing that moves a cursor."""
        out = StringIO()
        clock = Clock()
        meter: Any = meterFor("x", 10, out, clock.seconds)
        self.assertIsInstance(meter, LineMeter)
        clock.advance(LINE_INTERVAL)
        meter.show(5)
        self.assertTrue(out.getvalue().removesuffix("\n").isprintable())


class BarTests(SynchronousTestCase):
    """The bar."""

    def setUp(self) -> None:
        self.out = Terminal()
        self.meter = BarMeter("label", 2048, self.out)
        self.addCleanup(self.meter.close)

    def test_show(self) -> None:
        """It has label, share, sizes, rate, time left and peers."""
        self.meter.show(1024, 512.0, 3)
        line = self.out.getvalue().rpartition("\r")[2]
        for part in ("label", "50.0% |", "1.0 KiB of 2.0 KiB", "512 B/s", "ETA 2.0 s", "3 peers"):
            self.assertIn(part, line)

    def test_complete(self) -> None:
        """Once all is there nothing is left to wait for."""
        self.meter.show(2048, 0.0, 1)
        line = self.out.getvalue().rpartition("\r")[2]
        self.assertIn("100.0%", line)
        self.assertNotIn("ETA", line)

    def test_note(self) -> None:
        """A note stands in a line of its own."""
        self.meter.note("something happened")
        self.assertIn("something happened\n", self.out.getvalue())


class LineTests(SynchronousTestCase):
    """Lines where nobody watches closely."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.out = StringIO()
        self.meter = LineMeter("label", 2048, self.out, self.clock.seconds)

    def test_nowAndThen(self) -> None:
        """There is a line for each interval in which something was shown, however often it was."""
        for _ in range(25):
            self.clock.advance(1)
            self.meter.show(1024, 512.0, 1)
            self.meter.show(1024, 512.0, 1)
        self.assertEqual(
            self.out.getvalue().splitlines(), ["label: 50.0% of 2.0 KiB, 512 B/s, ETA 2.0 s, 1 peer"] * 2
        )

    def test_soonOver(self) -> None:
        """What is over at once needs no line."""
        self.meter.show(2048)
        self.meter.close()
        self.assertEqual(self.out.getvalue(), "")

    def test_note(self) -> None:
        """A note is a line."""
        self.meter.note("something happened")
        self.assertEqual(self.out.getvalue(), "something happened\n")


class PaceTests(SynchronousTestCase):
    """Work of our own on a meter."""

    def test_pace(self) -> None:
        """The meter hears some ten times a second, and of the end; the rate is the average."""
        shown: list[tuple[int, float]] = []

        class Recorder:
            def show(self, done: int, rate: float = 0.0, peers: int | None = None) -> None:
                shown.append((done, rate))

        clock = Clock()
        meter: Any = Recorder()
        pace = Pace(meter, 100, clock.seconds)
        for done in range(1, 101):
            clock.advance(0.015625)
            pace.show(done)
        self.assertTrue(14 <= len(shown) <= 18, shown)
        self.assertEqual(shown[-1], (100, 64.0))
        self.assertEqual(pace.elapsed, 1.5625)
