"""Tests of L{twisted_bt.discovery.priority}: BEP 40."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.conformance import ConformanceTestCase, cases
from twisted_bt.discovery.priority import crc32c, peerPriority
from twisted_bt.torrent.addresses import PeerAddr, peerAddr


class PriorityTests(SynchronousTestCase):
    """The canonical priority of a connection."""

    def test_crc(self) -> None:
        """The examples of RFC 3720, appendix B.4, and nothing at all."""
        self.assertEqual(crc32c(bytes(32)), 0x8A9136AA)
        self.assertEqual(crc32c(b"\xff" * 32), 0x62A8AB43)
        self.assertEqual(crc32c(bytes(range(32))), 0x46DD794E)
        self.assertEqual(crc32c(bytes(range(31, -1, -1))), 0x113FDB5C)
        self.assertEqual(crc32c(b""), 0)

    @settings(derandomize=True, deadline=None, max_examples=200)
    @given(st.booleans(), st.data())
    def test_bothAlike(self, ipv6: bool, data: st.DataObject) -> None:
        """Both ends work out the same 32 bits."""
        addresses = st.builds(
            peerAddr,
            st.ip_addresses(v=6 if ipv6 else 4, network="fd00::/32" if ipv6 else "10.0.0.0/20").map(str),
            st.integers(1, 65535),
        )
        a, b = data.draw(addresses), data.draw(addresses)
        self.assertEqual(peerPriority(a, b), peerPriority(b, a))
        self.assertLess(peerPriority(a, b), 1 << 32)

    def test_deepIPv6(self) -> None:
        """The first byte in which two IPv6 addresses differ always counts whole."""
        for zeros in range(1, 7):
            base = "2001:" + "0:" * zeros
            tail = ":1" * (6 - zeros)
            ours = peerAddr(f"{base}5500{tail}", 1)
            # 0x00 and 0xaa look alike under a mask of 0x55.
            priorities = {peerPriority(ours, peerAddr(f"{base}{n:02x}00{tail}", 1)) for n in (0x00, 0xAA)}
            self.assertEqual(len(priorities), 2, zeros)

    def test_refused(self) -> None:
        """Addresses of two families, or none at all, have no priority."""
        for other in (PeerAddr("::1", 1), PeerAddr("name.test", 1)):
            self.assertRaises(ValueError, peerPriority, PeerAddr("1.2.3.4", 1), other)


class ConformanceTests(ConformanceTestCase):
    """The published vectors."""

    def test_vectors(self) -> None:
        """Each published priority is reproduced."""
        for case in cases("bep40_priority"):
            ours = PeerAddr(case["client"], case["client_port"])
            # Through peerAddr, or a literal like 0fff: is not in the form we use; either must do.
            theirs = PeerAddr(case["peer"], case["peer_port"])
            self.assertEqual(f"{peerPriority(ours, theirs):08x}", case["expect"], case["id"])
