"""Tests for L{twisted_bt.control.units}."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.control.units import (
    formatDuration,
    formatRate,
    formatSize,
    parseSize,
    percentage,
    plural,
    remaining,
)


class FormatTests(SynchronousTestCase):
    """What people read."""

    def test_sizes(self) -> None:
        """A size has at most four digits and the largest unit that gives it one before the point."""
        for size, text in [
            (0, "0 B"),
            (1, "1 B"),
            (999, "999 B"),
            (1000, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (100 * 1024, "100 KiB"),
            (999 * 1024, "999 KiB"),
            (1 << 20, "1.0 MiB"),
            (700 << 20, "700 MiB"),
            (5 << 30, "5.0 GiB"),
            (1 << 60, "1.0 EiB"),
            (1 << 73, "8192 EiB"),
        ]:
            self.assertEqual(formatSize(size), text)

    def test_rate(self) -> None:
        """A rate is a size a second."""
        self.assertEqual(formatRate(2.5 * 1024 * 1024), "2.5 MiB/s")

    def test_durations(self) -> None:
        """Seconds, minutes, hours and days, each as one writes them."""
        for seconds, text in [
            (0, "0.0 s"),
            (9.94, "9.9 s"),
            (9.96, "10 s"),
            (59.4, "59 s"),
            (59.6, "1:00"),
            (200, "3:20"),
            (3600, "1:00:00"),
            (7509, "2:05:09"),
            (76 * 3600, "3 d 4 h"),
            (float("inf"), "unknown"),
            (float("nan"), "unknown"),
        ]:
            self.assertEqual(formatDuration(seconds), text)

    def test_remaining(self) -> None:
        """The time left is bytes over rate, and unknown while nothing comes."""
        self.assertEqual(remaining(1000, 10), "1:40")
        self.assertEqual(remaining(1000, 0), "unknown")

    def test_percentageIsCut(self) -> None:
        """A hundred percent is said only of all; nothing of nothing is all."""
        self.assertEqual(percentage(9999, 10000), "99.9%")
        self.assertEqual(percentage(10000, 10000), "100.0%")
        self.assertEqual(percentage(0, 10), "0.0%")
        self.assertEqual(percentage(0, 0), "100.0%")

    def test_plural(self) -> None:
        """One has no s."""
        self.assertEqual([plural(n, "file") for n in (0, 1, 2)], ["0 files", "1 file", "2 files"])


class ParseSizeTests(SynchronousTestCase):
    """Sizes on a command line."""

    def test_forms(self) -> None:
        """Plain bytes, a letter, a unit, a fraction, in any case."""
        for text, size in [
            ("0", 0),
            ("65536", 65536),
            ("256K", 1 << 18),
            ("256k", 1 << 18),
            ("256KiB", 1 << 18),
            ("64 MB", 64 << 20),
            ("1.5G", 3 << 29),
            ("2T", 2 << 40),
            ("100B", 100),
        ]:
            self.assertEqual(parseSize(text), size, text)

    def test_refused(self) -> None:
        """Anything else is a ValueError that shows it."""
        for text in ("", "K", "-1", "1X", "1.5.5", "ten", "1e6", "0x10"):
            self.assertIn(repr(text), str(self.assertRaises(ValueError, parseSize, text)))

    @settings(derandomize=True, deadline=None)
    @given(st.integers(0, 1 << 50))
    def test_plainNumbers(self, number: int) -> None:
        """A number without a unit is itself."""
        self.assertEqual(parseSize(str(number)), number)
