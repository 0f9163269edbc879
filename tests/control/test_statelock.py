"""Tests for L{twisted_bt.control.statelock}."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.control import statelock
from twisted_bt.control.statelock import StateLock
from twisted_bt.errors import SettingsError


class StateLockTests(SynchronousTestCase):
    """One state folder, one process."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def test_second(self) -> None:
        """While one holds the folder another is refused, in words that name the folder."""
        first, second = StateLock(self.folder), StateLock(self.folder)
        first.acquire()
        self.addCleanup(first.release)
        message = str(self.assertRaises(SettingsError, second.acquire))
        self.assertIn(str(self.folder), message)
        self.assertIn("another process", message)

    def test_release(self) -> None:
        """What was given back can be taken; giving back twice harms nobody."""
        first, second = StateLock(self.folder), StateLock(self.folder)
        first.release()
        first.acquire()
        first.acquire()
        first.release()
        first.release()
        second.acquire()
        second.release()

    def test_refusedHoldsNothing(self) -> None:
        """Releasing a lock that was refused leaves the folder with its holder."""
        first, second, third = (StateLock(self.folder) for _ in range(3))
        first.acquire()
        self.addCleanup(first.release)
        self.assertRaises(SettingsError, second.acquire)
        second.release()
        self.assertRaises(SettingsError, third.acquire)

    def test_noFolder(self) -> None:
        """A folder that is not there is an error, not an exception of the system's."""
        self.assertRaises(SettingsError, StateLock(self.folder / "missing").acquire)


class WithoutFlockTests(StateLockTests):
    """The same where the system has no C{flock}."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(statelock, "fcntl", None)
