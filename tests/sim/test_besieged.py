"""One run among fifty villains; C{python -m tests.sim.besieged} runs more, and longer ones."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.sim.besieged import run


class BesiegedTests(SynchronousTestCase):
    """One leecher among fifty villains."""

    def test_keepsItsRate(self) -> None:
        """It keeps at least 80 % of its rate, whether they come with the honest or before them."""
        said: list[str] = []
        kept, faults = run(range(1), 25_000_000, say=said.append)
        self.assertEqual((len(kept), faults), (2, []), "\n".join(said))
