"""
Drives transmission-daemon by its RPC.

Transmission dials no peer on 127.0.0.0/8, whoever tells of it.  On loopback it must be dialled; in
a L{Namespace<tests.interop.namespace.Namespace>} it dials as well.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectionLost
from twisted.web.client import Agent, ResponseNeverReceived
from twisted.web.http_headers import Headers

from tests.interop.processes import Program, Reactor, TookTooLong, freePort, inBase64, until
from tests.interop.programs import require

_FIELDS = ["hashString", "percentDone", "status", "error", "errorString", "leftUntilDone", "peers"]
_FIELDS += ["downloadedEver", "uploadedEver", "corruptEver", "rateDownload", "peersConnected"]


class TransmissionError(Exception):
    """What the daemon answered to a request it could not do."""


class TransmissionPeer:
    """
    One transmission-daemon.

    @ivar host: the address it listens on.
    @ivar port: its port for peers.
    """

    def __init__(self, reactor: Reactor, program: Program, host: str, port: int, rpcPort: int) -> None:
        self.host = host
        self.port = port
        self.program = program
        self._reactor = reactor
        self._http = HTTPClient(Agent(reactor, connectTimeout=5.0))
        self._url = f"http://{host}:{rpcPort}/transmission/rpc"
        self._session = ""

    @classmethod
    async def start(
        cls,
        reactor: Reactor,
        folder: Path,
        host: str = "127.0.0.1",
        within: Sequence[str] = (),
        **settings: Any,
    ) -> TransmissionPeer:
        """
        A daemon in C{folder} that answers when this returns.

        @param within: a command that runs the rest of its arguments, see
            L{Namespace.command<tests.interop.namespace.Namespace.command>}.
        @param settings: more of its C{settings.json}, with C{_} for C{-}.
        """
        path = require("transmission-daemon")
        port, rpcPort = freePort(), freePort()
        _configure(folder, host, port, rpcPort, {name.replace("_", "-"): v for name, v in settings.items()})
        argv = [*within, path, "--foreground", "--config-dir", str(folder), "--log-info"]
        program = Program.start(reactor, argv, folder)
        peer = cls(reactor, program, host, port, rpcPort)
        try:
            await until(reactor, peer._answers, f"transmission-daemon on port {rpcPort}", every=0.1)
        except TookTooLong as late:
            await program.stop()
            raise TookTooLong(f"{late}; its output: " + "\n".join(program.output)) from None
        return peer

    async def _answers(self) -> bool:
        try:
            await self.call("session-get")
        except (ConnectError, ConnectionLost, ResponseNeverReceived):
            return False
        return True

    async def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """
        One RPC; its C{arguments}, answered.

        @raise TransmissionError: the daemon says it did not do it.
        """
        body = json.dumps({"method": method, "arguments": arguments}).encode("utf-8")
        for _ in range(2):
            headers = Headers({"X-Transmission-Session-Id": [self._session], "Connection": ["close"]})
            response = await self._http.post(self._url, data=body, headers=headers, timeout=10)
            content = await response.content()
            if response.code != 409:
                break
            # The first answer names the session that further ones must carry.
            self._session = response.headers.getRawHeaders("X-Transmission-Session-Id", [""])[0]
        if response.code != 200:
            raise TransmissionError(f"{method}: status {response.code}, {content[:200]!r}")
        answer: dict[str, Any] = json.loads(content)
        if answer["result"] != "success":
            raise TransmissionError(f"{method}: {answer['result']}")
        result: dict[str, Any] = answer.get("arguments", {})
        return result

    async def add(self, torrent: Path, saveDir: Path) -> str:
        """Add a torrent file; what lies in C{saveDir} already is checked.  Its info-hash in hexadecimal."""
        return await self._add(saveDir, metainfo=inBase64(torrent))

    async def addMagnet(self, link: str, saveDir: Path) -> str:
        """Add a magnet link.  Its info-hash in hexadecimal."""
        return await self._add(saveDir, filename=link)

    async def _add(self, saveDir: Path, **source: str) -> str:
        answer = await self.call("torrent-add", **source, **{"download-dir": str(saveDir)})
        if "torrent-added" not in answer:
            raise TransmissionError(f"not added: {answer}")
        infoHash: str = answer["torrent-added"]["hashString"]
        return infoHash

    async def status(self, infoHash: str) -> dict[str, Any]:
        """
        Among others C{percentDone} (0 to 1), C{status} (4 downloading, 6 seeding), C{errorString},
        C{peers}, C{downloadedEver} and C{uploadedEver} in bytes.
        """
        answer = await self.call("torrent-get", ids=[infoHash], fields=_FIELDS)
        status: dict[str, Any] = answer["torrents"][0]
        return status

    async def _isComplete(self, infoHash: str) -> bool:
        status = await self.status(infoHash)
        if status["error"] == 3:
            raise TransmissionError(status["errorString"])
        return bool(status["status"] in (5, 6))

    async def waitComplete(self, infoHash: str, seconds: float = 60.0) -> None:
        """
        Until it seeds (also: until content that was there is checked).

        @raise TransmissionError: it stopped with an error of its own.
        @raise TookTooLong: it does not after C{seconds}.
        """
        await until(
            self._reactor, lambda: self._isComplete(infoHash), "Transmission's download", seconds, every=0.1
        )

    async def _hasAnnounced(self, infoHash: str) -> bool:
        answer = await self.call("torrent-get", ids=[infoHash], fields=["trackerStats"])
        return any(each["lastAnnounceSucceeded"] for each in answer["torrents"][0]["trackerStats"])

    async def waitAnnounced(self, infoHash: str, seconds: float = 20.0) -> None:
        """
        Until a tracker has answered it, so that those who announce from then on hear of it.

        @raise TookTooLong: none has after C{seconds}.
        """
        await until(
            self._reactor,
            lambda: self._hasAnnounced(infoHash),
            "Transmission's announce",
            seconds,
            every=0.1,
        )

    async def announce(self, infoHash: str) -> None:
        """Ask its trackers for more peers now (they may not answer before their minimum interval)."""
        await self.call("torrent-reannounce", ids=[infoHash])

    async def remove(self, infoHash: str) -> None:
        """Forget the torrent; its files stay."""
        await self.call("torrent-remove", ids=[infoHash])

    def stop(self) -> Deferred[None]:
        """End the process."""
        return Deferred.fromCoroutine(self.program.stop())


def _configure(folder: Path, host: str, port: int, rpcPort: int, more: dict[str, Any]) -> None:
    settings = {
        "bind-address-ipv4": host,
        "bind-address-ipv6": "::1",
        "peer-port": port,
        "peer-port-random-on-start": False,
        "port-forwarding-enabled": False,
        "rpc-enabled": True,
        "rpc-bind-address": host,
        "rpc-port": rpcPort,
        "rpc-authentication-required": False,
        "rpc-whitelist-enabled": False,
        "rpc-host-whitelist-enabled": False,
        "dht-enabled": False,
        "lpd-enabled": False,
        "pex-enabled": False,
        "utp-enabled": False,
        "encryption": 0,  # takes plain and encrypted, offers plain
        "download-dir": str(folder),
        "incomplete-dir-enabled": False,
        "watch-dir-enabled": False,
        "blocklist-enabled": False,
        "rename-partial-files": False,
        "preallocation": 0,
        "cache-size-mb": 4,
        "ratio-limit-enabled": False,
        "idle-seeding-limit-enabled": False,
        "download-queue-enabled": False,
        "seed-queue-enabled": False,
        **more,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
