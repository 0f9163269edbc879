"""Tests for L{twisted_bt.tracker.tiers}."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.tracker.tiers import TrackerTiers

A, B, C, D = (f"http://{name}/announce" for name in "abcd")


class TrackerTiersTests(SynchronousTestCase):
    """BEP 12: the order of trackers."""

    def test_tiersInTurn(self) -> None:
        """Every tracker of a tier comes before those of the next."""
        for seed in range(20):
            order = TrackerTiers([[A, B], [C, D]], Random(seed)).order()
            self.assertEqual((set(order[:2]), set(order[2:])), ({A, B}, {C, D}))

    def test_shuffled(self) -> None:
        """The order inside a tier is a matter of luck."""
        orders = {tuple(TrackerTiers([[A, B, C]], Random(seed)).order()) for seed in range(100)}
        self.assertEqual(len(orders), 6)

    def test_answered(self) -> None:
        """Who answers moves to the front of its tier, and to the front of no other."""
        tiers = TrackerTiers([[A], [B, C, D]], Random(1))
        for url in (D, B, C):
            tiers.answered(url)
        self.assertEqual(tiers.order(), [A, C, B, D])
        tiers.answered("http://unknown/")
        self.assertEqual(tiers.order(), [A, C, B, D])

    def test_duplicates(self) -> None:
        """A URL counts where it stands first; blanks are nothing."""
        tiers = TrackerTiers([[A], [f" {A}\n", "", B], [B]], Random(1))
        self.assertEqual((tiers.order(), len(tiers)), ([A, B], 2))
        self.assertEqual(tiers.skipped, [])

    def test_skipped(self) -> None:
        """URLs that cannot be used are left out, with the reason."""
        tiers = TrackerTiers([["wss://t/announce", A], ["http://"]], Random(1))
        self.assertEqual(tiers.order(), [A])
        self.assertEqual(
            [(each.url, each.reason) for each in tiers.skipped],
            [
                ("wss://t/announce", "trackers of the kind 'wss' are not known"),
                ("http://", "'http://' names no host"),
            ],
        )
