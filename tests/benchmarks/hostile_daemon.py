"""
A daemon as a user runs it, and what can be seen of it from outside while it works: memory, processor
time, open files, and how long it takes to answer a word.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

_CHECKOUT = Path(__file__).parents[2]
TWISTD = ("-c", "from twisted.scripts.twistd import run; run()", "--nodaemon", "--pidfile=")
#: Seconds between two looks, and between two questions.
_LOOK = 0.25
_ASK = 0.05
#: From where it is asked.
_PROBE = "127.0.0.2"


def cpuOf(pid: int) -> float:
    """Processor seconds that a process used so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _sized(path: str, name: str) -> int:
    with open(path, encoding="ascii") as file:
        for line in file:
            if line.startswith(name):
                return int(line.split()[1]) << 10
    return 0


@dataclass(slots=True)
class Seen:
    """
    What was seen of a process in a stretch of time.

    @ivar rss: most bytes of memory, shared pages counted whole; since its start.
    @ivar pss: most bytes, shared pages counted in part.
    @ivar files: most descriptors.
    @ivar cpu: processor seconds.
    @ivar wall: seconds.
    @ivar answers: seconds that each answer took.
    @ivar unanswered: questions that nothing was heard on, the connection being gone or nearly so.
    """

    rss: int = 0
    pss: int = 0
    files: int = 0
    cpu: float = 0.0
    wall: float = 0.0
    answers: list[float] = field(default_factory=list)
    unanswered: int = 0

    def quantile(self, part: float) -> float:
        """Seconds within which that part of the answers came."""
        ordered = sorted(self.answers)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else float("nan")


class Watch:
    """Looks at process C{pid} until L{end}."""

    def __init__(self, pid: int) -> None:
        self.seen = Seen()
        self._pid = pid
        self._over = Event()
        self._begun = (time.monotonic(), cpuOf(pid))
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(_LOOK):
            with suppress(OSError):
                self._look()

    def _look(self) -> None:
        seen, top = self.seen, f"/proc/{self._pid}"
        seen.rss = max(seen.rss, _sized(f"{top}/status", "VmHWM"))
        seen.pss = max(seen.pss, _sized(f"{top}/smaps_rollup", "Pss:"))
        seen.files = max(seen.files, len(os.listdir(f"{top}/fd")))

    def end(self) -> Seen:
        """Look no more: what was seen."""
        self._over.set()
        self._thread.join()
        self._look()
        self.seen.wall = time.monotonic() - self._begun[0]
        self.seen.cpu = cpuOf(self._pid) - self._begun[1]
        return self.seen


class Probe:
    """
    A well-behaved peer that wants nothing: it asks for a block while choked, and the answer is that
    it will not come (BEP 6).  How long that takes is how long the reactor takes to come round.
    """

    def __init__(self, port: int, infoHash: str) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.bind((_PROBE, 0))
        self._socket.settimeout(10.0)
        self._socket.connect(("127.0.0.1", port))
        greeting = b"\x13BitTorrent protocol" + bytes([0, 0, 0, 0, 0, 0, 0, 4]) + bytes.fromhex(infoHash)
        self._socket.sendall(greeting + b"-PR0001-" + os.urandom(12) + b"\0\0\0\1\x0f")
        self._buffer = b""
        self._take(68)
        self.seen: Seen | None = None
        self._over = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            data = self._socket.recv(1 << 16)
            if not data:
                raise OSError("closed")
            self._buffer += data
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def _ask(self) -> None:
        self._socket.sendall(struct.pack(">IBIII", 13, 6, 0, 0, 1 << 14))
        while True:
            (length,) = struct.unpack(">I", self._take(4))
            if length and self._take(length)[0] in (7, 16):
                return

    def _run(self) -> None:
        while not self._over.wait(_ASK):
            seen = self.seen
            begun = time.monotonic()
            try:
                self._ask()
            except OSError:
                if seen is not None:
                    seen.unanswered += 1
                if self._over.wait(1.0):
                    return
            else:
                if seen is not None:
                    seen.answers.append(time.monotonic() - begun)

    def end(self) -> None:
        """Ask no more."""
        self._over.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()


def _limitFiles(most: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextmanager
def daemon(
    folder: Path, arguments: Sequence[str], environment: dict[str, str], mostFiles: int | None = None
) -> Iterator[subprocess.Popen[Any]]:
    """
    C{twistd bittorrent} with these arguments, its log in C{folder}; ended at the end.

    @param mostFiles: descriptors it may have; left out: as many as we.
    """
    folder.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, *TWISTD, "bittorrent", "--no-dht", "--no-lsd", "--interface", "127.0.0.1"]
    argv += ["--state-dir", str(folder / "state"), "--download-dir", str(folder / "content"), *arguments]
    (folder / "content").mkdir(exist_ok=True)
    with (
        (folder / "log").open("ab") as log,
        subprocess.Popen(
            argv,
            cwd=_CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            preexec_fn=partial(_limitFiles, mostFiles) if mostFiles is not None else None,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20.0)
            except subprocess.TimeoutExpired:
                process.kill()
