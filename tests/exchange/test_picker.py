"""Tests for L{twisted_bt.exchange.picker}."""

from __future__ import annotations

import random

from bitarray import bitarray
from bitarray.util import ones
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.exchange.picker import RandomFirst, RarestFirst, Sequential
from twisted_bt.interfaces import IPiecePicker
from twisted_bt.testing.pickers import FixedAvailability, PickerContract


class RarestFirstTests(PickerContract, SynchronousTestCase):
    """The piece that the fewest have."""

    def makePicker(self) -> IPiecePicker:
        """A new picker."""
        return RarestFirst(random.Random(1))

    def test_rarest(self) -> None:
        """It never picks a piece of which another candidate is rarer."""
        source = random.Random(2)
        for _ in range(200):
            counts = [source.randrange(4) for _ in range(40)]
            candidates = bitarray(source.random() < 0.5 for _ in range(40))
            picked = self.makePicker().pick(candidates, FixedAvailability(counts))
            if picked is not None:
                self.assertEqual(counts[picked], min(counts[i] for i in candidates.search(1)))

    def test_random(self) -> None:
        """Among equals the source of chance decides, and each can be picked."""
        picker = self.makePicker()
        availability = FixedAvailability([2, 1, 1, 5, 1])
        self.assertEqual({picker.pick(ones(5), availability) for _ in range(100)}, {1, 2, 4})


class RandomFirstTests(PickerContract, SynchronousTestCase):
    """Any piece, to begin with."""

    def makePicker(self) -> IPiecePicker:
        """A new picker."""
        return RandomFirst(random.Random(1))

    def test_firstFour(self) -> None:
        """The first four picks heed no rarity, the later ones do."""
        availability = FixedAvailability([9] * 99 + [1])
        common = 0
        for seed in range(20):
            picker = RandomFirst(random.Random(seed))
            common += [picker.pick(ones(100), availability) for _ in range(4)].count(99) == 0
            self.assertEqual([picker.pick(ones(100), availability) for _ in range(3)], [99] * 3)
        self.assertGreater(common, 15)

    def test_countsPicksOnly(self) -> None:
        """Being asked in vain does not count."""
        picker = RandomFirst(random.Random(1), then=Sequential(), first=1)
        for _ in range(5):
            self.assertIsNone(picker.pick(bitarray("000"), FixedAvailability([1, 1, 1])))
        self.assertEqual(picker.pick(bitarray("001"), FixedAvailability([1, 1, 1])), 2)
        self.assertEqual(picker.pick(ones(3), FixedAvailability([1, 1, 1])), 0)


class SequentialTests(PickerContract, SynchronousTestCase):
    """In the order of the content."""

    def makePicker(self) -> IPiecePicker:
        """A new picker."""
        return Sequential()

    def test_first(self) -> None:
        """The first candidate, however common."""
        self.assertEqual(Sequential().pick(bitarray("0011"), FixedAvailability([1, 1, 9, 1])), 2)
