"""
A torrent of which only the info-hash is known: its metadata is fetched from peers (BEP 9).

Peers are found and met just as for content.  Once the metadata is here and has the info-hash, this
session ends, and a swarm takes its place and its peers.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from zope.interface import implementer

from twisted_bt.errors import BitTorrentError, MetainfoError, PeerDisconnected
from twisted_bt.exchange.metadata import MetadataDownload, MetadataSteps
from twisted_bt.interfaces import ChokeCandidate, IPeerSink
from twisted_bt.peerwire.metadata import MetadataKind, MetadataMessage
from twisted_bt.peerwire.protocol import PeerProtocol
from twisted_bt.sessions.announcing import Announcing
from twisted_bt.sessions.engine import Engine
from twisted_bt.sessions.flushing import Flushing
from twisted_bt.sessions.meeting import Meeting
from twisted_bt.sessions.metadatapeer import MetadataPeer
from twisted_bt.sessions.observers import Observers
from twisted_bt.sessions.seeking import Seeking
from twisted_bt.sessions.swarm import SwarmSession
from twisted_bt.sessions.vacancy import Vacancy
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.magnet import Magnet
from twisted_bt.torrent.metainfo import Metainfo
from twisted_bt.torrent.progress import Progress, startProgress

#: What trackers are told is left, since nobody knows: anything but 0, or they take us for a seed.
UNKNOWN_LEFT = 1 << 14
#: Seconds in which a peer should say that it has the metadata, where others wait for its slot.
PATIENCE = 30.0
#: What tells of peers without knowing whether they may be in a private swarm.
_HEARSAY = frozenset({"dht", "pex", "lsd"})


class FetchStatus(Enum):
    """What a metadata session does; beside L{SwarmStatus<twisted_bt.sessions.life.SwarmStatus>}."""

    FETCHING = "fetching metadata"
    STOPPED = "stopped"


@implementer(IPeerSink)
class MetadataSession:
    """
    @ivar magnet: what is known of the torrent.
    @ivar infoHash: 20 bytes.
    @ivar connectedPeers: every session, from before it connects until after it is closed, by address.
    @ivar status: see L{FetchStatus}.
    """

    _log = Logger()
    complete = False
    priority = 0

    def __init__(self, engine: Engine, magnet: Magnet, observers: Observers | None = None) -> None:
        assert magnet.infoHash is not None
        self.engine = engine
        self.magnet = magnet
        self.infoHash: bytes = magnet.infoHash
        self.status = FetchStatus.STOPPED
        self.observers = Observers(observers)
        self.peerPolicy = engine.plugins.peerPolicy(engine.settings)
        self.slots = Vacancy(self.peerPolicy.slots(False))
        self.connectedPeers: dict[PeerAddr, MetadataPeer] = {}
        self.meeting = Meeting(self)
        self.announcing = Announcing(self, [[url] for url in magnet.trackers])
        self.seeking = Seeking(self, private=False)
        self._download: MetadataDownload[MetadataPeer] = MetadataDownload(magnet.infoHash, magnet.infoHashV2)
        self._met: dict[PeerAddr, None] = {}
        self._flushing = Flushing(engine.reactor)
        self._fetched: list[Deferred[Metainfo]] = []
        self._opened: list[Deferred[SwarmSession]] = []
        self._metainfo: Metainfo | None = None
        self._failure: BitTorrentError | None = None

    def __repr__(self) -> str:
        return f"<MetadataSession {self.infoHash.hex()} {self.name!r} {self.status.value}>"

    # -- what others ask

    @property
    def name(self) -> str:
        """What the link calls the torrent, or else its info-hash."""
        return self.magnet.name or self.infoHash.hex()

    @property
    def progress(self) -> Progress:
        """What trackers are told: nobody knows how much there is to get."""
        return startProgress(UNKNOWN_LEFT)

    @property
    def running(self) -> bool:
        """Whether peers are talked to now."""
        return self.status is FetchStatus.FETCHING

    @property
    def leeching(self) -> bool:
        """Whether peers are dialled."""
        return self.running

    @property
    def sources(self) -> int:
        """How many connected peers have the metadata."""
        return len(self._download)

    def establishedPeers(self) -> list[MetadataPeer]:
        """The peers past their handshake."""
        return [peer for peer in self.connectedPeers.values() if peer.established]

    def candidates(self, now: float) -> list[ChokeCandidate]:
        """Nobody is served here, so nobody is chosen."""
        return []

    def newSession(
        self, addr: PeerAddr, incoming: bool, now: float, protocol: PeerProtocol | None = None
    ) -> MetadataPeer:
        """A session about metadata, not yet registered."""
        return MetadataPeer(self, addr, incoming, now, protocol)

    def whenChecked(self) -> Deferred[MetadataSession]:
        """There is nothing to check."""
        return succeed(self)

    def whenFetched(self) -> Deferred[Metainfo]:
        """Fires with the torrent; fails with why it never came."""
        waiter: Deferred[Metainfo] = Deferred()
        if self._metainfo is not None:
            waiter.callback(self._metainfo)
        elif self._failure is not None:
            waiter.errback(self._failure)
        else:
            self._fetched.append(waiter)
        return waiter

    def whenOpen(self) -> Deferred[SwarmSession]:
        """Fires with the swarm that takes our place; fails with why there is none."""
        waiter: Deferred[SwarmSession] = Deferred(lambda waiter: self._opened.remove(waiter))
        if self._failure is not None:
            waiter.errback(self._failure)
        else:
            self._opened.append(waiter)
        return waiter

    # -- life

    def start(self) -> None:
        """Find peers, and ask them."""
        if self._failure is not None:
            return
        self.status = FetchStatus.FETCHING
        self.observers.tell("metadataProgressed", self, 0, 0)
        self.announcing.start()
        self.seeking.start()
        for host, port in self.magnet.nodes:
            self.engine.hearNode(host, port)
        for host, port in self.magnet.peers:
            self.meeting.connectPeer(host, port).addErrback(lambda reason: reason.trap(BitTorrentError))
        self.meeting.start()

    def found(self, metainfo: Metainfo) -> None:
        """The torrent is here."""
        if self._metainfo is None and self._failure is None:
            self._metainfo = metainfo
            fetched, self._fetched = self._fetched, []
            for each in fetched:
                each.callback(metainfo)

    def failed(self, reason: BitTorrentError) -> None:
        """It will not come."""
        if self._failure is None:
            self._failure = reason
            fetched, self._fetched = self._fetched, []
            opened, self._opened = self._opened, []
            for waiting in fetched:
                waiting.errback(reason)
            for each in opened:
                each.errback(reason)

    def check(self) -> None:
        """@raise BitTorrentError: it failed, for this reason."""
        if self._failure is not None:
            raise self._failure

    def handOver(self, swarm: SwarmSession) -> None:
        """C{swarm} takes our place, and dials whom we know: those we were connected to first."""
        for known in self.meeting.known:
            # Nobody knew that it is private; but whom others told of is not for it (BEP 27).
            if not (swarm.metainfo.private and known.sources <= _HEARSAY):
                source = "magnet" if known.addr in self._met else min(known.sources)
                swarm.peersFound([known.addr], source)
        opened, self._opened = self._opened, []
        for each in opened:
            each.callback(swarm)

    def stop(self) -> Deferred[None]:
        """Talk to nobody any more; fires once the last connection is closed."""

        async def stop() -> None:
            for peer in self.connectedPeers.values():
                if peer.established and peer.listenAddr is not None:
                    self._met[peer.listenAddr] = None
            self.status = FetchStatus.STOPPED
            self.seeking.stop()
            told = self.announcing.stop()
            await self.meeting.stop(PeerDisconnected("the metadata is here, or no longer wanted"))
            await told

        return Deferred.fromCoroutine(stop())

    # -- peers

    def connectPeer(self, host: str, port: int) -> Deferred[MetadataPeer]:
        """Ask the peer at C{host} too; fires after the handshake, fails with C{SessionException}."""
        return self.meeting.connectPeer(host, port)

    def peersFound(self, addresses: Sequence[PeerAddr], source: str) -> None:
        """See L{IPeerSink}."""
        self.meeting.peersFound(addresses, source)

    def peerEstablished(self, peer: MetadataPeer) -> None:
        """C{peer} is past its handshake."""
        self.engine.busy(self)

    def peerLost(self, peer: MetadataPeer) -> None:
        """C{peer}'s connection is gone."""
        self._flushing.forget(peer)
        self._do(self._download.left(peer, self._now()))

    def offered(self, peer: MetadataPeer, size: int | None) -> None:
        """C{peer} has metadata of C{size} bytes, it says; C{None}: none."""
        self._do(self._download.joined(peer, size, self._now()))
        self._tell()

    def dhtNodeHeard(self, peer: MetadataPeer, port: int) -> None:
        """C{peer} runs a DHT node at C{port} (BEP 5)."""
        self.engine.hearNode(peer.connectedPeerAddr.host, port)

    def heard(self, peer: MetadataPeer, message: MetadataMessage) -> None:
        """C{peer} gave a piece, or refused it.  @raise ProtocolError: not as it should be."""
        if message.kind is MetadataKind.DATA:
            steps = self._download.received(peer, message.piece, message.totalSize, message.data, self._now())
        else:
            steps = self._download.rejected(peer, message.piece, self._now())
        self._do(steps)
        self._tell()

    def _do(self, steps: MetadataSteps[MetadataPeer]) -> None:
        for peer, piece in steps.asks:
            peer.ask(piece)
        for peer in sorted(steps.liars, key=lambda peer: peer.connectedPeerAddr):
            self.meeting.ban(peer.connectedPeerAddr, "sent wrong metadata")
        if steps.metadata is not None:
            try:
                trackers = [[url] for url in self.magnet.trackers]
                self.found(Metainfo.fromInfo(steps.metadata, trackers, self.magnet.webSeeds))
            except MetainfoError as reason:
                self.failed(reason)

    def _tell(self) -> None:
        if not self._download.done:
            self.observers.tell("metadataProgressed", self, *self._download.progress)

    def _now(self) -> float:
        return self.engine.reactor.seconds()

    def flushLater(self, session: MetadataPeer) -> None:
        """Send what C{session} has pending in the next turn of the reactor, with all others'."""
        self._flushing.later(session)

    def _partFromUseless(self, now: float) -> None:
        """Where all slots are taken, who has no metadata makes room for others."""
        if self.slots.vacant <= 0:
            for peer in self.establishedPeers():
                if peer.size is None and now - peer.connectedAt > PATIENCE:
                    peer.close(PeerDisconnected("the peer has no metadata"))

    def tick(self, now: float) -> bool:
        """Once a second while it runs."""
        if self.running:
            self.meeting.tick(now)
            self._do(self._download.tick(now))
            self._partFromUseless(now)
        return self.running
