"""
Two clients in one process, each with settings, a port and a peer id of its own: one has a file or
folder, the other copies it::

    python two_sessions.py PATH FOLDER
"""

import sys
from pathlib import Path

from twisted.application.service import MultiService
from twisted.internet.task import react

from twisted_bt import ClientSession, Settings
from twisted_bt.interfaces import IClientReactor
from twisted_bt.torrent.create import createMetainfo


async def main(reactor: IClientReactor, path: str, folder: str) -> None:
    here = ("127.0.0.1",)
    giver = ClientSession(reactor, Settings(interfaces=here, uploadSlots=20))
    taker = ClientSession(reactor, Settings(interfaces=here, maxPeers=5))
    both = MultiService()
    giver.setServiceParent(both)
    taker.setServiceParent(both)
    both.startService()
    try:
        metainfo = createMetainfo(path)
        giving = await giver.addTorrent(metainfo, Path(path).parent)
        taking = await taker.addTorrent(metainfo, folder)
        await giving.whenComplete()  # what was there was checked

        assert giver.listenerPort is not None
        peer = await taking.connectPeer("127.0.0.1", giver.listenerPort)
        assert peer.peerId == giver.clientPeerId != taker.clientPeerId

        await taking.whenComplete()
        print(f"{taking.progress.downloaded} bytes from {peer.connectedPeerAddr}")
    finally:
        await both.stopService()


if __name__ == "__main__":
    react(main, sys.argv[1:])
