"""
Gives the metadata of a swarm to peers that came by a magnet link (BEP 9).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from twisted_bt.exchange.metadataupload import MetadataUpload
from twisted_bt.interfaces import IExtension
from twisted_bt.peerwire.metadata import MetadataKind, MetadataMessage

if TYPE_CHECKING:
    from twisted_bt.sessions.peer import PeerSession

#: Bytes that may wait for a peer before it is told to ask again later.
MAX_WAITING = 1 << 17


@implementer(IExtension)
class MetadataServing:
    """The extension C{ut_metadata} of one swarm."""

    name = MetadataMessage.name

    def __init__(self, metadata: bytes, clock: IReactorTime) -> None:
        self._upload = MetadataUpload(metadata)
        self._size = len(metadata)
        self._clock = clock

    def started(self, peer: PeerSession) -> None:
        """See L{IExtension}."""

    def received(self, peer: PeerSession, payload: bytes) -> None:
        """See L{IExtension}."""
        message = MetadataMessage.decode(payload)
        if message is None or message.kind is not MetadataKind.REQUEST:
            return
        data = self._upload.answer(peer, message.piece, self._clock.seconds())
        if peer.pendingMessages.waiting > MAX_WAITING:
            data = None  # it asks for more than it reads
        if data is None:
            answer = MetadataMessage(MetadataKind.REJECT, message.piece)
        else:
            answer = MetadataMessage(MetadataKind.DATA, message.piece, self._size, data)
        peer.sendExtended(self.name, answer.encode())
        peer.flush()  # rather than let a whole dictionary pile up in this turn

    def stopped(self, peer: PeerSession) -> None:
        """See L{IExtension}."""
        self._upload.left(peer)
