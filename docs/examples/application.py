"""
A test of an application in a simulated network: run it with C{trial} or C{pytest}.
"""

from pathlib import Path
from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt import ClientSession, Metainfo, Plugins, Settings
from twisted_bt.testing import Link, Network, SimulatedSwarm, SimulatedTracker


class Mirror:
    """The application under test.  It is handed its reactor and its plug-ins; that is all it takes."""

    def __init__(self, reactor: Any, plugins: Plugins | None = None, random: Random | None = None) -> None:
        self.client = ClientSession(reactor, Settings(), plugins, random)

    async def fetch(self, metainfo: Metainfo, folder: Path) -> str:
        """Download it, and say so."""
        self.client.startService()
        swarm = await self.client.addTorrent(metainfo, folder)
        await swarm.whenComplete()
        await self.client.stopService()
        return f"{swarm.name} is here"


class MirrorTests(SynchronousTestCase):
    """C{Mirror} in a bad network."""

    def test_partition(self) -> None:
        """It gets everything from a seeder that its tracker knows, though the network breaks."""
        network = Network(seed=1)
        tracker = SimulatedTracker(network, "tracker.test")
        swarm = SimulatedSwarm(3_000_000, network=network, trackers=[tracker.http])
        seeder = swarm.seeder(host=network.host(link=Link.home()))

        host = network.host(link=Link.home())
        mirror = Mirror(host, host.plugins(), host.random)
        done = mirror.fetch(swarm.metainfo, Path("/data"))
        network.clock.callLater(10, lambda: self.breaks(network, [host], [seeder.host]))
        self.assertEqual(network.runUntil(done), "content is here")

        self.assertEqual(host.files.content("/data/content"), swarm.content)
        self.assertEqual(host.leftovers(), [])
        swarm.stop()

    def breaks(self, network: Network, *sides: Any) -> None:
        """For a minute nothing passes."""
        network.clock.callLater(60, network.partition(*sides).heal)
