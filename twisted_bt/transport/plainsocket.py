"""
What only a plain TCP socket can do: be read into memory that is used again.

Twisted's own C{doRead} makes a new C{bytes} for each read.  Memory that is new costs page faults, and
64 KiB at a time cut one block in four; reading into one buffer that all connections of a client share,
one after another, saves both.  It rests on how Twisted's TCP transports are made inside, so it is
used only where they are exactly that, and everything works without it: TLS, UNIX, simulated
streams, and whatever Twisted does next.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import main
from twisted.internet.tcp import Connection

#: Bytes read at a time; blocks come 16 to a read when a peer is fast.
BUFFER = 1 << 18


class SharedReader:
    """One buffer, for any number of connections on one reactor."""

    def __init__(self, size: int = BUFFER) -> None:
        self._view = memoryview(bytearray(size))

    def adopt(self, transport: object, deliver: Callable[[memoryview], object]) -> bool:
        """
        Have C{transport} read into the buffer from now on and call C{deliver} with what came: a view
        that is good until C{deliver} returns.  C{False}: it is not that kind, and nothing changed.
        """
        if not isinstance(transport, Connection) or transport.TLS:
            return False
        if type(transport).doRead is not Connection.doRead or "doRead" in vars(transport):
            return False
        view = self._view
        receive = transport.socket.recv_into

        def doRead() -> Any:
            try:
                length = receive(view)
            except (BlockingIOError, InterruptedError):
                return None
            except OSError:
                return main.CONNECTION_LOST
            if not length:
                return main.CONNECTION_DONE
            deliver(view[:length])
            return None

        transport.doRead = doRead  # type: ignore[method-assign]
        return True
