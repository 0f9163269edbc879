"""
Drives libtorrent, the engine in C++ that most clients are built on.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from tests.interop.processes import Program, Reactor
from tests.interop.programs import requireModule

_WORKER = Path(__file__).with_name("libtorrent_worker.py")


class LibtorrentError(Exception):
    """What libtorrent answered to a request it could not do."""


class LibtorrentPeer:
    """
    One libtorrent session in its own process.

    @ivar host: the address it listens on and dials from.
    @ivar port: its port for peers.
    """

    def __init__(self, reactor: Reactor, program: Program, host: str) -> None:
        self.host = host
        self.port = 0
        self.program = program
        self._reactor = reactor
        self._number = 0
        self._pending: dict[int, Deferred[Any]] = {}
        program.onLine = self._answered

    @classmethod
    async def start(
        cls,
        reactor: Reactor,
        folder: Path,
        host: str = "127.0.0.1",
        encryption: bool = False,
        within: Sequence[str] = (),
        **settings: Any,
    ) -> LibtorrentPeer:
        """
        A session in C{folder}.

        @param within: a command that runs the rest of its arguments, see L{Namespace.command
            <tests.interop.namespace.Namespace.command>}.
        @param encryption: libtorrent's default (MSE offered first); off, all is in the clear.
        @param settings: more of libtorrent's C{settings_pack}.
        """
        requireModule("libtorrent")
        chosen: dict[str, Any] = {"listen_interfaces": f"{host}:0", "outgoing_interfaces": host}
        if not encryption:
            chosen |= {"out_enc_policy": 2, "in_enc_policy": 2}
        argv = [*within, sys.executable, "-u", str(_WORKER), json.dumps({**chosen, **settings})]
        peer = cls(reactor, Program.start(reactor, argv, folder), host)
        peer.port = await peer._ask("port")
        return peer

    def _answered(self, line: str) -> None:
        try:
            answer = json.loads(line)
        except ValueError:
            return  # a warning of libtorrent's; it is in the output
        waiting = self._pending.pop(answer["id"], None)
        if waiting is None:
            return
        if "error" in answer:
            waiting.errback(LibtorrentError(answer["error"]))
        else:
            waiting.callback(answer["result"])

    def _ask(self, do: str, seconds: float = 15.0, **arguments: Any) -> Deferred[Any]:
        self._number += 1
        done: Deferred[Any] = Deferred()
        self._pending[self._number] = done
        self.program.send(json.dumps({"id": self._number, "do": do, **arguments}))
        return done.addTimeout(seconds, self._reactor)

    def add(
        self,
        torrent: Path,
        saveDir: Path,
        seed: bool = False,
        trackers: bool = True,
        flags: tuple[str, ...] = (),
    ) -> Deferred[str]:
        """Add a torrent file; fires with its info-hash in hexadecimal.  See the worker's C{do_add}."""
        return self._ask(
            "add", torrent=str(torrent), saveDir=str(saveDir), seed=seed, trackers=trackers, flags=flags
        )

    def addMagnet(self, link: str, saveDir: Path) -> Deferred[str]:
        """Add a magnet link; fires with its info-hash in hexadecimal."""
        return self._ask("addMagnet", link=link, saveDir=str(saveDir))

    def addNode(self, host: str, port: int) -> Deferred[None]:
        """Tell it of a DHT node (where C{enable_dht} is among its settings)."""
        return self._ask("addNode", host=host, port=port)

    def seek(self, infoHash: str) -> Deferred[None]:
        """Look for peers in the DHT now."""
        return self._ask("seek", infoHash=infoHash)

    def connectPeer(self, infoHash: str, host: str, port: int) -> Deferred[None]:
        """Have it dial a peer; fires when it was told."""
        return self._ask("connect", infoHash=infoHash, host=host, port=port)

    def waitComplete(self, infoHash: str, seconds: float = 60.0) -> Deferred[None]:
        """Fires once the torrent is complete and its files are written; fails with C{TimeoutError}."""
        return self._ask("wait", seconds, infoHash=infoHash)

    def status(self, infoHash: str) -> Deferred[dict[str, Any]]:
        """See the worker's C{do_status}."""
        return self._ask("status", infoHash=infoHash)

    def peers(self, infoHash: str) -> Deferred[list[dict[str, Any]]]:
        """See the worker's C{do_peers}."""
        return self._ask("peers", infoHash=infoHash)

    def announce(self, infoHash: str) -> Deferred[None]:
        """Announce to the trackers now."""
        return self._ask("announce", infoHash=infoHash)

    def limit(self, infoHash: str, download: int = 0, upload: int = 0) -> Deferred[None]:
        """Keep under these rates, in bytes a second; 0: no limit."""
        return self._ask("limit", infoHash=infoHash, download=download, upload=upload)

    def pause(self, infoHash: str) -> Deferred[None]:
        """Leave the swarm."""
        return self._ask("pause", infoHash=infoHash)

    def resume(self, infoHash: str) -> Deferred[None]:
        """Enter it again."""
        return self._ask("resume", infoHash=infoHash)

    def remove(self, infoHash: str) -> Deferred[None]:
        """Forget the torrent; its files stay."""
        return self._ask("remove", infoHash=infoHash)

    def errors(self) -> Deferred[list[str]]:
        """The last errors of its session, for messages of failed tests."""
        return self._ask("errors")

    async def stop(self) -> None:
        """End the process."""
        await self.program.stop()
