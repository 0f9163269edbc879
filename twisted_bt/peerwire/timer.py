"""
The two timeouts of a peer session (BEP 3): silence of the peer, and silence of ours.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime


class IdleTimer:
    """
    Call C{expired} each time C{delay} seconds pass without a L{touch}, until L{stop}.

    A touch only notes the time, since there is one for every read and every write: the reactor hears of
    it when the call that was planned comes, which then is put off.
    """

    __slots__ = ("_call", "_clock", "_delay", "_expired", "_seconds", "_touched")

    def __init__(self, clock: IReactorTime, delay: float, expired: Callable[[], object]) -> None:
        self._clock = clock
        self._seconds = clock.seconds
        self._delay = delay
        self._expired = expired
        self._touched = clock.seconds()
        self._call = clock.callLater(delay, self._fire)

    def touch(self) -> None:
        """Start the countdown again."""
        self._touched = self._seconds()

    def start(self) -> None:
        """Count from now, after a L{stop} or anew."""
        self.touch()
        if not self._call.active():
            self._call = self._clock.callLater(self._delay, self._fire)

    def stop(self) -> None:
        """Never call again."""
        if self._call.active():
            self._call.cancel()

    def _fire(self) -> None:
        now = self._seconds()
        left = self._touched + self._delay - now
        if left > 0:
            self._call = self._clock.callLater(left, self._fire)
            return
        self._touched = now
        self._call = self._clock.callLater(self._delay, self._fire)
        self._expired()
