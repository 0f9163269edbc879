"""
What a peer speaks beside the peer wire (BEP 10): the extended handshake, and who gets which message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted_bt.interfaces import IExtension
from twisted_bt.peerwire.allowance import PARSED
from twisted_bt.peerwire.extended import DontHave, ExtendedHandshake, ExtensionIds
from twisted_bt.peerwire.messages import Extended
from twisted_bt.torrent.addresses import PeerAddr

if TYPE_CHECKING:
    from twisted_bt.sessions.peer import PeerSession

#: The id of extended handshakes (BEP 10).
HANDSHAKE_ID = 0


class Dialect:
    """The extensions of one peer session."""

    __slots__ = ("_ids", "_session", "_spoken")

    def __init__(self, session: PeerSession) -> None:
        self._session = session
        self._ids = ExtensionIds()
        self._spoken: dict[bytes, IExtension] = {}

    def handshake(self) -> ExtendedHandshake:
        """Ours."""
        swarm = self._session.swarmSession
        settings = swarm.engine.settings
        return ExtendedHandshake(
            extensions=swarm.tongues.local.ids,
            client=settings.clientName,
            port=swarm.engine.listenerPort(),
            reqq=settings.requestQueueLimit,
            yourIp=self._session.connectedPeerAddr.host,
            uploadOnly=swarm.complete,
            metadataSize=swarm.metainfo.infoLength,
            raw=dict(settings.extensionHandshake),
        )

    def message(self, name: bytes, payload: bytes) -> Extended | None:
        """C{payload} for the peer's extension C{name}, or C{None} if it does not speak that."""
        return self._ids.message(name, payload)

    def received(self, message: Extended) -> None:
        """Its handshake, or a message of an extension; others are ignored.  @raise ProtocolError: wrong."""
        session = self._session
        if message.extensionId == HANDSHAKE_ID:
            if session.allowance is not None:
                session.allowance.take(len(message.payload) // PARSED)
            self._agreed(ExtendedHandshake.decode(message.payload))
            return
        name = session.swarmSession.tongues.local.nameOf(message.extensionId)
        if name == DontHave.name:
            session.peerLost(DontHave.decode(message.payload).index)
        elif name is not None:
            session.swarmSession.tongues.extensions[name].received(session, bytes(message.payload))

    def _agreed(self, theirs: ExtendedHandshake) -> None:
        session, swarm = self._session, self._session.swarmSession
        self._ids.update(theirs)
        if theirs.client:
            session.client = theirs.client
        if theirs.reqq is not None:
            session.download.reqq = max(1, theirs.reqq)
        if theirs.port and session.listenAddr is None:
            session.listenAddr = PeerAddr(session.connectedPeerAddr.host, theirs.port)
        session.uploadOnly = theirs.uploadOnly
        swarm.peerDescribed(session, theirs)
        for name, extension in swarm.tongues.extensions.items():
            if name not in self._spoken and name in self._ids:
                self._spoken[name] = extension
                swarm.tongues.guarded(extension.started, session, what=name)

    def ended(self) -> None:
        """The session is over."""
        for name, extension in self._spoken.items():
            self._session.swarmSession.tongues.guarded(extension.stopped, self._session, what=name)
