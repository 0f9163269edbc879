"""
Gives the metadata of a swarm to peers that came by a magnet link (BEP 9).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_bt.errors import SessionStopped, StorageError
from twisted_bt.exchange.metadataattempt import PIECE_LENGTH
from twisted_bt.exchange.metadataupload import MetadataUpload
from twisted_bt.interfaces import IExtension
from twisted_bt.peerwire.metadata import MetadataKind, MetadataMessage
from twisted_bt.sessions.metafiles import infoIsHere

if TYPE_CHECKING:
    from twisted_bt.sessions.peer import PeerSession
    from twisted_bt.sessions.swarm import SwarmSession

#: Bytes that may wait for a peer before it is told to ask again later.
MAX_WAITING = 1 << 17


@implementer(IExtension)
class MetadataServing:
    """The extension C{ut_metadata} of one swarm."""

    name = MetadataMessage.name
    _log = Logger()

    def __init__(self, swarm: SwarmSession) -> None:
        self._swarm = swarm
        self._upload = MetadataUpload()
        self._waiting: dict[PeerSession, list[int]] = {}  # for the file to be read again
        self._reading = False

    def started(self, peer: PeerSession) -> None:
        """See L{IExtension}."""

    def received(self, peer: PeerSession, payload: bytes) -> None:
        """See L{IExtension}."""
        message = MetadataMessage.decode(payload)
        if message is None or message.kind is not MetadataKind.REQUEST:
            return
        swarm, piece = self._swarm, message.piece
        now = swarm.engine.reactor.seconds()
        # What it may have is bounded; so is what may wait here.
        if not self._upload.allows(peer, piece, swarm.metainfo.infoLength, now):
            self._reject(peer, piece)
        elif infoIsHere(swarm.metainfo):
            self._give(peer, piece, swarm.metainfo.infoBytes)
        else:
            self._waiting.setdefault(peer, []).append(piece)
            self._read()

    def stopped(self, peer: PeerSession) -> None:
        """See L{IExtension}."""
        self._upload.left(peer)
        self._waiting.pop(peer, None)

    def _read(self) -> None:
        if not self._reading:
            self._reading = True
            metainfo = self._swarm.metainfo
            reading: Deferred[bytes] = self._swarm.engine.disk.submit(lambda: metainfo.infoBytes)
            reading.addCallbacks(self._wasRead, self._notRead)
            reading.addErrback(lambda reason: self._log.failure("giving metadata", reason))

    def _wasRead(self, info: bytes) -> None:
        self._reading = False
        waiting, self._waiting = self._waiting, {}
        for peer, pieces in waiting.items():
            for piece in pieces:
                self._give(peer, piece, info)

    def _notRead(self, reason: Failure) -> None:
        self._reading = False
        waiting, self._waiting = self._waiting, {}
        if not reason.check(StorageError, SessionStopped):
            self._log.failure("reading the metadata of {name}", reason, name=self._swarm.name)
        for peer, pieces in waiting.items():
            for piece in pieces:
                self._reject(peer, piece)

    def _give(self, peer: PeerSession, piece: int, info: bytes) -> None:
        if peer.pendingMessages.waiting > MAX_WAITING:
            self._reject(peer, piece)  # it asks for more than it reads
            return
        data = info[piece * PIECE_LENGTH : (piece + 1) * PIECE_LENGTH]
        self._say(peer, MetadataMessage(MetadataKind.DATA, piece, len(info), data))

    def _reject(self, peer: PeerSession, piece: int) -> None:
        self._say(peer, MetadataMessage(MetadataKind.REJECT, piece))

    def _say(self, peer: PeerSession, answer: MetadataMessage) -> None:
        peer.sendExtended(self.name, answer.encode())
        peer.flush()  # rather than let a whole dictionary pile up in this turn
