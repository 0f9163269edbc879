"""Tests of node ids."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.conformance import ConformanceTestCase, cases
from twisted_bt.dht.nodeid import (
    crc32c,
    distance,
    idWithPrefix,
    isLocal,
    isSecure,
    isUsable,
    network,
    packed,
    secureId,
    sharedBits,
)

ids = st.binary(min_size=20, max_size=20)
addresses = st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16)


class SecureTests(SynchronousTestCase):
    """BEP 42: the bond between an id and an address."""

    @settings(derandomize=True, deadline=None, max_examples=200)
    @given(addresses, st.integers(0, 1 << 32))
    def test_madeIdsFit(self, address: bytes, seed: int) -> None:
        """An id made for an address fits it."""
        self.assertTrue(isSecure(secureId(address, Random(seed)), address))

    def test_prefix(self) -> None:
        """Of the first 21 bits each counts, and the last byte; no other does."""
        address = packed("124.31.75.21")
        good = bytes.fromhex("5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401")
        for bit in range(160):
            changed = (int.from_bytes(good, "big") ^ 1 << (159 - bit)).to_bytes(20, "big")
            counts = bit < 21 or bit >= 157
            self.assertEqual(isSecure(changed, address), not counts, bit)

    def test_local(self) -> None:
        """Addresses that are not global are exempt, of both families."""
        for host in ("10.0.0.1", "127.0.0.1", "172.16.0.1", "172.31.255.1", "192.168.1.1", "169.254.0.1"):
            self.assertTrue(isLocal(packed(host)) and isSecure(bytes(20), packed(host)), host)
        for host in ("::1", "fe80::1", "febf::1", "fd00::1", "fc00::1"):
            self.assertTrue(isLocal(packed(host)), host)
        for host in ("9.255.255.255", "11.0.0.0", "172.15.0.1", "172.32.0.1", "192.167.1.1", "8.8.8.8"):
            self.assertFalse(isLocal(packed(host)), host)
        for host in ("2001:db8::1", "::2", "fec0::1", "fe00::1"):
            self.assertFalse(isLocal(packed(host)), host)

    def test_crc(self) -> None:
        """The check value of CRC32C."""
        self.assertEqual(crc32c(b"123456789"), 0xE3069283)


class ArithmeticTests(SynchronousTestCase):
    """Distances and prefixes."""

    @settings(derandomize=True, deadline=None, max_examples=100)
    @given(ids, st.integers(0, 159), st.integers(0, 1 << 32))
    def test_prefix(self, nodeId: bytes, bits: int, seed: int) -> None:
        """An id made to share so many bits shares just these."""
        self.assertEqual(sharedBits(nodeId, idWithPrefix(nodeId, bits, Random(seed))), bits)

    def test_whole(self) -> None:
        """All bits shared is the id itself."""
        self.assertEqual(idWithPrefix(b"x" * 20, 160, Random(1)), b"x" * 20)
        self.assertEqual(sharedBits(b"x" * 20, b"x" * 20), 160)

    def test_usable(self) -> None:
        """No node is at multicast, broadcast, unspecified or mapped addresses."""
        for host in ("0.0.0.0", "0.1.2.3", "224.0.0.1", "255.255.255.255", "::", "ff02::1", "::ffff:1.2.3.4"):
            self.assertFalse(isUsable(packed(host)), host)
        for host in ("1.0.0.1", "127.0.0.1", "223.255.255.1", "::1", "2001:db8::1", "fe80::1"):
            self.assertTrue(isUsable(packed(host)), host)


class VectorTests(ConformanceTestCase):
    """What is published."""

    def test_bep42(self) -> None:
        """Ids and the addresses they belong to."""
        for case in cases("bep42_node_id"):
            nodeId, address = bytes.fromhex(case["node_id"]), packed(case["ip"])
            self.assertIs(isSecure(nodeId, address), case["valid"], case["id"])
            self.assertFalse(isSecure(nodeId, packed("8.8.8.8")), case["id"])

    def test_ids(self) -> None:
        """Arithmetic of ids as another engine does it, as far as ours has a use for it."""
        done = set()
        for case in cases("dht_ids"):
            kind = case["op"].split()[0]
            if kind == "distance_exp":
                apart = distance(bytes.fromhex(case["a"]), bytes.fromhex(case["b"]))
                self.assertEqual(max(0, apart.bit_length() - 1), case["expect"], case["id"])
            elif kind == "same":
                same = network(packed(case["a"])) == network(packed(case["b"]))
                self.assertIs(same, case["expect"], case["id"])
            elif kind == "prefix_mask":
                # Ours has no masks; ids that share as many bits are what one would be for.
                made = idWithPrefix(bytes(20), case["bits"], Random(1))
                masked = int.from_bytes(made, "big") & int(case["expect"], 16)
                self.assertEqual(masked, 0, case["id"])
            done.add(kind)
        self.assertTrue({"distance_exp", "same", "prefix_mask"} <= done)
