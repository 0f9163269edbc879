"""
Shares a file or folder from one program: makes its torrent, runs the tracker, and seeds::

    python share.py PATH FILE.torrent [ADDRESS]

ADDRESS is where others reach this machine; left out, only programs on it can download.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from random import SystemRandom
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from twisted_bt import ClientSession, Settings, TorrentLoc
from twisted_bt.torrent.create import createMetainfo
from twisted_bt.tracker.server import TrackerService


def makeTorrent(content: Path, torrent: Path, trackers: Sequence[str]) -> TorrentLoc:
    # For large content use twisted-bt create, in a process of its own: hashing takes its time.
    torrent.write_bytes(createMetainfo(content, trackers=[trackers]).encode())
    return TorrentLoc(torrent, content.absolute().parent)


async def main(reactor: Any, path: str, torrent: str, address: str = "127.0.0.1") -> None:
    tracker = TrackerService(reactor, SystemRandom(), interface=address)
    client = ClientSession(reactor, Settings(interfaces=(address,)))
    for service in (tracker, client):  # in a daemon, service.setServiceParent(application)
        service.startService()
        reactor.addSystemEventTrigger("before", "shutdown", service.stopService)

    loc = makeTorrent(Path(path), Path(torrent), tracker.announceURLs)
    # Registered, a torrent costs a row in a database.  Its swarm opens when a peer asks for it ...
    infoHash = await client.registerTorrent(loc)
    # ... or at once, so that the tracker hears of us.
    await client.openSwarm(infoHash)
    print(f"sharing {path} at {address}:{client.listenerPort}", flush=True)
    await Deferred()  # until Ctrl-C


if __name__ == "__main__":
    react(main, sys.argv[1:])
