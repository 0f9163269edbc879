"""
Runs opentracker, a tracker in C that large public swarms have used: HTTP and UDP on one port.
"""

from __future__ import annotations

import os
import re
import signal
import socket
from pathlib import Path

from twisted.internet.defer import Deferred

from tests.interop.processes import Program, Reactor, TookTooLong, freePort, until
from tests.interop.programs import require


def _newWhitelist(folder: Path) -> Path:
    """
    The list of info-hashes to serve (Debian's opentracker is built to serve no others).  It may not
    be empty, and is read again after root's rights are given up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    whitelist = folder / "whitelist"
    whitelist.write_text("0" * 40 + "\n")
    return whitelist


class OpentrackerProcess:
    """
    One opentracker.

    @ivar host: the address it listens on.
    @ivar port: its port, the same for TCP and UDP.
    """

    def __init__(self, reactor: Reactor, program: Program, host: str, port: int, whitelist: Path) -> None:
        self.host = host
        self.port = port
        self.program = program
        self._reactor = reactor
        self._whitelist = whitelist

    @classmethod
    async def start(cls, reactor: Reactor, folder: Path, host: str = "127.0.0.1") -> OpentrackerProcess:
        """A tracker in C{folder} that answers when this returns, and knows no torrent; see L{allow}."""
        path = require("opentracker")
        port = freePort()
        whitelist = _newWhitelist(folder)
        argv = [path, "-i", host, "-p", str(port), "-P", str(port), "-d", ".", "-w", whitelist.name]
        if os.geteuid() == 0:
            argv += ["-u", "nobody"]  # it does not run as root
        tracker = cls(reactor, Program.start(reactor, argv, folder), host, port, whitelist)
        program = tracker.program
        try:
            await until(reactor, tracker._answers, f"opentracker on port {port}")
        except TookTooLong as late:
            await program.stop()
            raise TookTooLong(f"{late}; its output: " + "\n".join(program.output)) from None
        return tracker

    def _answers(self) -> bool:
        try:
            socket.create_connection((self.host, self.port), 1.0).close()
        except OSError:
            return False
        return True

    @property
    def httpUrl(self) -> str:
        """Announce URL of BEP 3."""
        return f"http://{self.host}:{self.port}/announce"

    @property
    def udpUrl(self) -> str:
        """Announce URL of BEP 15."""
        return f"udp://{self.host}:{self.port}/announce"

    async def allow(self, *infoHashes: str) -> None:
        """Serve these torrents (info-hashes in hexadecimal) from now on, besides those before."""
        with self._whitelist.open("a") as file:
            file.writelines(f"{each}\n" for each in infoHashes)
        self.program.signal(signal.SIGHUP)
        await until(self._reactor, lambda: self._serves(infoHashes[-1]), "opentracker reading its list")

    def _serves(self, infoHash: str) -> bool:
        # There is no way to ask but to announce; the second takes back what the first did.
        answers = [self._announce(infoHash, event) for event in ("started", "stopped")]
        return b"failure reason" not in answers[0]

    def seeders(self, infoHash: str) -> int:
        """How many complete peers of a torrent it knows."""
        answer = self._announce(infoHash, "stopped")
        match = re.search(rb"8:completei(\d+)e", answer)
        return int(match[1]) if match else 0

    def _announce(self, infoHash: str, event: str) -> bytes:
        quoted = "".join(f"%{infoHash[i : i + 2]}" for i in range(0, 40, 2))
        query = (
            f"GET /announce?info_hash={quoted}&peer_id=-XX0000-000000000000&port=1&left=1"
            f"&event={event}&compact=1 HTTP/1.0\r\n\r\n"
        )
        try:
            with socket.create_connection((self.host, self.port), 2.0) as connection:
                connection.sendall(query.encode("ascii"))
                return connection.makefile("rb").read()
        except OSError as error:  # it drops connections now and then, while it reads its list for one
            return f"failure reason: {error}".encode()

    def stop(self) -> Deferred[None]:
        """End the process."""
        return Deferred.fromCoroutine(self.program.stop())
