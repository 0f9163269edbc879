"""
Processes that the harness starts: their output is kept, and each is ended by its own pid.
"""

from __future__ import annotations

import base64
import os
import random
import shutil
import signal
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

#: C{IReactorTime} and C{IReactorProcess} at once.
Reactor = Any


class ProgramEnded(Exception):
    """A process ended before it said what was waited for; the message holds the end of its output."""


class TookTooLong(Exception):
    """Something was waited for and did not happen; the message says what."""


def freePort() -> int:
    """
    A port that nobody listens on now, by TCP and by UDP.  It lies below those the system gives to
    outgoing connections, so that none of these takes it before the program does.
    """
    chance = random.SystemRandom()
    for _ in range(200):
        port = chance.randrange(10_000, 32_000)
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(socket.AF_INET, kind) as probe:
                    probe.bind(("", port))
        except OSError:
            continue
        return port
    raise OSError("no free port found")


def inBase64(path: Path) -> str:
    """The content of a file, as programs want it that are driven by JSON."""
    return base64.b64encode(path.read_bytes()).decode("ascii")


def _dyingWithUs(argv: Sequence[str]) -> list[str]:
    """C{argv}, arranged so that the process ends should ours be killed (Linux; elsewhere as it is)."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--", *argv] if setpriv else list(argv)


class Program(ProcessProtocol):
    """
    One process of somebody else's program.

    @ivar output: the last lines of its standard output and error.
    """

    def __init__(self, reactor: Reactor, name: str) -> None:
        self.name = name
        self.output: deque[str] = deque(maxlen=200)
        self.onLine: Callable[[str], None] | None = None
        self._reactor = reactor
        self._part = b""
        self._waiting: list[tuple[Callable[[str], bool], Deferred[str]]] = []
        self._ended: Deferred[None] | None = Deferred()
        self._onEnd: list[Deferred[None]] = []

    @classmethod
    def start(
        cls,
        reactor: Reactor,
        argv: Sequence[str],
        folder: Path,
        environment: Mapping[str, str] | None = None,
    ) -> Program:
        """Run C{argv} in C{folder}, which is made if need be; C{argv[0]} is a path."""
        folder.mkdir(parents=True, exist_ok=True)
        program = cls(reactor, Path(argv[0]).name)
        command = _dyingWithUs(argv)
        env = {**os.environ, "HOME": str(folder), **(environment or {})}
        reactor.spawnProcess(program, command[0], command, env, str(folder))
        return program

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._ended is not None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        pid: int | None = self.transport.pid if self.transport is not None else None
        return pid

    # -- what it says

    def outReceived(self, data: bytes) -> None:
        """Cut into lines."""
        *lines, self._part = (self._part + data).split(b"\n")
        for raw in lines:
            line = raw.decode("utf-8", "replace").rstrip("\r")
            self.output.append(line)
            if self.onLine is not None:
                self.onLine(line)
            for waiting in list(self._waiting):
                if waiting[0](line):
                    self._waiting.remove(waiting)
                    waiting[1].callback(line)

    def errReceived(self, data: bytes) -> None:
        """For the record only."""
        self.output.extend(data.decode("utf-8", "replace").splitlines())

    def send(self, line: str) -> None:
        """Write C{line} to its standard input."""
        assert self.transport is not None
        self.transport.write(line.encode("utf-8") + b"\n")

    def untilLine(self, wanted: Callable[[str], bool], seconds: float = 10.0) -> Deferred[str]:
        """The next line for which C{wanted} is true.  Fails with L{ProgramEnded} or C{TimeoutError}."""
        done: Deferred[str] = Deferred()
        if not self.running:
            done.errback(self._obituary())
            return done
        self._waiting.append((wanted, done))
        return done.addTimeout(seconds, self._reactor)

    # -- its end

    def processEnded(self, reason: Failure) -> None:
        """Tell all who wait."""
        ended, self._ended = self._ended, None
        waiting, self._waiting = self._waiting, []
        for _, each in waiting:
            if not each.called:
                each.errback(self._obituary(reason))
        assert ended is not None
        ended.callback(None)

    def _obituary(self, reason: Failure | None = None) -> ProgramEnded:
        cause = f" ({reason.getErrorMessage()})" if reason is not None else ""
        return ProgramEnded(f"{self.name} ended{cause}; its output: " + "\n".join(self.output))

    def signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.transport is not None:
            with suppress(ProcessExitedAlready):
                self.transport.signalProcess(number)

    async def wait(self, seconds: float) -> None:
        """
        Until it has ended by itself.

        @raise TookTooLong: it had not after C{seconds}.
        """
        await until(self._reactor, lambda: not self.running, f"the end of {self.name}", seconds)

    async def stop(self, grace: float = 4.0) -> None:
        """Ask it to end; after C{grace} seconds, make it."""
        for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 10.0)):
            if not self.running:
                return
            self.signal(number)
            try:
                await self.wait(patience)
            except TookTooLong:
                continue


async def until(
    reactor: Reactor,
    condition: Callable[[], Any],
    what: str,
    seconds: float = 10.0,
    every: float = 0.02,
) -> Any:
    """
    Look again and again until C{condition()} (or the result of the Deferred or coroutine it returns)
    is true, and return that.  For programs that cannot be told to call us.

    @raise TookTooLong: it was not, for C{seconds}; the message names C{what}.
    """
    deadline = reactor.seconds() + seconds
    while True:
        value = condition()
        if hasattr(value, "__await__"):
            value = await value
        if value:
            return value
        if reactor.seconds() >= deadline:
            raise TookTooLong(f"{what}: not within {seconds:g} s")
        await deferLater(reactor, every)
