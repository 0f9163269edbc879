"""
The peer listener: accepts connections and hands each to C{acceptPeerSession}.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IListeningPort, ITransport
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_bt.errors import BitTorrentError
from twisted_bt.peerwire.protocol import PeerProtocol
from twisted_bt.sessions.joining import acceptPeerSession
from twisted_bt.torrent.addresses import peerAddr

if TYPE_CHECKING:
    from twisted_bt.sessions.joining import ISwarmFinder

#: Connections that wait to be accepted; more than one burst of peers.
BACKLOG = 128


class PeerListener(ServerFactory):
    """Every accepted connection, until its session is over."""

    noisy = False
    _log = Logger()

    def __init__(self, finder: ISwarmFinder) -> None:
        self._finder = finder
        self._tasks: dict[Deferred[None], None] = {}
        self._shaking: set[PeerProtocol] = set()

    def buildProtocol(self, addr: IAddress | None) -> PeerProtocol | None:
        """A connection, unless too many others have not yet said what they want."""
        engine = self._finder.engine
        settings = engine.settings
        if len(self._shaking) >= settings.maxIncomingHandshakes:
            return None
        return PeerProtocol(
            settings.maxMessageLength, settings.maxRequestLength, self._connected, engine.reader.adopt
        )

    def listen(self) -> list[IListeningPort]:
        """
        Bind to every interface of the settings.

        @raise CannotListenError: an address is taken, or not ours.
        """
        settings, reactor = self._finder.engine.settings, self._finder.engine.reactor
        ports: list[IListeningPort] = []
        number = settings.listenPort
        try:
            for interface in settings.interfaces:
                try:
                    port = reactor.listenTCP(number, self, BACKLOG, interface or "::")
                except CannotListenError as reason:
                    if interface or getattr(reason.socketError, "errno", None) == errno.EADDRINUSE:
                        raise
                    port = reactor.listenTCP(number, self, BACKLOG)  # there is no IPv6 here
                ports.append(port)
                number = number or getattr(port.getHost(), "port", 0)
        except BaseException:
            for port in ports:
                port.stopListening()
            raise
        return ports

    def stop(self) -> None:
        """End the sessions that have not found their swarm; the swarms end the others."""
        for task in list(self._tasks):
            task.cancel()

    def _connected(self, protocol: PeerProtocol) -> None:
        self._shaking.add(protocol)
        protocol.whenHandshake().addBoth(lambda _: self._shaking.discard(protocol))
        peer = cast(ITransport, protocol.transport).getPeer()
        try:
            addr = peerAddr(getattr(peer, "host", "0.0.0.0"), getattr(peer, "port", 0) or 1)
        except ValueError:
            addr = peerAddr("0.0.0.0", 1)
        task = Deferred.fromCoroutine(acceptPeerSession(self._finder, protocol, addr))
        self._tasks[task] = None
        task.addErrback(self._ended).addBoth(lambda _: self._tasks.pop(task, None))

    def _ended(self, reason: Failure) -> None:
        if not reason.check(BitTorrentError, CancelledError):
            self._log.failure("an accepted session failed", reason)
