"""
A window of packets.
"""

from __future__ import annotations

from twisted_bt.testing.link import PAYLOAD, wireSize
from twisted_bt.testing.sender import Sender


class WindowSender(Sender):
    """Sends as much as the other side would take."""

    repeated = False

    def push(self) -> None:
        """See L{Sender.push}."""
        if self.stopped:
            return
        while self.unsent and self.room > 0:
            data = self.unsent.take(min(self.room, PAYLOAD))
            self.room -= len(data)
            self._tell("data", data)
        if self.ending and not self.ended and not self.unsent:
            self.ended = True
            self._tell("end", b"")

    def _tell(self, kind: str, data: bytes) -> None:
        self.stream.announce(kind, data)
        self.way.send(self.host, self, wireSize(len(data)), lambda: self._arrive(kind, data))

    def _arrive(self, kind: str, data: bytes) -> None:
        if kind == "end":
            self.receiver.receiveEnd()
        elif self.receiver.receive(data):
            self.wasRead(len(data))

    def wasRead(self, size: int) -> None:
        """See L{Sender.wasRead}."""
        self.receiver.host.signal(self.host, lambda: self._taken(size), self.stream)

    def _taken(self, size: int) -> None:
        self.room += size
        if self.unsent and not self.stopped:
            self.push()
            self.stream.wasSent()

    def reset(self) -> None:
        """See L{Sender.reset}."""
        self.drop()
        self.host.drop(self)
        self.way.send(self.host, self, wireSize(0), self.receiver.receiveReset)
