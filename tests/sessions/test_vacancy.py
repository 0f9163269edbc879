"""Tests of L{twisted_bt.sessions.vacancy}: slots (vocabulary: throttling)."""

from __future__ import annotations

from random import Random

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.sessions.vacancy import Vacancy


class VacancyTests(SynchronousTestCase):
    """Slots and who waits for them."""

    def assertCounts(self, vacancy: Vacancy, taken: int, vacant: int) -> None:
        """So many are taken and free."""
        self.assertEqual((vacancy.taken, vacancy.vacant), (taken, vacant))
        self.assertEqual(vacancy.limit - vacancy.taken, vacancy.vacant)

    def test_takeAndGive(self) -> None:
        """A slot is taken until it is given back."""
        vacancy = Vacancy(2)
        self.successResultOf(vacancy.waitVacancy())
        self.assertTrue(vacancy.tryEnter())
        self.assertCounts(vacancy, 2, 0)
        self.assertFalse(vacancy.tryEnter())
        vacancy.leave()
        self.assertCounts(vacancy, 1, 1)
        self.assertTrue(vacancy.tryEnter())

    def test_handedOn(self) -> None:
        """Who waited longest has the slot before C{leave} returns."""
        vacancy = Vacancy(1)
        vacancy.tryEnter()
        first, second = vacancy.waitVacancy(), vacancy.waitVacancy()
        self.assertNoResult(first)
        vacancy.leave()
        self.successResultOf(first)
        self.assertNoResult(second)
        self.assertCounts(vacancy, 1, 0)
        vacancy.leave()
        self.successResultOf(second)

    def test_priority(self) -> None:
        """Lower numbers come first, however long others wait."""
        vacancy = Vacancy(1)
        vacancy.tryEnter()
        got: list[str] = []

        def note(_: None, name: str) -> None:
            got.append(name)

        for priority, name in ((1, "seeder"), (0, "leecher"), (1, "late seeder"), (0, "late leecher")):
            vacancy.waitVacancy(priority).addCallback(note, name)
        for _ in range(4):
            vacancy.leave()
        self.assertEqual(got, ["leecher", "late leecher", "seeder", "late seeder"])

    def test_cancelled(self) -> None:
        """Who waits no longer owes nothing and is passed over."""
        vacancy = Vacancy(1)
        vacancy.tryEnter()
        waiters = [vacancy.waitVacancy() for _ in range(3)]
        waiters[1].cancel()
        self.failureResultOf(waiters[1], CancelledError)
        vacancy.leave()
        self.successResultOf(waiters[0])
        vacancy.leave()
        self.successResultOf(waiters[2])
        vacancy.leave()
        self.assertCounts(vacancy, 0, 1)

    def test_noOvertaking(self) -> None:
        """Nobody slips in by C{tryEnter} while somebody waits."""
        vacancy = Vacancy(1)
        vacancy.tryEnter()
        order: list[str] = []

        def whenLeft(_: None) -> None:
            order.append("waiter")
            self.assertFalse(vacancy.tryEnter())

        vacancy.waitVacancy().addCallback(whenLeft)
        self.assertFalse(vacancy.tryEnter())
        vacancy.leave()
        self.assertEqual(order, ["waiter"])

    def test_resized(self) -> None:
        """More slots admit those who wait; with fewer, who has one keeps it, and nobody is admitted until
        enough left."""
        vacancy = Vacancy(1)
        vacancy.tryEnter()
        waiters = [vacancy.waitVacancy() for _ in range(3)]
        vacancy.resize(3)
        self.successResultOf(waiters[0])
        self.successResultOf(waiters[1])
        vacancy.resize(1)
        self.assertCounts(vacancy, 3, -2)
        vacancy.leave()
        vacancy.leave()
        self.assertNoResult(waiters[2])
        vacancy.leave()
        self.successResultOf(waiters[2])

    def test_moreGivenThanTaken(self) -> None:
        """To give back what was not taken is a bug, and said."""
        vacancy = Vacancy(1)
        self.assertRaises(ValueError, vacancy.leave)
        self.assertCounts(vacancy, 0, 1)

    def test_anyOrder(self) -> None:
        """Whatever is done: never more than the limit, and nobody waits beside a free slot."""
        random = Random(7)
        for _ in range(50):
            vacancy = Vacancy(random.randrange(1, 5))
            waiting: list[Deferred[None]] = []
            held = 0
            for _ in range(60):
                move = random.randrange(4)
                if move == 0:
                    waiting.append(vacancy.waitVacancy(random.randrange(2)))
                elif move == 1 and held:
                    vacancy.leave()
                    held -= 1
                elif move == 2 and waiting:
                    waiter = waiting.pop(random.randrange(len(waiting)))
                    waiter.addErrback(lambda reason: reason.trap(CancelledError))
                    waiter.cancel()
                elif move == 3:
                    held += vacancy.tryEnter()
                for waiter in [each for each in waiting if each.called]:
                    waiting.remove(waiter)
                    held += 1
                self.assertEqual(vacancy.taken, held)
                self.assertLessEqual(vacancy.taken, vacancy.limit)
                self.assertFalse(waiting and vacancy.vacant > 0)
