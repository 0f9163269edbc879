"""
Our engine as a seeder in a process of its own.  Run as a script::

    our_seeder.py TORRENT FOLDER

Prints its port once the content was checked; ends with its standard input.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.stdio import StandardIO
from twisted.internet.task import react

from tests.benchmarks.quiet import UntilEnd
from twisted_bt import ClientSession, Settings


async def main(reactor: Any) -> None:
    """Seed until nobody wants that any more."""
    torrent, folder = map(Path, sys.argv[1:])
    settings = Settings(interfaces=("127.0.0.1",), uploadSlots=100, maxPeersPerTorrent=1000)
    client = ClientSession(reactor, settings)
    client.startService()
    swarm = await client.addTorrent(torrent, folder)
    await swarm.whenChecked()
    assert swarm.complete
    ended: Deferred[None] = Deferred()
    StandardIO(UntilEnd(ended))
    print(client.listenerPort, flush=True)
    await ended
    await client.stopService()


if __name__ == "__main__":
    react(main)
