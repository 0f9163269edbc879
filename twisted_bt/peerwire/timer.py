"""
The two timeouts of a peer session (BEP 3): silence of the peer, and silence of ours.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime


class IdleTimer:
    """Call C{expired} each time C{delay} seconds pass without a L{touch}, until L{stop}."""

    def __init__(self, clock: IReactorTime, delay: float, expired: Callable[[], object]) -> None:
        self._clock = clock
        self._delay = delay
        self._expired = expired
        self._call = clock.callLater(delay, self._fire)

    def touch(self) -> None:
        """Start the countdown again."""
        if self._call.active():
            self._call.reset(self._delay)

    def start(self) -> None:
        """Count from now, after a L{stop} or anew."""
        if self._call.active():
            self._call.reset(self._delay)
        else:
            self._call = self._clock.callLater(self._delay, self._fire)

    def stop(self) -> None:
        """Never call again."""
        if self._call.active():
            self._call.cancel()

    def _fire(self) -> None:
        self._call = self._clock.callLater(self._delay, self._fire)
        self._expired()
