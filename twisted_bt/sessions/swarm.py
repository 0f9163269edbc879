"""
One torrent being exchanged: who is connected, and what is here.

Joins the parts that each know one thing: L{Downloader} and L{Uploader} (blocks), L{Choking} (whom
to serve), L{Record} (storage, and what is known of it between runs), L{Meeting} (whom to talk to),
L{Announcing} (trackers), L{Life} (what the swarm does with itself).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from bitarray import bitarray
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from twisted_bt.errors import PeerDisconnected, SessionException, StorageError
from twisted_bt.exchange.download import Download
from twisted_bt.interfaces import ChokeCandidate, IPeerSink, IStorage, ISwarmObserver
from twisted_bt.peerwire.extended import ExtendedHandshake
from twisted_bt.peerwire.protocol import PeerProtocol
from twisted_bt.sessions.announcing import Announcing
from twisted_bt.sessions.choking import Choking
from twisted_bt.sessions.downloader import BATCH, Downloader
from twisted_bt.sessions.engine import Engine
from twisted_bt.sessions.flushing import Flushing
from twisted_bt.sessions.life import Life, SwarmStatus
from twisted_bt.sessions.meeting import Meeting
from twisted_bt.sessions.metafiles import restInfo
from twisted_bt.sessions.observers import Observers
from twisted_bt.sessions.peer import PeerSession
from twisted_bt.sessions.possession import Possession
from twisted_bt.sessions.record import Record
from twisted_bt.sessions.seeking import Seeking
from twisted_bt.sessions.tongues import Tongues
from twisted_bt.sessions.uploader import Uploader
from twisted_bt.sessions.vacancy import Vacancy
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.metainfo import Metainfo
from twisted_bt.torrent.progress import Progress


@implementer(IPeerSink)
class SwarmSession:
    """
    Made by L{newSeeder} or L{newLeecher}; equal by info-hash.

    @ivar engine: what all swarms of the client share.
    @ivar metainfo: the torrent.  While nobody is here, its info dictionary is not in memory: to ask for
        C{infoBytes} reads the disk then, where there is a file.
    @ivar connectedPeers: every session, from before it connects until after it is closed, by address.
    @ivar registered: it was opened because somebody knocked: trackers and the DHT hear of it from the
        registry, and not from itself unless it lacks something.
    """

    _log = Logger()

    def __init__(
        self,
        engine: Engine,
        metainfo: Metainfo,
        dataDirPath: Path,
        seeding: bool,
        observers: Observers | None,
    ) -> None:
        """Use L{newSeeder} or L{newLeecher}."""
        self.engine = engine
        self.metainfo = metainfo
        self.layout = metainfo.layout
        self.dataDirPath = dataDirPath
        self.infoHash = metainfo.wireHash
        self.registered = seeding
        self.possession = Possession(self, seeding)
        self.peerPolicy = engine.plugins.peerPolicy(engine.settings)
        self.slots = Vacancy(self.peerPolicy.slots(seeding))
        self.connectedPeers: dict[PeerAddr, PeerSession] = {}
        self.observers = Observers(observers)
        self.tongues = Tongues(self)
        self.record = Record(
            engine, metainfo, dataDirPath, lambda: self.downloader.writing, self.storageFailed
        )
        self.choking = Choking(
            self,
            engine.plugins.choker(engine.dice),
            engine.settings.uploadSlots,
            engine.settings.rechokeInterval,
        )
        self.meeting = Meeting(self)
        self.announcing = Announcing(self, metainfo.trackers)
        self.seeking = Seeking(self, metainfo.private)
        self.life = Life(self, presumed=seeding)
        self._flushing = Flushing(engine.reactor)
        self._announceWithin = 0.0
        self._makeTransfer()

    @classmethod
    def newSeeder(
        cls, engine: Engine, metainfo: Metainfo, dataDirPath: Path, observers: Observers | None = None
    ) -> SwarmSession:
        """
        A swarm whose content is taken to be in C{dataDirPath}: what storage has room for is offered at
        once, and each piece is verified before its first block is sent.
        """
        return cls(engine, metainfo, dataDirPath, True, observers)

    @classmethod
    def newLeecher(
        cls, engine: Engine, metainfo: Metainfo, dataDirPath: Path, observers: Observers | None = None
    ) -> SwarmSession:
        """A swarm whose content is to be got; what is in C{dataDirPath} already is checked first."""
        return cls(engine, metainfo, dataDirPath, False, observers)

    def _makeTransfer(self) -> None:
        engine = self.engine
        settings = engine.settings
        download = Download(
            self.layout,
            self.clientBitfield,
            engine.plugins.picker(engine.dice),
            engine.dice,
            engine.buffers,
            settings.maxPipeline,
            settings.pipelineSeconds,
            settings.snubTimeout,
        )
        # Pieces that wait for the disk count to its budget only once it was given them.
        batch = min(BATCH, settings.writeBudget // 8)
        self.downloader = Downloader(self, download, engine.reactor, engine.disk, engine.buffers, batch)
        self.uploader = Uploader(
            self, self.layout, self.record.verified, settings, engine.reactor.seconds, engine.dice
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SwarmSession) and other.infoHash == self.infoHash

    def __hash__(self) -> int:
        return hash(self.infoHash)

    def __repr__(self) -> str:
        return f"<SwarmSession {self.infoHash.hex()} {self.name!r} {self.status.value}>"

    # -- what others ask

    @property
    def name(self) -> str:
        """What the torrent calls itself."""
        return self.metainfo.name

    @property
    def status(self) -> SwarmStatus:
        """What it does."""
        return self.life.status

    @property
    def reason(self) -> str:
        """For people: why it failed; else empty."""
        return self.life.reason

    @property
    def clientBitfield(self) -> bitarray:
        """The pieces we say we have."""
        return self.possession.bitfield

    @property
    def storage(self) -> IStorage:
        """Where the pieces live.  @raise StorageError: nowhere now: it was not opened, or was closed."""
        return self.record.storage

    @property
    def trusting(self) -> bool:
        """Whether content is taken to be in place, so that opening is quick."""
        return self.life.presumed

    @property
    def complete(self) -> bool:
        """Whether all that is wanted is here; which is everything, unless files were selected."""
        return self.possession.complete

    @property
    def progress(self) -> Progress:
        """Bytes exchanged, in all runs, and bytes to get (of the selected files)."""
        return replace(self.record.progress, left=self.downloader.download.remaining)

    @property
    def maxPeers(self) -> int:
        """Slots for peer sessions."""
        return self.slots.limit

    @property
    def vacantPeers(self) -> int:
        """Free slots; negative for a while after the limit became lower."""
        return self.slots.limit - len(self.connectedPeers)

    @property
    def priority(self) -> int:
        """The order in which swarms get client slots: those that download come first."""
        return 1 if self.complete else 0

    @property
    def downloadRate(self) -> float:
        """Bytes a second from peers."""
        return self.downloader.rate.rate(self.engine.reactor.seconds())

    @property
    def uploadRate(self) -> float:
        """Bytes a second to peers."""
        return self.uploader.rate.rate(self.engine.reactor.seconds())

    @property
    def running(self) -> bool:
        """Whether peers are talked to now."""
        return self.status.running

    @property
    def leeching(self) -> bool:
        """Whether there is something to get: peers are dialled as soon as they are known."""
        return self.status is SwarmStatus.DOWNLOADING

    def newSession(
        self, addr: PeerAddr, incoming: bool, now: float, protocol: PeerProtocol | None = None
    ) -> PeerSession:
        """A session about content, not yet registered."""
        return PeerSession(self, addr, incoming, now, protocol)

    def candidates(self, now: float) -> list[ChokeCandidate]:
        """The peers past their handshake, as policies and chokers see them."""
        return [peer.candidate(now) for peer in self.establishedPeers()]

    def establishedPeers(self) -> Iterable[PeerSession]:
        """The peers past their handshake."""
        return [peer for peer in self.connectedPeers.values() if peer.established]

    def observe(self, observer: ISwarmObserver) -> Callable[[], None]:
        """Tell C{observer} what happens from now on; the result ends that."""
        return self.observers.add(observer)

    def whenChecked(self) -> Deferred[SwarmSession]:
        """Fires once it is known what is here; fails with C{StorageError} or C{SessionStopped}."""
        return self.life.whenChecked()

    def whenComplete(self) -> Deferred[SwarmSession]:
        """
        Fires once all pieces are here, verified and stored.  Fails with C{StorageError} or
        C{SessionStopped}.
        """
        return self.life.whenComplete()

    # -- what users do with it

    def pause(self) -> Deferred[None]:
        """Talk to nobody until L{resume}, in later runs too; fires once that is so and saved."""
        if self.status is not SwarmStatus.STOPPED:
            self.engine.rememberPaused(self.infoHash, True)
        return self.life.pause()

    def resume(self) -> None:
        """Go on after L{pause}, or after a failure: then the disk is looked at again."""
        self.engine.rememberPaused(self.infoHash, False)
        self.life.resume()

    def verify(self) -> Deferred[None]:
        """Hash all that is on disk anew, talking to nobody meanwhile; fires when done."""
        return Deferred.fromCoroutine(self.life.verify())

    def storageFailed(self, reason: StorageError) -> None:
        """The disk said no: stop with that reason; the client and other swarms go on."""
        self.life.fail(reason)

    # -- what its client and its life do with it

    def start(self, paused: bool = False, within: float = 0.0) -> None:
        """
        Begin; see L{Life.start}.

        @param within: seconds after which trackers have heard of it at the latest.
        """
        self._announceWithin = within
        self.life.start(paused)
        self.rest()  # where it waits for its turn

    def stop(self) -> Deferred[None]:
        """End for good: peers, disk, state; fires when nothing of the swarm is left."""
        return self.life.stop()

    def begin(self) -> None:
        """It is known what is here: find peers."""
        self.slots.resize(self.peerPolicy.slots(self.complete))
        self.seek()
        for host, port in () if self.metainfo.private else self.metainfo.nodes:
            self.engine.hearNode(host, port)
        self.meeting.start()
        if self.complete:
            self.rest()

    def seek(self) -> None:
        """Find peers and be found, where that is not done for us; twice is the same as once."""
        if not (self.registered and self.complete):
            self.announcing.start(self._announceWithin)
            self.seeking.start()
        self._announceWithin = 0.0

    async def end(self) -> None:
        """Peers are gone: give back everything."""
        self.downloader.close()
        await self.record.close()

    def checkProgressed(self, done: int, total: int) -> None:
        """So many pieces were hashed, of so many."""
        self.observers.tell("checkProgressed", self, done, total)

    # -- pieces

    def selectFiles(self, files: Iterable[int] | None) -> None:
        """
        Get only the files with these numbers, as C{metainfo.files} has them; C{None}: all.  What is here
        of others stays, and is seeded.
        """
        self.possession.select(files)

    def available(self, indices: Sequence[int]) -> None:
        """See L{Possession.available}."""
        self.possession.available(indices)

    def pieceLost(self, index: int) -> None:
        """See L{Possession.lost}."""
        self.possession.lost(index)

    def possessionChanged(self) -> None:
        """Judge whether we are a seeder or a leecher now."""
        if self.complete and self.status is SwarmStatus.DOWNLOADING:
            self.slots.resize(self.peerPolicy.slots(True))
            self.announcing.completed()
            self.record.saveSoon()
            self.observers.tell("completed", self)
            self.life.completed()
            for peer in self.establishedPeers():
                peer.judgeInterest()
                self.partFrom(peer)
        elif not self.complete and self.status is SwarmStatus.SEEDING:
            self.slots.resize(self.peerPolicy.slots(False))
            self.life.incomplete()
            self.seek()
            for peer in self.establishedPeers():
                peer.judgeInterest()
            self.meeting.dialMore()

    def uploaded(self, length: int) -> None:
        """C{length} bytes of content were sent."""
        self.record.uploaded(length)

    def beforeWriting(self) -> Deferred[None]:
        """Fires once it is on record that pieces are being written."""
        return self.record.beforeWriting()

    def punish(self, liars: Iterable[Hashable], index: int) -> None:
        """These addresses sent wrong data for piece C{index}: talk to them no more."""
        for addr in sorted(each for each in liars if isinstance(each, PeerAddr)):
            self.meeting.ban(addr, f"sent wrong data for piece {index}")

    # -- peers, by way of Meeting

    def connectPeer(self, host: str, port: int) -> Deferred[PeerSession]:
        """
        Talk to the peer at C{host} (a name or an address): fires after the handshake; fails with
        C{SessionException}.
        """
        return self.meeting.connectPeer(host, port)

    def peersFound(self, addresses: Sequence[PeerAddr], source: str) -> None:
        """See L{IPeerSink}."""
        self.meeting.peersFound(addresses, source)

    def partFrom(self, session: PeerSession) -> None:
        """End the session if neither side can give the other anything: both are seeds."""
        if self.complete and session.established and session.isSeed:
            self.meeting.known.markSeed(session.listenAddr or session.connectedPeerAddr)
            session.partedWell = True
            session.close(PeerDisconnected("both are seeds"))

    def peerEstablished(self, session: PeerSession) -> None:
        """C{session} is past its handshake."""
        self.downloader.addPeer(session)
        self.tongues.met(session)
        self.engine.busy(self)
        self.observers.tell("peerConnected", self, session)

    def peerHasMore(self, session: PeerSession) -> None:
        """C{session} told of pieces."""
        self.partFrom(session)

    def peerDescribed(self, session: PeerSession, theirs: ExtendedHandshake) -> None:
        """C{session} said more of itself (BEP 10)."""
        self.meeting.described(session)
        self.tongues.met(session)
        self.partFrom(session)

    def peerLost(self, session: PeerSession, reason: SessionException) -> None:
        """C{session}'s connection is gone."""
        self._flushing.forget(session)
        self.tongues.parted(session)
        self.choking.peerLost(session, self.engine.reactor.seconds())
        self.observers.tell("peerDisconnected", self, session, reason)

    def dhtNodeHeard(self, session: PeerSession, port: int) -> None:
        """C{session} runs a DHT node at C{port} (BEP 5)."""
        if not self.metainfo.private:
            self.engine.hearNode(session.connectedPeerAddr.host, port)

    # -- time

    def flushLater(self, session: PeerSession) -> None:
        """Send what C{session} has pending in the next turn of the reactor, with all others'."""
        self._flushing.later(session)

    def tick(self, now: float) -> bool:
        """Once a second while there are peers or anything to save; C{False}: no need to come again."""
        if self.status.running:
            self.downloader.tick(now)
            self.choking.tick(now)
            self.uploader.guiding.tick(now)
            self.meeting.tick(now)
            self.tongues.tick(now)
            self._judgeRatio()
        self.record.tick(now)
        dialling = self.status.running and self.meeting.wantsToDial()
        if dialling or self.connectedPeers or self.record.dirty:
            return True
        self.rest()
        return False

    def rest(self) -> None:
        """Nobody is here: what can be read again need not stay in memory."""
        if self.status is not SwarmStatus.CHECKING:
            restInfo(self.metainfo)

    def _judgeRatio(self) -> None:
        ratio = self.engine.settings.seedRatio
        enough = ratio is not None and self.progress.uploaded >= ratio * self.layout.totalLength
        if enough and self.status is SwarmStatus.SEEDING and not self.downloader.writing:
            self._log.info("{name} has been shared enough", name=self.name)
            self.pause()
