"""
One peer asked for metadata (BEP 9): a session before anybody knows what the torrent holds.

It says that it has nothing and wants nothing, and ignores what is said of pieces.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted_bt.errors import PeerDisconnected, ProtocolError, SessionException
from twisted_bt.peerwire.allowance import Allowance
from twisted_bt.peerwire.extended import ExtendedHandshake, ExtensionIds, LocalExtensions
from twisted_bt.peerwire.messages import Extended, HaveNone, Port
from twisted_bt.peerwire.metadata import MetadataKind, MetadataMessage
from twisted_bt.peerwire.protocol import PeerProtocol
from twisted_bt.sessions.dialect import HANDSHAKE_ID
from twisted_bt.sessions.wiresession import WireSession
from twisted_bt.settings import Extension
from twisted_bt.torrent.addresses import PeerAddr

if TYPE_CHECKING:
    from twisted_bt.sessions.metadatasession import MetadataSession

_LOCAL = LocalExtensions([MetadataMessage.name])
#: Bytes a peer may say here that are no metadata: haves and a bitfield, but no content.
MAX_TALK = 8 << 20


class _Handlers(dict[type, Callable[[Any, Any], None]]):
    """What is not listed is ignored."""

    def __missing__(self, kind: type) -> Callable[[Any, Any], None]:
        return _ignored


def _ignored(session: MetadataPeer, message: object) -> None:
    """Not about metadata."""


class MetadataPeer(WireSession["MetadataSession"]):
    """
    @ivar size: bytes of metadata the peer says there are; C{None}: it did not say, and has none.
    """

    def __init__(
        self,
        swarm: MetadataSession,
        addr: PeerAddr,
        incoming: bool,
        now: float,
        protocol: PeerProtocol | None = None,
    ) -> None:
        super().__init__(swarm, addr, incoming, now, protocol)
        self.size: int | None = None
        self._ids = ExtensionIds()
        self._heard = 0

    def began(self, protocol: PeerProtocol) -> None:
        """See L{WireSession.began}."""
        if Extension.EXTENDED not in self.enabledExtensions:
            self.close(PeerDisconnected("the peer speaks no extensions, so it gives no metadata"))
            return
        engine = self.swarmSession.engine
        if Extension.FAST in self.enabledExtensions:
            self.send(HaveNone())
        handshake = ExtendedHandshake(
            extensions=_LOCAL.ids,
            client=engine.settings.clientName,
            port=engine.listenerPort(),
            yourIp=self.connectedPeerAddr.host,
        )
        self.send(handshake.message())
        self.flush()
        self.swarmSession.peerEstablished(self)

    def turnBegan(self, received: int) -> Allowance | None:
        """See L{WireSession.turnBegan}."""
        allowance = super().turnBegan(received)
        self._heard += received
        if self._heard > MAX_TALK:
            raise ProtocolError("talks on and gives no metadata")
        return allowance

    def ask(self, piece: int) -> None:
        """Ask for one piece of the metadata."""
        self._say(MetadataMessage(MetadataKind.REQUEST, piece))

    def _say(self, message: MetadataMessage) -> None:
        extended = self._ids.message(MetadataMessage.name, message.encode())
        if extended is not None:
            self.send(extended)

    def ended(self, reason: SessionException) -> None:
        """The connection is gone."""
        super().ended(reason)
        self.swarmSession.peerLost(self)

    def _extended(self, message: Extended) -> None:
        self.wire.received(message)
        if message.extensionId == HANDSHAKE_ID:
            self._agreed(ExtendedHandshake.decode(message.payload))
        elif _LOCAL.nameOf(message.extensionId) == MetadataMessage.name:
            said = MetadataMessage.decode(bytes(message.payload))
            if said is None:
                return
            if said.kind is MetadataKind.REQUEST:
                self._say(MetadataMessage(MetadataKind.REJECT, said.piece))
            else:
                self._heard = 0
                self.swarmSession.heard(self, said)

    def _agreed(self, theirs: ExtendedHandshake) -> None:
        self._ids.update(theirs)
        if theirs.client:
            self.client = theirs.client
        if theirs.port and self.listenAddr is None:
            self.listenAddr = PeerAddr(self.connectedPeerAddr.host, theirs.port)
        self.swarmSession.meeting.described(self)
        self.size = theirs.metadataSize if MetadataMessage.name in self._ids else None
        self.swarmSession.offered(self, self.size)

    def _port(self, message: Port) -> None:
        self.swarmSession.dhtNodeHeard(self, message.port)


MetadataPeer.handlers = _Handlers({Extended: MetadataPeer._extended, Port: MetadataPeer._port})
