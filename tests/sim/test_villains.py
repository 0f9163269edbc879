"""Some seeds of the swarms among villains; C{python -m tests.sim.villains --seeds 1000} runs more."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.sim.villains import report, run


class VillainSwarmTests(SynchronousTestCase):
    """Honest clients among villains."""

    def test_seeds(self) -> None:
        """Everybody honest completes and is not banned, who sends wrong data is, and nothing is left."""
        tally = run(range(60), say=lambda said: None)
        self.assertEqual(tally.faults, [], "\n".join(report(tally, 60)))
        self.assertGreater(tally.shared, 5)
        self.assertGreater(len(tally.kinds), 20)
