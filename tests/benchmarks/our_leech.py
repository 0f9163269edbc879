"""
Our engine as a leecher with room for many peers, in a process of its own.  Run as a script::

    our_leech.py TORRENT FOLDER PORT...

Downloads from the peers at these ports of 127.0.0.1, then ends.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from twisted.internet.task import react

from twisted_bt import ClientSession, Settings
from twisted_bt.torrent.addresses import PeerAddr


async def main(reactor: Any) -> None:
    """Fetch it all."""
    torrent, folder = map(Path, sys.argv[1:3])
    settings = Settings(interfaces=("127.0.0.1",), maxPeersPerTorrent=500, maxDialing=500)
    client = ClientSession(reactor, settings)
    client.startService()
    swarm = await client.addTorrent(torrent, folder)
    swarm.peersFound([PeerAddr("127.0.0.1", int(port)) for port in sys.argv[3:]], "told")
    await swarm.whenComplete()
    await client.stopService()


if __name__ == "__main__":
    react(main)
