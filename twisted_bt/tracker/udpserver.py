"""
The embedded tracker's UDP side (BEP 15).

It remembers nothing of its clients: a connection id is a keyed hash of the address it was given to
and of the minute, so that a forged sender is never answered with more than it sent.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from typing import Any

from twisted.internet.interfaces import IUDPTransport
from twisted.internet.protocol import DatagramProtocol

from twisted_bt.errors import TrackerError
from twisted_bt.interfaces import Random
from twisted_bt.torrent.addresses import PeerAddr, peerAddr
from twisted_bt.tracker.announce import ScrapeEntry
from twisted_bt.tracker.peerstore import PeerStore
from twisted_bt.tracker.resource import DEFAULT_NUMWANT, MAX_NUMWANT
from twisted_bt.tracker.udpwire import (
    CONNECTION_LIFE,
    AnnounceCall,
    AnnounceReply,
    ConnectReply,
    ConnectRequest,
    ErrorReply,
    ScrapeCall,
    ScrapeReply,
    UdpRequest,
    decodeRequest,
)

_MAX_NUMWANT_IPV6 = 70
"""Addresses that fit a datagram which needs no fragments, at 18 bytes each."""

_STALE = "the connection id is stale"
"""Short: with it an answer has no more bytes than a scrape of one torrent."""


class UdpTracker(DatagramProtocol):
    """
    Answers announces and scrapes out of C{store}.

    @param seconds: the clock.
    @param interval: seconds that clients are told to wait between announces.
    """

    noisy = False

    def __init__(
        self, store: PeerStore, seconds: Callable[[], float], random: Random, interval: int = 1800
    ) -> None:
        self._store = store
        self._seconds = seconds
        self._interval = interval
        self._secret = random.randbytes(32)

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Answer, if it is a request."""
        try:
            sender = peerAddr(addr[0], addr[1])
            answer = self._answer(decodeRequest(datagram), sender, len(datagram))
        except (TrackerError, ValueError):
            return  # there is nobody to tell: nothing says that this came from a client
        transport = self.transport
        assert IUDPTransport.providedBy(transport)
        with suppress(OSError):  # as good as lost on the way; the client asks again
            transport.write(answer, addr)

    def _answer(self, request: UdpRequest, sender: PeerAddr, size: int) -> bytes:
        if isinstance(request, ConnectRequest):
            return ConnectReply(request.transaction, self._connectionFor(sender, 0)).encode()
        if request.connection not in (self._connectionFor(sender, 0), self._connectionFor(sender, 1)):
            refusal = ErrorReply(request.transaction, _STALE).encode()
            if len(refusal) > size:
                raise TrackerError("a request with nothing in it, by somebody unknown")
            return refusal
        if isinstance(request, ScrapeCall):
            return self._scrape(request).encode()
        try:
            return self._announce(request, sender).encode(sender.isIPv6)
        except TrackerError as reason:
            return ErrorReply(request.transaction, reason.reason).encode()

    def _announce(self, call: AnnounceCall, sender: PeerAddr) -> AnnounceReply:
        request = call.request
        addr = peerAddr(sender.host, request.port) if request.port else None
        self._store.announce(request, addr)
        wanted = DEFAULT_NUMWANT if request.numwant < 0 else request.numwant
        wanted = min(wanted, _MAX_NUMWANT_IPV6 if sender.isIPv6 else MAX_NUMWANT)
        peers = self._store.sample(request, addr, wanted, ipv6=sender.isIPv6)
        counts = self._store.counts(request.infoHash) or ScrapeEntry(0, 0, 0)
        return AnnounceReply(
            call.transaction,
            self._interval,
            counts.incomplete,
            counts.complete,
            tuple(each.addr for each in peers),
        )

    def _scrape(self, call: ScrapeCall) -> ScrapeReply:
        found = [self._store.counts(each) or ScrapeEntry(0, 0, 0) for each in call.infoHashes]
        return ScrapeReply(
            call.transaction, tuple((each.complete, each.downloaded, each.incomplete) for each in found)
        )

    def _connectionFor(self, sender: PeerAddr, age: int) -> int:
        """The connection id given to C{sender} in this minute (C{age} 0) or the one before."""
        minute = int(self._seconds() // CONNECTION_LIFE) - age
        told = f"{sender.host} {minute}".encode("ascii")
        return int.from_bytes(blake2b(told, digest_size=8, key=self._secret).digest(), "big")
