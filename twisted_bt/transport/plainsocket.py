"""
What only a plain TCP socket can do: be read into memory that is used again, and be given data as it lies.

Twisted's own C{doRead} makes a new C{bytes} for each read.  Memory that is new costs page faults, and
64 KiB at a time cut one block in four; reading into one buffer that all connections of a client share,
one after another, saves both.  It rests on how Twisted's TCP transports are made inside, so it is
used only where they are exactly that, and everything works without it: TLS, UNIX, simulated
streams, and whatever Twisted does next.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet import main
from twisted.internet.abstract import FileDescriptor
from twisted.internet.tcp import Connection

from twisted_bt.interfaces import Buffer

#: Writes the parts of something one after another.
Sender = Callable[[Sequence[Buffer]], None]
#: Parts that every system takes in one call (POSIX would let it be fewer, none does).
_MOST_PARTS = 1024

#: Bytes read at a time; blocks come 16 to a read when a peer is fast.
BUFFER = 1 << 18


class SharedReader:
    """One buffer, for any number of connections on one reactor."""

    def __init__(self, size: int = BUFFER) -> None:
        self._view = memoryview(bytearray(size))

    def adopt(self, transport: object, deliver: Callable[[memoryview], object]) -> Sender | None:
        """
        Have C{transport} read into the buffer from now on and call C{deliver} with what came: a view
        that is good until C{deliver} returns.

        @return: what writes parts to it without copying them together; C{None}: it is not that kind, and
            nothing changed.
        """
        if not isinstance(transport, Connection) or transport.TLS:
            return None
        # Not by vars(), which would make a dictionary for each.
        if getattr(transport.doRead, "__func__", None) is not Connection.doRead:
            return None
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
        return _sender(transport)


def _sender(transport: Connection) -> Sender:
    """
    Hands parts to the system as they lie, when nothing waits before them; what it does not take goes
    the usual way.  A seeder's blocks are then copied once, by the system, and most of the time nobody
    needs to be told when there is room again.
    """
    send = transport.socket.sendmsg

    def write(parts: Sequence[Buffer]) -> None:
        sent = 0
        if not (transport.dataBuffer or transport._tempDataBuffer or transport.disconnecting) and (
            transport.connected and len(parts) <= _MOST_PARTS
        ):
            try:
                sent = send(parts)
            except OSError:  # no room, or an error that the usual way finds as well
                sent = 0
        if sent < sum(map(len, parts)):
            transport.write(memoryview(b"".join(parts))[sent:].tobytes() if sent else b"".join(parts))

    return write


#: Bytes that may wait in a transport, where nothing is said, before it asks for a pause; Twisted's.
_USUAL = FileDescriptor.bufferSize
#: The option's number on Linux, where Python did not know it by name; elsewhere there is none.
_LOWAT: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", 25 if sys.platform == "linux" else None)
_UNLIMITED = (1 << 31) - 1


def limitUnsent(transport: Any, size: int | None) -> None:
    """
    Have C{transport} take about C{size} bytes ahead of what the network takes, and then ask for a pause;
    C{None}: as many as usual.

    What waits there can be neither called back nor overtaken.  A system takes megabytes for a peer whose
    line is slow: told to, it keeps no more than C{size} that were not sent yet.
    """
    if not hasattr(transport, "bufferSize"):
        return
    transport.bufferSize = _USUAL if size is None else min(_USUAL, size // 2)
    if _LOWAT is not None and isinstance(transport, Connection):
        try:
            transport.socket.setsockopt(socket.IPPROTO_TCP, _LOWAT, _UNLIMITED if size is None else size)
        except OSError:  # a UNIX socket, or an older system
            return
