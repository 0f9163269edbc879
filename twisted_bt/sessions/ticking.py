"""
One timer for all swarms: whoever has something to do once a second is called then, and nobody else.
"""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from twisted_bt.sessions.engine import ITicking


class Ticking:
    """Runs while anybody is busy."""

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._busy: dict[ITicking, None] = {}
        self._call: IDelayedCall | None = None

    def busy(self, one: ITicking) -> None:
        """Have C{one.tick} called once a second, until it says that it has nothing to do."""
        self._busy[one] = None
        self._arm()

    def stop(self) -> None:
        """Call nobody any more."""
        self._busy.clear()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _arm(self) -> None:
        if self._busy and self._call is None:
            self._call = self._clock.callLater(1.0, self._tick)

    def _tick(self) -> None:
        self._call = None
        now = self._clock.seconds()
        for each in list(self._busy):
            try:
                if not each.tick(now):
                    self._busy.pop(each, None)
            except Exception:
                self._log.failure("the tick of {each} failed", each=each)
        self._arm()
