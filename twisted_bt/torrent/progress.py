"""
How far a transfer has come.

One immutable value, in bytes.  A swarm has one; the client's is the sum of its swarms' (L{Progress.__add__}).
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Progress:
    """
    Bytes sent to peers, bytes received from them, bytes still missing.

    C{uploaded} and C{downloaded} only grow and are kept across runs, since trackers look at their
    ratio (BEP 3).

    @raise ValueError: a number is negative.
    """

    uploaded: int
    downloaded: int
    left: int

    def __post_init__(self) -> None:
        if self.uploaded < 0 or self.downloaded < 0 or self.left < 0:
            raise ValueError(f"negative progress: {self.uploaded}, {self.downloaded}, {self.left}")

    def downloadedProgress(self, n: int) -> Progress:
        """C{n} bytes arrived and were kept: less is left."""
        return Progress(self.uploaded, self.downloaded + n, self.left - n)

    def uploadedProgress(self, n: int) -> Progress:
        """C{n} bytes were sent."""
        return replace(self, uploaded=self.uploaded + n)

    def enqueuedProgress(self, n: int) -> Progress:
        """C{n} more bytes are wanted."""
        return replace(self, left=self.left + n)

    def dequeuedProgress(self, n: int) -> Progress:
        """C{n} bytes are wanted no longer, or were found on disk."""
        return replace(self, left=self.left - n)

    def __add__(self, other: Progress) -> Progress:
        return Progress(
            self.uploaded + other.uploaded, self.downloaded + other.downloaded, self.left + other.left
        )


def startProgress(left: int) -> Progress:
    """Nothing exchanged yet, C{left} bytes to get."""
    return Progress(0, 0, left)
