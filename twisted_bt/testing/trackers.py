"""
Trackers on the simulated network: an honest one, and those that mean harm.

    >>> tracker = SimulatedTracker(network, "tracker.test")
    >>> swarm = SimulatedSwarm(network=network, trackers=[tracker.http, tracker.udp])
    >>> network.runUntil(tracker.stop())

The honest one is the package's own, over HTTP and UDP on a host of its own.  The others answer both, each in
one wrong way: L{HOSTILE_TRACKERS}.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import DatagramProtocol, Protocol, ServerFactory, connectionDone
from twisted.python.failure import Failure

from twisted_bt.errors import TrackerError
from twisted_bt.testing.host import Host
from twisted_bt.testing.link import Link
from twisted_bt.testing.network import Network
from twisted_bt.torrent.addresses import PeerAddr, encodeCompact
from twisted_bt.torrent.bencoding import encode
from twisted_bt.tracker.server import TrackerService
from twisted_bt.tracker.udpwire import AnnounceReply, ConnectReply, ConnectRequest, decodeRequest

#: Where trackers listen.
HTTP_PORT, UDP_PORT = 80, 6969
#: Bytes of a request's head; honest ones have some hundreds.
_MAX_HEAD = 1 << 16
_PORT = re.compile(rb"[?&]port=([1-9][0-9]{0,4})")


class _Named:
    """
    What trackers have in common.

    @ivar host: where it is.
    @ivar http: the URL to announce at.
    @ivar udp: the other.
    """

    def __init__(self, network: Network, name: str, host: Host | None, link: Link | None) -> None:
        """
        @param name: resolvers find the tracker by it.
        @param host: left out: a new one.
        """
        self.network = network
        self.host = host or network.host(link=link)
        self.http = f"http://{name}:{HTTP_PORT}/announce"
        self.udp = f"udp://{name}:{UDP_PORT}/announce"
        network.name(name, *self.host.addresses)


class SimulatedTracker(_Named):
    """
    A tracker that runs.

    @ivar service: the tracker itself; its C{store} knows who announced.
    """

    def __init__(
        self,
        network: Network,
        name: str = "tracker.test",
        host: Host | None = None,
        link: Link | None = None,
        interval: int = 1800,
    ) -> None:
        """@param interval: seconds that clients are told to wait between announces."""
        super().__init__(network, name, host, link)
        self.service = TrackerService(
            self.host, self.host.random, HTTP_PORT, UDP_PORT, self.host.address, interval
        )
        self.service.startService()

    def stop(self) -> Deferred[None]:
        """Answer no more; fires when nothing is left of it.  It may be started again: C{service}."""
        return self.service.stopService()


class HostileTracker(_Named):
    """
    Answers whoever asks, over HTTP and UDP, in a way that its subclass says.

    @cvar kind: what it is called; unique.
    @cvar answers: clients take what it says for an answer; else they ask the next tracker.
    @ivar asked: how often it was asked, connecting not counted.
    """

    kind: ClassVar[str]
    answers: ClassVar[bool] = True

    def __init__(
        self, network: Network, name: str = "hostile.test", host: Host | None = None, link: Link | None = None
    ) -> None:
        super().__init__(network, name, host, link)
        self.random = self.host.random
        self.asked = 0
        self.talks: dict[_Talk, None] = {}
        self._ports = [
            self.host.listenTCP(HTTP_PORT, _Door(self)),
            self.host.listenUDP(UDP_PORT, _UdpTalk(self), maxPacketSize=1 << 16),
        ]

    def stop(self) -> Deferred[None]:
        """Answer no more; fires when nothing is left of it."""
        for each in list(self.talks):
            each.end()
        done = gatherResults([maybeDeferred(each.stopListening) for each in self._ports])
        self._ports = []
        return done.addCallback(lambda _: None)

    # -- what each does

    def peers(self, asker: PeerAddr) -> list[PeerAddr]:
        """Whom it names to C{asker}, whose port is the one it announced, or 1 where it did not say."""
        return []

    def fields(self, asker: PeerAddr) -> dict[bytes, object]:
        """What is in its HTTP answers."""
        return {b"interval": self.interval(), b"peers": encodeCompact(self.peers(asker))}

    def interval(self) -> int:
        """Seconds until it wants to be asked again."""
        return 1800

    def overHttp(self, talk: _Talk, asker: PeerAddr) -> None:
        """A request came: say something to it."""
        talk.answer(encode(self.fields(asker)))

    def overUdp(self, request: Any, asker: PeerAddr) -> list[bytes]:
        """An announce or a scrape came: the datagrams to send for it."""
        reply = AnnounceReply(
            request.transaction, self.interval() & 0xFFFFFFFF, 0, 0, tuple(self.peers(asker))
        )
        return [reply.encode(asker.isIPv6)]


class _Talk(Protocol):
    """One HTTP connection."""

    transport: Any

    def __init__(self, tracker: HostileTracker) -> None:
        self._tracker = tracker
        self._head = b""
        self._calls: list[Any] = []

    def connectionMade(self) -> None:
        self._tracker.talks[self] = None

    def dataReceived(self, data: bytes) -> None:
        self._head += data
        if len(self._head) > _MAX_HEAD:
            self.transport.abortConnection()
        elif b"\r\n\r\n" in self._head:
            line, self._head = self._head.partition(b"\r\n")[0], b""
            port = _PORT.search(line)
            self._tracker.asked += 1
            asker = PeerAddr(self.transport.getPeer().host, int(port[1]) if port is not None else 1)
            self._tracker.overHttp(self, asker)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._tracker.talks.pop(self, None)
        calls, self._calls = self._calls, []
        for each in calls:
            if each.active():
                each.cancel()

    def end(self) -> None:
        """Now."""
        self.transport.abortConnection()

    def send(self, data: bytes) -> None:
        """As it is."""
        self.transport.write(data)

    def answer(self, body: bytes, status: bytes = b"200 OK", head: bytes = b"") -> None:
        """A whole answer; then it is over."""
        length = b"Content-Length: %d\r\n" % len(body)
        self.send(b"HTTP/1.1 %b\r\n%b%bConnection: close\r\n\r\n%b" % (status, length, head, body))
        self.transport.loseConnection()

    def later(self, delay: float, what: Any, *arguments: object) -> None:
        """Do C{what}, unless it is over before."""
        self._calls.append(self._tracker.host.callLater(delay, what, *arguments))


class _Door(ServerFactory):
    noisy = False

    def __init__(self, tracker: HostileTracker) -> None:
        self._tracker = tracker

    def buildProtocol(self, addr: IAddress | None) -> _Talk:
        return _Talk(self._tracker)


class _UdpTalk(DatagramProtocol):
    noisy = False
    transport: Any

    def __init__(self, tracker: HostileTracker) -> None:
        self._tracker = tracker

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        try:
            request = decodeRequest(datagram)
        except TrackerError:
            return
        if isinstance(request, ConnectRequest):
            answers = [ConnectReply(request.transaction, self._tracker.random.getrandbits(64)).encode()]
        else:
            self._tracker.asked += 1
            port = getattr(getattr(request, "request", None), "port", 1) or 1
            answers = self._tracker.overUdp(request, PeerAddr(addr[0], port))
        for each in answers:
            self.transport.write(each, addr)


# ---------------------------------------------------------------- the kinds


class DeadPeers(HostileTracker):
    """Names 10,000 peers that do not exist."""

    kind = "dead peers"
    count = 10_000

    def peers(self, asker: PeerAddr) -> list[PeerAddr]:
        """Others each time."""
        hosts = [self.random.getrandbits(16) for _ in range(self.count)]
        return [PeerAddr(f"10.201.{host >> 8}.{host & 255}", 6881) for host in hosts]


class OwnAddress(HostileTracker):
    """Names whoever asks, again and again, and by every name of that host."""

    kind = "own address"

    def peers(self, asker: PeerAddr) -> list[PeerAddr]:
        """The asker."""
        return [asker, PeerAddr("127.0.0.1", asker.port), asker]


class Accuser(HostileTracker):
    """Names one host that is no peer, on many ports, to have it knocked at.  C{victim} is its address."""

    kind = "accuser"
    victim = "203.0.113.7"

    def peers(self, asker: PeerAddr) -> list[PeerAddr]:
        """The victim."""
        return [PeerAddr(self.victim, self.random.randrange(1, 65536)) for _ in range(500)]


class Garbage(HostileTracker):
    """Answers with bytes that mean nothing."""

    kind = "garbage"
    answers = False

    def overHttp(self, talk: _Talk, asker: PeerAddr) -> None:
        """Sometimes as a body, sometimes not even that."""
        junk = self.random.randbytes(self.random.randrange(2000))
        if self.random.random() < 0.5:
            talk.answer(junk)
        else:
            talk.send(junk)
            talk.transport.loseConnection()

    def overUdp(self, request: Any, asker: PeerAddr) -> list[bytes]:
        """Of any length."""
        return [self.random.randbytes(self.random.randrange(100)) for _ in range(5)]


class EndlessBody(HostileTracker):
    """Sends a body that has no end; over UDP, a datagram after the other of another request."""

    kind = "endless body"
    answers = False

    def overHttp(self, talk: _Talk, asker: PeerAddr) -> None:
        """Begin."""
        talk.send(b"HTTP/1.1 200 OK\r\n\r\nd5:peers4294967295:")
        self._more(talk)

    def _more(self, talk: _Talk) -> None:
        talk.send(bytes(100_000))
        talk.later(0.1, self._more, talk)

    def overUdp(self, request: Any, asker: PeerAddr) -> list[bytes]:
        """As many as one dares."""
        return [bytes(1000)] * 100


class RedirectLoop(HostileTracker):
    """Sends whoever asks round in circles, for ever; over UDP, where there are no redirects, to nobody."""

    kind = "redirect loop"
    answers = False

    def overHttp(self, talk: _Talk, asker: PeerAddr) -> None:
        """Somewhere else, here."""
        place = f"{self.http}?turn={self.random.randrange(1 << 30)}".encode()
        talk.answer(b"", b"302 Found", b"Location: %b\r\n" % place)

    def overUdp(self, request: Any, asker: PeerAddr) -> list[bytes]:
        """Nothing."""
        return []


class WrongTransaction(HostileTracker):
    """
    Answers over UDP to transactions that nobody began, with peers; over HTTP for a dictionary that lacks all.
    """

    kind = "wrong transaction"
    answers = False

    def overHttp(self, talk: _Talk, asker: PeerAddr) -> None:
        """Of the right form, and a failure."""
        talk.answer(encode({b"failure reason": b"\x1b[2J" + b"no" * 1000}))

    def overUdp(self, request: Any, asker: PeerAddr) -> list[bytes]:
        """Off by one."""
        peers = (PeerAddr("10.201.0.1", 6881),)
        wrong = (request.transaction + 1) & 0xFFFFFFFF
        return [AnnounceReply(wrong, 60, 1, 1, peers).encode(asker.isIPv6)] * 3


class AbsurdInterval(HostileTracker):
    """Wants to be asked again at once, or never: intervals of 0, below, and of a lifetime."""

    kind = "absurd interval"

    def interval(self) -> int:
        """Anything."""
        return self.random.choice((0, -1, 1, (1 << 31) - 1, 1 << 40))

    def fields(self, asker: PeerAddr) -> dict[bytes, object]:
        """And the other fields likewise."""
        most = {b"min interval": self.interval(), b"complete": -5, b"incomplete": 1 << 70}
        return {**super().fields(asker), **most}


class Silence(HostileTracker):
    """Takes the request, and says nothing."""

    kind = "silence"
    answers = False

    def overHttp(self, talk: _Talk, asker: PeerAddr) -> None:
        """Nothing."""

    def overUdp(self, request: Any, asker: PeerAddr) -> list[bytes]:
        """Nothing."""
        return []


#: Every kind, by its name.
HOSTILE_TRACKERS: dict[str, type[HostileTracker]] = {
    each.kind: each
    for each in (
        DeadPeers,
        OwnAddress,
        Accuser,
        Garbage,
        EndlessBody,
        RedirectLoop,
        WrongTransaction,
        AbsurdInterval,
        Silence,
    )
}
