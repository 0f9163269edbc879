"""Tests of limits both ways."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.dht.limits import FloodGuard, SendBudget


class BudgetTests(SynchronousTestCase):
    """What we send."""

    def test_rate(self) -> None:
        """Over a long time no more is sent than the rate and one burst, however it is asked for."""
        random = Random(1)
        budget = SendBudget(1000.0, burst=2.0)
        now, sent = 0.0, 0
        while now < 100.0:
            size = random.randrange(1, 400)
            sent += size if random.choice([budget.takeAnswer, budget.takeQuery])(size, now) else 0
            now += random.random() * 0.05
        self.assertLessEqual(sent, 1000 * 100 + 2000)
        self.assertGreater(sent, 1000 * 95)

    def test_reserve(self) -> None:
        """Answers leave something for our own queries."""
        budget = SendBudget(1000.0, burst=2.0)
        while budget.takeAnswer(100, 0.0):
            pass
        self.assertTrue(budget.takeQuery(100, 0.0))

    def test_wait(self) -> None:
        """It says how long a query has to wait, and then it may go."""
        budget = SendBudget(1000.0, burst=2.0)
        while budget.takeQuery(100, 0.0):
            pass
        wait = budget.wait(100)
        self.assertGreater(wait, 0)
        self.assertTrue(budget.takeQuery(100, wait + 0.001))

    def test_tooLarge(self) -> None:
        """What is larger than all there ever is goes out once that is full."""
        budget = SendBudget(10.0, burst=2.0)
        self.assertTrue(budget.takeQuery(500, 0.0))
        self.assertFalse(budget.takeQuery(500, 10.0))
        self.assertTrue(budget.takeQuery(500, 100.0))


class FloodTests(SynchronousTestCase):
    """Who sends too much."""

    def setUp(self) -> None:
        self.guard = FloodGuard(rate=5.0, window=10.0, blockTime=300.0, capacity=100)

    def test_blocked(self) -> None:
        """Fifty in ten seconds are allowed; one more, and nothing is listened to for five minutes."""
        self.assertEqual([self.guard.allows("a", 1.0) for _ in range(51)], [True] * 50 + [False])
        self.assertTrue(self.guard.blocked("a", 300.0))
        self.assertFalse(self.guard.blocked("b", 300.0))
        self.assertFalse(self.guard.blocked("a", 301.0))
        self.assertTrue(self.guard.allows("a", 301.0))

    def test_slowly(self) -> None:
        """Who sends four a second for ever is never blocked."""
        self.assertTrue(all(self.guard.allows("a", number / 4) for number in range(4000)))

    def test_bounded(self) -> None:
        """However many addresses there are, so many are remembered; one that floods is found still."""
        for number in range(100_000):
            self.guard.allows(str(number), number / 10_000)
            if number % 100 == 0:
                self.guard.allows("flood", number / 10_000)
        self.assertLessEqual(len(self.guard), 200)
        for number in range(200):
            for _ in range(51):
                self.guard.allows(f"x{number}", 20.0)
        self.assertLessEqual(len(self.guard), 200)
