"""
How quickly a leecher reacts: from the connection to the first verified piece, and from a C{have} to the
request for it.

The other end is a plain socket in this process.  It has nothing at first, unchokes, and tells of one
piece after another: each is asked for, served, and, once it was verified, told of by a C{have} to a
second connection that lacks it.
"""

from __future__ import annotations

import socket
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.download import inMemory
from tests.benchmarks.leechers import Command, byLibtorrent, byTool
from tests.benchmarks.measure import Summary, installed
from tests.benchmarks.results import Result, atMost
from tests.benchmarks.table import spread
from tests.interop.swarmfiles import Content, makeContent

PIECE_LENGTH = 1 << 14
#: Pieces told of, one after the other, after the first.
TOLD = 30
#: Of libtorrent's time, at most.
CEILING = 1.0
CONTESTANTS: dict[str, Command] = {"twisted_bt": byTool, "libtorrent": byLibtorrent}


class _Line:
    """One connection, in blocking reads."""

    def __init__(self, link: socket.socket, infoHash: bytes, number: int) -> None:
        self.socket = link
        self.socket.settimeout(30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self.socket.makefile("rb")
        reserved = bytes(7) + b"\x04"  # BEP 6: what we have is told at once, and rejects are heard
        hello = b"\x13BitTorrent protocol" + reserved + infoHash + b"-XX0000-" + f"{number:012}".encode()
        self.socket.sendall(hello)
        self._file.read(68)

    def say(self, kind: int, payload: bytes = b"") -> None:
        """Send a message."""
        self.socket.sendall(struct.pack("!IB", 1 + len(payload), kind) + payload)

    def hear(self, kind: int) -> bytes:
        """The payload of the next message of that kind; others are passed over."""
        while True:
            (length,) = struct.unpack("!I", self._file.read(4))
            body = self._file.read(length)
            if body[:1] == bytes([kind]):
                return body[1:]


def _measure(content: Content, command: Command, target: Path) -> tuple[float, float]:
    """Seconds from the connection to the first verified piece, and from have to request (the middle)."""
    data = (content.folder / content.name).read_bytes()
    infoHash = bytes.fromhex(content.infoHash)
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        ports = [one.getsockname()[1], two.getsockname()[1]]
        process = subprocess.Popen(
            command(content.torrent, target, ports),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=installed(),
        )
        try:
            link = one.accept()[0]
            since = time.perf_counter()
            hearer = _Line(two.accept()[0], infoHash, 2)
            hearer.say(15)  # have none
            teller = _Line(link, infoHash, 1)
            teller.say(15)
            teller.say(1)  # unchoke
            waits = []
            first = 0.0
            for index in range(1 + TOLD):
                told = time.perf_counter()
                teller.say(4, struct.pack("!I", index))
                wanted, begin, length = struct.unpack("!III", teller.hear(6))
                if index:
                    waits.append(time.perf_counter() - told)
                start = wanted * PIECE_LENGTH + begin
                teller.say(7, struct.pack("!II", wanted, begin) + data[start : start + length])
                hearer.hear(4)
                if not index:
                    first = time.perf_counter() - since
            return first, Summary.of(waits).middle
        finally:
            process.kill()
            process.wait()


def latency(size: int, rounds: int, say: Callable[[str], object]) -> list[Result]:
    """
    Measure each C{rounds} times in turn; say the results.

    @param size: without meaning here.
    """
    found: dict[str, list[tuple[float, float]]] = {each: [] for each in CONTESTANTS}
    with inMemory() as name:
        content = makeContent(Path(name), 100 * PIECE_LENGTH, pieceLength=PIECE_LENGTH)
        for number in range(rounds):
            for each in list(CONTESTANTS)[:: -1 if number % 2 else 1]:
                with inMemory() as target:
                    found[each].append(_measure(content, CONTESTANTS[each], Path(target)))
    results = []
    for column, what in enumerate(("connection to the first verified piece, ms", "have to request, ms")):
        values = {each: tuple(1000 * run[column] for run in runs) for each, runs in found.items()}
        result = Result(6, "react", what, values["twisted_bt"], values["libtorrent"], goal=atMost(CEILING))
        say(f"\n{what}; medians (least-most):\n")
        for each, times in values.items():
            say(f"  {each:12}{spread(times)}")
        say(f"  ratio {result.ratio:.2f}")
        results.append(result)
    return results
