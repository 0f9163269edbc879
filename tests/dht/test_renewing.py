"""Tests of announces that are renewed."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.dht.renewing import RenewedAnnounces
from twisted_bt.errors import SessionStopped


class _Dht:
    """Notes what is announced, and ends it when told."""

    def __init__(self) -> None:
        self.announced: list[tuple[bytes, int | None, bool]] = []
        self.underWay: dict[bytes, Deferred[int]] = {}
        self.cancelled: list[bytes] = []

    def announce(
        self, infoHash: bytes, port: int | None = None, found: Any = None, seed: bool = False
    ) -> Deferred[int]:
        def cancel(_: Any) -> None:
            self.cancelled.append(infoHash)
            del self.underWay[infoHash]

        self.announced.append((infoHash, port, seed))
        self.underWay[infoHash] = Deferred(cancel)
        return self.underWay[infoHash]

    def end(self, took: int = 8) -> None:
        """All that are under way end."""
        while self.underWay:
            self.underWay.popitem()[1].callback(took)


class RenewedAnnouncesTests(SynchronousTestCase):
    """Torrents are announced again and again."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.dht = _Dht()
        self.service = RenewedAnnounces(self.clock, self.dht, Random(1), interval=900.0, most=2)
        self.service.startService()

    def tearDown(self) -> None:
        self.service.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def _hashes(self) -> list[bytes]:
        return [infoHash for infoHash, _, _ in self.dht.announced]

    def _pass(self, seconds: float) -> None:
        self.clock.pump([seconds / 100] * 100)

    def test_renewed(self) -> None:
        """A torrent is announced at once, and then about every quarter of an hour."""
        self.service.add(b"a", 6881, seed=lambda: len(self.dht.announced) > 1)
        self.clock.advance(0)
        for _ in range(3):
            self.dht.end()
            before = len(self.dht.announced)
            self._pass(800)
            self.assertEqual(len(self.dht.announced), before)
            self._pass(200)
            self.assertEqual(len(self.dht.announced), before + 1)
        self.assertEqual(
            self.dht.announced[:3], [(b"a", 6881, False), (b"a", 6881, False), (b"a", 6881, True)]
        )

    def test_inTurn(self) -> None:
        """Only some at a time; the next begins when one ends."""
        for name in (b"a", b"b", b"c"):
            self.service.add(name, 1)
        self.clock.advance(0)
        self.assertEqual(self._hashes(), [b"a", b"b"])
        self.dht.underWay.pop(b"a").callback(1)
        self.clock.advance(0)
        self.assertEqual(self._hashes(), [b"a", b"b", b"c"])

    def test_nobody(self) -> None:
        """Where nobody took it, it is tried again soon, and then less and less often."""
        self.service.add(b"a", 1)
        times = []
        last = 0.0
        for _ in range(7):
            while not self.dht.underWay:
                self.clock.advance(1.0)
            times.append(self.clock.seconds() - last)
            last = self.clock.seconds()
            self.dht.end(0)
        self.assertLess(times[1], 40)
        self.assertEqual(times[:6], sorted(times[:6]))
        self.assertLess(times[-1], 1000)

    def test_removed(self) -> None:
        """One that is removed is announced no more, and its search ends."""
        self.service.add(b"a", 1)
        self.clock.advance(0)
        self.service.remove(b"a")
        self.service.remove(b"unknown")
        self.assertEqual(self.dht.cancelled, [b"a"])
        self._pass(5000)
        self.assertEqual(self._hashes(), [b"a"])

    def test_hurry(self) -> None:
        """One whose peers are wanted is announced at once."""
        self.service.add(b"a", 1)
        self.clock.advance(0)
        self.dht.end()
        self.service.hurry(b"a")
        self.service.hurry(b"unknown")
        self.clock.advance(0)
        self.assertEqual(self._hashes(), [b"a", b"a"])

    def test_failing(self) -> None:
        """An announce that fails, or is over at once, ends nothing else."""
        outcomes = [fail(SessionStopped("no")), succeed(3)]
        self.dht.announce = lambda *_: outcomes.pop(0)  # type: ignore[method-assign]
        self.service.add(b"a", 1)
        self.clock.advance(0)
        self.assertEqual(len(outcomes), 1)
        self._pass(40)
        self.assertEqual(outcomes, [])
        self._pass(500)

    def test_stopAndStart(self) -> None:
        """When it is stopped all ends; started again, it goes on with what it knows."""
        self.service.add(b"a", 1)
        self.clock.advance(0)
        self.service.stopService()
        self.assertEqual((self.dht.cancelled, self.clock.getDelayedCalls()), ([b"a"], []))
        self.service.add(b"b", 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.service.startService()
        self._pass(60)
        self.assertEqual(sorted(self._hashes()), [b"a", b"a", b"b"])

    def test_cancelledErrors(self) -> None:
        """Nothing is logged of what was cancelled."""
        self.service.add(b"a", 1)
        self.clock.advance(0)
        self.service.remove(b"a")
        self.assertEqual(self.flushLoggedErrors(CancelledError), [])
