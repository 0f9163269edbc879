"""
A tracker to embed: for private swarms, demonstrations and tests.
"""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred, succeed
from twisted.internet.interfaces import IAddress, IListeningPort
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory

from twisted_bt.interfaces import Random
from twisted_bt.tracker.peerstore import PeerStore
from twisted_bt.tracker.resource import TrackerResource, TrackerSite
from twisted_bt.tracker.udpserver import UdpTracker

MAX_CONNECTIONS = 500
"""HTTP clients at a time; half of the usual limit of descriptors."""


class _Connections(WrappingFactory):
    """Keeps count of the connections, to end them with the service."""

    noisy = False

    def __init__(self, wrapped: Any) -> None:
        super().__init__(wrapped)
        self._gone: list[Deferred[None]] = []
        self._leaving: set[ProtocolWrapper] = set()

    def buildProtocol(self, addr: IAddress | None) -> ProtocolWrapper:
        """One more; if there are too many, the oldest goes: an announce takes no time, silence does."""
        if len(self.protocols) - len(self._leaving) >= MAX_CONNECTIONS:
            oldest = next(each for each in self.protocols if each not in self._leaving)
            self._leaving.add(oldest)
            oldest.abortConnection()
        return super().buildProtocol(addr)

    def unregisterProtocol(self, p: ProtocolWrapper) -> None:
        """C{p} is gone."""
        super().unregisterProtocol(p)
        self._leaving.discard(p)
        if not self.protocols:
            gone, self._gone = self._gone, []
            for each in gone:
                each.callback(None)

    def end(self) -> Deferred[None]:
        """Drop all; fires when they are gone."""
        if not self.protocols:
            return succeed(None)
        done: Deferred[None] = Deferred()
        self._gone.append(done)
        for each in list(self.protocols):
            each.abortConnection()
        return done


class TrackerService(Service):
    """
    A tracker over HTTP (BEP 3, 7, 23, 24, 48) and UDP (BEP 15), both with the same peers.

    @param httpPort: TCP port; 0: the system picks one; C{None}: no HTTP.
    @param udpPort: UDP port, likewise.
    @param interface: the address to listen on; C{""}: all of IPv4; C{"::"}: IPv4 and IPv6.
    @param interval: seconds that clients are told to wait between announces; they are forgotten
        after twice that.
    """

    def __init__(
        self,
        reactor: Any,
        random: Random,
        httpPort: int | None = 0,
        udpPort: int | None = 0,
        interface: str = "",
        interval: int = 1800,
    ) -> None:
        self.store = PeerStore(reactor.seconds, random, lifetime=2.0 * interval)
        self._reactor = reactor
        self._random = random
        self._interval = interval
        self._interface = interface
        self._wanted = (httpPort, udpPort)
        self._http: IListeningPort | None = None
        self._udp: IListeningPort | None = None
        self._connections: _Connections | None = None

    @property
    def httpPort(self) -> int:
        """The TCP port it listens on; 0 while it does not."""
        return _portOf(self._http)

    @property
    def udpPort(self) -> int:
        """The UDP port it listens on; 0 while it does not."""
        return _portOf(self._udp)

    @property
    def announceURLs(self) -> tuple[str, ...]:
        """
        Where to announce, as for the tier of a torrent.  Where it listens on all addresses these are for
        clients on this machine.
        """
        host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self._interface, self._interface)
        if ":" in host and not host.startswith("["):
            host = f"[{host}]"
        urls = [f"http://{host}:{self.httpPort}/announce"] if self._http is not None else []
        return (*urls, *([f"udp://{host}:{self.udpPort}/announce"] if self._udp is not None else []))

    def startService(self) -> None:
        """
        Listen.

        @raise CannotListenError: a port is taken; nothing is left open then.
        """
        httpPort, udpPort = self._wanted
        if udpPort is not None:
            protocol = UdpTracker(self.store, self._reactor.seconds, self._random, self._interval)
            self._udp = self._reactor.listenUDP(udpPort, protocol, interface=self._interface)
        if httpPort is not None:
            site = TrackerSite(TrackerResource(self.store, self._interval), timeout=30, reactor=self._reactor)
            self._connections = _Connections(site)
            try:
                self._http = self._reactor.listenTCP(httpPort, self._connections, interface=self._interface)
            except Exception:
                if self._udp is not None:
                    self._udp.stopListening()
                    self._udp = None
                raise
        super().startService()

    def stopService(self) -> Deferred[None]:
        """Close the ports and every connection; fires when they are closed."""
        super().stopService()
        ports = [each for each in (self._http, self._udp) if each is not None]
        self._http = self._udp = None
        closing: list[Deferred[Any]] = [maybeDeferred(each.stopListening) for each in ports]
        if self._connections is not None:
            closing.append(self._connections.end())
        return DeferredList(closing, consumeErrors=True).addCallback(lambda _: None)


def _portOf(port: IListeningPort | None) -> int:
    if port is None:
        return 0
    number: int = port.getHost().port  # type: ignore[attr-defined]
    return number
