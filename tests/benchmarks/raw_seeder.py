"""
Many seeders in one small process, so that what is measured is the leecher.  Run as a script, with nothing
but the standard library::

    raw_seeder.py FILE INFOHASH PIECE_LENGTH SEEDS IDLERS

Listens on a port for each: the seeds have all of the file and serve whoever asks; the idlers have
nothing, and tell of a piece every few seconds.  Prints the ports, the seeds' first; ends with its
standard input.
"""

from __future__ import annotations

import json
import mmap
import selectors
import socket
import struct
import sys
import time
from collections import deque
from pathlib import Path

#: Parts handed to the system at once.
_PARTS = 64
#: Seconds between two pieces that an idler tells of.
_TELL = 5.0
_REQUEST = struct.Struct("!IBIII")


class Link:
    """One accepted connection."""

    def __init__(self, link: socket.socket, hello: bytes, content: memoryview, pieceLength: int) -> None:
        link.setblocking(False)
        self.socket = link
        self._content = content
        self._pieceLength = pieceLength
        self._pending = b""
        self._handshaken = False
        self.out: deque[bytes | memoryview] = deque([hello])

    def read(self) -> bool:
        """Take what came; C{False}: the connection is gone."""
        try:
            data = self.socket.recv(1 << 16)
        except BlockingIOError:
            return True
        except OSError:
            return False
        data = self._pending + data if data else b""
        if not data:
            return False
        position = 0
        if not self._handshaken:
            if len(data) < 68:
                self._pending = data
                return True
            self._handshaken, position = True, 68
        while position + 4 <= len(data):
            (length,) = struct.unpack_from("!I", data, position)
            if position + 4 + length > len(data):
                break
            if length == 13 and data[position + 4] == 6:
                _, _, index, begin, size = _REQUEST.unpack_from(data, position)
                start = index * self._pieceLength + begin
                self.out.append(struct.pack("!IBII", 9 + size, 7, index, begin))
                self.out.append(self._content[start : start + size])
            position += 4 + length
        self._pending = data[position:]
        return True

    def write(self) -> None:
        """Give the system what it takes."""
        while self.out:
            parts = [self.out[number] for number in range(min(_PARTS, len(self.out)))]
            try:
                sent = self.socket.sendmsg(parts)
            except BlockingIOError:
                return
            while sent:
                first = self.out.popleft()
                if sent < len(first):
                    self.out.appendleft(memoryview(first)[sent:])
                    return
                sent -= len(first)


def main() -> None:
    """Serve until told to stop."""
    path, infoHash, pieceLength, seeds, idlers = sys.argv[1:]
    with Path(path).open("rb") as file:
        content = memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))
    pieces = -(-len(content) // int(pieceLength))
    bits = bytearray(
        b"\xff" * (pieces // 8) + (bytes([0xFF << (8 - pieces % 8) & 0xFF]) if pieces % 8 else b"")
    )
    selector = selectors.DefaultSelector()
    ports, idle = [], []
    for number in range(int(seeds) + int(idlers)):
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        peerId = b"-XX0000-" + f"{number:012}".encode()
        hello = b"\x13BitTorrent protocol" + bytes(8) + bytes.fromhex(infoHash) + peerId
        if number < int(seeds):
            hello += struct.pack("!IB", 1 + len(bits), 5) + bits + struct.pack("!IB", 1, 1)
        selector.register(listener, selectors.EVENT_READ, (hello, number >= int(seeds)))
        ports.append(listener.getsockname()[1])
    selector.register(sys.stdin, selectors.EVENT_READ, None)
    print(json.dumps(ports), flush=True)
    told, toldAt = 0, time.monotonic()
    while True:
        for key, _ in selector.select(1.0):
            if key.data is None:
                return
            if isinstance(key.data, tuple):
                hello, quiet = key.data
                link = Link(key.fileobj.accept()[0], hello, content, int(pieceLength))  # type: ignore[union-attr]
                selector.register(link.socket, selectors.EVENT_READ, link)
                if quiet:
                    idle.append(link)
            else:
                link = key.data
                if not link.read():
                    selector.unregister(link.socket)
                    link.socket.close()
                    continue
            link.write()
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if link.out else 0)
            if selector.get_key(link.socket).events != wanted:
                selector.modify(link.socket, wanted, link)
        if idle and time.monotonic() - toldAt > _TELL:
            told, toldAt = told + 1, time.monotonic()
            for link in idle:
                if link.socket.fileno() >= 0:
                    link.out.append(struct.pack("!IBI", 5, 4, told % pieces))
                    link.write()


if __name__ == "__main__":
    main()
