"""
Two clients in one process, each with settings, ports and limits of its own: one takes content from a
network you trust, the other gives it to everybody else::

    python two_sessions.py FILE.torrent FOLDER INNER OUTER [HOST:PORT ...]

INNER and OUTER are addresses of this machine, HOST:PORT peers of the inner network.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from twisted.application.service import MultiService
from twisted.internet.task import react

from twisted_bt import ClientSession, Settings
from twisted_bt.interfaces import IClientReactor


async def main(
    reactor: IClientReactor, torrent: str, folder: str, inner: str, outer: str, *peers: Sequence[str]
) -> None:
    taker = ClientSession(reactor, Settings(interfaces=(inner,), clientName="taker"))
    giver = ClientSession(reactor, Settings(interfaces=(outer,), clientName="giver", uploadSlots=20))
    both = MultiService()
    taker.setServiceParent(both)
    giver.setServiceParent(both)
    both.startService()
    try:
        taking = await taker.addTorrent(Path(torrent), folder)
        for peer in peers:
            host, _, port = str(peer).rpartition(":")
            await taking.connectPeer(host, int(port))
        await taking.whenComplete()
        await taker.removeTorrent(taking.infoHash)  # the content stays, and is no longer taker's

        giving = await giver.addTorrent(Path(torrent), folder)
        await giving.whenComplete()  # it is: the pieces were checked
        print(f"{giving.name}: on port {giver.listenerPort} of {outer}", flush=True)
        done = giving.metainfo.totalSize
        while giving.progress.uploaded < done:  # until it was given once
            await deferLater(reactor, 0.1)
    finally:
        await both.stopService()


if __name__ == "__main__":
    react(main, sys.argv[1:])
