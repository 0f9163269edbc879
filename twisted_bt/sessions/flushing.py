"""
Messages that arise outside a read go out in the next turn of the reactor, all of a peer in one write.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IReactorTime

from twisted_bt.sessions.wiresession import WireSession


class Flushing:
    """The sessions of one swarm that have something to send."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._sessions: dict[WireSession[Any], None] = {}  # in order, so that runs can be repeated

    def later(self, session: WireSession[Any]) -> None:
        """Have C{session} flushed in the next turn of the reactor, with all others."""
        if not self._sessions:
            self._clock.callLater(0, self._flush)
        self._sessions[session] = None

    def forget(self, session: WireSession[Any]) -> None:
        """C{session} is over."""
        self._sessions.pop(session, None)

    def _flush(self) -> None:
        sessions, self._sessions = self._sessions, {}
        for session in sessions:
            if session.established:
                session.flush()
