"""
Local service discovery (BEP 14) on the network: announces our torrents to the neighbours, and hears theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import IPv6Address, ip_address
from sys import byteorder
from typing import Any, NamedTuple

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_bt.discovery.localtimes import ROUND, LocalTimes
from twisted_bt.discovery.lsd import (
    IPV4_GROUP,
    IPV6_GROUP,
    MAX_HASHES,
    MAX_READ,
    PORT,
    LocalAnnounce,
    announcements,
)
from twisted_bt.discovery.scopes import dialable
from twisted_bt.interfaces import Random
from twisted_bt.torrent.addresses import PeerAddr, peerAddr

#: With so few torrents each has its own datagram: older programs read the first hash of one only (BEP 14).
FEW_TORRENTS = 5

#: Datagrams that are read at once, and a second.
_BURST, _RATE = 200.0, 50.0


class Outlet(NamedTuple):
    """
    An interface to announce on.

    @ivar ipv6: which of the two groups.
    @ivar interface: its IPv4 address, or its number for IPv6; C{""} or 0: the system's choice.
    """

    ipv6: bool
    interface: str | int

    @property
    def group(self) -> str:
        """The address to send to."""
        return IPV6_GROUP if self.ipv6 else IPV4_GROUP


def outletsOf(interfaces: Sequence[str]) -> tuple[Outlet, ...]:
    """
    For addresses that a client listens on, where it announces.  C{""} and C{"::"} are both families.
    An IPv6 address says its interface by C{%} and a number; without that it is the system's choice.
    """
    found: dict[Outlet, None] = {}
    for text in interfaces:
        host, _, zone = text.partition("%")
        if host in ("", "::", "0.0.0.0"):
            found[Outlet(False, "")] = None
            if host != "0.0.0.0":
                found[Outlet(True, 0)] = None
            continue
        try:
            address = ip_address(host)
        except ValueError:
            continue  # a name: nothing to go by
        if address.version == 6:
            found[Outlet(True, int(zone) if zone.isascii() and zone.isdigit() and len(zone) < 10 else 0)] = (
                None
            )
        else:
            found[Outlet(False, str(address))] = None
    return tuple(found)


class _Group(DatagramProtocol):
    """Hands on what arrives."""

    noisy = False

    def __init__(self, received: Callable[[bytes, Any], None]) -> None:
        self._received = received

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self._received(datagram, addr)


class LocalDiscovery(Service):
    """
    Announces the registered torrents, and tells of neighbours who announce one of them.

    What the network refuses (no multicast here, no IPv6, port taken, cable out) is logged, each thing
    once, and otherwise means fewer neighbours.

    @ivar cookie: by which we know our own announcements.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        random: Random,
        port: Callable[[], int | None],
        found: Callable[[bytes, PeerAddr], None],
        interfaces: Sequence[str] = ("",),
        ttl: int = 1,
    ) -> None:
        """
        @param reactor: C{IReactorMulticast} and C{IReactorTime}.
        @param random: for the cookie.
        @param port: where we listen for peers; C{None}: nowhere, and nothing is announced.
        @param found: called with an info-hash that is registered and a peer, again and again.
        @param interfaces: as for L{outletsOf}.
        @param ttl: how many networks an announcement over IPv4 may pass; over IPv6 it stays in ours.
        """
        self.setName("local discovery")
        self._reactor = reactor
        self._port = port
        self._found = found
        self._outlets = outletsOf(interfaces)
        self._ttl = ttl
        self.cookie = random.randbytes(8).hex()
        self._times = LocalTimes()
        self._sockets: dict[bool, Any] = {}
        self._timer: IDelayedCall | None = None
        self._logged: set[str] = set()
        self._tokens, self._countedAt = _BURST, 0.0

    # -- torrents

    def register(self, infoHash: bytes) -> None:
        """Announce C{infoHash} (20 bytes; of a v2 torrent the truncated hash).  Never a private torrent's."""
        self._times.add(infoHash, self._reactor.seconds())
        self._schedule()

    def unregister(self, infoHash: bytes) -> None:
        """Announce it no more, and do not listen for it."""
        self._times.remove(infoHash)
        self._schedule()

    def __contains__(self, infoHash: bytes) -> bool:
        return infoHash in self._times

    # -- running

    def startService(self) -> None:
        """Listen, and announce what is registered.  Never fails."""
        if self.running:
            return
        super().startService()
        for outlet in self._outlets:
            socket = self._socket(outlet.ipv6)
            if socket is not None:
                joined = maybeDeferred(socket.joinGroup, outlet.group, _joining(outlet))
                joined.addErrback(self._refused, f"joining {outlet}")
        self._schedule()

    def stopService(self) -> Deferred[None]:
        """Fires once the ports are closed."""
        super().stopService()
        self._schedule()
        sockets, self._sockets = self._sockets, {}
        closing = [maybeDeferred(socket.stopListening) for socket in sockets.values()]
        return DeferredList(closing, consumeErrors=True).addCallback(lambda _: None)

    def _socket(self, ipv6: bool) -> Any:
        if ipv6 not in self._sockets:
            try:
                self._sockets[ipv6] = socket = self._reactor.listenMulticast(
                    PORT,
                    _Group(self._received),
                    interface="::" if ipv6 else "",
                    maxPacketSize=MAX_READ + 1,
                    listenMultiple=True,
                )
                if not ipv6:
                    socket.setTTL(self._ttl)
            except (CannotListenError, OSError) as error:
                self._refused(Failure(error), f"listening on {'IPv6' if ipv6 else 'IPv4'}")
        return self._sockets.get(ipv6)

    def _refused(self, reason: Failure, what: str) -> None:
        if what not in self._logged:
            self._logged.add(what)
            self._log.info("{what} failed: {reason}", what=what, reason=reason.getErrorMessage())

    # -- announcing

    def _schedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at = self._times.nextAt()
        if self.running and at is not None:
            self._timer = self._reactor.callLater(max(0.0, at - self._reactor.seconds()), self._announce)

    def _announce(self) -> None:
        self._timer = None
        port = self._port()
        if port is None:
            self._timer = self._reactor.callLater(ROUND, self._announce)
            return
        hashes = self._times.due(self._reactor.seconds())
        batch = 1 if len(self._times) <= FEW_TORRENTS else MAX_HASHES
        for announce in announcements(port, hashes, self.cookie, batch):
            for outlet in self._outlets:
                self._send(announce.encode(outlet.group), outlet)
        self._schedule()

    def _send(self, datagram: bytes, outlet: Outlet) -> None:
        socket = self._sockets.get(outlet.ipv6)
        if socket is None:
            return
        # Both happen at once: an address needs no resolving.
        chosen = maybeDeferred(
            socket.setOutgoingInterface, outlet.interface or (0 if outlet.ipv6 else "0.0.0.0")
        )
        chosen.addCallback(lambda _: socket.write(datagram, (outlet.group, PORT)))
        chosen.addErrback(self._refused, f"announcing on {outlet}")

    # -- hearing

    def _received(self, datagram: bytes, sender: Any) -> None:
        if not self._mayRead():
            return
        announce = LocalAnnounce.decode(datagram)
        if announce is None or announce.cookie == self.cookie:
            return
        peer = peerAddr(sender[0], announce.port)
        if not dialable(peer):
            return  # of a link of IPv6, for example
        for infoHash in announce.infoHashes:
            if infoHash in self._times:
                self._found(infoHash, peer)

    def _mayRead(self) -> bool:
        """Whether there were not too many of late."""
        now = self._reactor.seconds()
        self._tokens = min(_BURST, self._tokens + max(0.0, now - self._countedAt) * _RATE)
        self._countedAt = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def _joining(outlet: Outlet) -> str:
    """
    The interface as Twisted wants it for joining a group: an address.  Of an IPv6 address it takes the
    first four bytes for the number of the interface that the system asks for.
    """
    if isinstance(outlet.interface, str):
        return outlet.interface
    if not outlet.interface:
        return ""
    return str(IPv6Address(outlet.interface.to_bytes(4, byteorder) + bytes(12)))
