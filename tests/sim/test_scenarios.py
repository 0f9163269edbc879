"""
Scenarios in a short form; C{python -m tests.sim.swarms} runs the long one.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.sim.scenarios import SCENARIOS
from tests.sim.scenarios.crowd import Outcome
from tests.sim.scenarios.ordinary import evenCrowd, flashCrowd
from tests.sim.swarms import main, run

#: Leechers and bytes of those that look at a few.
FEW, LITTLE = 16, 2_000_000


class CrowdTests(SynchronousTestCase):
    """Leechers at home, and a seeder; the long form has 200."""

    def test_everybodyFinishes(self) -> None:
        """All finish, and the last takes at most half as long again as if data were a fluid."""
        outcomes = run(flashCrowd, 20, 6_000_000, 1, print)
        self.assertEqual(outcomes[0].faults, [])

    def test_even(self) -> None:
        """Not much longer where the seeder uploads no faster than each of them."""
        outcomes = run(evenCrowd, 20, 6_000_000, 1, print)
        self.assertEqual(outcomes[0].faults, [])


class ScenarioTests(SynchronousTestCase):
    """A few leechers; bounds on time are those of many."""

    def outcomes(self, name: str, leechers: int = FEW, size: int = LITTLE) -> list[Outcome]:
        """Scenario C{name}; everything is as it should be but perhaps the time it takes."""
        found = run(SCENARIOS[name][0], leechers, size, 1, print)
        for outcome in found:
            # The fewer and the smaller the pieces of time, the more the beginning counts.
            wrong = [fault for fault in outcome.faults if "times the bound" not in fault]
            self.assertEqual(wrong, [])
            self.assertLess(outcome.ratio, 2.0)
        return found

    def test_staggered(self) -> None:
        """They arrive one by one."""
        self.outcomes("staggered")

    def test_churn(self) -> None:
        """Every other one leaves at once when it is complete."""
        self.outcomes("churn")

    def test_seederLeaves(self) -> None:
        """The seeder leaves when it gave everything away; all still finish."""
        (outcome,) = self.outcomes("seeder-leaves")
        self.assertLess(outcome.copies, 1.5)

    def test_mixed(self) -> None:
        """Links differ."""
        self.outcomes("mixed")

    def test_defaultSlots(self) -> None:
        """With four slots a seeder spreads as well as with fifty, or nearly."""
        fifty, four = self.outcomes("default-slots")
        self.assertLess(four.last, 1.25 * fifty.last)

    def test_freeRiders(self) -> None:
        """Who never uploads gets clearly less."""
        self.outcomes("free-riders", 25, 3_000_000)

    def test_villains(self) -> None:
        """Among fifty villains everybody keeps at least 80 % of the rate."""
        self.outcomes("villains", 10)

    def test_corruption(self) -> None:
        """Who sends wrong blocks is found and banned, and nobody else."""
        self.outcomes("corruption", 12)


class PickerTests(SynchronousTestCase):
    """The same crowd with other pickers."""

    def test_compared(self) -> None:
        """Rarest first is much quicker than all in the same order; a user's own picker runs."""
        rarest, sequential, own = run(SCENARIOS["pickers"][0], 10, 1_500_000, 1, print)
        self.assertEqual(rarest.faults + sequential.faults + own.faults, [])
        self.assertLess(rarest.last * 1.3, sequential.last)


class CommandTests(SynchronousTestCase):
    """C{python -m tests.sim.swarms}."""

    def test_table(self) -> None:
        """It prints a row for each outcome; its status says whether all is well."""
        self.assertEqual(main(["mixed", "--leechers", "4", "--size", "0.5"]), 0)

    def test_faults(self) -> None:
        """What is not as it should be makes the status 1."""
        self.assertEqual(main(["flash", "--leechers", "2", "--size", "0.1"]), 1)

    def test_same(self) -> None:
        """The same seed makes the same outcome."""
        one, again, other = (run(flashCrowd, 4, 300_000, seed, lambda _: None)[0] for seed in (1, 1, 2))
        self.assertEqual(str(one), str(again))
        self.assertNotEqual(one.last, other.last)
