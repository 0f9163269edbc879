"""
Puts the parts of a client together, and takes them apart in order.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bitarray import bitarray
from twisted.internet.defer import maybeDeferred
from twisted.logger import Logger

from twisted_bt.errors import StorageError
from twisted_bt.exchange.buffers import PieceBuffers
from twisted_bt.interfaces import IClientReactor, Random
from twisted_bt.sessions.dialing import Dialer
from twisted_bt.sessions.engine import Engine, ITicking, Plugins
from twisted_bt.sessions.metafiles import Metafiles
from twisted_bt.sessions.notes import Notes
from twisted_bt.sessions.torrentmap import MIGRATIONS, TorrentMap
from twisted_bt.sessions.trackerclients import TrackerClients
from twisted_bt.settings import Extension, Settings
from twisted_bt.storage.database import StateDatabase
from twisted_bt.storage.filepool import FilePool
from twisted_bt.storage.files import FileStorageFactory
from twisted_bt.storage.groupcommit import GroupCommit
from twisted_bt.storage.resume import ResumeStore
from twisted_bt.torrent.metainfo import Metainfo
from twisted_bt.transport.plainsocket import SharedReader

if TYPE_CHECKING:
    from twisted_bt.dht.service import DhtNode
    from twisted_bt.discovery.localservice import LocalDiscovery


class Assembly:
    """
    The parts of a running client.

    @ivar engine: what swarms share.
    @ivar torrents: the known torrents.
    @ivar metafiles: their torrent files.
    @ivar notes: small things that are remembered.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: IClientReactor,
        settings: Settings,
        plugins: Plugins,
        random: Random,
        peerId: bytes,
        allowedExtensions: frozenset[Extension],
        listenerPort: Callable[[], int | None],
        dht: Callable[[], DhtNode | None],
        local: Callable[[], LocalDiscovery | None],
        busy: Callable[[ITicking], None],
    ) -> None:
        stateDir = settings.stateDir
        # One thread writes: more would fight it for the interpreter, and pieces come no faster.
        disk = plugins.diskQueue(reactor, 1, settings.writeBudget)
        self._aside = aside = plugins.diskQueue(reactor, settings.diskThreads, 1 << 30)
        files = plugins.files
        self._pool = FilePool(settings.maxOpenFiles, files)
        self._database = StateDatabase(
            stateDir / "state.sqlite" if stateDir else None,
            plugins.diskQueue(reactor, 1, 1 << 30),
            MIGRATIONS,
            calls=files,
        )
        grouped = GroupCommit(self._database)
        self.torrents = TorrentMap(grouped)
        self.notes = Notes(self._database)
        resume = ResumeStore(grouped)
        self._database.openNow()
        self.metafiles = Metafiles(stateDir / "torrents" if stateDir else None, aside, files)
        reader = SharedReader()
        self.engine = Engine(
            reactor=reactor,
            settings=settings,
            plugins=plugins,
            random=random,
            peerId=peerId,
            allowedExtensions=allowedExtensions,
            buffers=PieceBuffers(settings.partialPieceBudget),
            disk=disk,
            storages=plugins.storageFactory
            or FileStorageFactory(disk, self._pool, settings.preallocate, aside, files),
            resume=resume,
            trackers=plugins.trackerClients or TrackerClients(reactor, settings, random),
            reader=reader,
            dialer=Dialer(reactor, settings, reader),
            listenerPort=listenerPort,
            dht=dht,
            local=local,
            busy=busy,
            rememberPaused=self._rememberPaused,
            wallClock=plugins.wallClock or time.time,
            announceKey=random.randrange(1 << 32),
        )

    def _rememberPaused(self, infoHash: bytes, paused: bool) -> None:
        self.torrents.setPaused(infoHash, paused).addErrback(
            lambda reason: self._log.failure("remembering that a torrent is paused", reason)
        )

    async def checkInPlace(self, metainfo: Metainfo, dataDirPath: Path) -> None:
        """
        Are the files of C{metainfo} in C{dataDirPath}?

        @raise StorageError: some are missing, or too short.
        """
        storage = self.engine.storages.storageFor(metainfo, dataDirPath)
        try:
            allocated = await storage.allocated()
        finally:
            await storage.close()
        checkAllocated(metainfo, dataDirPath, allocated)

    async def close(self) -> None:
        """Tracker clients, then the disk queue, open files and the database."""
        trackers = self.engine.trackers
        if isinstance(trackers, TrackerClients):
            await self._quietly(trackers.close)
        else:
            for client in {id(each): each for each in trackers.values()}.values():
                await self._quietly(client.close)
        await self._quietly(self.engine.disk.stop)
        await self._quietly(self._aside.stop)
        await self._quietly(self._database.close)
        self.engine.buffers.trim()

    async def _quietly(self, close: Callable[[], object]) -> None:
        """One part that does not close well keeps no other from closing."""
        try:
            await maybeDeferred(close)
        except Exception:
            self._log.failure("closing")


def checkAllocated(metainfo: Metainfo, dataDirPath: Path, allocated: bitarray) -> None:
    """
    Is all of C{metainfo} among the pieces C{allocated} in C{dataDirPath}?

    @raise StorageError: some are missing, or too short.
    """
    absent = ~allocated
    if absent.any():
        offset = metainfo.layout.pieceOffset(absent.find(1))
        size = metainfo.layout.pieceSize(absent.find(1))
        names = [
            "/".join(each.path)
            for each in metainfo.files
            if each.offset < offset + size and each.offset + each.length > offset and not each.isPad
        ]
        raise StorageError(
            f"{absent.count()} of {metainfo.layout.pieceCount} pieces are not in {dataDirPath};"
            f" the first would be in {' and '.join(names[:3])}"
        )
