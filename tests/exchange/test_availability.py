"""Tests for L{twisted_bt.exchange.availability}."""

from __future__ import annotations

import random

from bitarray import bitarray
from bitarray.util import ones, zeros
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_bt.exchange.availability import Availability
from twisted_bt.interfaces import IAvailability
from twisted_bt.testing.pickers import FixedAvailability


class AvailabilityTests(SynchronousTestCase):
    """How many peers have each piece."""

    def test_interface(self) -> None:
        """It provides L{IAvailability}."""
        self.assertTrue(verifyObject(IAvailability, Availability(3)))

    def test_counts(self) -> None:
        """A seed counts for every piece, a have for one."""
        availability = Availability(3)
        availability.addAll()
        availability.addBitfield(bitarray("110"))
        availability.add(0)
        self.assertEqual([availability.count(i) for i in range(3)], [3, 2, 1])
        availability.removeAll()
        availability.remove(0)
        availability.removeBitfield(bitarray("110"))
        self.assertEqual([availability.count(i) for i in range(3)], [0, 0, 0])

    def test_rarest(self) -> None:
        """Among the candidates, all those with the lowest count, and no others."""
        availability = Availability(5)
        for bits in ("11100", "11000", "10000", "00001"):
            availability.addBitfield(bitarray(bits))
        self.assertEqual(availability.rarest(ones(5)), bitarray("00010"))
        self.assertEqual(availability.rarest(bitarray("11101")), bitarray("00101"))
        self.assertEqual(availability.rarest(bitarray("11000")), bitarray("01000"))
        self.assertEqual(availability.rarest(zeros(5)), zeros(5))

    def test_likeCounting(self) -> None:
        """Through any additions and removals it says what counting one by one says."""
        source = random.Random(3)
        for pieces in (1, 17, 130):
            availability, plain = Availability(pieces), FixedAvailability([0] * pieces)
            added: list[bitarray] = []
            for _ in range(400):
                action = source.random()
                index = source.randrange(pieces)
                if action < 0.4:
                    bits = bitarray(source.random() < 0.5 for _ in range(pieces))
                    added.append(bits)
                    availability.addBitfield(bits)
                    self._change(plain, bits, +1)
                elif action < 0.7 and added:
                    bits = added.pop(source.randrange(len(added)))
                    availability.removeBitfield(bits)
                    self._change(plain, bits, -1)
                elif action < 0.9 or not plain.counts[index]:
                    bits = zeros(pieces)
                    bits[index] = 1
                    added.append(bits)
                    availability.add(index)
                    plain.counts[index] += 1
                else:
                    which = next(n for n, bits in enumerate(added) if bits[index])
                    rest = added.pop(which).copy()
                    rest[index] = 0
                    added.append(rest)
                    availability.remove(index)
                    plain.counts[index] -= 1
                self.assertEqual([availability.count(i) for i in range(pieces)], plain.counts)
                candidates = bitarray(source.random() < 0.3 for _ in range(pieces))
                before = candidates.copy()
                self.assertEqual(availability.rarest(candidates), plain.rarest(candidates))
                self.assertEqual(candidates, before)

    def _change(self, plain: FixedAvailability, bits: bitarray, by: int) -> None:
        plain.counts = [count + by * bit for count, bit in zip(plain.counts, bits, strict=True)]

    def test_leavesBitfieldsAlone(self) -> None:
        """What is added is not changed, and changing it afterwards changes nothing."""
        availability = Availability(4)
        bits = bitarray("1010")
        availability.addBitfield(bits)
        availability.addBitfield(bits)
        self.assertEqual(bits, bitarray("1010"))
        bits.setall(1)
        self.assertEqual([availability.count(i) for i in range(4)], [2, 0, 2, 0])
