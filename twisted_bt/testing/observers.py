"""
That an L{ISwarmObserver} bears whatever happens, as tests for yours::

    class MyObserverTests(ObserverContract, SynchronousTestCase):
        def makeObserver(self):
            return MyObserver()

What an observer raises is logged and changes nothing, so in use it is noticed late: here it fails a test.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from zope.interface.verify import verifyObject

from twisted_bt.errors import StorageError
from twisted_bt.interfaces import ISwarmObserver
from twisted_bt.storage.memory import MemoryStorageFactory
from twisted_bt.testing.faults import FaultyStorageFactory
from twisted_bt.testing.link import Link
from twisted_bt.testing.network import Network
from twisted_bt.testing.swarm import SimulatedSwarm
from twisted_bt.tracker.server import TrackerService

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as _Base
else:
    _Base = object

_TRACKER, _ADDRESS = "http://10.1.0.1:80/announce", "10.1.0.1"


class ObserverContract(_Base):
    """Mix into a C{SynchronousTestCase} and implement L{makeObserver}."""

    def makeObserver(self) -> ISwarmObserver:
        """A new observer."""
        raise NotImplementedError

    def test_interface(self) -> None:
        """It has the methods of the interface."""
        self.assertTrue(verifyObject(ISwarmObserver, self.makeObserver()))

    def test_download(self) -> None:
        """It hears a whole life: checked, tracked, downloaded, left, paused, resumed, stopped."""
        network = Network("observer contract", mode="flow")
        tracker = TrackerService(network.host(_ADDRESS), Random(1), 80, None, _ADDRESS)
        tracker.startService()
        swarm = SimulatedSwarm(network=network, trackers=[_TRACKER, "udp://10.1.0.2:9/announce"])
        seeder = swarm.seeder()
        leecher = swarm.leecher()
        for each in (seeder, leecher):
            each.client.observe(self.makeObserver())
        leecher.session.observe(self.makeObserver())
        leecher.meet(seeder)
        swarm.finish()
        swarm.run(seeder.client.stopService())
        swarm.advance(120)
        leecher.session.pause()
        swarm.advance(10)
        leecher.session.resume()
        swarm.run(tracker.stopService())
        swarm.advance(4000)
        swarm.stop()

    def test_failures(self) -> None:
        """It hears of a disk that is full."""
        swarm = SimulatedSwarm(seed="observer contract", network=Network(1, mode="flow"))
        storages = FaultyStorageFactory(MemoryStorageFactory())
        leecher = swarm.leecher(storageFactory=storages, host=swarm.network.host(link=Link.fibre()))
        leecher.client.observe(self.makeObserver())
        storages.refusals["writePiece"] = StorageError("the disk is full")
        leecher.meet(swarm.seeder())
        swarm.advance(30)
        swarm.stop()
