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

from twisted_bt.errors import BitTorrentError, PeerDisconnected, PeerFloods
from twisted_bt.peerwire.protocol import PeerProtocol
from twisted_bt.sessions.doorkeeper import Doorkeeper
from twisted_bt.sessions.joining import acceptPeerSession
from twisted_bt.torrent.addresses import PeerAddr, peerAddr
from twisted_bt.transport.descriptors import highestDescriptor

if TYPE_CHECKING:
    from twisted_bt.sessions.joining import ISwarmFinder

#: Connections that wait to be accepted; more than one burst of peers.
BACKLOG = 128
#: Descriptors kept from those who come, beside those for content: for peers we dial, trackers, state.
KEPT_FILES = 96


class PeerListener(ServerFactory):
    """Every accepted connection, until its session is over."""

    noisy = False
    _log = Logger()
    _door: Doorkeeper[PeerProtocol]
    _highest: int

    def __init__(self, finder: ISwarmFinder) -> None:
        self._finder = finder
        self._tasks: dict[Deferred[None], None] = {}

    def buildProtocol(self, addr: IAddress | None) -> PeerProtocol | None:
        """A connection, unless its host is not welcome (now)."""
        engine = self._finder.engine
        settings = engine.settings
        host = _where(addr).host
        if not self._door.admits(host) or engine.bans.bansHost(host):
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
        self._door = Doorkeeper(settings.maxIncomingHandshakes, reactor.seconds)
        self._highest = highestDescriptor(settings.maxOpenFiles + KEPT_FILES)
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
        number = getattr(protocol.transport, "fileno", None)
        if number is not None and number() >= self._highest:
            protocol.close(PeerDisconnected("the descriptors left are for files and for peers we dial"))
            return
        addr = _where(cast(ITransport, protocol.transport).getPeer())
        slow = self._door.enter(addr.host, protocol)
        if slow is not None:
            slow.close(PeerDisconnected("made room for others: it did not say what it wants"))
        protocol.whenHandshake().addBoth(lambda _: self._door.leave(addr.host, protocol))
        task = Deferred.fromCoroutine(acceptPeerSession(self._finder, protocol, addr))
        self._tasks[task] = None
        task.addErrback(self._ended, addr).addBoth(lambda _: self._tasks.pop(task, None))

    def _ended(self, reason: Failure, addr: PeerAddr) -> None:
        if reason.check(PeerFloods):
            self._log.warn("{addr} {reason}", addr=str(addr), reason=reason.getErrorMessage())
            self._door.shun(addr.host)
        if not reason.check(BitTorrentError, CancelledError):
            self._log.failure("an accepted session failed", reason)


def _where(peer: IAddress | None) -> PeerAddr:
    """The other end, on whatever transport; on those without addresses all are at 0.0.0.0."""
    try:
        return peerAddr(getattr(peer, "host", "0.0.0.0"), getattr(peer, "port", 0) or 1)
    except ValueError:
        return PeerAddr("0.0.0.0", 1)
