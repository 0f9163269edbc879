"""
What is known of a torrent's pieces between runs.
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.settings import Settings
from twisted_bt.testing.disk import Disk
from twisted_bt.testing.diskfaults import Fault
from twisted_bt.testing.link import Link
from twisted_bt.testing.swarm import SimulatedSwarm


class SavingTests(SynchronousTestCase):
    """States that are saved while pieces come."""

    def test_writtenDuringFlush(self) -> None:
        """
        A state says that pieces are being written also if one was written while the flush before it was
        under way: else the change, which the disk may lose, would be taken for a stranger's.
        """
        swarm = SimulatedSwarm(size=1_000_000, seed=1)
        host = swarm.network.host(disk=Disk(syncTime=0.7))
        seeder = swarm.seeder(host=swarm.network.host(link=Link(up=100e3)))
        leecher = swarm.leecher(
            Settings(stateDir=Path("/state"), flushInterval=1.0), host, storageFactory=None
        )
        saved: list[tuple[bool, list[str]]] = []
        resume: Any = leecher.client.engine.resume
        saveMany = resume.saveMany

        def noted(states: dict[bytes, Any]) -> Any:
            saved.extend((state.writing, host.files.unsynced()) for state in states.values())
            return saveMany(states)

        resume.saveMany = noted
        leecher.connect(seeder)
        swarm.run(leecher.session.whenComplete())
        swarm.advance(5)
        self.assertEqual([files for writing, files in saved if not writing and files], [])
        self.assertGreater(len(saved), 3)
        self.assertFalse(saved[-1][0])
        swarm.stop()

    def test_firstSave(self) -> None:
        """The first pieces wait for the interval as all others do, however long the client has been there."""
        swarm = SimulatedSwarm(size=1_000_000, seed=1)
        swarm.advance(1000)
        seeder = swarm.seeder(host=swarm.network.host(link=Link(up=100e3)))
        leecher = swarm.leecher(
            Settings(stateDir=Path("/state"), flushInterval=30.0), swarm.network.host(), storageFactory=None
        )
        saved: list[int] = []
        resume: Any = leecher.client.engine.resume
        saveMany = resume.saveMany

        def noted(states: dict[bytes, Any]) -> Any:
            saved.extend(state.verified.count() for state in states.values())
            return saveMany(states)

        resume.saveMany = noted
        leecher.connect(seeder)
        swarm.run(leecher.session.whenComplete())
        self.assertEqual(saved, [0])
        swarm.advance(5)
        self.assertEqual(set(saved[1:]), {leecher.session.metainfo.layout.pieceCount})
        swarm.stop()

    def test_closedBetweenSaves(self) -> None:
        """Files are closed once all saves are over, also if the one at the end fails at once."""
        swarm = SimulatedSwarm(size=1_000_000, seed=1)
        host = swarm.network.host()
        seeder = swarm.seeder(host=swarm.network.host(link=Link(up=100e3)))
        leecher = swarm.leecher(Settings(stateDir=Path("/state")), host, storageFactory=None)
        leecher.connect(seeder)
        swarm.advance(3)
        record = leecher.session.record
        host.files.faults.add(Fault("commit", errno.EIO, times=1))
        host.files.faults.add(Fault("sync", delay=1.0))
        closing = Deferred.fromCoroutine(record.close())
        saving = record.save()
        swarm.run(closing)
        self.successResultOf(saving)
        self.assertEqual(host.files.openFiles, ["/state/state.sqlite.lock"])
        host.files.faults.clear()
        swarm.stop()
