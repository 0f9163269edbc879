"""
The daemon: a client session, the torrents it was given, and what is told of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.application.service import MultiService
from twisted.internet.defer import CancelledError, Deferred, DeferredList, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_bt.control.console import LogObserver, ProgressTicker
from twisted_bt.control.offered import OfferedPeers
from twisted_bt.control.options import DaemonConfig
from twisted_bt.control.sources import fetchTorrent, parseTorrent, webAgent
from twisted_bt.control.statelock import StateLock
from twisted_bt.control.units import formatSize, plural
from twisted_bt.errors import BitTorrentError, SessionStopped
from twisted_bt.interfaces import IClientReactor
from twisted_bt.sessions.client import ClientSession
from twisted_bt.sessions.swarm import SwarmSession
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
        torrents: Sequence[Metainfo],
        urls: Sequence[str],
        finished: Finished,
        lock: StateLock | None = None,
    ) -> None:
        """
        @param torrents: those of C{config.torrents} that were files, read already.
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
        self._offered: list[OfferedPeers] = []
        self._job: Deferred[None] | None = None
        self.client = ClientSession(reactor, config.settings())
        self.client.setServiceParent(self)
        self._ticker = ProgressTicker(reactor, self.client)
        self._unobserve: Callable[[], None] = lambda: None

    def startService(self) -> None:
        """What the session raises (an occupied port, an unusable folder) leaves this, too."""
        self._unobserve = self.client.observe(LogObserver())
        super().startService()
        _log.info("listening for peers on port {port}", port=self.client.listenerPort)
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
        return maybeDeferred(super().stopService).addBoth(self._stopped, wasRunning)

    def _stopped(self, result: object, wasRunning: bool) -> None:
        self._unobserve()
        if self._lock is not None:
            self._lock.release()
        if isinstance(result, Failure):
            result.raiseException()
        if wasRunning:
            _log.info("stopped")

    async def _run(self) -> None:
        await self.client.whenRestored()
        remembered = list(self.client.swarmSessions.values())
        if remembered:
            _log.info("{count} remembered", count=plural(len(remembered), "torrent"))
        given = [await self._add(metainfo) for metainfo in self._torrents]
        for url in self._urls:
            _log.info("fetching {url}", url=url)
            content = await fetchTorrent(self._reactor, webAgent(self._reactor), url)
            given.append(await self._add(parseTorrent(url, content)))
        if self._config.exitWhenComplete:
            await self._complete(given or remembered)

    async def _add(self, metainfo: Metainfo) -> SwarmSession:
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
        offered = OfferedPeers(self._reactor, swarm, self._config.peer)
        self._offered.append(offered)
        offered.start()
        return swarm

    async def _complete(self, swarms: Sequence[SwarmSession]) -> None:
        results = await DeferredList([each.whenComplete() for each in swarms], consumeErrors=True)
        failures = [result for _, result in results if isinstance(result, Failure)]
        for failure in failures:
            if failure.check(CancelledError, SessionStopped):  # that is us: we are being stopped
                failure.raiseException()
        errors = [failure.getErrorMessage() for failure in failures]
        _log.info("done: {count} complete", count=f"{len(swarms) - len(errors)} of {len(swarms)}")
        self._finished("; ".join(errors))

    def _failed(self, failure: Failure) -> None:
        if failure.check(CancelledError, SessionStopped):
            return
        if failure.check(BitTorrentError):
            self._finished(failure.getErrorMessage())
        else:
            _log.failure("the daemon failed", failure)
            self._finished(f"internal error: {failure.getErrorMessage()}")
