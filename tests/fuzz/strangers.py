"""
A peer of whom nothing is sure.
"""

from __future__ import annotations

from tests.fuzz.target import outcome
from twisted_bt.errors import ProtocolError
from twisted_bt.peerwire import messages
from twisted_bt.peerwire.extended import ExtendedHandshake
from twisted_bt.peerwire.metadata import MetadataKind, MetadataMessage
from twisted_bt.settings import Extension
from twisted_bt.testing.scripted import ScriptedPeer

#: The ids strangers give to the extensions they speak.
NAMES = {b"ut_pex": 1, b"ut_metadata": 2, b"lt_donthave": 3}


class Stranger(ScriptedPeer):
    """A peer that says what the script wants: C{unsent} is what it will say next."""

    def __init__(self, infoHash: bytes, number: int, extensions: frozenset[Extension]) -> None:
        super().__init__(infoHash, b"-SC0001-stranger%04d" % number, extensions)
        self.unsent = bytearray()
        self.requests: list[messages.Request] = []
        self.reactions[messages.Request] = self._asked
        self.ids: dict[bytes, int] = {}
        self.wanted: list[int] = []
        self.reactions[messages.Extended] = self._extended

    def _asked(self, request: messages.Request) -> None:
        self.requests = [*self.requests[-50:], request]

    def _extended(self, message: messages.Extended) -> None:
        if message.extensionId == 0:
            self.ids = dict(ExtendedHandshake.decode(message.payload).extensions)
        elif message.extensionId == NAMES[MetadataMessage.name]:
            # It may have said meanwhile that this is the id of another extension.
            asked = outcome(lambda: MetadataMessage.decode(message.payload), ProtocolError)
            if asked is not None and asked.kind is MetadataKind.REQUEST:
                self.wanted.append(asked.piece)

    @property
    def open(self) -> bool:
        """Whether it is connected."""
        return self.transport is not None and self.lost is None

    def push(self, count: int) -> None:
        """Send so many bytes of what is unsent, if there is anybody to hear it."""
        part = bytes(self.unsent[:count])
        del self.unsent[:count]
        if self.open and part:
            self.sendRaw(part)
