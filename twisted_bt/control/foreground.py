"""
Work that a person waits for: runs the reactor until it is done, or until a signal ends it.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import react

from twisted_bt.control.names import letLookupsGo
from twisted_bt.interfaces import IClientReactor


def runToEnd(work: Callable[[IClientReactor], Coroutine[Deferred[Any], Any, object]]) -> int:
    """
    Run the reactor until C{work} is done; the exit status.  To be called once in a process.

    SIGINT or SIGTERM cancels C{work} and waits for it to clean up; a second one does not wait.  The
    status is then the one that a shell gives to who was ended by a signal.

    What C{work} raises leaves this.
    """
    errors: list[BaseException] = []

    async def guarded(reactor: Any) -> None:
        letLookupsGo(reactor)
        job = Deferred.fromCoroutine(work(reactor))
        cleaned: Deferred[None] = Deferred()
        interrupted = False

        def shutDown() -> Deferred[None] | None:
            nonlocal interrupted
            if cleaned.called:
                return None
            interrupted = True
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            job.cancel()
            return cleaned

        reactor.addSystemEventTrigger("before", "shutdown", shutDown)
        try:
            await job
        except CancelledError:
            pass
        except BaseException as error:
            errors.append(error)
        finally:
            cleaned.callback(None)
        if interrupted:
            raise SystemExit(128 + (getattr(reactor, "_exitSignal", None) or signal.SIGINT))

    try:
        react(guarded)
    except SystemExit as end:
        if end.code:
            return int(end.code)
    if errors:
        raise errors[0]
    return 0
