"""A small run of the simulated DHT; C{python -m tests.sim.dht --nodes 10000} is the large one."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.sim.dht import simulate


class SimulatedDhtTests(SynchronousTestCase):
    """Many nodes on a virtual clock."""

    def test_small(self) -> None:
        """
        Lookups find their peers in few hops: at rest, with losses, with many nodes gone, and with
        hostile ones round an info-hash; without BEP 42 these have their way.
        """
        said: list[str] = []
        faults = simulate(150, 100, 60, 3, said.append)
        self.assertEqual(faults, [], "\n".join(said))
        self.assertIn("BEP 42 off", said[-1])
        found = float(said[-1].split("%")[0].split()[-1])
        self.assertLess(found, 50)
