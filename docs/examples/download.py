"""
Downloads a torrent with a client of its own, then ends::

    python download.py FILE.torrent FOLDER [HOST:PORT ...]
"""

import sys
from pathlib import Path

from twisted.internet.task import react

from twisted_bt import ClientSession, Settings, SwarmObserver, SwarmSession
from twisted_bt.interfaces import IClientReactor


class Printer(SwarmObserver):
    """Hears what happens in a swarm, and says some of it."""

    def pieceVerified(self, swarm: SwarmSession, index: int) -> None:
        print(f"piece {index}: {swarm.progress.left} bytes to go, {swarm.downloadRate / 1e6:.1f} MB/s")

    def trackerFailed(self, swarm: SwarmSession, url: str, reason: str) -> None:
        print(f"{url}: {reason}")


async def main(reactor: IClientReactor, torrent: str, folder: str, *peers: str) -> None:
    client = ClientSession(reactor, Settings(listenPort=0, uploadSlots=8))
    client.observe(Printer())
    client.startService()
    try:
        swarm = await client.addTorrent(Path(torrent), folder)
        for peer in peers:  # beside those that the trackers tell of
            host, _, port = peer.rpartition(":")
            await swarm.connectPeer(host, int(port))
        await swarm.whenComplete()  # every piece is verified and written
        print(f"{swarm.name} is in {folder}")
    finally:
        await client.stopService()  # leaves no file, socket or timer behind


if __name__ == "__main__":
    react(main, sys.argv[1:])
