"""
What the tests of files in memory have in common.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.testing.disk import Disk
from twisted_bt.testing.filesystem import SimulatedFiles

WRITE = os.O_RDWR | os.O_CREAT


class FilesTestCase(SynchronousTestCase):
    """What these tests have in common."""

    def setUp(self) -> None:
        self.now = 1000.0
        self.files = SimulatedFiles(Disk(), lambda: self.now, Random(1))

    def write(self, name: str, data: bytes, offset: int = 0, sync: bool = False) -> None:
        """C{data} into a file."""
        fd = self.files.open(name, WRITE)
        self.assertEqual(self.files.write(fd, [memoryview(data)], offset), len(data))
        if sync:
            self.files.sync(fd)
        self.files.close(fd)

    def refused(self, number: int, call: Callable[..., Any], *arguments: Any) -> None:
        """C{call} fails with that error."""
        self.assertEqual(self.assertRaises(OSError, call, *arguments).errno, number)

    def syncFolder(self, name: str) -> None:
        """Sync the folder."""
        fd = self.files.open(name, os.O_RDONLY | os.O_DIRECTORY)
        self.files.sync(fd)
        self.files.close(fd)
