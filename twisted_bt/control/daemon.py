"""
The daemon: a client session, the torrents it was given, and what is told of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from twisted.application.service import MultiService
from twisted.internet.defer import CancelledError, Deferred, DeferredList, maybeDeferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_bt.control.collecting import Collecting
from twisted_bt.control.console import LogObserver, ProgressTicker
from twisted_bt.control.links import nameOf
from twisted_bt.control.offered import MetadataOffers, OfferedPeers
from twisted_bt.control.options import DaemonConfig
from twisted_bt.control.sources import fetchMetainfo, torrentFilesBelow
from twisted_bt.control.statelock import StateLock
from twisted_bt.control.units import formatSize, plural
from twisted_bt.errors import BitTorrentError, SessionStopped
from twisted_bt.interfaces import IClientReactor
from twisted_bt.sessions.client import ClientSession
from twisted_bt.sessions.swarm import SwarmSession
from twisted_bt.sessions.torrentmap import TorrentLoc
from twisted_bt.torrent.magnet import Magnet
from twisted_bt.torrent.metainfo import Metainfo

_log = Logger()

#: What is called when the daemon has nothing more to do: C{""}, or the error that ends it.
Finished = Callable[[str], None]


class Daemon(MultiService):
    """
    A L{ClientSession} that downloads and seeds what it was given and what it remembers.

    @ivar client: the session, its first child.
    """

    def __init__(
        self,
        reactor: IClientReactor,
        config: DaemonConfig,
        torrents: Sequence[Metainfo | Magnet],
        urls: Sequence[str],
        finished: Finished,
        lock: StateLock | None = None,
    ) -> None:
        """
        @param torrents: those of C{config.torrents} that were files or magnet links, read already.
        @param urls: the others, to be fetched.
        @param lock: of the state folder, held already; released when all has stopped.
        """
        super().__init__()
        self._reactor = reactor
        self._config = config
        self._torrents = torrents
        self._urls = urls
        self._finished = finished
        self._lock = lock
        self._offered: list[OfferedPeers | MetadataOffers] = []
        self._opening: list[Deferred[SwarmSession]] = []
        self._job: Deferred[None] | None = None
        self.client = ClientSession(reactor, config.settings())
        self.client.setServiceParent(self)
        self._collecting = Collecting(reactor, self.client)
        self._collecting.setServiceParent(self)
        self._ticker = ProgressTicker(reactor, self.client)
        self._unobserve: Callable[[], None] = lambda: None

    def startService(self) -> None:
        """What the session raises (an occupied port, an unusable folder) leaves this, too."""
        self._unobserve = self.client.observe(LogObserver())
        super().startService()
        _log.info("listening for peers on port {port}", port=self.client.listenerPort)
        if self.client.dhtPort is not None:
            _log.info("DHT node on port {port}", port=self.client.dhtPort)
        self._ticker.start()
        self._job = Deferred.fromCoroutine(self._run()).addErrback(self._failed)

    def stopService(self) -> Deferred[None]:
        """Fires once everything has stopped and the state folder is free."""
        wasRunning = bool(self.running)
        self._ticker.stop()
        for offered in self._offered:
            offered.stop()
        if self._job is not None:
            self._job.cancel()
        for opening in self._opening:
            opening.addErrback(lambda _: None)  # whoever waits for it is being stopped, too
            opening.cancel()
        return maybeDeferred(super().stopService).addBoth(self._stopped, wasRunning)

    def _stopped(self, result: object, wasRunning: bool) -> None:
        self._unobserve()
        self._collecting.thaw()
        if self._lock is not None:
            self._lock.release()
        if isinstance(result, Failure):
            result.raiseException()
        if wasRunning:
            _log.info("stopped")

    async def _run(self) -> None:
        await self.client.whenRestored()
        remembered = len(self.client.swarmSessions) + len(self.client.metadataSessions)
        if remembered:
            _log.info("{count} remembered", count=plural(remembered, "torrent"))
        if self._config.exitWhenComplete and not (self._torrents or self._urls):
            self._opening += [succeed(swarm) for swarm in self.client.swarmSessions.values()]
            self._opening += [fetching.whenOpen() for fetching in self.client.metadataSessions.values()]
        for folder in self._config.register:
            await self._register(folder)
        for torrent in self._torrents:
            await self._add(torrent)
        for url in self._urls:
            _log.info("fetching {url}", url=url)
            await self._add(await fetchMetainfo(self._reactor, url))
        if self._config.exitWhenComplete:
            await self._complete(self._opening)

    async def _register(self, folder: Path) -> None:
        """Know the torrents in C{folder}; those that cannot be used are told, and keep no other from it."""
        content = self._config.downloadDir
        outcome = await self.client.registerTorrents(
            TorrentLoc(path, content) for path in torrentFilesBelow(folder)
        )
        for loc, reason in outcome.refused:
            _log.error("{file}: {reason}", file=str(loc.metafilePath), reason=reason)
        _log.info("{folder}: {count} registered", folder=folder, count=plural(outcome.count, "torrent"))

    async def _add(self, torrent: Metainfo | Magnet) -> None:
        """Exchange C{torrent} from now on; one without metadata opens when it can."""
        if isinstance(torrent, Metainfo):
            self._opening.append(succeed(await self._addMetainfo(torrent)))
        else:
            opening = Deferred.fromCoroutine(self._addMagnet(torrent))
            self._opening.append(opening)
            opening.addErrback(self._notOpened, torrent)

    async def _addMetainfo(self, metainfo: Metainfo) -> SwarmSession:
        known = self.client.swarmSessions.get(metainfo.wireHash)
        _log.info(
            "{name}: {added}, {size} in {files}, info-hash {infoHash}, folder {folder}",
            name=metainfo.name,
            added="added" if known is None else "remembered",
            size=formatSize(metainfo.totalSize),
            files=plural(sum(not each.isPad for each in metainfo.files), "file"),
            infoHash=metainfo.wireHash.hex(),
            folder=self._config.downloadDir if known is None else known.dataDirPath,
        )
        swarm = await self.client.addTorrent(metainfo, self._config.downloadDir)
        self._offer(OfferedPeers(self._reactor, swarm, self._config.peer))
        return swarm

    async def _addMagnet(self, magnet: Magnet) -> SwarmSession:
        infoHash = magnet.infoHash or b""
        known = infoHash in self.client.swarmSessions or infoHash in self.client.metadataSessions
        _log.info(
            "{name}: {added}, info-hash {infoHash}",
            name=nameOf(magnet),
            added="remembered" if known else "added",
            infoHash=infoHash.hex(),
        )
        offers = MetadataOffers(self._reactor, self.client, infoHash, self._config.peer)
        self._offer(offers)
        try:
            swarm = await self.client.addTorrent(magnet, self._config.downloadDir)
        finally:
            offers.stop()
            self._offered.remove(offers)
        self._offer(OfferedPeers(self._reactor, swarm, self._config.peer))
        return swarm

    def _offer(self, offered: OfferedPeers | MetadataOffers) -> None:
        self._offered.append(offered)
        offered.start()

    def _notOpened(self, failure: Failure, magnet: Magnet) -> Failure:
        # Long after the start, and maybe the fault of who made the torrent: no end to the others.
        if failure.check(BitTorrentError) and not failure.check(SessionStopped):
            _log.error("{name}: {reason}", name=nameOf(magnet), reason=failure.getErrorMessage())
        return failure

    async def _complete(self, opening: Sequence[Deferred[SwarmSession]]) -> None:
        whole = [each.addCallback(lambda swarm: swarm.whenComplete()) for each in opening]
        results = await DeferredList(whole, consumeErrors=True)
        failures = [result for _, result in results if isinstance(result, Failure)]
        for failure in failures:
            if failure.check(CancelledError, SessionStopped):  # that is us: we are being stopped
                failure.raiseException()
        errors = [failure.getErrorMessage() for failure in failures]
        _log.info("done: {count} complete", count=f"{len(opening) - len(errors)} of {len(opening)}")
        self._finished("; ".join(errors))

    def _failed(self, failure: Failure) -> None:
        if failure.check(CancelledError, SessionStopped):
            return
        if failure.check(BitTorrentError):
            self._finished(failure.getErrorMessage())
        else:
            _log.failure("the daemon failed", failure)
            self._finished(f"internal error: {failure.getErrorMessage()}")
