"""
Scenarios in a short form; C{python -m tests.sim.swarms} runs the long one.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.sim.scenarios import SCENARIOS
from tests.sim.scenarios.crowd import HOME, Crowd, Outcome
from tests.sim.scenarios.ordinary import flashCrowd
from tests.sim.swarms import main, run

#: Leechers and bytes of those that look at a few.
FEW, LITTLE = 16, 2_000_000


class CrowdTests(SynchronousTestCase):
    """
    Leechers at home, and a seeder with a line like theirs: all finish, and the last takes at most half as
    long again as if data were a fluid.  The long form has 200.
    """

    def outcome(self, name: str) -> Outcome:
        """Of scenario C{name}; everything is as it should be."""
        (found,) = run(SCENARIOS[name][0], 20, 6_000_000, 1, print)
        self.assertEqual(found.faults, [])
        self.assertLess(found.ratio, 1.5)
        return found

    def test_flash(self) -> None:
        """They come at once."""
        self.outcome("flash")

    def test_staggered(self) -> None:
        """They arrive one by one."""
        self.outcome("staggered")

    def test_churn(self) -> None:
        """Every other one leaves at once when it is complete."""
        self.outcome("churn")

    def test_seederLeaves(self) -> None:
        """The seeder leaves when it gave everything away; all still finish."""
        self.assertLess(self.outcome("seeder-leaves").copies, 1.3)


class BoundTests(SynchronousTestCase):
    """How soon all can be done."""

    #: Seconds in which one of them sends the content.
    ONCE = 8.0

    def setUp(self) -> None:
        self.crowd = Crowd(1, int(self.ONCE * HOME.up))

    def tearDown(self) -> None:
        self.crowd.swarm.stop()

    def test_flash(self) -> None:
        """Of a crowd that is there from the beginning: as soon as the seeder sent all once."""
        self.crowd.flash(4)
        self.assertAlmostEqual(self.crowd.bound, self.ONCE)

    def test_arrivals(self) -> None:
        """Who comes later uploads nothing before."""
        self.crowd.flash(1)
        self.crowd.network.advance(4)
        newcomer = self.crowd.leecher()
        arrived = self.crowd.arrived[newcomer]
        # Two contents to send: by two until it came, then by three.
        self.assertAlmostEqual(self.crowd.bound, max(8.0, arrived + (16 - 2 * arrived) / 3))
        self.crowd.network.advance(10)
        last = self.crowd.leecher()
        self.assertAlmostEqual(self.crowd.bound, self.crowd.arrived[last] + 1.0)  # it receives it in a second

    def test_departures(self) -> None:
        """Who left uploads nothing after."""
        self.crowd.flash(3)
        self.crowd.network.advance(4)
        for each in (self.crowd.seeder, self.crowd.leechers[0]):
            self.crowd.leave(each)
        # Three contents to send: by four for four seconds, then by two.
        self.assertAlmostEqual(self.crowd.bound, 4 + (24 - 16) / 2)


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

    def test_mixed(self) -> None:
        """Links differ."""
        self.outcomes("mixed")

    def test_defaultSlots(self) -> None:
        """With four slots a seeder spreads as well as with fifty, or nearly."""
        fifty, four = self.outcomes("default-slots")
        self.assertLess(four.last, 1.25 * fifty.last)

    def test_freeRiders(self) -> None:
        """Who never uploads gets clearly less."""
        # With fewer it decides who gets the seeder's slots in the first half minute.
        self.outcomes("free-riders", 40, 4_000_000)

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
