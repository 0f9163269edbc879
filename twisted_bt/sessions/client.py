"""
A BitTorrent client as a service: what an application embeds.

Stopping has an order: first nobody new comes in (the listeners close), then each swarm says goodbye
to its trackers, ends its sessions, lets the disk finish, and saves its state; then the tracker
clients, the disk queue and the database close.  When C{stopService} fires, no delayed call, open
file, thread or unfired Deferred is left.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import SystemRandom

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList, DeferredLock, maybeDeferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from twisted_bt.errors import (
    BitTorrentError,
    MetainfoError,
    PeerDisconnected,
    SessionStopped,
    StorageError,
    UnknownTorrent,
)
from twisted_bt.interfaces import IClientReactor, ISwarmObserver, Random
from twisted_bt.sessions.assembly import Assembly
from twisted_bt.sessions.engine import Engine, ITicking, Plugins
from twisted_bt.sessions.life import SwarmStatus
from twisted_bt.sessions.listening import PeerListener
from twisted_bt.sessions.metafiles import TorrentSource
from twisted_bt.sessions.observers import Observers
from twisted_bt.sessions.service import ClientService, withRunning
from twisted_bt.sessions.swarm import SwarmSession
from twisted_bt.sessions.torrentmap import (
    Active,
    Registered,
    TorrentLoc,
    TorrentMap,
    TorrentPresence,
    TorrentRow,
    Unknown,
)
from twisted_bt.settings import Extension, Settings
from twisted_bt.torrent.ids import makePeerId
from twisted_bt.torrent.metainfo import Metainfo
from twisted_bt.torrent.progress import Progress

#: Of the program, in our peer ids.
VERSION = "0.1.0"


class ClientSession(MultiService):
    """
    Several may run in one process; equal by peer id.

    @ivar clientPeerId: 20 bytes, fixed for life (BEP 20).
    @ivar settings: fixed for life.
    @ivar peerListener: accepts peers.
    @ivar swarmSessions: the open swarms, by info-hash.
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
        self._reactor = reactor
        self._plugins = plugins or Plugins()
        self._random: Random = random or SystemRandom()
        self.clientPeerId = makePeerId(self._random, VERSION)
        self.swarmSessions: dict[bytes, SwarmSession] = {}
        self._listener = PeerListener(self)
        self.peerListener = ClientService("peers", self._listener.listen)
        self.peerListener.setServiceParent(self)
        self._observers = Observers()
        self._assembly: Assembly | None = None
        self._locks: dict[bytes, DeferredLock] = {}
        self._waiting: list[Deferred[None]] = []
        self._restored: list[Deferred[None]] | None = []
        self._busy: dict[ITicking, None] = {}
        self._ticking: IDelayedCall | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ClientSession) and other.clientPeerId == self.clientPeerId

    def __hash__(self) -> int:
        return hash(self.clientPeerId)

    # -- what a user interface asks

    @property
    def allowedExtensions(self) -> frozenset[Extension]:
        """What we offer in handshakes; to change it, make a new session."""
        return self.settings.allowedExtensions

    @property
    def listenerPort(self) -> int | None:
        """The port peers reach us at, while running."""
        return withRunning(self.peerListener, lambda: None, lambda service: service.port)

    @property
    def dhtPort(self) -> int | None:
        """The port of the DHT node, while one runs."""
        return self._assembly.engine.dhtPort if self._assembly is not None else None

    @property
    def maxActive(self) -> int:
        """How many swarms may be open."""
        return self.settings.maxActive

    @property
    def activeSessions(self) -> int:
        """How many swarms hold a slot of those."""
        return self._assembly.engine.activeSlots.taken if self._assembly is not None else 0

    @property
    def engine(self) -> Engine:
        """What the swarms share.  @raise SessionStopped: not running."""
        if self._assembly is None:
            raise SessionStopped("the client is not running")
        return self._assembly.engine

    @property
    def torrentMap(self) -> TorrentMap:
        """The known torrents.  @raise SessionStopped: not running."""
        if self._assembly is None:
            raise SessionStopped("the client is not running")
        return self._assembly.torrents

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
            self._reactor,
            self.settings,
            self._plugins,
            self._random,
            self.clientPeerId,
            lambda: self.listenerPort,
            self._beBusy,
        )
        try:
            super().startService()
        except BaseException:
            self.running = 0
            assembly, self._assembly = self._assembly, None
            Deferred.fromCoroutine(assembly.close())
            raise
        self._restored = []
        restoring = Deferred.fromCoroutine(self._restore())
        restoring.addErrback(lambda reason: self._log.failure("restoring torrents", reason))
        restoring.addBoth(lambda _: self._wakeRestored())
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    def stopService(self) -> Deferred[None]:
        """Stop in the order above; fires when nothing is left.  Bounded: trackers get C{stopTimeout}."""
        if not self.running:
            return succeed(None)
        listeners = maybeDeferred(super().stopService)
        return Deferred.fromCoroutine(self._shutDown(listeners))

    async def _shutDown(self, listeners: Deferred[object]) -> None:
        assembly = self._assembly
        assert assembly is not None
        self._listener.stop()
        await listeners
        swarms = list(self.swarmSessions.values())
        await DeferredList([swarm.stop() for swarm in swarms], consumeErrors=True)
        await self._whenUnlocked()
        late = [swarm for swarm in self.swarmSessions.values() if swarm not in swarms]
        await DeferredList([swarm.stop() for swarm in late], consumeErrors=True)
        self.swarmSessions.clear()
        self._busy.clear()
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
        self._assembly = None
        await assembly.close()

    async def _whenUnlocked(self) -> None:
        """What was begun for single torrents comes to its end (and finds that we stop)."""
        while self._locks:
            await next(iter(self._locks.values())).run(lambda: None)

    def _whenRunning(self) -> Deferred[None]:
        if self.running:
            return succeed(None)
        waiter: Deferred[None] = Deferred(lambda waiter: self._waiting.remove(waiter))
        self._waiting.append(waiter)
        return waiter

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

    async def _restore(self) -> None:
        for row in await self.torrentMap.keptOpen():
            if not self.running:
                return
            try:
                async with self._locked(row.infoHash):
                    if row.infoHash not in self.swarmSessions:
                        await self._open(row)
            except BitTorrentError as reason:
                self._log.error(
                    "cannot go on with {infoHash}: {reason}", infoHash=row.infoHash.hex(), reason=str(reason)
                )

    # -- torrents

    def addTorrent(self, source: TorrentSource, dataDirPath: Path | str) -> Deferred[SwarmSession]:
        """
        Exchange a torrent from now on, in this and later runs: what is in C{dataDirPath} already is
        checked, the rest downloaded.  Before C{startService} it waits for that.

        @param source: the content of a torrent file, its path, or a L{Metainfo}.
        @return: the swarm (the one there is, if it is open already).  Fails with C{MetainfoError},
            C{StorageError}, C{SessionStopped}.
        """

        folder = Path(dataDirPath).absolute()

        async def add() -> SwarmSession:
            await self._whenRunning()
            metafiles, torrents = self._parts.metafiles, self.torrentMap
            metainfo = await metafiles.read(source)
            async with self._locked(metainfo.wireHash):
                swarm = self.swarmSessions.get(metainfo.wireHash)
                if swarm is None:
                    loc = TorrentLoc(await metafiles.keep(metainfo), folder)
                    row = TorrentRow(metainfo.wireHash, loc, keepOpen=True)
                    await torrents.put(row)
                    swarm = await self._open(row, metainfo)
                return swarm

        return Deferred.fromCoroutine(add())

    def removeTorrent(self, infoHash: bytes) -> Deferred[None]:
        """Close and forget a torrent; its content stays.  Not knowing it is as good."""

        async def remove() -> None:
            parts = self._parts
            async with self._locked(infoHash):
                await self._close(infoHash)
                await parts.torrents.remove(infoHash)
                await parts.engine.resume.forget(infoHash)
                await parts.metafiles.drop(infoHash)

        return Deferred.fromCoroutine(remove())

    def registerTorrent(self, loc: TorrentLoc) -> Deferred[bytes]:
        """
        Know a torrent whose content is in place: its swarm opens when a peer asks for it, and each piece
        is verified before it is first sent.

        @return: its info-hash.  Fails with C{MetainfoError}, or with C{StorageError} if files are
            not where they should be.
        """

        known = TorrentLoc(Path(loc.metafilePath).absolute(), Path(loc.dataDirPath).absolute())

        async def register() -> bytes:
            await self._whenRunning()
            parts = self._parts
            metainfo = await parts.metafiles.read(known.metafilePath)
            async with self._locked(metainfo.wireHash):
                await parts.checkInPlace(metainfo, known.dataDirPath)
                if not isinstance(self.torrentPresence(metainfo.wireHash), Active):
                    await parts.torrents.put(TorrentRow(metainfo.wireHash, known, keepOpen=False))
            return metainfo.wireHash

        return Deferred.fromCoroutine(register())

    def unregisterTorrent(self, infoHash: bytes) -> Deferred[None]:
        """Know a torrent no more; its swarm is stopped.  Its content stays."""
        return self.removeTorrent(infoHash)

    def torrentPresence(self, infoHash: bytes) -> TorrentPresence:
        """Whether a torrent is open, known, or neither."""
        swarm = self.swarmSessions.get(infoHash)
        if swarm is not None:
            return Active(swarm)
        row = self.torrentMap.get(infoHash)
        return Unknown() if row is None else Registered(row.loc)

    def openSwarm(self, infoHash: bytes) -> Deferred[SwarmSession]:
        """
        The swarm of a known torrent, opened if need be.  Fails with C{UnknownTorrent},
        C{MetainfoError}, C{StorageError}, C{SessionStopped}.
        """

        async def open_() -> SwarmSession:
            async with self._locked(infoHash):
                match self.torrentPresence(infoHash):
                    case Active(swarm):
                        return swarm
                    case Registered():
                        row = self.torrentMap.get(infoHash)
                        assert row is not None
                        return await self._open(row)
                    case Unknown():
                        raise UnknownTorrent(infoHash)

        return Deferred.fromCoroutine(open_())

    def swarmFor(self, infoHash: bytes) -> Deferred[SwarmSession]:
        """What the listener asks after reading an info-hash; see C{joining}."""

        async def find() -> SwarmSession:
            try:
                swarm = await self.openSwarm(infoHash)
                if swarm.status is SwarmStatus.CHECKING and swarm.trusting:
                    await swarm.whenChecked()
            except (StorageError, MetainfoError, SessionStopped) as reason:
                raise PeerDisconnected(f"the torrent cannot be opened: {reason}") from reason
            return swarm

        return Deferred.fromCoroutine(find())

    # -- inside

    @property
    def _parts(self) -> Assembly:
        if self._assembly is None or not self.running:
            raise SessionStopped("the client is stopped")
        return self._assembly

    @asynccontextmanager
    async def _locked(self, infoHash: bytes) -> AsyncIterator[None]:
        """One at a time for each torrent."""
        lock = self._locks.setdefault(infoHash, DeferredLock())
        await lock.acquire()
        try:
            self._parts  # noqa: B018 -- raises where the client was stopped meanwhile
            yield
        finally:
            if not lock.waiting:
                self._locks.pop(infoHash, None)
            lock.release()

    async def _open(self, row: TorrentRow, metainfo: Metainfo | None = None) -> SwarmSession:
        engine = self._parts.engine
        if metainfo is None:
            metainfo = await self._parts.metafiles.read(row.loc.metafilePath)
        if metainfo.wireHash != row.infoHash:
            raise MetainfoError(f"{row.loc.metafilePath} is another torrent than it was")
        make = SwarmSession.newLeecher if row.keepOpen else SwarmSession.newSeeder
        swarm = make(engine, metainfo, row.loc.dataDirPath, self._observers)
        self.swarmSessions[row.infoHash] = swarm
        swarm.start(row.paused)
        return swarm

    async def _close(self, infoHash: bytes) -> None:
        swarm = self.swarmSessions.get(infoHash)
        if swarm is not None:
            await swarm.stop()
            self.swarmSessions.pop(infoHash, None)

    def _beBusy(self, swarm: ITicking) -> None:
        self._busy[swarm] = None
        if self._ticking is None:
            self._ticking = self._reactor.callLater(1.0, self._tick)

    def _tick(self) -> None:
        self._ticking = None
        now = self._reactor.seconds()
        for swarm in list(self._busy):
            try:
                if not swarm.tick(now):
                    self._busy.pop(swarm, None)
            except Exception:
                self._log.failure("the tick of {swarm} failed", swarm=swarm)
        if self._busy and self._ticking is None:
            self._ticking = self._reactor.callLater(1.0, self._tick)
