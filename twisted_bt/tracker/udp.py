"""
The client of UDP trackers (BEP 15, 41), over IPv4 and IPv6.

One port of ours per family serves all trackers: opened when first needed, closed by L{close}.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IDelayedCall, IListeningPort
from twisted.internet.protocol import DatagramProtocol
from zope.interface import implementer

from twisted_bt.errors import TrackerError
from twisted_bt.interfaces import ITrackerClient, Random
from twisted_bt.naming import resolve
from twisted_bt.torrent.addresses import PeerAddr, peerAddr
from twisted_bt.tracker.announce import AnnounceRequest, AnnounceResponse, ScrapeEntry
from twisted_bt.tracker.httpwire import MAX_PEERS
from twisted_bt.tracker.udpwire import (
    CONNECTION_LIFE,
    MAX_SCRAPE,
    AnnounceCall,
    AnnounceReply,
    ConnectReply,
    ConnectRequest,
    ErrorReply,
    ScrapeCall,
    ScrapeReply,
    UdpReply,
    decodeReply,
    retransmitDelay,
    transactionOf,
)
from twisted_bt.tracker.underway import Underway
from twisted_bt.tracker.urls import TrackerURL

NEXT_ADDRESS = 2.0
"""Seconds after which a tracker's next address is tried beside the one that is silent so far."""

_MAX_ADDRESSES = 4
_MAX_LINKS = 256


class _Silence(Exception):
    """No answer came in the time of one try."""


class _Link(NamedTuple):
    """A connection id that a tracker gave."""

    addr: PeerAddr
    connection: int
    expires: float


class _Question:
    """One datagram that waits for its answer."""

    def __init__(self) -> None:
        self.asked: set[PeerAddr] = set()
        self.answer: Deferred[tuple[PeerAddr, UdpReply]] = Deferred()
        self.timers: list[IDelayedCall] = []


class _Socket(DatagramProtocol):
    """Hands on what arrives."""

    noisy = False

    def __init__(self, received: Callable[[bytes, PeerAddr], None]) -> None:
        self._received = received

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        try:
            sender = peerAddr(addr[0], addr[1])
        except ValueError:
            return  # port 0, which nobody can be asked at
        self._received(datagram, sender)


@implementer(ITrackerClient)
class UdpTrackerClient:
    """
    Asks UDP trackers.

    @param reactor: opens ports, keeps the time and resolves names.
    @param random: of transaction ids; whoever guesses one can answer in a tracker's place.
    @param timeout: seconds for one answer, all repetitions included.
    @param retransmit: seconds until the first repetition; each later one takes twice as long (BEP 15).
    @param interfaces: addresses to send from, the first of each family; C{""}: the system chooses.
    """

    def __init__(
        self,
        reactor: Any,
        random: Random,
        timeout: float = 30.0,
        retransmit: float = 15.0,
        interfaces: Sequence[str] = ("",),
    ) -> None:
        self._reactor = reactor
        self._random = random
        self._retransmit = retransmit
        self._interfaces = tuple(interfaces)
        self._underway = Underway(reactor, timeout)
        self._ports: dict[bool, IListeningPort] = {}
        self._questions: dict[int, _Question] = {}
        self._links: dict[tuple[str, int], _Link] = {}

    def announce(self, url: str, request: AnnounceRequest) -> Deferred[AnnounceResponse]:
        """See L{ITrackerClient.announce}."""
        return self._underway.run(self._announce(url, request))

    def scrape(self, url: str, infoHashes: Sequence[bytes]) -> Deferred[dict[bytes, ScrapeEntry]]:
        """See L{ITrackerClient.scrape}.  Any number of info-hashes, in as many datagrams as that takes."""
        return self._underway.run(self._scrape(url, tuple(infoHashes)))

    def close(self) -> Deferred[None]:
        """See L{ITrackerClient.close}."""
        self._underway.close()
        self._links.clear()
        ports = [maybeDeferred(port.stopListening) for port in self._ports.values()]
        self._ports.clear()
        return DeferredList(ports, consumeErrors=True).addCallback(lambda _: None)

    async def _announce(self, url: str, request: AnnounceRequest) -> AnnounceResponse:
        tracker = TrackerURL.parse(url)
        reply = await self._call(
            tracker,
            lambda connection, transaction: AnnounceCall(
                connection, transaction, request, tracker.target
            ).encode(),
        )
        if not isinstance(reply, AnnounceReply):
            raise TrackerError("the tracker answered something else than an announce")
        return AnnounceResponse(
            interval=min(reply.interval, (1 << 31) - 1),
            peers=tuple(dict.fromkeys(reply.peers))[:MAX_PEERS],
            complete=reply.seeders,
            incomplete=reply.leechers,
        )

    async def _scrape(self, url: str, infoHashes: tuple[bytes, ...]) -> dict[bytes, ScrapeEntry]:
        tracker = TrackerURL.parse(url)
        found = {}
        for start in range(0, len(infoHashes), MAX_SCRAPE):
            part = infoHashes[start : start + MAX_SCRAPE]
            reply = await self._call(tracker, _scrapeOf(part))
            if not isinstance(reply, ScrapeReply):
                raise TrackerError("the tracker answered something else than a scrape")
            for infoHash, (seeders, completed, leechers) in zip(part, reply.counts, strict=False):
                found[infoHash] = ScrapeEntry(seeders, leechers, completed)
        return found

    async def _call(self, tracker: TrackerURL, packet: Callable[[int, int], bytes]) -> UdpReply:
        """
        The answer to C{packet(connection, transaction)}.

        Every try after silence begins with a new connection id: the old one may be what the tracker
        does not like, since it may have been restarted.
        """
        key = (tracker.host, tracker.port)
        addresses = await resolve(self._reactor, tracker.host, tracker.port, "UDP")
        if not addresses:
            raise TrackerError("the tracker's name cannot be resolved")
        for attempt in count():
            wait = retransmitDelay(attempt, self._retransmit)
            link = self._links.get(key)
            fresh = link is None or link.expires <= self._reactor.seconds()
            try:
                if link is None or fresh:
                    link = await self._connect(_spread(addresses), wait)
                    self._remember(key, link)
                _, reply = await self._ask([link.addr], _bind(packet, link.connection), wait)
            except _Silence:
                self._links.pop(key, None)
                continue
            if isinstance(reply, ErrorReply):
                self._links.pop(key, None)
                if fresh:
                    raise TrackerError(reply.message)
                continue
            return reply
        raise AssertionError("the time limit ends the loop")

    async def _connect(self, addresses: Sequence[PeerAddr], wait: float) -> _Link:
        addr, reply = await self._ask(
            addresses, lambda transaction: ConnectRequest(transaction).encode(), wait
        )
        if isinstance(reply, ErrorReply):
            raise TrackerError(reply.message)
        if not isinstance(reply, ConnectReply):
            raise TrackerError("the tracker answered something else than a connect")
        return _Link(addr, reply.connection, self._reactor.seconds() + CONNECTION_LIFE)

    def _remember(self, key: tuple[str, int], link: _Link) -> None:
        now = self._reactor.seconds()
        if len(self._links) >= _MAX_LINKS:
            self._links = {k: known for k, known in self._links.items() if known.expires > now}
        if len(self._links) < _MAX_LINKS:
            self._links[key] = link

    async def _ask(
        self, addresses: Sequence[PeerAddr], packet: Callable[[int], bytes], wait: float
    ) -> tuple[PeerAddr, UdpReply]:
        """
        Who answered, and what.  The first of C{addresses} is asked now, each further one
        L{NEXT_ADDRESS} seconds later.
        """
        transaction = self._newTransaction()
        question = self._questions[transaction] = _Question()
        datagram = packet(transaction)
        pending = list(addresses)

        def askNext() -> None:
            while pending:
                addr = pending.pop(0)
                failed = self._send(datagram, addr)
                if failed is None:
                    question.asked.add(addr)
                    if pending:
                        question.timers.append(self._reactor.callLater(NEXT_ADDRESS, askNext))
                    return
                if not pending and not question.asked:
                    question.answer.errback(TrackerError(f"the tracker cannot be asked: {failed}"))

        def silent() -> None:
            question.answer.errback(_Silence())

        try:
            question.timers.append(self._reactor.callLater(wait, silent))
            askNext()
            return await question.answer
        finally:
            del self._questions[transaction]
            for timer in question.timers:
                if timer.active():
                    timer.cancel()

    def _newTransaction(self) -> int:
        while True:
            transaction = int.from_bytes(self._random.randbytes(4), "big")
            if transaction not in self._questions:
                return transaction

    def _send(self, datagram: bytes, addr: PeerAddr) -> Exception | None:
        """Send, or say why that cannot be."""
        try:
            port = self._ports.get(addr.isIPv6)
            if port is None:
                port = self._ports[addr.isIPv6] = self._open(addr.isIPv6)
            port.write(datagram, (addr.host, addr.port))  # type: ignore[attr-defined]
        except BlockingIOError:
            return None  # the send buffer is full: as good as lost on the way, and sent again like that
        except (OSError, CannotListenError, ValueError) as reason:
            return reason
        return None

    def _open(self, ipv6: bool) -> IListeningPort:
        named = [each for each in self._interfaces if each and (":" in each) == ipv6]
        if not named and "" not in self._interfaces:
            raise OSError(f"no interface for IPv{6 if ipv6 else 4} was named")
        interface = named[0] if named else "::" if ipv6 else ""
        port: IListeningPort = self._reactor.listenUDP(
            0, _Socket(self._received), interface=interface, maxPacketSize=1 << 16
        )
        return port

    def _received(self, datagram: bytes, sender: PeerAddr) -> None:
        transaction = transactionOf(datagram)
        question = None if transaction is None else self._questions.get(transaction)
        if question is None or sender not in question.asked or question.answer.called:
            return  # late, or from somebody who was not asked
        try:
            question.answer.callback((sender, decodeReply(datagram, sender.isIPv6)))
        except TrackerError as reason:
            question.answer.errback(reason)


def _scrapeOf(infoHashes: tuple[bytes, ...]) -> Callable[[int, int], bytes]:
    return lambda connection, transaction: ScrapeCall(connection, transaction, infoHashes).encode()


def _bind(packet: Callable[[int, int], bytes], connection: int) -> Callable[[int], bytes]:
    return lambda transaction: packet(connection, transaction)


def _spread(addresses: Sequence[PeerAddr]) -> list[PeerAddr]:
    """A few of C{addresses}, families in turn: where one of them is broken the other is tried soon."""
    first = [each for each in addresses if each.isIPv6 == addresses[0].isIPv6]
    other = [each for each in addresses if each.isIPv6 != addresses[0].isIPv6]
    mixed: list[PeerAddr] = []
    for position in range(max(len(first), len(other))):
        mixed += first[position : position + 1] + other[position : position + 1]
    return mixed[:_MAX_ADDRESSES]
