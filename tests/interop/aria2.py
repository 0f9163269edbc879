"""
Drives aria2c by its RPC.

aria2 cannot be told of a peer; it finds them through trackers or is dialled.  While it seeds it
dials nobody.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectionLost
from twisted.web.client import Agent, ResponseNeverReceived
from twisted.web.http_headers import Headers

from tests.interop.processes import Program, Reactor, TookTooLong, freePort, inBase64, until
from tests.interop.programs import require


class Aria2Error(Exception):
    """What aria2 answered to a request it could not do, or the error its download stopped with."""


class Aria2Peer:
    """
    One aria2c.

    @ivar host: the address it listens on and dials from.
    @ivar port: its port for peers.
    """

    def __init__(self, reactor: Reactor, program: Program, host: str, port: int, rpcPort: int) -> None:
        self.host = host
        self.port = port
        self.program = program
        self._reactor = reactor
        self._http = HTTPClient(Agent(reactor, connectTimeout=5.0))
        self._url = f"http://127.0.0.1:{rpcPort}/jsonrpc"
        self._gids: dict[str, str] = {}

    @classmethod
    async def start(
        cls, reactor: Reactor, folder: Path, host: str = "127.0.0.1", **options: str
    ) -> Aria2Peer:
        """
        An aria2c in C{folder} that answers when this returns.

        @param options: more of its options, with C{_} for C{-}.
        """
        path = require("aria2c")
        port, rpcPort = freePort(), freePort()
        chosen = {
            "enable-rpc": "true",
            "rpc-listen-port": str(rpcPort),
            "listen-port": str(port),
            "interface": host,
            "disable-ipv6": "true",
            # Without it aria2 speaks to no UDP tracker.  It knows no node, so nothing comes of it.
            "enable-dht": "true",
            "dht-listen-port": str(freePort()),
            "dht-file-path": str(folder / "dht.dat"),
            "enable-dht6": "false",
            "bt-enable-lpd": "false",
            "enable-peer-exchange": "false",
            "file-allocation": "none",
            "allow-overwrite": "true",
            "check-integrity": "true",
            "seed-ratio": "0.0",  # for ever
            "bt-tracker-interval": "1",  # it asks for peers as soon as it has none
            "summary-interval": "0",
            "console-log-level": "notice",
            "stop-with-process": str(os.getpid()),
            **{name.replace("_", "-"): value for name, value in options.items()},
        }
        argv = [path, "--no-conf", *(f"--{name}={value}" for name, value in chosen.items())]
        program = Program.start(reactor, argv, folder)
        peer = cls(reactor, program, host, port, rpcPort)
        try:
            await until(reactor, peer._answers, f"aria2c on port {rpcPort}", every=0.05)
        except TookTooLong as late:
            await program.stop()
            raise TookTooLong(f"{late}; its output: " + "\n".join(program.output)) from None
        return peer

    async def _answers(self) -> bool:
        try:
            await self.call("aria2.getVersion")
        except (ConnectError, ConnectionLost, ResponseNeverReceived):
            return False
        return True

    async def call(self, method: str, *arguments: Any) -> Any:
        """
        One RPC; its result.

        @raise Aria2Error: aria2 did not do it.
        """
        body = json.dumps({"jsonrpc": "2.0", "id": "1", "method": method, "params": arguments})
        response = await self._http.post(
            self._url, data=body.encode("utf-8"), headers=Headers({"Connection": ["close"]}), timeout=10
        )
        answer = json.loads(await response.content())
        if "error" in answer:
            raise Aria2Error(f"{method}: {answer['error']['message']}")
        return answer["result"]

    async def add(self, torrent: Path, saveDir: Path) -> str:
        """Add a torrent file; what lies in C{saveDir} already is checked.  Its info-hash in hexadecimal."""
        encoded = inBase64(torrent)
        gid = await self.call("aria2.addTorrent", encoded, [], {"dir": str(saveDir)})
        infoHash: str = (await self.call("aria2.tellStatus", gid, ["infoHash"]))["infoHash"]
        self._gids[infoHash] = gid
        return infoHash

    async def addMagnet(self, link: str, saveDir: Path, infoHash: str) -> str:
        """Add a magnet link, and go on with the torrent it leads to.  Its info-hash."""
        self._gids[infoHash] = await self.call("aria2.addUri", [link], {"dir": str(saveDir)})
        return infoHash

    async def _follow(self, infoHash: str) -> None:
        """Metadata and content are two downloads to aria2."""
        status = await self.status(infoHash)
        if status.get("followedBy"):
            self._gids[infoHash] = status["followedBy"][0]

    async def status(self, infoHash: str) -> dict[str, Any]:
        """Among others C{status}, C{completedLength}, C{totalLength}, C{seeder}; all values are text."""
        status: dict[str, Any] = await self.call("aria2.tellStatus", self._gids[infoHash])
        return status

    async def peers(self, infoHash: str) -> list[dict[str, Any]]:
        """Whom it is connected to; all values are text."""
        peers: list[dict[str, Any]] = await self.call("aria2.getPeers", self._gids[infoHash])
        return peers

    async def _isComplete(self, infoHash: str) -> bool:
        await self._follow(infoHash)
        status = await self.status(infoHash)
        if status["status"] == "error":
            raise Aria2Error(f"{status.get('errorCode')}: {status.get('errorMessage')}")
        # "verify...": it still looks at what was there.
        return bool(
            status.get("seeder") == "true"
            and "verifiedLength" not in status
            and "verifyIntegrityPending" not in status
        )

    async def waitComplete(self, infoHash: str, seconds: float = 60.0) -> None:
        """
        Until it seeds (also: until content that was there is checked).

        @raise Aria2Error: it stopped with an error.
        @raise TookTooLong: it does not after C{seconds}.
        """
        await until(self._reactor, lambda: self._isComplete(infoHash), "aria2's download", seconds, every=0.1)

    def stop(self) -> Deferred[None]:
        """End the process."""
        return Deferred.fromCoroutine(self.program.stop())
