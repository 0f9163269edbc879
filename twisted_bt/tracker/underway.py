"""
Requests under way: each has a time limit, fails with L{TrackerError} alone, and ends when its client closes.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_bt.errors import TrackerError

T = TypeVar("T")


class Underway:
    """
    Runs the requests of one client.

    @param timeout: seconds for one request.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, timeout: float) -> None:
        self._clock = clock
        self._timeout = timeout
        self._running: dict[Deferred[Any], list[str]] = {}
        self._closed = False

    def run(self, request: Coroutine[Any, Any, T]) -> Deferred[T]:
        """
        The result of C{request}, or a failure with L{TrackerError}; with C{CancelledError} where whoever
        asked cancels.
        """
        if self._closed:
            request.close()
            return fail(TrackerError("the tracker client was closed"))
        running: Deferred[T] = Deferred.fromCoroutine(request)
        why: list[str] = []
        self._running[running] = why
        timer = self._clock.callLater(
            self._timeout, self._end, running, f"no answer within {self._timeout:g} s"
        )

        def over(result: T | Failure) -> T | Failure:
            self._running.pop(running, None)
            if timer.active():
                timer.cancel()
            if not isinstance(result, Failure):
                return result
            if why:
                return Failure(TrackerError(why[0]))
            if not result.check(TrackerError, CancelledError):
                self._log.failure("a request to a tracker failed by an error of ours", failure=result)
                return Failure(TrackerError(f"an error of ours: {result.value!r}"))
            return result

        return running.addBoth(over)

    def _end(self, running: Deferred[Any], reason: str) -> None:
        self._running[running].append(reason)
        running.cancel()

    def close(self) -> None:
        """Fail what is under way, and whatever comes later."""
        self._closed = True
        for running in list(self._running):
            self._end(running, "the tracker client was closed")
