"""
The driver itself: that it finds what is there to be found, and says so.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.fuzz import driver
from tests.fuzz.driver import fuzz
from tests.fuzz.mutation import Mutator
from tests.fuzz.pump import pump
from tests.fuzz.target import ACCEPTED, REJECTED, Tally, Target


class Faulty(Target):
    """Has a few faults, of which each shows with inputs that are not rare."""

    name = "faulty"
    maxLength = 1 << 16
    words = (b"fault",)
    fault = ""

    def seeds(self) -> list[bytes]:
        """One."""
        return [b"nothing at all is wrong with this"]

    def run(self, data: bytes) -> Tally:
        """Raises, keeps, or dawdles over, what holds the word."""
        count = data.count(b"fault")
        if count and self.fault == "raises":
            raise KeyError("fault")
        if self.fault == "keeps":
            self.kept = bytes(len(data) * 10_000)
        if self.fault == "endless":
            while count:
                pass
        if self.fault == "grows":
            sum(1 for _ in range(count) for _ in range(count * 3))
        return ACCEPTED if data.isascii() else REJECTED


class DriverTests(SynchronousTestCase):
    """L{fuzz} and L{pump}."""

    def setUp(self) -> None:
        self.target = Faulty()
        self.said: list[str] = []
        self.keep = Path(self.mktemp())

    def test_nothing(self) -> None:
        """Where nothing is wrong nothing is found, and every input is counted."""
        report = fuzz(self.target, 500, 1, self.keep, self.said.append)
        self.assertEqual((report.inputs, report.accepted + report.rejected, report.findings), (500, 500, 0))
        self.assertTrue(report.accepted)
        self.assertTrue(report.rejected)
        self.assertFalse(self.keep.exists())

    def test_raises(self) -> None:
        """An exception that is not documented is found, said once, and its input is kept."""
        self.target.fault = "raises"
        report = fuzz(self.target, 500, 1, self.keep, self.said.append)
        self.assertGreater(report.findings, 1)
        self.assertEqual(len(report.found), 1)
        [kept] = self.keep.iterdir()
        self.assertIn(b"fault", kept.read_bytes())
        self.assertRaises(KeyError, self.target.run, kept.read_bytes())
        self.assertIn("KeyError", self.said[0])

    def test_memory(self) -> None:
        """So is an input that takes far more memory than it is long."""
        self.target.fault = "keeps"
        self.patch(driver, "SAMPLED", 50)
        self.assertIn("memory", str(fuzz(self.target, 60, 1, None, self.said.append).found))

    def test_endless(self) -> None:
        """So is one that never ends."""
        self.target.fault = "endless"
        self.patch(driver, "ENDLESS", 0.05)
        self.assertIn("Endless", str(fuzz(self.target, 60, 1, None, self.said.append).found))

    def test_grows(self) -> None:
        """So is one that takes more time than its length explains."""
        self.target.fault = "grows"
        self.assertIn("grows", str(pump(self.target, 60, 1, None, self.said.append).found))

    def test_seed(self) -> None:
        """A seed decides the inputs."""
        first, second, other = (Mutator(self.target, seed) for seed in (1, 1, 2))
        made = [first.next() for _ in range(100)]
        self.assertEqual(made, [second.next() for _ in range(100)])
        self.assertNotEqual(made, [other.next() for _ in range(100)])
        self.assertEqual(made[0], self.target.seeds()[0])
