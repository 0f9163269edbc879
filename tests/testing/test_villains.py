"""
Tests of L{twisted_bt.testing.villains}: what each does to a good client, and what that does about it.

Each villain meets a leecher, coming either way, and a seeder, beside one honest peer: the download goes on as
if it were not there, and it gets what its class says.
"""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.sessions.magnets import MagnetCase
from tests.testing.villaincase import LIMITS, Outcome, play, quiet
from twisted_bt.sessions.swarm import SwarmSession
from twisted_bt.testing.footprint import Footprint
from twisted_bt.testing.swarm import SimulatedSwarm
from twisted_bt.testing.villains import (
    VILLAINS,
    Effect,
    Liar,
    MetadataPoison,
    Mute,
    Villain,
    Way,
    someVillain,
    villain,
)

#: Honest peers keep at least this part of the rate they have without the villain.
SHARE = 0.8
#: How a villain that says it has everything may end too, for an honest reason.
BOTH_SEEDS = "both are seeds"


class AloneTests(SynchronousTestCase):
    """One villain and one honest peer; a test for each kind is added below."""

    def assertHarmless(self, outcome: Outcome, atSeeder: bool) -> None:
        """The download was quick, memory was bounded, and nobody honest was punished."""
        self.assertGreater(quiet(atSeeder) / outcome.seconds, SHARE)
        self.assertEqual(outcome.most.beyond(LIMITS), [])
        self.assertFalse(outcome.wronged)

    def assertEffect(self, kind: type[Villain], outcome: Outcome, atSeeder: bool) -> None:
        """It got what it deserves."""
        ended = [each for each in outcome.reasons if each != BOTH_SEEDS]
        if kind.effect is Effect.REFUSED:
            self.assertEqual(outcome.sessions, 0)
        elif kind.effect is Effect.TOLERATED:
            self.assertGreater(outcome.sessions, 0)
            self.assertLessEqual(set(ended), {"made room for another peer"})
        elif kind.effect is Effect.BANNED and not atSeeder:
            self.assertTrue(outcome.banned)
            self.assertIn("banned: sent wrong data", ended[0])
        elif kind.effect is Effect.CLOSED and kind.name != "idle" and BOTH_SEEDS not in outcome.reasons:
            self.assertEqual(len(ended), outcome.sessions)
            self.assertFalse(outcome.banned)


def _add(name: str, kind: type[Villain]) -> None:
    def atLeecher(self: AloneTests) -> None:
        for way in (Way.DIAL, Way.LURE) if kind.mayLure else (Way.DIAL,):
            outcome = play(name, False, way)
            self.assertHarmless(outcome, False)
            self.assertEffect(kind, outcome, False)

    def atSeeder(self: AloneTests) -> None:
        outcome = play(name, True, Way.DIAL)
        if name != "connection flood":  # see CrowdTests
            self.assertHarmless(outcome, True)
            self.assertEffect(kind, outcome, True)

    word = "".join(part.title() for part in name.split())
    for function, where in ((atLeecher, "Leecher"), (atSeeder, "Seeder")):
        function.__doc__ = f"{name.capitalize()}, at a {where.lower()}: {kind.__doc__}"
        function.__name__ = f"test_{word[0].lower()}{word[1:]}At{where}"
        setattr(AloneTests, function.__name__, function)


for _name, _kind in VILLAINS.items():
    _add(_name, _kind)


class CrowdTests(SynchronousTestCase):
    """Many connections at a seeder, which has few slots."""

    def test_served(self) -> None:
        """Who comes when all are taken is let in with its next try at the latest, and not disturbed."""
        outcome = play("connection flood", True, Way.DIAL)
        self.assertLess(outcome.seconds, quiet(True) + 80)
        self.assertEqual(outcome.most.beyond(LIMITS), [])


class SilenceTests(SynchronousTestCase):
    """Villains whose end takes longer than a download."""

    def test_idle(self) -> None:
        """Who says nothing is left after two minutes; who says a byte a minute is not."""
        for name, live in (("idle", 0), ("byte a minute", 1)):
            swarm = SimulatedSwarm(seed=name)
            leecher = swarm.leecher()
            one = VILLAINS[name](swarm)
            one.attack(leecher)
            swarm.advance(200)
            self.assertEqual((len(one.peers), len(leecher.session.connectedPeers)), (live, live))
            one.stop()
            swarm.stop()


class MetadataPoisonTests(MagnetCase):
    """Wrong metadata, for who comes by a magnet link."""

    class Poison(MetadataPoison):
        """The same, without the flood of requests that would end it before."""

        name = "metadata poison alone"
        interval = 1e6

    def test_banned(self) -> None:
        """It is banned, by its address, wherever it was heard of; the honest ones give what is right."""
        fetcher = self.fetcher()
        villains = [self.Poison(self.swarm, way=way) for way in (Way.DIAL, Way.LURE)]
        addresses = [villains[1].listen()]
        seeder = self.swarm.seeder()
        _, outcome = self.added(fetcher, *addresses, seeder.address)
        villains[0].dial(fetcher.address)
        self.advance(60)
        self.assertIsInstance(outcome[0], SwarmSession)
        self.assertComplete(fetcher)
        self.assertNotIn(seeder.address, fetcher.client.engine.bans)
        for each in villains:
            each.stop()

    def test_alone(self) -> None:
        """Where nobody else is, it is banned all the same, and nothing comes of it."""
        fetcher = self.fetcher()
        poison = self.Poison(self.swarm)
        address = poison.listen()
        _, outcome = self.added(fetcher, address)
        self.advance(100)
        self.assertEqual(outcome, [])
        self.assertIn(address, fetcher.client.engine.bans)
        self.assertEqual(poison.peers, {})
        poison.stop()


class RegistryTests(SynchronousTestCase):
    """All kinds by name, for tests that draw some."""

    def test_complete(self) -> None:
        """Each kind says what it is called, what it does, and what is done about it."""
        self.assertGreater(len(VILLAINS), 20)
        for name, kind in VILLAINS.items():
            self.assertEqual(kind.name, name)
            self.assertIsInstance(kind.effect, Effect)
            self.assertTrue((kind.__doc__ or "").strip())

    def test_twice(self) -> None:
        """A name is given once."""
        self.assertRaises(ValueError, villain, Liar)

    def test_drawn(self) -> None:
        """The same source of chance gives the same villains."""
        drawn = []
        for _ in range(2):
            swarm, source = SimulatedSwarm(size=1000), Random(3)
            drawn.append([repr(someVillain(swarm, source)) for _ in range(20)])
            self.assertGreater(len(set(drawn[-1])), 10)
        self.assertEqual(drawn[0], drawn[1])

    def test_chosen(self) -> None:
        """It may be said which may come."""
        swarm = SimulatedSwarm(size=1000)
        one = someVillain(swarm, Random(1), choose=lambda kind: kind is Mute)
        self.assertIsInstance(one, Mute)


class LifeTests(SynchronousTestCase):
    """What all villains share."""

    def test_stopped(self) -> None:
        """One that was stopped does nothing more, in whatever phase it was."""
        for name in VILLAINS:
            for after in (0.0, 0.05, 3.0):
                swarm = SimulatedSwarm(size=100_000, seed=name)
                leecher = swarm.leecher()
                one = VILLAINS[name](swarm, way=Way.LURE)
                one.attack(leecher)
                swarm.advance(after)
                one.stop()
                attempts = one.attempts
                swarm.advance(1)
                self.assertEqual((one.attempts, one.peers), (attempts, {}), name)
                swarm.stop()
                self.assertEqual(swarm.network.leftovers(), [], name)

    def test_nobodyThere(self) -> None:
        """One whose victim is gone fails quietly."""
        swarm = SimulatedSwarm(size=100_000)
        leecher = swarm.leecher()
        one = Mute(swarm)
        address = leecher.address
        swarm.stop()
        one.dial(address)
        swarm.advance(60)
        self.assertEqual((one.peers, swarm.network.failures), ({}, []))


class FootprintTests(SynchronousTestCase):
    """How much a client keeps."""

    def test_numbers(self) -> None:
        """They are those of the client; the most of two; and what is beyond limits is told."""
        swarm = SimulatedSwarm(size=100_000)
        seeder, leecher = swarm.seeder(), swarm.leecher()
        before = Footprint.of(leecher.client, leecher.host)
        self.assertEqual((before.sessions, before.known, before.connections), (0, 0, 0))
        swarm.run(leecher.connect(seeder))
        now = Footprint.of(leecher.client, leecher.host)
        self.assertEqual((now.sessions, now.known, now.connections), (1, 1, 1))
        self.assertEqual((before | now).sessions, 1)
        self.assertEqual(now.beyond(Footprint(sessions=1)), [])
        self.assertEqual((now | Footprint(sessions=7)).beyond(Footprint(sessions=1)), ["sessions: 7 > 1"])
        swarm.stop()
