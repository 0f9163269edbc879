"""
Metadata of magnet links: waiting for it while somebody watches, and fetching nothing else.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from twisted_bt.control.console import fetchingLine
from twisted_bt.control.describe import printable
from twisted_bt.control.links import nameOf
from twisted_bt.control.meter import LINE_INTERVAL
from twisted_bt.control.offered import MetadataOffers
from twisted_bt.control.options import HostPort
from twisted_bt.errors import BitTorrentError, MetainfoError
from twisted_bt.interfaces import IClientReactor
from twisted_bt.sessions.client import ClientSession
from twisted_bt.sessions.swarm import SwarmSession
from twisted_bt.settings import Settings
from twisted_bt.torrent.magnet import Magnet
from twisted_bt.torrent.metainfo import Metainfo

#: Seconds between two looks at what is shown.
SHOW_INTERVAL = 0.25
#: To the end of a terminal's line: it may have held a longer text.
_CLEAR = "\x1b[K"


class MetadataWatch:
    """
    Shows from how many peers the metadata of C{magnet} is being fetched, until it is closed: on a
    terminal in one line that changes, else in a line when that is news.
    """

    def __init__(self, clock: IReactorTime, client: ClientSession, magnet: Magnet, out: TextIO) -> None:
        self._clock = clock
        self._client = client
        self._magnet = magnet
        self._out = out
        self._terminal = out.isatty()
        self._said = ""
        self._next = float("-inf")
        self._loop = LoopingCall(self._show)
        self._loop.clock = clock
        self._loop.start(SHOW_INTERVAL, now=False)

    def _show(self) -> None:
        fetching = self._client.metadataSessions.get(self._magnet.infoHash or b"")
        if fetching is None:
            return
        line = printable(f"{nameOf(self._magnet)}: {fetchingLine([fetching])}")
        if self._terminal:
            self._out.write(f"\r{line}{_CLEAR}")
            self._out.flush()
            self._said = line
        elif line != self._said and self._clock.seconds() >= self._next:
            self._next = self._clock.seconds() + LINE_INTERVAL
            print(line, file=self._out, flush=True)
            self._said = line

    def close(self) -> None:
        """Make room for what comes next."""
        if self._loop.running:
            self._loop.stop()
        if self._terminal and self._said:
            self._out.write(f"\r{_CLEAR}")
            self._out.flush()


async def openMagnet(
    clock: IReactorTime, client: ClientSession, magnet: Magnet, folder: Path, peers: Sequence[HostPort]
) -> SwarmSession:
    """
    Exchange what C{magnet} names, once its metadata is here.

    @param peers: to be asked, beside those that are found.
    @raise BitTorrentError: as C{addTorrent}.
    """
    offers = MetadataOffers(clock, client, magnet.infoHash or b"", peers)
    offers.start()
    try:
        return await client.addTorrent(magnet, folder)
    finally:
        offers.stop()


async def fetchMetadata(
    reactor: IClientReactor,
    magnets: Sequence[Magnet],
    settings: Settings,
    peers: Sequence[HostPort],
    seconds: float,
    out: TextIO,
) -> list[Metainfo | BitTorrentError]:
    """
    The metadata of each of C{magnets}, or why there is none; no content is downloaded.

    @param peers: to be asked, beside those that are found.
    @param seconds: for all.
    @param out: where progress is shown.
    @raise BitTorrentError: nothing at all can be done.
    """
    folder = Path(tempfile.mkdtemp(prefix="twisted-bt-"))  # nothing is to come there
    client = ClientSession(reactor, settings)
    watches: list[MetadataWatch] = []

    async def fetch(magnet: Magnet) -> Metainfo:
        swarm = await openMagnet(reactor, client, magnet, folder, peers)
        # At once: its files are not even looked at yet.
        await client.removeTorrent(swarm.infoHash)
        return swarm.metainfo

    def late(result: object, limit: float) -> object:
        if isinstance(result, Failure) and result.check(CancelledError):
            raise MetainfoError(f"no metadata within {limit:g} seconds")
        return result

    fetches: list[Deferred[Metainfo]] = []
    try:
        client.startService()
        watches += [MetadataWatch(reactor, client, magnet, out) for magnet in magnets]
        for magnet in magnets:
            fetching = Deferred.fromCoroutine(fetch(magnet))
            fetching.addTimeout(seconds, reactor, onTimeoutCancel=late)
            fetches.append(fetching)
        results = await DeferredList(fetches, consumeErrors=True)
    finally:
        for watch in watches:
            watch.close()
        await client.stopService()
        shutil.rmtree(folder, ignore_errors=True)
    return [_outcome(result) for _, result in results]


def _outcome(result: Metainfo | Failure) -> Metainfo | BitTorrentError:
    if not isinstance(result, Failure):
        return result
    error = result.value
    if not isinstance(error, BitTorrentError):
        assert error is not None
        raise error
    return error
