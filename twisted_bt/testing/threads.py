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
        self._dead = False

    def abandon(self) -> None:
        """The host stopped: do nothing more."""
        self._dead = True

    def _soon(self, function: Callable[..., object], *args: Any, **kw: Any) -> None:
        def work() -> None:
            if not self._dead:
                function(*args, **kw)

        self._host.network.clock.callLater(0, work, host=self._host)

    def callInThread(self, function: Callable[..., object], *args: Any, **kw: Any) -> None:
        """Do C{function}; what it raises is logged."""
        self._soon(function, *args, **kw)

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

        self._soon(work)
