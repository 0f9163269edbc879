"""
A leecher that only takes: asks for every block of a torrent in order and throws away what comes, so that
what is measured is the seeder.  Run as a script, with nothing but the standard library::

    raw_sink.py PORT INFOHASH PIECES PIECE_LENGTH TOTAL CONNECTIONS

Each of the connections asks for all of the content.  Prints the seconds from the first block asked for to
the last one received.
"""

from __future__ import annotations

import selectors
import socket
import struct
import sys
import time
from collections.abc import Iterator
from itertools import islice

BLOCK = 1 << 14
#: Blocks asked for and not here: libtorrent's longest pipeline.
WINDOW = 500
_HEAD = 13  # bytes before the data in a piece message


def blocks(pieces: int, pieceLength: int, total: int) -> Iterator[tuple[int, int, int]]:
    """All blocks in order."""
    for index in range(pieces):
        size = min(pieceLength, total - index * pieceLength)
        for begin in range(0, size, BLOCK):
            yield index, begin, min(BLOCK, size - begin)


class Sink:
    """One connection."""

    def __init__(self, port: int, number: int, infoHash: bytes, ask: Iterator[tuple[int, int, int]]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        hello = b"\x13BitTorrent protocol" + bytes(8) + infoHash + b"-XX0000-" + f"{number:012}".encode()
        self.socket.sendall(hello + struct.pack("!IB", 1, 2))
        self._ask = ask
        self._expected = 0
        self._got = 0

    def waitForUnchoke(self) -> None:
        """Read up to the unchoke (before it nothing is asked for)."""
        stream = self.socket.makefile("rb")
        stream.read(68)
        while True:
            (length,) = struct.unpack("!I", stream.read(4))
            body = stream.read(length)
            if body[:1] == b"\x01":
                break
        # Nothing follows an unchoke but what is asked for.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)

    def more(self, count: int) -> None:
        """Ask for C{count} blocks, or what is left."""
        frames = []
        for index, begin, length in islice(self._ask, count):
            frames.append(struct.pack("!IBIII", 13, 6, index, begin, length))
            self._expected += length + _HEAD
        if frames:
            self.socket.setblocking(True)
            self.socket.sendall(b"".join(frames))
            self.socket.setblocking(False)

    def take(self, into: memoryview) -> bool:
        """Read once; whether all is here."""
        try:
            count = self.socket.recv_into(into)
        except BlockingIOError:
            return False
        if not count:
            raise SystemExit("the seeder closed the connection")
        before = self._got // (BLOCK + _HEAD)
        self._got += count
        self.more(self._got // (BLOCK + _HEAD) - before)
        return self._got >= self._expected


def main() -> None:
    """Take it all."""
    port, pieces, pieceLength, total, connections = (int(sys.argv[i]) for i in (1, 3, 4, 5, 6))
    infoHash = bytes.fromhex(sys.argv[2])
    sinks = [
        Sink(port, number, infoHash, blocks(pieces, pieceLength, total)) for number in range(connections)
    ]
    for each in sinks:
        each.waitForUnchoke()
    into = memoryview(bytearray(1 << 20))
    selector = selectors.DefaultSelector()
    begun = time.perf_counter()
    for each in sinks:
        selector.register(each.socket, selectors.EVENT_READ, each)
        each.more(WINDOW)
    left = len(sinks)
    while left:
        for key, _ in selector.select():
            if key.data.take(into):
                selector.unregister(key.fileobj)
                left -= 1
    print(time.perf_counter() - begun)


if __name__ == "__main__":
    main()
