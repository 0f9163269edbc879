"""
From a name or an address to a connected L{PeerProtocol}, with a time limit.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from twisted_bt.errors import PeerDisconnected
from twisted_bt.interfaces import IClientReactor
from twisted_bt.naming import resolve
from twisted_bt.peerwire.protocol import PeerProtocol
from twisted_bt.settings import Settings
from twisted_bt.torrent.addresses import PeerAddr, peerAddr
from twisted_bt.transport.plainsocket import SharedReader


class _Factory(Factory):
    noisy = False

    def __init__(self, settings: Settings, reader: SharedReader) -> None:
        self._settings = settings
        self._reader = reader

    def buildProtocol(self, addr: IAddress | None) -> PeerProtocol:
        settings = self._settings
        return PeerProtocol(settings.maxMessageLength, settings.maxRequestLength, adopt=self._reader.adopt)


class Dialer:
    """Makes connections from the first of C{settings.interfaces}, if there is just one."""

    def __init__(self, reactor: IClientReactor, settings: Settings, reader: SharedReader) -> None:
        self._reactor = reactor
        self._factory = _Factory(settings, reader)
        self._settings = settings

    async def resolve(self, host: str, port: int) -> PeerAddr:
        """
        Where C{host} (a name or an IP literal) and C{port} are.

        @raise PeerDisconnected: there is no such host, or port.
        """
        try:
            return peerAddr(host, port)
        except ValueError as notLiteral:
            if not 0 < port < 65536:
                raise PeerDisconnected(str(notLiteral)) from notLiteral
        searching = resolve(self._reactor, host, port)
        searching.addTimeout(self._settings.connectTimeout, self._reactor)
        try:
            found = await searching
        except Exception as reason:
            raise PeerDisconnected(f"cannot look up {host}: {reason}") from reason
        if not found:
            raise PeerDisconnected(f"no such host: {host}")
        return found[0]

    def connect(self, addr: PeerAddr) -> Deferred[PeerProtocol]:
        """A connection to C{addr}.  Fails with L{PeerDisconnected}; can be cancelled."""
        endpoint = (TCP6ClientEndpoint if addr.isIPv6 else TCP4ClientEndpoint)(
            self._reactor,
            addr.host,
            addr.port,
            timeout=self._settings.connectTimeout,
            bindAddress=self._bindAddress(addr),
        )
        connecting: Deferred[Any] = endpoint.connect(self._factory)

        def failed(reason: Failure) -> Failure:
            reason.trap(Exception)
            if reason.check(CancelledError):
                return reason
            return Failure(PeerDisconnected(f"cannot connect: {reason.getErrorMessage()}"))

        return connecting.addErrback(failed)

    def _bindAddress(self, addr: PeerAddr) -> tuple[str, int] | None:
        interfaces = self._settings.interfaces
        if len(interfaces) != 1 or not interfaces[0] or (":" in interfaces[0]) != addr.isIPv6:
            return None
        return (interfaces[0], 0)
