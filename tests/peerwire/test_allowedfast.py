"""L{twisted_bt.peerwire.allowedfast}: which pieces a peer may ask for while choked."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.conformance import ConformanceTestCase, cases
from twisted_bt.peerwire.allowedfast import allowedFastSet

HASH = b"\xaa" * 20


class AllowedFastSetTests(SynchronousTestCase):
    """The set of BEP 6."""

    def test_published(self) -> None:
        """The example of BEP 6 comes out."""
        self.assertEqual(allowedFastSet(HASH, "80.4.4.200", 1313, 7), (1059, 431, 808, 1217, 287, 376, 1188))

    def test_network(self) -> None:
        """Neighbours in a network of 256 addresses get the same set, others another."""
        mine = allowedFastSet(HASH, "80.4.4.200", 1313, 7)
        self.assertEqual(allowedFastSet(HASH, "80.4.4.1", 1313, 7), mine)
        self.assertNotEqual(allowedFastSet(HASH, "80.4.5.200", 1313, 7), mine)
        self.assertNotEqual(allowedFastSet(b"\xab" * 20, "80.4.4.200", 1313, 7), mine)

    def test_small(self) -> None:
        """Of fewer pieces than asked for, there are all, and an end."""
        self.assertEqual(sorted(allowedFastSet(HASH, "1.2.3.4", 10, 100)), list(range(10)))
        self.assertEqual(allowedFastSet(HASH, "1.2.3.4", 1, 5), (0,))
        self.assertEqual(allowedFastSet(HASH, "1.2.3.4", 0, 5), ())
        self.assertEqual(allowedFastSet(HASH, "1.2.3.4", 10, 0), ())

    def test_noAddress(self) -> None:
        """BEP 6 gives a set to IPv4 addresses; others get none."""
        for ip in ("2001:db8::1", "", "peer.example"):
            self.assertEqual(allowedFastSet(HASH, ip, 1313, 7), ())


class ConformanceTests(ConformanceTestCase):
    """The published vectors."""

    def test_vectors(self) -> None:
        """Each published set is reproduced."""
        for case in cases("bep6_allowed_fast"):
            ours = allowedFastSet(bytes.fromhex(case["info_hash"]), case["ip"], case["num_pieces"], case["k"])
            self.assertEqual(list(ours), case["expect"], case["id"])
