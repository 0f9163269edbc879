"""
Our engine, driven like the programs of others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from twisted.internet.defer import Deferred

from tests.interop.processes import Reactor
from twisted_bt import ClientSession, Settings, SwarmSession
from twisted_bt.interfaces import IClientReactor


class OurPeer:
    """
    A client session in this process.

    @ivar client: the session.
    @ivar host: where it listens and dials from.
    """

    def __init__(self, reactor: Reactor, client: ClientSession, host: str) -> None:
        self.client = client
        self.host = host
        self._reactor = reactor

    @classmethod
    async def start(cls, reactor: Reactor, folder: Path, host: str = "127.0.0.1", **settings: Any) -> OurPeer:
        """A running session whose state is in C{folder}."""
        client = ClientSession(
            cast(IClientReactor, reactor), Settings(stateDir=folder, interfaces=(host,), **settings)
        )
        client.startService()
        return cls(reactor, client, host)

    @property
    def port(self) -> int:
        """Where peers reach it."""
        port = self.client.listenerPort
        assert port is not None
        return port

    async def add(self, torrent: Path, saveDir: Path, seed: bool = False) -> str:
        """Add a torrent file; what lies in C{saveDir} is checked before this returns.  Its info-hash."""
        swarm = await self.client.addTorrent(torrent, saveDir)
        await swarm.whenChecked()
        assert swarm.complete or not seed
        return swarm.infoHash.hex()

    def addMagnet(self, link: str, saveDir: Path) -> Deferred[SwarmSession]:
        """Add a magnet link; fires once the metadata is here."""
        return self.client.addTorrent(link, saveDir)

    def swarm(self, infoHash: str) -> SwarmSession:
        """The swarm of a torrent that was added."""
        return self.client.swarmSessions[bytes.fromhex(infoHash)]

    async def connectPeer(self, infoHash: str, host: str, port: int) -> None:
        """Dial a peer; returns after the handshake."""
        await self.swarm(infoHash).connectPeer(host, port)

    async def waitComplete(self, infoHash: str, seconds: float = 60.0) -> None:
        """Until it has all."""
        await self.swarm(infoHash).whenComplete().addTimeout(seconds, self._reactor)

    def stop(self) -> Deferred[None]:
        """End it; fires when nothing of it is left."""
        return self.client.stopService()
