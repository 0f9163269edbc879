"""Tests for L{twisted_bt.exchange.choker}."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.exchange.choker import StandardChoker
from twisted_bt.interfaces import IChoker
from twisted_bt.testing.chokers import ChokedSwarm, ChokerContract, candidate


class StandardChokerContractTests(ChokerContract, SynchronousTestCase):
    """L{StandardChoker} is a choker."""

    def makeChoker(self) -> IChoker:
        """A new choker."""
        return StandardChoker(random.Random(1))


class LeechingTests(SynchronousTestCase):
    """Tit for tat."""

    def swarm(self, slots: int = 4, seed: int = 1) -> ChokedSwarm:
        """A swarm without peers, leeching."""
        return ChokedSwarm(StandardChoker(random.Random(seed)), slots)

    def test_bestAreServed(self) -> None:
        """The three that send most have three of the four slots, round after round."""
        swarm = self.swarm()
        swarm.add(*(candidate(n, down=1000.0 * n) for n in range(1, 11)))
        for _ in range(30):
            keys = swarm.round()
            self.assertLessEqual({8, 9, 10}, set(keys))
            self.assertEqual(len(keys), 4)

    def test_slotsAreFilled(self) -> None:
        """As long as anybody is interested no slot is idle, though nobody has sent anything."""
        swarm = self.swarm()
        swarm.add(*(candidate(n) for n in range(3)))
        self.assertEqual(sorted(map(str, swarm.round())), ["0", "1", "2"])
        swarm.add(*(candidate(n) for n in range(3, 10)))
        for _ in range(10):
            self.assertEqual(len(swarm.round()), 4)

    def test_optimistic(self) -> None:
        """One slot goes to another peer every thirty seconds, until all had it."""
        swarm = self.swarm()
        swarm.add(*(candidate(n, down=1000.0) for n in "abc"))
        swarm.add(*(candidate(n) for n in range(10)))
        lucky = [(set(swarm.round()) - set("abc")).pop() for _ in range(3 * 100)]
        for turn in range(100):
            self.assertEqual(len(set(lucky[3 * turn : 3 * turn + 3])), 1)
        self.assertEqual(set(lucky), set(range(10)))
        self.assertTrue(all(lucky[n] != lucky[n + 3] for n in range(0, 297, 3)))

    def test_newcomers(self) -> None:
        """A newcomer is about three times as likely to be drawn as one of old."""
        drawn: Counter[str] = Counter()
        for seed in range(1500):
            swarm = self.swarm(slots=1, seed=seed)
            swarm.add(candidate("new", connectedFor=0.0), *(candidate(f"old{n}") for n in range(3)))
            drawn.update(str(key)[:3] for key in swarm.round())
        self.assertApproximates(drawn["new"] / drawn["old"], 1.0, 0.2)

    def test_snubbed(self) -> None:
        """Who snubs us loses its slot to those that send, but may be drawn."""
        swarm = self.swarm()
        swarm.add(*(candidate(n, down=1000.0 + n) for n in range(10)))
        swarm.add(candidate("snub", down=1e6))
        for _ in range(4):
            self.assertIn("snub", swarm.round())
        swarm.peers["snub"] = replace(swarm.peers["snub"], snubbed=True)
        swarm.round()
        served = ["snub" in swarm.round() for _ in range(300)]
        self.assertLess(sum(served), 100)
        self.assertGreater(sum(served), 0)

    def takers(self, **what: Any) -> set[object]:
        """Who is ever served by chance when some of those that wait took a lot, and are as C{what} says."""
        swarm = self.swarm()
        swarm.add(*(candidate(n, down=1000.0) for n in "abc"))
        swarm.add(*(candidate(n) for n in range(3)))
        swarm.add(*(replace(candidate(n), uploaded=1_000_000, **what) for n in range(3, 6)))
        return {key for _ in range(200) for key in swarm.round()} - set("abc")

    def test_takers(self) -> None:
        """Who took a lot and gave nothing of what it has is not drawn while others wait."""
        self.assertEqual(self.takers(), {0, 1, 2})
        self.assertEqual(self.takers(downloaded=1000), {0, 1, 2})

    def test_noTakers(self) -> None:
        """Who gave something, or has nothing that we lack, is drawn like anybody."""
        self.assertEqual(self.takers(downloaded=200_000), set(range(6)))
        self.assertEqual(self.takers(offers=False), set(range(6)))

    def test_takersAlone(self) -> None:
        """Where nobody else is interested those who only take are served."""
        swarm = self.swarm()
        swarm.add(*(replace(candidate(n), uploaded=1_000_000) for n in range(6)))
        self.assertEqual(len(swarm.round()), 4)

    def test_takerLosesSlot(self) -> None:
        """Who has a slot by chance and gives nothing for it has it no longer than one round."""
        swarm = self.swarm()
        swarm.add(*(candidate(n, down=1000.0) for n in "abc"), candidate("taker"))
        self.assertIn("taker", swarm.round())
        swarm.peers["taker"] = replace(swarm.peers["taker"], uploaded=1_000_000)
        swarm.add(candidate("other"))
        self.assertIn("taker", swarm.round(1.0))
        self.assertNotIn("taker", swarm.round())

    def test_notInterested(self) -> None:
        """
        Who is not interested has no slot, but stays unchoked while it sends faster than the slowest
        that earned one.
        """
        swarm = self.swarm()
        swarm.add(*(candidate(n, down=1000.0) for n in range(6)))
        swarm.add(
            candidate("fast", interested=False, down=5000.0), candidate("slow", interested=False, down=10.0)
        )
        keys = set(swarm.round())
        self.assertIn("fast", keys)
        self.assertNotIn("slow", keys)
        self.assertEqual(len(keys - {"fast"}), 4)
        swarm.peers["fast"] = replace(swarm.peers["fast"], interested=True)
        keys = set(swarm.round())
        self.assertIn("fast", keys)
        self.assertEqual(len(keys), 4)

    def test_noFlutter(self) -> None:
        """Rates that differ by a few percent, now this way now that, choke nobody."""
        source = random.Random(4)
        swarm = self.swarm()
        swarm.add(*(candidate(n) for n in range(8)))
        swarm.round()
        regular: list[set[object]] = []
        for _ in range(200):
            for key in list(swarm.peers):
                swarm.peers[key] = replace(swarm.peers[key], downloadRate=1000.0 * source.uniform(0.97, 1.03))
            regular.append(set(swarm.round()))
        # Only turns of the optimistic slot change anything: one out, one in, every third round.
        self.assertLessEqual(swarm.changes, 4 + 8 + 2 * (200 // 3 + 1))

    def test_clearlyBetterWins(self) -> None:
        """Who sends twice as much takes a slot within the least time that an unchoked peer is kept."""
        swarm = self.swarm()
        swarm.add(*(candidate(n, down=1000.0) for n in range(4)))
        swarm.round()
        swarm.add(candidate("better", down=2000.0))
        swarm.round()
        self.assertIn("better", swarm.round())

    def test_leastTime(self) -> None:
        """Judging again in the next instant changes nothing for those just unchoked."""
        swarm = self.swarm()
        swarm.add(*(candidate(n, down=1000.0 + n) for n in range(4)))
        before = set(swarm.round())
        swarm.add(*(candidate(n, down=9000.0) for n in range(10, 20)))
        self.assertEqual(set(swarm.round(1.0)), before)

    def test_freeSlotIsFilledAtOnce(self) -> None:
        """When somebody leaves, judging early gives its slot away, and takes none from others."""
        swarm = self.swarm()
        swarm.add(*(candidate(n, down=100.0 * n) for n in range(8)))
        before = set(swarm.round())
        gone = max(before, key=str)
        del swarm.peers[gone]
        del swarm.unchoked[gone]
        after = set(swarm.round(0.5))
        self.assertLessEqual(before - {gone}, after)
        self.assertEqual(len(after), 4)

    def test_luckIsNotMerit(self) -> None:
        """Who was drawn a moment ago and sends a trickle takes the place of nobody that earned it."""
        swarm = self.swarm()
        swarm.add(*(candidate(n, down=1000.0) for n in "abc"))
        swarm.add(candidate("first"))
        swarm.round()
        del swarm.peers["first"]
        del swarm.unchoked["first"]
        swarm.round(15.0)
        swarm.add(candidate("lucky", down=1.0))
        self.assertEqual(set(swarm.round(10.0)), set("abc") | {"lucky"})
        swarm.add(candidate("next"))
        self.assertEqual(set(swarm.round(6.0)), set("abc") | {"lucky"})

    def test_oneSlot(self) -> None:
        """A single slot goes to the best, if anybody sends; else by turns."""
        swarm = self.swarm(slots=1)
        swarm.add(*(candidate(n) for n in range(5)))
        self.assertEqual({key for _ in range(90) for key in swarm.round()}, set(range(5)))
        swarm.peers[2] = replace(swarm.peers[2], downloadRate=500.0)
        swarm.round()
        self.assertEqual({key for _ in range(30) for key in swarm.round()}, {2})


class SeedingTests(SynchronousTestCase):
    """Everybody gets a turn, the fast ones more."""

    def swarm(self, slots: int = 4) -> ChokedSwarm:
        """A swarm without peers, seeding."""
        return ChokedSwarm(StandardChoker(random.Random(1)), slots, seeding=True)

    def test_everybodyGetsATurn(self) -> None:
        """Of twenty equal peers each is served within the time that turns take."""
        swarm = self.swarm()
        swarm.add(*(candidate(n) for n in range(20)))
        seen: set[object] = set()
        for _ in range(3 * 20):
            keys = swarm.round()
            self.assertEqual(len(keys), 4)
            seen |= set(keys)
        self.assertEqual(seen, set(range(20)))

    def test_fastStay(self) -> None:
        """Three that take much are served all the time, the fourth slot goes round."""
        swarm = self.swarm()
        swarm.add(*(candidate(n) for n in range(12)))
        for _ in range(120):
            swarm.round()
            for key in list(swarm.peers):
                rate = (1000.0 if key in (1, 2, 3) else 10.0) if key in swarm.unchoked else 0.0
                swarm.peers[key] = replace(swarm.peers[key], uploadRate=rate)
        served = Counter(key for _ in range(60) for key in swarm.round())
        for key in (1, 2, 3):
            self.assertEqual(served[key], 60)
        self.assertGreater(len(served), 9)

    def test_aTurnIsThirtySeconds(self) -> None:
        """Nobody is choked before it was served for half a minute while there are slots for all turns."""
        swarm = self.swarm()
        swarm.add(*(candidate(n) for n in range(20)))
        for _ in range(100):
            before = dict(swarm.unchoked)
            swarm.round(5.0)
            for key, since in before.items():
                if key not in swarm.unchoked:
                    self.assertGreaterEqual(swarm.now - since, 30.0)

    def test_enoughForAll(self) -> None:
        """With a slot for everybody nothing ever changes."""
        swarm = self.swarm()
        swarm.add(*(candidate(n) for n in range(4)))
        for _ in range(50):
            swarm.round()
        self.assertEqual(swarm.changes, 4)

    def test_notInterested(self) -> None:
        """A seed serves only those who want something."""
        swarm = self.swarm()
        swarm.add(candidate("a"), candidate("b", interested=False, down=1e6, up=1e6))
        self.assertEqual(set(swarm.round()), {"a"})
