"""
Peers that connect, greet, want nothing and say nothing more.  Run as a script::

    idle_peers.py PORT INFOHASH COUNT

Prints how many were greeted back, and ends with its input.
"""

from __future__ import annotations

import resource
import socket
import sys
from random import Random

from twisted_bt.peerwire.handshake import Handshake
from twisted_bt.peerwire.messages import Extended, HaveNone
from twisted_bt.settings import Extension


def main() -> None:
    """Connect, and stay."""
    port, infoHash, count = int(sys.argv[1]), bytes.fromhex(sys.argv[2]), int(sys.argv[3])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    random = Random(5)
    extensions = frozenset({Extension.FAST, Extension.EXTENDED})
    peers = []
    greeted = 0
    for number in range(count):
        peer = socket.socket()
        # Of hosts of their own: a client may not like many from one.
        peer.bind((f"127.{number // 250 % 250 + 1}.{number % 250 + 1}.2", 0))
        peer.settimeout(20)
        peer.connect(("127.0.0.1", port))
        hello = Handshake(infoHash, b"-ID0001-" + random.randbytes(12), extensions)
        peer.sendall(hello.encode())
        heard = b""
        while len(heard) < 68 and (data := peer.recv(68 - len(heard))):
            heard += data
        greeted += len(heard) == 68
        peer.sendall(HaveNone().encode() + Extended(0, b"d1:mdee").encode())
        peers.append(peer)
    print(greeted, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
