"""
A worker process that runs as long as its standard input is open.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure


class UntilEnd(Protocol):
    """Fires C{ended} at the end of the input."""

    def __init__(self, ended: Deferred[None]) -> None:
        self._ended = ended

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The input ended."""
        self._ended.callback(None)
