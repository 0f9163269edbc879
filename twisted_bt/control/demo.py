"""
A whole swarm in one process, over real sockets: for a first look, where there is no torrent and no network.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import SystemRandom
from typing import TextIO

from twisted.internet.defer import maybeDeferred

from twisted_bt.control.getting import Watch
from twisted_bt.control.units import formatDuration, formatRate, formatSize
from twisted_bt.errors import StorageError
from twisted_bt.interfaces import IClientReactor
from twisted_bt.sessions.client import ClientSession
from twisted_bt.settings import Settings
from twisted_bt.torrent.create import createMetainfo
from twisted_bt.tracker.server import TrackerService

_LOOPBACK = "127.0.0.1"
_CHUNK = 1 << 20
_NAME = "demo.bin"


@dataclass(frozen=True, slots=True)
class DemoResult:
    """C{size} bytes went from one client to another in C{seconds}."""

    size: int
    seconds: float


async def runDemo(reactor: IClientReactor, folder: Path, size: int, out: TextIO) -> DemoResult:
    """
    Make a file of C{size} random bytes in C{folder}, share it with one client, download it with another,
    and compare.

    @raise BitTorrentError: something did not work.
    """
    source, target = folder / "seeder", folder / "leecher"
    say(out, f"making a file of {formatSize(size)} ...")
    try:
        source.mkdir()
        target.mkdir()
        _fill(source / _NAME, size)
    except OSError as error:
        raise StorageError(f"cannot make a file in {folder}: {error.strerror}") from error

    tracker = TrackerService(reactor, SystemRandom(), httpPort=0, udpPort=0, interface=_LOOPBACK)
    settings = Settings(interfaces=(_LOOPBACK,))
    seeder, leecher = ClientSession(reactor, settings), ClientSession(reactor, settings)
    try:
        for service in (tracker, seeder, leecher):
            service.startService()
        say(out, f"tracker at {' and '.join(tracker.announceURLs)}")
        say(out, f"seeder on port {seeder.listenerPort}, leecher on port {leecher.listenerPort}")
        metainfo = createMetainfo(source / _NAME, trackers=[tracker.announceURLs])
        await (await seeder.addTorrent(metainfo, source)).whenComplete()
        swarm = await leecher.addTorrent(metainfo, target)
        watch = Watch(reactor, swarm, out)
        began = reactor.seconds()
        try:
            await watch.untilComplete()
            seconds = reactor.seconds() - began
        finally:
            watch.close()
    finally:
        for service in (leecher, seeder, tracker):  # the tracker last: clients say goodbye to it
            await maybeDeferred(service.stopService)

    if _digest(source / _NAME) != _digest(target / _NAME):
        raise StorageError("the downloaded file differs from the original")
    rate = formatRate(size / max(seconds, 0.001))
    say(out, f"downloaded and verified: {formatSize(size)} in {formatDuration(seconds)}, {rate}")
    return DemoResult(size, seconds)


def say(out: TextIO, line: str) -> None:
    """A line for whoever watches."""
    print(line, file=out, flush=True)


def _fill(path: Path, size: int) -> None:
    with path.open("wb") as file:
        for begin in range(0, size, _CHUNK):
            file.write(os.urandom(min(_CHUNK, size - begin)))


def _digest(path: Path) -> bytes:
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.digest()
