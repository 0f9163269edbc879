"""
Members of a simulated swarm that crash and run again.

    >>> leecher = swarm.leecher(Settings(stateDir=Path("/state")), storageFactory=None)  # on its host's disk
    >>> leecher.crash()
    >>> swarm.advance(60)
    >>> swarm.run(leecher.restart())
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from twisted_bt.interfaces import ISwarmObserver, Random
from twisted_bt.sessions.client import ClientSession
from twisted_bt.settings import Settings
from twisted_bt.torrent.metainfo import Metainfo

if TYPE_CHECKING:
    from twisted_bt.sessions.swarm import SwarmSession
    from twisted_bt.testing.host import Host


class Crashing:
    """What a L{Member<twisted_bt.testing.swarm.Member>} can do beyond exchanging."""

    host: Host
    client: ClientSession
    session: SwarmSession
    metainfo: Metainfo
    _settings: Settings
    _plugins: dict[str, Any]
    _random: Random
    _folder: Path

    def began(self, settings: Settings, plugins: dict[str, Any], random: Random, folder: Path) -> None:
        """It runs like that: so L{restart} has it."""
        self._settings, self._plugins, self._random, self._folder = settings, plugins, random, folder

    def crash(self) -> None:
        """The power fails where it runs: see L{Host.crash}.  It may L{restart}."""
        self.host.crash()
        self.client.running = 0  # whoever stops all members has nothing to stop here

    def kill(self) -> None:
        """Its process is killed: see L{Host.kill}.  It may L{restart}."""
        self.host.kill()
        self.client.running = 0

    def restart(self) -> Deferred[SwarmSession]:
        """
        A new client runs on the host, as the one before did: fires with its session of the swarm once that
        has looked at the disk.  Content that is kept in memory loses nothing; what is on the host's disk
        (C{storageFactory=None}) is what that kept.
        """
        self.host.restart()
        client = ClientSession(self.host, self._settings, self.host.plugins(**self._plugins), self._random)
        storages: Any = self._plugins.get("storageFactory")
        if hasattr(storages, "client"):
            storages.client = client
        assert ISwarmObserver.providedBy(self)
        client.observe(self)
        client.startService()
        self.client = client

        async def begin() -> SwarmSession:
            await client.whenRestored()
            self.session = await client.addTorrent(self.metainfo, self._folder)
            return await self.session.whenChecked()

        return Deferred.fromCoroutine(begin())
