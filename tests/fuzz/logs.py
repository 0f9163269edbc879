"""
Errors that are logged where nobody sees them are findings too.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import implementer

from tests.fuzz.target import Finding


@implementer(ILogObserver)
class Errors:
    """Notes what is logged with a traceback, from when it is made."""

    def __init__(self) -> None:
        self._noted: list[Any] = []
        globalLogPublisher.addObserver(self)

    def __call__(self, event: LogEvent) -> None:
        """Note C{event}, if it is an error."""
        if event.get("log_failure") is not None and len(self._noted) < 10:
            self._noted.append(event)

    def none(self) -> None:
        """
        Nothing was logged since the last call.

        @raise Finding: something was.
        """
        if self._noted:
            noted, self._noted = self._noted, []
            failure = noted[0]["log_failure"]
            raise Finding(f"logged: {failure.getErrorMessage()}") from failure.value
