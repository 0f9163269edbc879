"""Tests of the filters of BEP 33."""

from __future__ import annotations

from ipaddress import ip_address

from twisted.trial.unittest import SynchronousTestCase

from tests.conformance import ConformanceTestCase, section
from twisted_bt.dht.bloom import LENGTH, bloom, estimate, union


class BloomTests(SynchronousTestCase):
    """Filters."""

    def test_empty(self) -> None:
        """Nobody is in an empty one."""
        self.assertEqual(bloom([]), bytes(LENGTH))
        self.assertEqual(estimate(bytes(LENGTH)), 0)

    def test_union(self) -> None:
        """The union of two is the filter of all."""
        one, other = [b"\1\2\3\4", b"\5\6\7\1"], [b"\1\2\3\4", b"\7\7\7\7"]
        self.assertEqual(union([bloom(one), bloom(other)]), bloom(one + other))

    def test_estimate(self) -> None:
        """A few hundred are counted to within some percent; a full filter is a number still."""
        for count in (1, 10, 300, 2000):
            found = estimate(bloom(number.to_bytes(4, "big") for number in range(count)))
            self.assertLess(abs(found - count), max(1, count * 0.08))
        self.assertGreater(estimate(b"\xff" * LENGTH), 5000)


class VectorTests(ConformanceTestCase):
    """The published filter."""

    def test_bep33(self) -> None:
        """256 IPv4 addresses and 1000 IPv6 ones give the filter in the BEP, and its estimate."""
        (case,) = section("bep33_bloom")["cases"]
        hosts = [ip_address("192.0.2.0") + n for n in range(256)]
        hosts6 = [ip_address("2001:DB8::") + n for n in range(1000)]
        made = bloom(host.packed for host in hosts + hosts6)
        self.assertEqual(made.hex(), case["filter_hex"])
        self.assertAlmostEqual(estimate(made), case["estimated_size"], places=3)
