"""
What a fuzz target is: a function of bytes that raises for a finding, and for nothing else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Finding(AssertionError):
    """Something promised does not hold."""


class Tally(NamedTuple):
    """How many inputs became a value, and how many the documented exception."""

    accepted: int
    rejected: int


ACCEPTED, REJECTED = Tally(1, 0), Tally(0, 1)


class Target(ABC):
    """
    One decoder, or one machine that is fed.

    Any exception but the documented one leaves L{run}, and is a finding; so is a L{Finding}.

    @ivar name: for the command line.
    @ivar maxLength: bytes of inputs that are made.
    @ivar words: what mutations put in: names of fields, limits of numbers, delimiters.
    @ivar seconds: of CPU for an input, to begin with.
    @ivar secondsPerByte: and for each byte of it.
    @ivar memory: bytes for an input, to begin with.
    @ivar memoryPerByte: and for each byte of it.
    @ivar batched: an input of the driver is many inputs of the target, and L{run} counts them.
    """

    name = ""
    maxLength = 4096
    words: Sequence[bytes] = ()
    seconds = 0.1
    secondsPerByte = 5e-6
    memory = 1 << 18
    memoryPerByte = 64
    batched = False

    @abstractmethod
    def seeds(self) -> list[bytes]:
        """Good inputs to begin with; never empty."""

    def make(self, random: Random) -> bytes | None:
        """An input that knows the format; C{None}: this target has no such maker."""
        return None

    def grow(self, random: Random, times: int) -> bytes | None:
        """A good input of which some part is there so many times; C{None}: this target has no such maker."""
        return None

    @abstractmethod
    def run(self, data: bytes) -> Tally:
        """
        Feed C{data}, and look at all that was promised about it.

        @raise Exception: a finding.
        """


def require(holds: object, promise: str, *seen: object) -> None:
    """Raise a L{Finding} unless C{holds}."""
    if not holds:
        raise Finding(f"{promise}: {', '.join(repr(each)[:300] for each in seen)}")


def outcome(decode: Callable[[], T], *documented: type[Exception]) -> T | None:
    """What C{decode()} gives; C{None} where it raised what is documented."""
    try:
        return decode()
    except documented:
        return None
