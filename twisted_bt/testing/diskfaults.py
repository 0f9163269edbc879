"""
What goes wrong on a simulated disk, when a test wants it.

    >>> host.files.faults.add(Fault("write", errno.ENOSPC, after=7))   # full at the eighth write
    >>> host.files.faults.add(Fault("read", errno.EIO, path="film", begin=1 << 20, end=2 << 20))
    >>> host.files.faults.add(Fault("sync", delay=2.0, odds=0.1))      # now and then it takes two seconds
    >>> host.files.faults.clear()                                      # mended
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from random import Random

#: What may go wrong: all that touches the disk.
OPERATIONS = (
    *("open", "make", "rename", "remove", "read", "write", "truncate", "allocate", "sync"),
    *("query", "commit"),
)


@dataclass
class Fault:
    """
    One thing that goes wrong.

    @ivar operation: one of L{OPERATIONS}; C{query} and C{commit} are those of a database.
    @ivar error: the number of the system's error; 0: there is none.
    @ivar after: how many operations that it would concern go well before.
    @ivar times: how many it harms.
    @ivar odds: how likely each of them is to be harmed.
    @ivar path: concerns only what has this in its path.
    @ivar begin: concerns only reads and writes that touch bytes from here ...
    @ivar end: ... to here.
    @ivar delay: seconds that it takes longer.
    @ivar short: bytes that are read or written at most; with C{error}: before the error.
    """

    operation: str
    error: int = 0
    after: int = 0
    times: float = inf
    odds: float = 1.0
    path: str = ""
    begin: float = 0
    end: float = inf
    delay: float = 0.0
    short: int | None = None

    def __post_init__(self) -> None:
        if self.operation not in OPERATIONS:
            raise ValueError(f"{self.operation!r} is none of {', '.join(OPERATIONS)}")


@dataclass(frozen=True)
class Harm:
    """What one operation suffers: see L{Fault}."""

    error: int = 0
    delay: float = 0.0
    short: int | None = None

    def strike(self) -> None:
        """@raise OSError: the operation fails."""
        if self.error:
            raise OSError(self.error, os.strerror(self.error))


_NONE = Harm()


class DiskFaults:
    """
    The faults of one disk.

    @ivar injected: how many operations were harmed, by operation and C{error}, C{slow} or C{short}.
    """

    def __init__(self, random: Random) -> None:
        self.injected: Counter[str] = Counter()
        self._random = random
        self._faults: list[Fault] = []

    def __bool__(self) -> bool:
        return bool(self._faults)

    def add(self, fault: Fault) -> Callable[[], None]:
        """From now on, until the result is called."""
        self._faults.append(fault)

        def mend() -> None:
            self._faults = [each for each in self._faults if each is not fault]

        return mend

    def clear(self) -> None:
        """All is well from now on."""
        self._faults.clear()

    def meet(self, operation: str, path: str, offset: int = 0, length: int = 0) -> Harm:
        """What becomes of this operation."""
        if not self._faults:
            return _NONE
        for fault in self._faults:
            if fault.operation != operation or fault.path not in path:
                continue
            if length and not (fault.begin < offset + length and offset < fault.end):
                continue
            if fault.after > 0:
                fault.after -= 1
                continue
            if fault.times <= 0 or (fault.odds < 1 and self._random.random() >= fault.odds):
                continue
            fault.times -= 1
            kind = "error" if fault.error else "slow" if fault.delay else "short"
            self.injected[f"{operation} {kind}"] += 1
            return Harm(fault.error, fault.delay, fault.short)
        return _NONE
