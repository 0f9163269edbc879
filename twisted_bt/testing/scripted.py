"""
A peer that says exactly what a test wants, and remembers what it hears.

    >>> peer = ScriptedPeer(metainfo.wireHash)
    >>> network.runUntil(peer.dial(host, leecher.address))
    >>> peer.greet()
    >>> peer.say(HaveAll(), Unchoke())
    >>> network.advance(1)
    >>> requests = peer.heardOf(Request)

It keeps to no rule by itself: it may greet with another torrent's info-hash, send half a message
and stop, or send bytes that mean nothing (L{ScriptedPeer.sendRaw}).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ClientFactory, Protocol, ServerFactory, connectionDone
from twisted.python.failure import Failure

from twisted_bt.errors import PeerDisconnected
from twisted_bt.peerwire import messages
from twisted_bt.peerwire.extended import ExtendedHandshake
from twisted_bt.peerwire.framing import WireDecoder
from twisted_bt.peerwire.handshake import Handshake, HandshakeReader
from twisted_bt.settings import Extension
from twisted_bt.testing.host import Host
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.metainfo import Metainfo

M = TypeVar("M", bound=messages.Message)

#: What it offers unless told otherwise.
EXTENSIONS = frozenset({Extension.FAST, Extension.EXTENDED})


class ScriptedPeer(Protocol):
    """
    @ivar infoHash: what it greets with.
    @ivar peerId: who it says it is.
    @ivar extensions: what it offers.
    @ivar handshake: the other side's, once it came.
    @ivar heard: the messages since.
    @ivar reads: how many bytes came at a time.
    @ivar lost: why the connection ended; C{None} while it has not.
    @ivar reactions: what to do about messages, by their class, with the message.
    """

    transport: Any = None
    handshake: Handshake | None = None
    lost: Failure | None = None

    def __init__(
        self,
        infoHash: bytes,
        peerId: bytes = b"-SC0001-scripted0001",
        extensions: frozenset[Extension] = EXTENSIONS,
        greets: bool = False,
        forgetful: bool = False,
    ) -> None:
        """
        @param greets: say hello as soon as it is connected.
        @param forgetful: keep nothing in C{heard} and C{reads}: for long runs.
        """
        self.infoHash = infoHash
        self.peerId = peerId
        self.extensions = extensions
        self.heard: list[messages.Message] = []
        self.reads: list[int] = []
        self.reactions: dict[type[Any], Callable[[Any], object]] = {}
        self._greets = greets
        self._greeted = False
        self._forgetful = forgetful
        self._connector: Any = None
        self._reader = HandshakeReader()
        self._decoder = WireDecoder(1 << 24, 1 << 24)
        self._waiting: list[tuple[type[Any], Deferred[Any]]] = []
        self._whenLost: list[Deferred[None]] = []
        self._dialled: Deferred[ScriptedPeer] | None = None

    # -- coming together

    def dial(self, host: Host, addr: PeerAddr, port: int = 0) -> Deferred[ScriptedPeer]:
        """
        Connect from C{host} to C{addr}; fires once connected.

        @param port: to dial from; 0: any.
        """
        connected: Deferred[ScriptedPeer] = Deferred()
        self._dialled = connected
        bind = (host.sourceFor(addr.host), port) if port else None
        self._connector = host.connectTCP(addr.host, addr.port, _Dialling(self, connected), bindAddress=bind)
        return connected

    def listen(self, host: Host, port: int = 6881) -> PeerAddr:
        """Wait on C{host} for one who dials; where that is."""
        host.listenTCP(port, Listening(lambda: self))
        return PeerAddr(host.address, port)

    # -- speaking

    def greet(self) -> None:
        """Send the handshake."""
        self._greeted = True
        self.sendRaw(Handshake(self.infoHash, self.peerId, self.extensions).encode())

    def say(self, *said: messages.Message | ExtendedHandshake) -> None:
        """Send messages, in one write."""
        frames = [(each.message() if isinstance(each, ExtendedHandshake) else each).encode() for each in said]
        self.sendRaw(b"".join(frames))

    def sendRaw(self, data: bytes) -> None:
        """Send bytes, whatever they mean."""
        self.transport.write(data)

    def close(self) -> None:
        """Close the connection."""
        self.transport.loseConnection()

    def abandon(self) -> None:
        """Have nothing to do with it any more: end the connection, or the attempt to make one, now."""
        if self.transport is not None:
            self.transport.abortConnection()
        elif self._connector is not None and self._connector.state == "connecting":
            self._connector.stopConnecting()

    # -- hearing

    def heardOf(self, kind: type[M]) -> list[M]:
        """The messages of class C{kind} that came."""
        return [each for each in self.heard if isinstance(each, kind)]

    def whenHeard(self, kind: type[M]) -> Deferred[M]:
        """The next message of class C{kind}; fails with L{PeerDisconnected} if there is none."""
        waiter: Deferred[M] = Deferred()
        self._waiting.append((kind, waiter))
        return waiter

    def whenLost(self) -> Deferred[None]:
        """Fires once the connection is gone."""
        waiter: Deferred[None] = Deferred()
        if self.lost is not None:
            waiter.callback(None)
        else:
            self._whenLost.append(waiter)
        return waiter

    @property
    def wasReset(self) -> bool:
        """Whether the other side ended it without a word."""
        return self.lost is not None and not self.lost.check(ConnectionDone)

    # -- playing a part

    def seed(
        self,
        metainfo: Metainfo,
        content: bytes,
        forge: Callable[[messages.Request], bytes | None] | None = None,
    ) -> None:
        """
        Behave like a seed from now on: answer the handshake, have all, unchoke whoever is interested,
        answer requests.

        @param forge: the data to answer a request with in place of the right; C{None}: the right.
        """

        def serve(request: messages.Request) -> None:
            begin = metainfo.layout.pieceOffset(request.index) + request.begin
            forged = forge(request) if forge is not None else None
            data = content[begin : begin + request.length] if forged is None else forged
            self.say(messages.Piece(request.index, request.begin, data))

        bits = bytearray(b"\xff" * ((metainfo.layout.pieceCount + 7) // 8))
        if metainfo.layout.pieceCount % 8:
            bits[-1] = 0xFF << (8 - metainfo.layout.pieceCount % 8) & 0xFF

        def begin(_: Handshake) -> None:
            if not self._greeted:
                self.greet()
            self.say(messages.Bitfield(bytes(bits)))

        self.reactions[Handshake] = begin
        self.reactions[messages.Interested] = lambda _: self.say(messages.Unchoke())
        self.reactions[messages.Request] = serve

    # -- IProtocol

    def connectionMade(self) -> None:
        """Connected."""
        if self._greets:
            self.greet()
        if self._dialled is not None and not self._dialled.called:
            self._dialled.callback(self)

    def dataReceived(self, data: bytes) -> None:
        """Remember what was said."""
        if not self._forgetful:
            self.reads.append(len(data))
        known = self.handshake is not None
        rest = self._reader.feed(data)
        self.handshake = self._reader.handshake
        if self.handshake is None:
            return
        if not known:
            self._heard(self.handshake)
        for message in self._decoder.feed(rest):
            if isinstance(message, messages.Piece) and not self._forgetful:
                message = messages.Piece(message.index, message.begin, bytes(message.data))
            if not self._forgetful:
                self.heard.append(message)
            self._heard(message)

    def _heard(self, message: Any) -> None:
        waiting, self._waiting = self._waiting, []
        for kind, waiter in waiting:
            if isinstance(message, kind):
                waiter.callback(message)
            else:
                self._waiting.append((kind, waiter))
        reaction = self.reactions.get(type(message))
        if reaction is not None:
            reaction(message)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is over."""
        self.lost = reason
        waiting, self._waiting = self._waiting, []
        for _, waiter in waiting:
            waiter.errback(PeerDisconnected("the connection is gone"))
        lost, self._whenLost = self._whenLost, []
        for each in lost:
            each.callback(None)


class _Dialling(ClientFactory):
    noisy = False

    def __init__(self, peer: ScriptedPeer, connected: Deferred[ScriptedPeer]) -> None:
        self._peer = peer
        self._connected = connected

    def buildProtocol(self, addr: IAddress | None) -> ScriptedPeer:
        return self._peer

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        if not self._connected.called:
            self._connected.errback(reason)


class Listening(ServerFactory):
    """
    Accepts connections.

    @ivar accepted: the peers made for them.
    @param make: makes one; a peer that is connected already means that nobody else is wanted.
    """

    noisy = False

    def __init__(self, make: Callable[[], ScriptedPeer]) -> None:
        self._make = make
        self.accepted: list[ScriptedPeer] = []

    def buildProtocol(self, addr: IAddress | None) -> ScriptedPeer | None:
        """A peer for a new connection."""
        peer = self._make()
        if peer in self.accepted:
            return None
        self.accepted.append(peer)
        return peer
