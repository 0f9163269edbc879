"""
Threads on a simulated host: there are none, so nothing depends on who is quicker.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.python.failure import Failure

if TYPE_CHECKING:
    from twisted_bt.testing.host import Host


class SimulatedThreads:
    """As much of a C{ThreadPool} as C{deferToThreadPool} uses; each job is done in an event of its own."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def callInThread(self, function: Callable[..., object], *args: Any, **kw: Any) -> None:
        """Do C{function}; what it raises is logged."""
        self._host.network.clock.callLater(0, function, (args, kw), host=self._host)

    def callInThreadWithCallback(
        self,
        onResult: Callable[[bool, Any], object] | None,
        function: Callable[..., object],
        *args: Any,
        **kw: Any,
    ) -> None:
        """Do C{function}, then tell C{onResult} whether it went well, and the result or failure."""

        def work() -> None:
            try:
                outcome: tuple[bool, Any] = (True, function(*args, **kw))
            except Exception:
                outcome = (False, Failure())
            if onResult is not None:
                onResult(*outcome)

        self._host.network.clock.callLater(0, work, host=self._host)
