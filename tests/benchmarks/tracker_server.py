"""
Our UDP tracker in a process of its own, for benchmarks of those who announce.

Prints its port; at the end of its input, how many announces it heard.  Run as a script::

    tracker_server.py INTERVAL TORRENTS
"""

from __future__ import annotations

import sys
from random import Random
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet import stdio
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.tracker.announce import AnnounceRequest
from twisted_bt.tracker.peerstore import PeerStore
from twisted_bt.tracker.udpserver import UdpTracker

reactor: Any = installed


class CountingStore(PeerStore):
    """@ivar heard: announces."""

    heard = 0

    def announce(self, request: AnnounceRequest, addr: PeerAddr | None) -> None:
        """Counted."""
        self.heard += 1
        super().announce(request, addr)


class UntilEnd(Protocol):
    """Ends the process with its input."""

    def connectionLost(self, reason: Failure | None = None) -> None:
        """It is over."""
        reactor.stop()


def main() -> None:
    """Answer announces."""
    interval, torrents = map(int, sys.argv[1:])
    store = CountingStore(reactor.seconds, Random(1), maxTorrents=torrents)
    tracker = UdpTracker(store, reactor.seconds, Random(2), interval)
    port = reactor.listenUDP(0, tracker, interface="127.0.0.1", maxPacketSize=1 << 16)
    print(port.getHost().port, flush=True)
    stdio.StandardIO(UntilEnd())
    reactor.run()
    print(store.heard, flush=True)


if __name__ == "__main__":
    main()
