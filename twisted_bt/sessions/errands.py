"""
What a part of the client has under way beside all else: all of it ends with that part.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_bt.errors import SessionStopped


class Errands:
    """
    @param what: is being done, for the log.
    """

    _log = Logger()

    def __init__(self, what: str) -> None:
        self._what = what
        self._running: dict[Deferred[None], None] = {}

    def do(self, work: Coroutine[Any, Any, None], then: Callable[[], object] = lambda: None) -> None:
        """Do C{work}, and C{then} what follows, whatever became of it."""
        running: Deferred[None] = Deferred.fromCoroutine(work)
        if running.called:
            running.addErrback(self._failed)
            then()
            return
        self._running[running] = None

        def over(result: Failure | None) -> Failure | None:
            del self._running[running]
            return result

        running.addBoth(over).addErrback(self._failed)
        running.addCallback(lambda _: then())

    async def cancel(self) -> None:
        """End all of it; returns when nothing is left."""
        running = list(self._running)
        over = DeferredList([whenOver(each) for each in running])
        for each in running:
            each.cancel()
        await over

    def _failed(self, reason: Failure) -> None:
        if not reason.check(CancelledError, SessionStopped):
            self._log.failure("{what}", reason, what=self._what)


def whenOver(task: Deferred[None]) -> Deferred[None]:
    """Fires when C{task} is over, whatever its outcome, which goes on to whom it concerns."""
    waiter: Deferred[None] = Deferred()

    def over(outcome: object) -> object:
        waiter.callback(None)
        return outcome

    task.addBoth(over)
    return waiter
