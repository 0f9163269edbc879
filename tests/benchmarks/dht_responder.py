"""
Our DHT node with a full table and a full store, in a process of its own.

Prints one JSON object: its port, how many nodes and peers it knows, and the memory that table and store
take.  It ends at the end of its input.  Run as a script::

    dht_responder.py [TORRENTS]
"""

from __future__ import annotations

import json
import sys
import tracemalloc
from random import Random
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet import stdio
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from twisted_bt.dht.addressnode import AddressNode
from twisted_bt.dht.messages import NodeInfo
from twisted_bt.dht.nodeid import idWithPrefix
from twisted_bt.dht.service import DhtNode
from twisted_bt.dht.settings import DhtSettings
from twisted_bt.torrent.addresses import PeerAddr

reactor: Any = installed
#: Far beyond what any node meets, so that nothing is held back.
UNLIMITED = DhtSettings(routers=(), sendRate=1e12, floodRate=1e12)
#: Buckets of a table in a DHT of some ten million nodes.
DEPTH = 20


def fillTable(node: AddressNode, random: Random) -> None:
    """Eight nodes for each bucket, at made-up addresses."""
    now = node.means.reactor.seconds()
    # Nearest first, so that the buckets are all there when the far ones come.
    for depth in reversed(range(DEPTH)):
        for _ in range(8):
            made = f"{random.randrange(11, 100)}.{random.randrange(256)}.{random.randrange(256)}.1"
            info = NodeInfo(idWithPrefix(node.id, depth, random), PeerAddr(made, 6881))
            node.table.answered(info, now)


def fillStore(node: DhtNode, random: Random, torrents: int) -> bytes:
    """That many torrents with all peers that are kept; one of their info-hashes."""
    store = node._store
    infoHash = b""
    for _ in range(torrents):
        infoHash = random.randbytes(20)
        for _ in range(UNLIMITED.maxPeers):
            store.add(infoHash, random.randbytes(6), False, reactor.seconds())
    return infoHash


class _UntilEnd(Protocol):
    def connectionLost(self, reason: Failure | None = None) -> None:
        reactor.stop()


def main() -> None:
    """Serve until the input ends."""
    random = Random(1)
    node = DhtNode(reactor, random, 0, ("127.0.0.1",), settings=UNLIMITED)
    node.startService()
    (only,) = node._nodes.values()
    only.table._secure = False  # made-up nodes, at made-up addresses
    tracemalloc.start()
    fillTable(only, random)
    table, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    tracemalloc.start()
    torrents = int(sys.argv[1]) if len(sys.argv) > 1 else UNLIMITED.maxTorrents
    infoHash = fillStore(node, random, torrents)
    store, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    if node._ticking is not None:
        node._ticking.cancel()  # nobody pings those made-up addresses
        node._ticking = None
    facts = {
        "port": node.port,
        "nodes": node.nodeCount,
        "peers": node._store.peerCount,
        "table": table,
        "store": store,
        "infoHash": infoHash.hex(),
    }
    print(json.dumps(facts), flush=True)
    stdio.StandardIO(_UntilEnd(), reactor=reactor)
    reactor.run()


if __name__ == "__main__":
    main()
