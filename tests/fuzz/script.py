"""
Bytes as a list of things to do, for targets that are whole machines.
"""

from __future__ import annotations

from random import Random
from zlib import crc32


class Script:
    """
    Reads choices from bytes, until there are none.

    What takes more chance than a few bytes hold (which bytes of a message to damage) comes from L{random},
    whose seed is what was read so far.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def byte(self) -> int:
        """The next; 0 where there is none."""
        at = self._at
        self._at += 1
        return self._data[at] if at < len(self._data) else 0

    def below(self, count: int) -> int:
        """A number below C{count}, which is 256 at most."""
        return self.byte() % count

    def random(self) -> Random:
        """Chance that depends on the next two bytes, and on where they stand."""
        part = self._data[self._at : self._at + 2]
        self._at += 2
        return Random(crc32(part, self._at))

    @staticmethod
    def made(random: Random, low: int = 40, high: int = 600) -> bytes:
        """One of any length between."""
        return random.randbytes(random.randrange(low, high))
