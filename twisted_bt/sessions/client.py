"""
A BitTorrent client as a service: what an application embeds.

Stopping has an order: first nobody new comes in (the listeners close), then each swarm says goodbye
to its trackers, ends its sessions, lets the disk finish, and saves its state; then the tracker
clients, the disk queue and the database close.  When C{stopService} fires, no delayed call, open
file, thread or unfired Deferred is left.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, TimeoutError, maybeDeferred, succeed
from twisted.logger import Logger

from twisted_bt.errors import MagnetError, MetainfoError, PeerDisconnected, SessionStopped, StorageError
from twisted_bt.interfaces import IClientReactor, ISwarmObserver, Random
from twisted_bt.sessions.assembly import Assembly
from twisted_bt.sessions.engine import Engine, Plugins
from twisted_bt.sessions.herald import Herald
from twisted_bt.sessions.library import Library
from twisted_bt.sessions.life import SwarmStatus
from twisted_bt.sessions.listening import PeerListener
from twisted_bt.sessions.metadatasession import MetadataSession
from twisted_bt.sessions.metafiles import TorrentSource
from twisted_bt.sessions.nodelistener import NodeListener
from twisted_bt.sessions.observers import Observers
from twisted_bt.sessions.registering import Registered
from twisted_bt.sessions.service import ClientService, withRunning
from twisted_bt.sessions.swarm import SwarmSession
from twisted_bt.sessions.ticking import Ticking
from twisted_bt.sessions.torrentmap import TorrentLoc, TorrentMap, TorrentPresence
from twisted_bt.sessions.trackercounts import TrackerCounts
from twisted_bt.settings import Extension, Settings
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.ids import makePeerId
from twisted_bt.torrent.magnet import Magnet
from twisted_bt.torrent.progress import Progress
from twisted_bt.tracker.announce import ScrapeEntry
from twisted_bt.version import VERSION

if TYPE_CHECKING:
    from twisted_bt.discovery.localservice import LocalDiscovery

T = TypeVar("T")


class ClientSession(MultiService):
    """
    Several may run in one process; equal by peer id.

    @ivar clientPeerId: 20 bytes, fixed for life (BEP 20).
    @ivar settings: fixed for life.
    @ivar reactor: where everything runs.
    @ivar random: for ids and choices.
    @ivar peerListener: accepts peers.
    @ivar localDiscovery: finds peers on the local network; C{None} where C{settings.lsd} is off.
    @ivar nodeListener: the DHT node; not running where C{settings.dht} is off.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: IClientReactor,
        settings: Settings | None = None,
        plugins: Plugins | None = None,
        random: Random | None = None,
    ) -> None:
        """
        @param reactor: where everything runs: a real reactor, or a simulated host.
        @param plugins: what the application brings of its own.
        @param random: for ids and choices; a seeded one makes runs repeatable.
        """
        super().__init__()
        self.settings = settings or Settings()
        self.reactor = reactor
        self._plugins = plugins or Plugins()
        self.random: Random = random or SystemRandom()
        self.clientPeerId = makePeerId(self.random, VERSION)
        self._listener = PeerListener(self)
        self.peerListener = ClientService("peers", self._listener.listen)
        self.peerListener.setServiceParent(self)
        self.nodeListener = NodeListener(self)
        self.nodeListener.setServiceParent(self)
        self.localDiscovery: LocalDiscovery | None = None
        if self.settings.lsd:
            from twisted_bt.discovery.localservice import LocalDiscovery  # loaded when it is wanted

            self.localDiscovery = LocalDiscovery(
                reactor, self.random, lambda: self.listenerPort, self._neighbour, self.settings.interfaces
            )
            self.localDiscovery.setServiceParent(self)
        self._observers = Observers()
        self._lastPort: int | None = None  # by which trackers know us, while we take leave of them
        self._assembly: Assembly | None = None
        self._library: Library | None = None
        self._waiting: list[Deferred[None]] = []
        self._restored: list[Deferred[None]] | None = []
        self._stopping: list[Deferred[None]] | None = None
        self._ticking = Ticking(self.reactor)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ClientSession) and other.clientPeerId == self.clientPeerId

    def __hash__(self) -> int:
        return hash(self.clientPeerId)

    # -- what a user interface asks

    @property
    def allowedExtensions(self) -> frozenset[Extension]:
        """What we offer in handshakes; to change it, make a new session."""
        allowed = self.settings.allowedExtensions
        return allowed if self.settings.dht else allowed - {Extension.DHT}

    @property
    def listenerPort(self) -> int | None:
        """The port peers reach us at, while running."""
        return withRunning(self.peerListener, lambda: None, lambda service: service.port)

    @property
    def dhtPort(self) -> int | None:
        """The port of the DHT node, while one runs."""
        return withRunning(self.nodeListener, lambda: None, lambda service: service.port)

    @property
    def maxActive(self) -> int:
        """How many swarms may be open."""
        return self.settings.maxActive

    @property
    def activeSessions(self) -> int:
        """How many swarms hold a slot of those."""
        return self._assembly.engine.activeSlots.taken if self._assembly is not None else 0

    @property
    def swarmSessions(self) -> Mapping[bytes, SwarmSession]:
        """The open swarms, by info-hash."""
        return self._library.swarms if self._library is not None else {}

    @property
    def metadataSessions(self) -> Mapping[bytes, MetadataSession]:
        """The torrents whose metadata is being fetched (BEP 9), by info-hash."""
        return self._library.fetching if self._library is not None else {}

    @property
    def engine(self) -> Engine:
        """What the swarms share.  @raise SessionStopped: not running."""
        return self.assembly.engine

    @property
    def assembly(self) -> Assembly:
        """The parts of the running client.  @raise SessionStopped: not running."""
        if self._assembly is None:
            raise SessionStopped("the client is not running")
        return self._assembly

    @property
    def torrentMap(self) -> TorrentMap:
        """The known torrents.  @raise SessionStopped: not running."""
        return self.assembly.torrents

    @property
    def herald(self) -> Herald:
        """Who announces registered torrents.  @raise SessionStopped: not running."""
        return self._open().herald

    def getCurrentProgress(self) -> Progress:
        """The sum over the open swarms."""
        return sum((swarm.progress for swarm in self.swarmSessions.values()), Progress(0, 0, 0))

    def getSwarmCount(self) -> int:
        """How many swarms are open."""
        return len(self.swarmSessions)

    def getPeerCount(self) -> int:
        """How many peer sessions there are, those being set up included."""
        return sum(len(swarm.connectedPeers) for swarm in self.swarmSessions.values())

    def observe(self, observer: ISwarmObserver) -> Callable[[], None]:
        """Tell C{observer} what happens in every swarm, now and later; the result ends that."""
        return self._observers.add(observer)

    # -- life

    def startService(self) -> None:
        """
        Open the state, listen, and go on with the torrents of earlier runs.

        @raise StorageError: the state folder cannot be used.
        @raise CannotListenError: the port is taken.
        """
        if self.running:
            return
        self._assembly = Assembly(
            self.reactor,
            self.settings,
            self._plugins,
            self.random,
            self.clientPeerId,
            self.allowedExtensions,
            lambda: self.listenerPort or self._lastPort,
            lambda: self.nodeListener.node,
            lambda: self.localDiscovery,
            self._ticking.busy,
        )
        try:
            super().startService()
        except BaseException:
            self.running = 0
            assembly, self._assembly = self._assembly, None
            closing = maybeDeferred(super().stopService)
            closing.addBoth(lambda _: Deferred.fromCoroutine(assembly.close()))
            raise
        self._library = Library(self._assembly, self._observers)
        self._restored = []
        restoring = Deferred.fromCoroutine(self._library.restore())
        restoring.addErrback(lambda reason: self._log.failure("restoring torrents", reason))
        restoring.addBoth(lambda _: self._wakeRestored())
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    def stopService(self) -> Deferred[None]:
        """Stop in the order above; fires when nothing is left.  Bounded: trackers get C{stopTimeout}."""
        if self._stopping is not None:
            waiter: Deferred[None] = Deferred()
            self._stopping.append(waiter)
            return waiter
        if not self.running:
            return succeed(None)
        self._stopping = []
        self._lastPort = self.listenerPort
        self._listener.stop()
        # What the DHT knows is saved while the database is open.
        listeners = maybeDeferred(super().stopService)
        return Deferred.fromCoroutine(self._shutDown(listeners))

    async def _shutDown(self, listeners: Deferred[object]) -> None:
        assembly, library = self._assembly, self._library
        assert assembly is not None
        try:
            await listeners
            if library is not None:
                await library.stop()
            self._ticking.stop()
            self._assembly = self._library = self._lastPort = None
            await assembly.close()
        finally:
            stopping, self._stopping = self._stopping or [], None
            for each in stopping:
                each.callback(None)

    def _whenRunning(self) -> Deferred[None]:
        if self.running:
            return succeed(None)
        waiter: Deferred[None] = Deferred(lambda waiter: self._waiting.remove(waiter))
        self._waiting.append(waiter)
        return waiter

    async def _whenOpen(self) -> Library:
        await self._whenRunning()
        return self._open()

    def _open(self) -> Library:
        if self._library is None or not self.running:
            raise SessionStopped("the client is stopped")
        return self._library

    def _ask(self, work: Callable[[Library], Coroutine[Any, Any, T]]) -> Deferred[T]:
        """What C{work} gives while the client runs; else L{SessionStopped}."""

        async def ask() -> T:
            return await work(self._open())

        return Deferred.fromCoroutine(ask())

    def whenRestored(self) -> Deferred[None]:
        """Fires once the torrents of earlier runs are open again (checking them may still go on)."""
        if self._restored is None:
            return succeed(None)
        waiter: Deferred[None] = Deferred()
        self._restored.append(waiter)
        return waiter

    def _wakeRestored(self) -> None:
        restored, self._restored = self._restored or [], None
        for each in restored:
            each.callback(None)

    # -- torrents

    def addTorrent(self, source: TorrentSource | Magnet, dataDirPath: Path | str) -> Deferred[SwarmSession]:
        """
        Exchange a torrent from now on, in this and later runs: what is in C{dataDirPath} already is
        checked, the rest downloaded.  Before C{startService} it waits for that.

        @param source: the content of a torrent file, its path, a L{Metainfo}, or a L{Magnet} (or its
            text): then the swarm opens once peers gave the metadata; see L{metadataSessions} meanwhile.
        @return: the swarm (the one there is, if it is open already).  Fails with C{MetainfoError},
            C{MagnetError}, C{StorageError}, C{SessionStopped}.
        """
        folder = Path(dataDirPath).absolute()

        async def add() -> SwarmSession:
            wanted = source
            if isinstance(wanted, str) and wanted[:8].lower() == "magnet:?":
                wanted = Magnet.parse(wanted)
            library = await self._whenOpen()
            if isinstance(wanted, Magnet):
                return await library.addMagnet(wanted, folder)
            return await library.add(wanted, folder)

        return Deferred.fromCoroutine(add())

    def removeTorrent(self, infoHash: bytes) -> Deferred[None]:
        """Close and forget a torrent; its content stays.  Not knowing it is as good."""
        return self._ask(lambda library: library.remove(infoHash))

    def registerTorrent(self, loc: TorrentLoc) -> Deferred[bytes]:
        """
        Know a torrent whose content is in place: its swarm opens when a peer asks for it, and each piece
        is verified before it is first sent.

        @return: its info-hash.  Fails with C{MetainfoError}, or with C{StorageError} if files are
            not where they should be.
        """
        known = TorrentLoc(Path(loc.metafilePath).absolute(), Path(loc.dataDirPath).absolute())

        async def register() -> bytes:
            return await (await self._whenOpen()).register(known)

        return Deferred.fromCoroutine(register())

    def registerTorrents(
        self, locs: Iterable[TorrentLoc], progressed: Callable[[Registered], object] | None = None
    ) -> Deferred[Registered]:
        """
        The same for many, in batches; what cannot be registered is told, and keeps no other from it.

        @param locs: iterated on a thread, a few at a time; so it may be a generator that reads folders.
        @param progressed: told of what was done so far, now and then.
        @return: how many are known, and which were refused and why.  Fails with C{StorageError} if the
            database cannot be written to, and C{SessionStopped}.
        """

        async def register() -> Registered:
            return await (await self._whenOpen()).registerMany(locs, progressed)

        return Deferred.fromCoroutine(register())

    def unregisterTorrent(self, infoHash: bytes) -> Deferred[None]:
        """Know a torrent no more; its swarm is stopped.  Its content stays."""
        return self.removeTorrent(infoHash)

    def torrentPresence(self, infoHash: bytes) -> TorrentPresence:
        """Whether a torrent is open, known, or neither.  @raise SessionStopped: not running."""
        if self._library is None:
            raise SessionStopped("the client is not running")
        return self._library.presence(infoHash)

    def scrape(self, infoHash: bytes) -> Deferred[ScrapeEntry]:
        """
        Ask the trackers of an open or a registered torrent how many there are of it, now (BEP 48, BEP 15):
        the first that answers.  All that are asked for in one turn of the reactor go into as few requests
        as their trackers take.  Fails with C{UnknownTorrent}, C{TrackerError} if none answers or wants to
        be asked (see its C{retryIn}), C{StorageError}, C{SessionStopped}.
        """
        return self._ask(lambda library: library.scraper.scrape(infoHash))

    def scrapeAll(self) -> Deferred[int]:
        """
        The same for every registered torrent that is not private; L{scraped} tells what came of it.

        @return: of how many a tracker said something.  Fails with C{StorageError}, C{SessionStopped}.
        """
        return self._ask(lambda library: library.scraper.scrapeAll())

    def scraped(self, infoHash: bytes) -> Deferred[TrackerCounts | None]:
        """
        What a tracker said last of how many there are, and when, in answer to an announce or a scrape;
        C{None}: none has.  Of registered torrents it is known in later runs.  Fails with C{StorageError},
        C{SessionStopped}.
        """
        return self._ask(lambda library: library.scraper.scraped(infoHash))

    def openSwarm(self, infoHash: bytes) -> Deferred[SwarmSession]:
        """
        The swarm of a known torrent, opened if need be, which then stays open until L{releaseSwarm}.
        Fails with C{UnknownTorrent}, C{MetainfoError}, C{StorageError}, C{SessionStopped}.
        """
        return self._ask(lambda library: library.open(infoHash, hold=True))

    def releaseSwarm(self, infoHash: bytes) -> None:
        """
        L{openSwarm} is needed no more: the swarm of a registered torrent closes once it has had no
        peers for C{settings.idleTimeout}, as if a peer had opened it.  One that was added stays.
        """
        if self._library is not None:
            self._library.release(infoHash)

    def swarmFor(self, infoHash: bytes) -> Deferred[Any]:
        """What the listener asks after reading an info-hash; see C{joining}."""

        async def find() -> SwarmSession | MetadataSession:
            fetching = self.metadataSessions.get(infoHash)
            if fetching is not None:
                return fetching
            try:
                swarm = await self._open().open(infoHash, hold=False)
                if swarm.status in (SwarmStatus.QUEUED, SwarmStatus.CHECKING) and swarm.trusting:
                    await swarm.whenChecked().addTimeout(self.settings.handshakeTimeout, self.reactor)
            except TimeoutError as late:
                raise PeerDisconnected("no vacancy: too many torrents are open") from late
            except (StorageError, MetainfoError, MagnetError, SessionStopped) as reason:
                raise PeerDisconnected(f"the torrent cannot be opened: {reason}") from reason
            return swarm

        return Deferred.fromCoroutine(find())

    def _neighbour(self, infoHash: bytes, addr: PeerAddr) -> None:
        """A peer on the local network announced a torrent of ours."""
        swarm = self.swarmSessions.get(infoHash) or self.metadataSessions.get(infoHash)
        if swarm is not None:
            swarm.peersFound([addr], "lsd")
