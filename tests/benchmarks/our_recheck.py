"""
Our engine looking through files it knows nothing of.  Run as a script::

    our_recheck.py TORRENT FOLDER

Prints, as JSON, the seconds that took and the longest that the reactor did not answer meanwhile.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from twisted.internet.task import LoopingCall, react

from twisted_bt import ClientSession, Settings

#: Seconds between two looks at the reactor.
_BEAT = 0.005


async def main(reactor: Any) -> None:
    """Check it all."""
    torrent, folder = map(Path, sys.argv[1:])
    client = ClientSession(reactor, Settings(interfaces=("127.0.0.1",)))
    client.startService()
    gaps: list[float] = []
    last = begun = reactor.seconds()

    def beat() -> None:
        nonlocal last
        gaps.append(reactor.seconds() - last)
        last = reactor.seconds()

    beating = LoopingCall(beat)
    beating.clock = reactor
    beating.start(_BEAT, now=False)
    swarm = await client.addTorrent(torrent, folder)
    await swarm.whenChecked()
    took = reactor.seconds() - begun
    beating.stop()
    assert swarm.complete
    print(json.dumps({"seconds": took, "longest": max(gaps, default=took) - _BEAT}))
    await client.stopService()


if __name__ == "__main__":
    react(main)
