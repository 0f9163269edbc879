"""
The doorkeeper: who may knock, and who inside the door has to go.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.sessions.doorkeeper import CROWD, FEW, HOSTS, QUIET, SHUNNED, WINDOW, Doorkeeper, network


class DoorkeeperTests(SynchronousTestCase):
    """Counts by host, in windows of time."""

    def setUp(self) -> None:
        """Two may be inside the door."""
        self.clock = Clock()
        self.door: Doorkeeper[int] = Doorkeeper(2, self.clock.seconds)

    def admitted(self, host: str, count: int) -> int:
        """Of C{count} connections of C{host}, how many came in."""
        return sum(self.door.admits(host) for _ in range(count))

    def test_quiet(self) -> None:
        """In quiet, one host may come often."""
        self.assertEqual(self.admitted("10.0.0.1", QUIET + 50), QUIET)

    def test_crowd(self) -> None:
        """In a crowd each host has a few tries, newcomers too."""
        for number in range(CROWD):
            self.door.admits(f"10.1.{number // 250}.{number % 250}")
        self.assertEqual(self.admitted("10.0.0.1", 10), FEW)
        self.assertEqual(self.admitted("10.0.0.2", 10), FEW)

    def test_again(self) -> None:
        """The count begins anew after a while."""
        self.admitted("10.0.0.1", QUIET + 50)
        self.clock.advance(WINDOW)
        self.assertEqual(self.admitted("10.0.0.1", 3), 3)

    def test_shunned(self) -> None:
        """Who is shunned comes in after its time."""
        self.door.shun("10.0.0.1")
        self.assertFalse(self.door.admits("10.0.0.1"))
        self.assertTrue(self.door.admits("10.0.0.2"))
        self.clock.advance(SHUNNED)
        self.assertTrue(self.door.admits("10.0.0.1"))

    def test_bounded(self) -> None:
        """Nothing is remembered of more hosts than so many."""
        for number in range(HOSTS + 10):
            host = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
            self.door.admits(host)
            self.door.shun(host)
        self.assertLessEqual(len(self.door._counts), HOSTS)
        self.assertLessEqual(len(self.door._shunned), HOSTS)

    def test_network(self) -> None:
        """An IPv6 line is one host, whatever address in it is used."""
        self.assertEqual(network("2001:db8::1"), network("2001:db8::ffff:1"))
        self.assertNotEqual(network("2001:db8::1"), network("2001:db8:0:1::1"))
        self.assertEqual(network("fe80::1%eth0"), network("fe80::2"))
        self.assertEqual(network("10.0.0.1"), "10.0.0.1")
        self.assertEqual(network("a:b"), "a:b")

    def test_inside(self) -> None:
        """For a newcomer the oldest of the host with the most goes."""
        door: Doorkeeper[int] = Doorkeeper(3, self.clock.seconds)
        self.assertEqual([door.enter("10.0.0.1", 1), door.enter("10.0.0.2", 2)], [None, None])
        self.assertIsNone(door.enter("10.0.0.2", 3))
        self.assertEqual(door.enter("10.0.0.1", 4), 2)
        self.assertEqual(door.enter("10.0.0.3", 5), 1)
        self.assertEqual(len(door), 3)

    def test_left(self) -> None:
        """Who left is not asked to; twice is the same as once."""
        self.door.enter("10.0.0.1", 1)
        self.door.enter("10.0.0.1", 2)
        self.door.leave("10.0.0.1", 1)
        self.door.leave("10.0.0.1", 1)
        self.assertEqual(len(self.door), 1)
        self.assertIsNone(self.door.enter("10.0.0.1", 3))
        self.assertEqual(self.door.enter("10.0.0.2", 4), 2)
