"""
Downloading one torrent while somebody watches.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall

from twisted_bt.control.console import peerCount
from twisted_bt.control.describe import printable
from twisted_bt.control.metadata import MetadataWatch, openMagnet
from twisted_bt.control.meter import Meter, meterFor
from twisted_bt.control.offered import OfferedPeers
from twisted_bt.control.options import HostPort
from twisted_bt.control.sources import readSource
from twisted_bt.control.units import formatDuration, formatSize
from twisted_bt.interfaces import IClientReactor
from twisted_bt.sessions.client import ClientSession
from twisted_bt.sessions.life import SwarmStatus
from twisted_bt.sessions.observers import SwarmObserver
from twisted_bt.sessions.swarm import SwarmSession
from twisted_bt.settings import Settings
from twisted_bt.torrent.magnet import Magnet
from twisted_bt.torrent.metainfo import Metainfo

#: Seconds between two looks at a swarm that is shown.
SHOW_INTERVAL = 0.25


async def getTorrent(
    reactor: IClientReactor,
    source: str,
    folder: Path,
    settings: Settings,
    peers: Sequence[HostPort],
    out: TextIO,
) -> None:
    """
    Download a torrent and return once all of it is on disk, verified; then nothing is left running.

    What is in C{folder} already is kept, if it is right.  To cancel ends it cleanly as well.

    @param source: a path, a URL or a magnet link.
    @param peers: to be tried beside what trackers say.
    @param out: where progress is shown.
    @raise BitTorrentError: it cannot be done.
    """
    torrent = await readSource(reactor, source)
    client = ClientSession(reactor, settings)
    try:
        client.startService()
        if not (peers or _findsPeers(torrent, settings)):
            print("no tracker in the torrent and no --peer: waiting for peers to come", file=out, flush=True)
        if isinstance(torrent, Magnet):
            watch = MetadataWatch(reactor, client, torrent, out)
            try:
                swarm = await openMagnet(reactor, client, torrent, folder, peers)
            finally:
                watch.close()
        else:
            swarm = await client.addTorrent(torrent, folder)
        offered = OfferedPeers(reactor, swarm, peers)
        shown = Watch(reactor, swarm, out)
        try:
            offered.start()
            began = reactor.seconds()
            before = swarm.progress.downloaded
            await shown.untilComplete()
        finally:
            offered.stop()
            shown.close()
        elapsed = reactor.seconds() - began
        size = formatSize(swarm.metainfo.totalSize)
        got = swarm.progress.downloaded - before
        print(
            f"{printable(swarm.name)}: complete and verified, {size} in {folder} "
            f"({formatSize(got)} downloaded in {formatDuration(elapsed)})",
            file=out,
            flush=True,
        )
    finally:
        await client.stopService()


def _findsPeers(torrent: Metainfo | Magnet, settings: Settings) -> bool:
    """Whether there is any way to find peers."""
    if torrent.trackers:
        return True
    if isinstance(torrent, Magnet):
        return bool(torrent.peers or settings.dht or settings.lsd)
    return (settings.dht or settings.lsd) and not torrent.private


class Watch:
    """Shows a swarm on a meter until it is complete."""

    def __init__(self, reactor: IClientReactor, swarm: SwarmSession, out: TextIO) -> None:
        self._swarm = swarm
        total = swarm.metainfo.totalSize
        self._meter = meterFor(printable(swarm.name), total, out, reactor.seconds)
        self._unobserve = swarm.observe(_Notes(self._meter))
        self._loop = LoopingCall(self._show)
        self._loop.clock = reactor

    def untilComplete(self) -> Deferred[SwarmSession]:
        """Fires when it is; fails as C{whenComplete} does."""
        self._loop.start(SHOW_INTERVAL)
        return self._swarm.whenComplete()

    def close(self) -> None:
        """Show the end, and end."""
        if self._loop.running:
            self._loop.stop()
        self._unobserve()
        self._show()
        self._meter.close()

    def _show(self) -> None:
        swarm = self._swarm
        if swarm.status in (SwarmStatus.QUEUED, SwarmStatus.CHECKING):
            return
        done = swarm.metainfo.totalSize - swarm.progress.left
        self._meter.show(done, swarm.downloadRate, peerCount(swarm))


class _Notes(SwarmObserver):
    """What is worth a line beside the bar: tracker failures, each once."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._said: set[tuple[str, str]] = set()

    def trackerFailed(self, swarm: SwarmSession, url: str, reason: str) -> None:
        self._once(url, f"failed: {reason}")

    def trackerAnswered(self, swarm: SwarmSession, url: str, peers: int, warning: str) -> None:
        if warning:
            self._once(url, f"warns: {warning}")

    def _once(self, url: str, what: str) -> None:
        if (url, what) not in self._said:
            self._said.add((url, what))
            self._meter.note(printable(f"tracker {url} {what}"))
