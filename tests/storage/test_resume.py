"""Tests of L{twisted_bt.storage.resume}."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from bitarray import bitarray
from bitarray.util import sc_encode
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.errors import SessionStopped, StorageError
from twisted_bt.storage.database import StateDatabase
from twisted_bt.storage.diskqueue import ImmediateDisk
from twisted_bt.storage.resume import ResumeState, ResumeStore
from twisted_bt.testing.storages import HeldDisk

T = TypeVar("T")
ONE, TWO = b"1" * 20, b"2" * 20
STATE = ResumeState(bitarray("10110"), b"signature", True, 1234.5, 10, 20)


class CountingDatabase(StateDatabase):
    """A database that counts its transactions."""

    transactions = 0

    def run(self, job: Callable[[sqlite3.Connection], T]) -> Deferred[T]:
        """See L{StateDatabase}."""
        self.transactions += 1
        return super().run(job)


class ResumeStoreTests(SynchronousTestCase):
    """What was known of torrents, kept."""

    def setUp(self) -> None:
        self.disk = HeldDisk()
        self.database = CountingDatabase(None, self.disk)
        self.store = ResumeStore(self.database)

    def now(self, deferred: Deferred[T]) -> T:
        """The result, once the database has done all it was asked for."""
        self.disk.releaseAll()
        return self.successResultOf(deferred)

    def test_roundTrip(self) -> None:
        """What was saved is loaded."""
        self.assertIsNone(self.now(self.store.save(ONE, STATE)))
        self.assertEqual(self.now(self.store.load(ONE)), STATE)

    @settings(derandomize=True, deadline=None)
    @given(
        st.builds(
            ResumeState,
            st.lists(st.booleans()).map(bitarray),
            st.binary(),
            st.booleans(),
            st.floats(0, 1e12),
            st.integers(0, (1 << 63) - 1),
            st.integers(0, (1 << 63) - 1),
        )
    )
    def test_anyState(self, state: ResumeState) -> None:
        """So is any state there can be."""
        self.now(self.store.save(ONE, state))
        self.assertEqual(self.now(self.store.load(ONE)), state)

    def test_unknown(self) -> None:
        """Of an unknown torrent there is C{None}."""
        self.assertIsNone(self.now(self.store.load(ONE)))

    def test_replaced(self) -> None:
        """A later state takes the place of the earlier."""
        self.now(self.store.save(ONE, STATE))
        self.now(self.store.save(ONE, replace(STATE, uploaded=99)))
        self.assertEqual(self.now(self.store.load(ONE)), replace(STATE, uploaded=99))

    def test_forget(self) -> None:
        """A forgotten torrent is unknown, others are not."""
        self.now(self.store.saveMany({ONE: STATE, TWO: STATE}))
        self.now(self.store.forget(ONE))
        self.assertIsNone(self.now(self.store.load(ONE)))
        self.assertEqual(self.now(self.store.load(TWO)), STATE)

    def test_snapshot(self) -> None:
        """The bitfield is saved as it was, though it changes before the disk is ready."""
        bits = bitarray("1000")
        saving = self.store.save(ONE, replace(STATE, verified=bits))
        bits.setall(True)
        self.now(saving)
        loaded = self.now(self.store.load(ONE))
        assert loaded is not None
        self.assertEqual(loaded.verified, bitarray("1000"))

    def test_batched(self) -> None:
        """States saved while the database is busy share a transaction; each is told when it is done."""
        fired: list[int] = []
        for number in range(100):
            saving: Deferred[Any] = self.store.save(b"%20d" % number, replace(STATE, uploaded=number))
            saving.addCallback(lambda _: fired.append(1))
        self.assertEqual(self.database.transactions, 1)
        self.assertEqual(fired, [])
        self.disk.releaseAll()
        self.assertEqual(len(fired), 100)
        self.assertEqual(self.now(self.store.load(b"%20d" % 7)), replace(STATE, uploaded=7))

    def test_batchOver(self) -> None:
        """What is saved after a batch was written is not lost with it."""
        self.now(self.store.save(ONE, STATE))
        self.now(self.store.save(TWO, STATE))
        self.assertEqual(self.now(self.store.load(TWO)), STATE)

    def test_order(self) -> None:
        """Saving, forgetting and saving again take effect in that order."""
        self.store.save(ONE, STATE)
        self.store.save(TWO, STATE)
        self.store.forget(ONE)
        self.store.forget(TWO)
        again = self.store.save(ONE, replace(STATE, uploaded=7))
        self.now(again)
        self.assertEqual(self.now(self.store.load(ONE)), replace(STATE, uploaded=7))
        self.assertIsNone(self.now(self.store.load(TWO)))

    def test_cancelled(self) -> None:
        """Who cancels waiting for a save harms neither the save nor others in the same batch."""
        first, second = self.store.save(ONE, STATE), self.store.save(TWO, STATE)
        first.cancel()
        first.addErrback(lambda reason: None)
        self.assertIsNone(self.now(second))
        self.assertEqual(self.now(self.store.load(ONE)), STATE)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_failure(self) -> None:
        """A failure reaches everybody who saved, and the next save works."""
        bad = self.store.save(ONE, replace(STATE, savedAt=float("nan")))  # which is no value in SQL
        other = self.store.save(TWO, STATE)
        self.disk.releaseAll()
        for each in (bad, other):
            self.failureResultOf(each, StorageError)
        self.assertIsNone(self.now(self.store.save(TWO, STATE)))

    def test_closed(self) -> None:
        """After the database was closed, saving fails with L{SessionStopped}."""
        self.now(self.database.close())
        for _ in range(2):
            self.failureResultOf(self.store.save(ONE, STATE), SessionStopped)
        self.failureResultOf(self.store.load(ONE), SessionStopped)


GOOD: dict[str, Any] = {
    "verified": sc_encode(bitarray("1011")),
    "signature": b"",
    "writing": 0,
    "savedAt": 1.0,
    "uploaded": 0,
    "downloaded": 0,
}


class DamagedRowTests(SynchronousTestCase):
    """Rows that say what no state says."""

    def setUp(self) -> None:
        self.database = StateDatabase(None, ImmediateDisk())
        self.store = ResumeStore(self.database)

    def load(self, **changes: object) -> ResumeState | None:
        """What is loaded of a row that is good but for C{changes}."""
        row = {"infoHash": ONE} | GOOD | changes
        statement = f"INSERT OR REPLACE INTO resume ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"
        self.successResultOf(self.database.run(lambda c: c.execute(statement, list(row.values())).rowcount))
        return self.successResultOf(self.store.load(ONE))

    def test_good(self) -> None:
        """The row that the others are compared with is good."""
        expected = ResumeState(bitarray("1011"), b"", False, 1.0, 0, 0)
        self.assertEqual(self.load(), expected)

    def test_numbers(self) -> None:
        """Numbers that cannot be, and values of other types, make it none."""
        for changes in (
            {"writing": 2},
            {"writing": "yes"},
            {"savedAt": -1.0},
            {"savedAt": float("inf")},
            {"savedAt": "then"},
            {"uploaded": -1},
            {"downloaded": b"x"},
            {"signature": "text"},
            {"verified": 5},
        ):
            self.assertIsNone(self.load(**changes), changes)

    def test_bitfields(self) -> None:
        """So do bitfields that are cut off, too long, of another kind, or say to be gigantic."""
        good = sc_encode(bitarray("1011" * 100))
        gigantic = b"\x18" + (1 << 60).to_bytes(8, "little") + good[3:]
        large = b"\x14" + (1 << 31).to_bytes(4, "little") + b"\0"
        little = sc_encode(bitarray("1011", "little"))
        for bits in (b"", good[:-1], good[:5], good + b"\0", gigantic, large, little, b"\xff" * 30, b"\x1f"):
            self.assertIsNone(self.load(verified=bits), bits)

    @settings(derandomize=True, deadline=None, max_examples=300)
    @given(st.binary(max_size=40))
    def test_anyBitfield(self, bits: bytes) -> None:
        """Any bytes at all give a state or none, and no exception."""
        state = self.load(verified=bits)
        self.assertTrue(state is None or len(state.verified) <= 1 << 24)
