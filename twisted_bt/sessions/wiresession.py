"""
What every session with a peer does, whatever it is about: keeps time, says things, ends.

It exists from before the connection is made until after it is closed, and holds a slot of its
client and of its swarm for just that long (see C{joining}).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from twisted.internet.defer import Deferred

from twisted_bt.errors import PeerDisconnected, SessionException
from twisted_bt.interfaces import PeerInfo
from twisted_bt.peerwire.allowance import Allowance
from twisted_bt.peerwire.handshake import Handshake, enabledExtensions
from twisted_bt.peerwire.messages import KeepAlive, Message
from twisted_bt.peerwire.outbox import Outbox
from twisted_bt.peerwire.protocol import PeerProtocol
from twisted_bt.peerwire.state import WireState
from twisted_bt.peerwire.timer import IdleTimer
from twisted_bt.sessions.engine import Engine
from twisted_bt.settings import Extension
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.ids import clientName


class IWireOwner(Protocol):
    """What a session needs of the swarm it belongs to, whatever kind."""

    @property
    def engine(self) -> Engine:
        """What the swarms of the client share."""

    def flushLater(self, session: Any) -> None:
        """Call C{session.flush} in the next turn of the reactor."""


S = TypeVar("S", bound=IWireOwner)


class WireSession(Generic[S]):
    """
    @ivar swarmSession: the swarm it belongs to.
    @ivar connectedPeerAddr: the other end of the connection.
    @ivar listenAddr: where the peer can be dialled, as far as known.
    @ivar incoming: the peer dialled.
    @ivar connectedAt: when it began, by the reactor's clock.
    @ivar established: both handshakes are done, and the connection is not gone.
    @ivar peerId: C{None} before its handshake.
    @ivar client: the peer's software, C{""} while unknown.
    @ivar enabledExtensions: what both sides allow; fixed at the handshake.
    @ivar wire: who chokes and wants whom; from the handshake on.
    @ivar incomingTimeout: closes the session after silence (once it is established).
    @ivar outcomingTimeout: sends a keep-alive.
    @ivar pendingMessages: what goes out in the next write.
    @ivar sendingBlocked: the transport is full.
    @ivar partedWell: we ended it although nothing was wrong with the peer.
    @ivar useless: we ended it because the peer was of less use than others may be.
    @ivar now: when the latest bytes came.
    @ivar allowance: what the peer may say beside blocks; C{None}: anything.
    """

    handlers: ClassVar[Mapping[type, Callable[[Any, Any], None]]]
    incomingTimeout: IdleTimer
    outcomingTimeout: IdleTimer
    wire: WireState

    def __init__(
        self,
        swarm: S,
        addr: PeerAddr,
        incoming: bool,
        now: float,
        protocol: PeerProtocol | None = None,
    ) -> None:
        self.swarmSession = swarm
        self.connectedPeerAddr = addr
        self.listenAddr: PeerAddr | None = None if incoming else addr
        self.incoming = incoming
        self.connectedAt = now
        self.established = False
        self.peerId: bytes | None = None
        self.client = ""
        self.enabledExtensions: frozenset[Extension] = frozenset()
        self.pendingMessages = Outbox()
        self.sendingBlocked = False
        self.partedWell = False
        self.useless = False
        self.now = now
        self.allowance: Allowance | None = None
        self._inTurn = False
        self._protocol = protocol

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.connectedPeerAddr} {self.client or '?'}>"

    @property
    def closing(self) -> bool:
        """Whether the connection is ending, or gone."""
        return self._protocol is not None and self._protocol.reason is not None

    @property
    def info(self) -> PeerInfo:
        """The peer as policies see it."""
        return PeerInfo(self.connectedPeerAddr, self.incoming, self.peerId, self.client)

    # -- its life

    def exchange(self, protocol: PeerProtocol, theirs: Handshake) -> Deferred[None]:
        """
        Talk to the peer whose handshake is C{theirs} until the connection is gone, then fire.
        """
        engine = self.swarmSession.engine
        settings = engine.settings
        self.peerId = theirs.peerId
        self.client = clientName(theirs.peerId)
        self.enabledExtensions = enabledExtensions(engine.allowedExtensions, theirs.extensions)
        self.wire = WireState(self.enabledExtensions)
        self._protocol = protocol
        self.incomingTimeout = IdleTimer(engine.reactor, settings.incomingTimeout, self._silent)
        self.outcomingTimeout = IdleTimer(engine.reactor, settings.outcomingTimeout, self._keepAlive)
        self.established = True
        lost = protocol.whenLost()
        self.began(protocol)
        protocol.begin(self)
        return lost

    def began(self, protocol: PeerProtocol) -> None:
        """The handshakes are done: what to say first is for each kind of session."""
        protocol.decoder.pieceCount = None

    def close(self, reason: SessionException) -> None:
        """End the session now; L{exchange} fires once the connection is gone."""
        if self._protocol is not None:
            self._protocol.close(reason)

    def ended(self, reason: SessionException) -> None:
        """The connection is gone: stop the timers."""
        self.incomingTimeout.stop()
        self.outcomingTimeout.stop()
        self.established = False

    def turnBegan(self, received: int) -> Allowance | None:
        """Bytes came: the peer is alive."""
        self._inTurn = True
        self.now = self.swarmSession.engine.reactor.seconds()
        self.incomingTimeout.touch()
        if self.allowance is not None:
            self.allowance.refill(self.now)
        return self.allowance

    def turnEnded(self) -> None:
        """All that the bytes said was done."""
        self._inTurn = False
        self.flush()

    def sendingPaused(self, paused: bool) -> None:
        """The transport is full, or has room again."""
        self.sendingBlocked = paused
        if not paused:
            self.flush()

    def _silent(self) -> None:
        timeout = self.swarmSession.engine.settings.incomingTimeout
        self.close(PeerDisconnected(f"nothing heard for {timeout:.0f} seconds"))

    def _keepAlive(self) -> None:
        self._write(KeepAlive().encode())

    # -- sending

    def send(self, message: Message) -> None:
        """
        Say C{message}, together with what else is said in this turn.  A peer that does not read what it
        is told loses its session.
        """
        self.wire.sent(message)
        try:
            self.pendingMessages.send(message)
        except SessionException as reason:
            if self._inTurn:
                raise
            self.close(reason)
        else:
            self._flushLater()

    def flush(self) -> None:
        """Send all that is pending in one write; later, while the transport is full."""
        if self.pendingMessages and not self.sendingBlocked:
            self._write(self._drain())

    def ownBitfield(self) -> bytes:
        """What we have, for a bitfield that takes the place of many haves."""
        return b""

    def _drain(self) -> bytes:
        return self.pendingMessages.drain(self.ownBitfield)

    def _write(self, data: bytes) -> None:
        if self._protocol is not None and data:
            self.outcomingTimeout.touch()
            self._protocol.write(data)

    def _flushLater(self) -> None:
        if not self._inTurn:
            self.swarmSession.flushLater(self)
