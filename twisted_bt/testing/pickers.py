"""
What every L{IPiecePicker} promises, as tests for yours::

    class MyPickerTests(PickerContract, SynchronousTestCase):
        def makePicker(self):
            return MyPicker()
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from bitarray import bitarray
from bitarray.util import ones, zeros
from zope.interface import implementer
from zope.interface.verify import verifyObject

from twisted_bt.interfaces import IAvailability, IPiecePicker

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as _Base
else:
    _Base = object


@implementer(IAvailability)
class FixedAvailability:
    """An L{IAvailability} of given C{counts}, the plain way."""

    def __init__(self, counts: list[int]) -> None:
        self.counts = counts

    def count(self, index: int) -> int:
        """See L{IAvailability.count}."""
        return self.counts[index]

    def rarest(self, candidates: bitarray) -> bitarray:
        """See L{IAvailability.rarest}."""
        least = min((self.counts[index] for index in candidates.search(1)), default=0)
        return bitarray(here and count == least for here, count in zip(candidates, self.counts, strict=True))


class PickerContract(_Base):
    """Mix into a C{SynchronousTestCase} and implement L{makePicker}."""

    def makePicker(self) -> IPiecePicker:
        """A new picker."""
        raise NotImplementedError

    def test_interface(self) -> None:
        """It has the methods of the interface."""
        self.assertTrue(verifyObject(IPiecePicker, self.makePicker()))

    def test_nothingToPick(self) -> None:
        """Without a candidate, none is picked."""
        self.assertIsNone(self.makePicker().pick(zeros(50), FixedAvailability([1] * 50)))

    def test_picksCandidates(self) -> None:
        """Whatever the candidates are, it picks one of them or none, and leaves them as they were."""
        source = random.Random(7)
        for pieces in (1, 2, 64, 300):
            picker = self.makePicker()
            for _ in range(100):
                availability = FixedAvailability([source.randrange(5) for _ in range(pieces)])
                share = source.random()
                candidates = bitarray(source.random() < share for _ in range(pieces))
                before = candidates.copy()
                picked = picker.pick(candidates, availability)
                self.assertEqual(candidates, before)
                if picked is not None:
                    self.assertTrue(0 <= picked < pieces and before[picked], f"{picked} of {before}")

    def test_downloadsAll(self) -> None:
        """
        Asked until it picks none, without what it picked before, it picks every piece.  (A picker
        that holds pieces back for later overrides this.)
        """
        picker = self.makePicker()
        candidates = ones(200)
        availability = FixedAvailability([index % 7 for index in range(200)])
        picks: list[int] = []
        while len(picks) < 200 and (picked := picker.pick(candidates, availability)) is not None:
            candidates[picked] = 0
            picks.append(picked)
        self.assertEqual(sorted(picks), list(range(200)))
