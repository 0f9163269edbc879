"""
Hosts that crash, and what runs on them.
"""

from __future__ import annotations

import gc
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.sessions.life import SwarmStatus
from twisted_bt.settings import Settings
from twisted_bt.testing.link import Link
from twisted_bt.testing.network import Network, Traffic
from twisted_bt.testing.swarm import FOLDER, Member, SimulatedSwarm

STATE = Settings(stateDir=Path("/state"), flushInterval=1.0)


class CrashTestCase(SynchronousTestCase):
    """A seeder with a slow line, and a leecher in mid-download."""

    def setUp(self) -> None:
        self.swarm = SimulatedSwarm(size=600_000, seed=1)
        self.seeder = self.swarm.seeder(host=self.swarm.network.host(link=Link(up=100e3)))
        self.leecher = self.leech()

    def leech(self) -> Member:
        """A member that keeps all on its host's disk, and has some of it."""
        leecher = self.swarm.leecher(STATE, storageFactory=None)
        leecher.meet(self.seeder)
        self.swarm.advance(4)
        self.assertTrue(0 < leecher.session.clientBitfield.count() < self.swarm.metainfo.layout.pieceCount)
        return leecher

    def finish(self) -> None:
        """The leecher completes and all stop; nothing is left."""
        self.leecher.meet(self.seeder)
        self.swarm.run(self.leecher.session.whenComplete())
        name = self.swarm.metainfo.name
        self.assertEqual(self.leecher.host.files.content(FOLDER / name), self.swarm.content)
        self.swarm.stop()


class PowerTests(CrashTestCase):
    """A loss of power."""

    def test_nothingRuns(self) -> None:
        """Nothing of what ran is left: no call, connection or port, and nothing it began happens."""
        host = self.leecher.host
        self.leecher.crash()
        self.assertEqual((host.leftovers(), host.files.openFiles, host.queues), ([], [], []))
        bits = self.leecher.session.clientBitfield.copy()
        self.swarm.advance(600)
        self.assertEqual((host.leftovers(), self.leecher.session.clientBitfield), ([], bits))
        self.assertEqual(self.swarm.network.failures, [])
        self.swarm.stop()

    def test_restarts(self) -> None:
        """It goes on with what its disk had, and completes."""
        before = self.leecher.session.progress.downloaded
        self.leecher.crash()
        self.swarm.advance(60)
        session = self.swarm.run(self.leecher.restart())
        self.assertGreater(session.clientBitfield.count(), 3)
        self.assertTrue(0 < session.progress.downloaded <= before)
        self.finish()

    def test_peersFindOut(self) -> None:
        """Its peers hear nothing, and end the session when it has been silent for too long."""
        self.leecher.crash()
        self.swarm.advance(1)
        self.assertEqual(len(self.seeder.session.connectedPeers), 1)
        self.swarm.advance(600)
        self.assertEqual(len(self.seeder.session.connectedPeers), 0)
        self.swarm.stop()

    def test_afterRestart(self) -> None:
        """Peers that send to a host that runs again are told that nobody knows their connection."""
        self.leecher.crash()
        self.leecher.host.restart()
        self.swarm.advance(30)
        self.assertEqual(len(self.seeder.session.connectedPeers), 0)
        self.swarm.stop()

    def test_waiters(self) -> None:
        """Who waits for the dead waits for ever, and no longer for the others."""
        waiting = self.leecher.session.whenComplete()
        other = self.swarm.leecher()
        others = other.session.whenComplete()
        self.leecher.crash()
        other.meet(self.seeder)
        self.swarm.run(others)
        self.assertNoResult(waiting)
        self.swarm.stop()

    def test_quiet(self) -> None:
        """The dead are closed without a sound: collecting them runs nothing and complains of nothing."""
        complaints: list[Any] = []
        hook, sys.unraisablehook = sys.unraisablehook, complaints.append
        self.addCleanup(setattr, sys, "unraisablehook", hook)
        for wait in (0.0, 0.01, 0.5, 3.0):
            leecher = self.leech()
            leecher.meet(self.leecher)
            self.swarm.advance(wait)
            leecher.crash()
            self.swarm.members.remove(leecher)
            self.swarm._at.pop(leecher.host, None)
            del leecher
        events = self.swarm.network.events
        gc.collect()
        self.assertEqual((complaints, self.swarm.network.events), ([], events))
        self.leecher.crash()
        self.swarm.stop()

    def test_whileStopping(self) -> None:
        """It may crash while it stops, and while it looks at the disk after that."""
        self.leecher.client.stopService()
        self.swarm.network.step()
        self.leecher.crash()
        self.leecher.host.disk.latency = 0.5
        self.leecher.restart()
        self.swarm.advance(1.2)
        self.assertFalse(self.leecher.client.swarmSessions and self.leecher.session.running)
        self.leecher.crash()
        self.leecher.host.disk.latency = 0.0
        self.swarm.run(self.leecher.restart())
        self.finish()


class KillTests(CrashTestCase):
    """The end of a process alone."""

    def test_resets(self) -> None:
        """The system resets its connections; what it wrote is all there."""
        bits = self.leecher.session.clientBitfield.copy()
        self.leecher.kill()
        self.swarm.advance(1)
        self.assertEqual(len(self.seeder.session.connectedPeers), 0)
        session = self.swarm.run(self.leecher.restart())
        self.assertEqual(session.clientBitfield & bits, bits)
        self.finish()

    def test_memory(self) -> None:
        """Content in memory, as members have it where nothing else is said, outlives the process."""
        member = self.swarm.leecher()
        member.meet(self.seeder)
        self.swarm.run(member.session.whenComplete())
        member.kill()
        session = self.swarm.run(member.restart())
        self.assertEqual((session.status, member.content), (SwarmStatus.SEEDING, self.swarm.content))
        self.swarm.run(self.leecher.client.stopService())
        self.swarm.stop()


class HostTests(SynchronousTestCase):
    """Crashes of what is no client."""

    def test_ports(self) -> None:
        """Ports are free for who comes after."""
        network = Network(seed=1)
        host = network.host()
        host.listenTCP(80, Factory())
        host.callLater(5, self.fail)
        host.callInThread(self.fail)
        host.crash()
        host.restart()
        network.advance(10)
        host.listenTCP(80, Factory())
        self.assertEqual((network.failures, host.leftovers()), ([], ["1 TCP ports"]))

    def test_dialling(self) -> None:
        """What was being dialled is forgotten."""
        network = Network(seed=1)
        one, other = network.host(), network.host()
        other.listenTCP(80, Factory.forProtocol(Protocol))
        factory: Any = Factory.forProtocol(Protocol)
        factory.clientConnectionFailed = factory.startedConnecting = lambda *args: None
        factory.clientConnectionLost = factory.buildProtocol = self.fail
        one.connectTCP(other.address, 80, factory)
        one.crash()
        one.restart()
        network.advance(100)
        self.assertEqual((network.failures, one.leftovers()), ([], []))

    def test_applications(self) -> None:
        """A coroutine of an application that waits for the dead is not run, nor is what it waits for."""
        network = Network(seed=1)
        host = network.host()
        ran: list[str] = []
        never: Deferred[None] = Deferred()

        async def application() -> None:
            try:
                await never
            finally:
                ran.append("ended")

        waiting = Deferred.fromCoroutine(application())
        host.callLater(1, lambda: never.callback(None))
        host.crash()
        self.assertEqual(ran, [])
        self.assertNoResult(waiting)


class RepeatedTests(SynchronousTestCase):
    """One seed decides what a crash leaves, too."""

    def trace(self, seed: int) -> str:
        """All traffic of a swarm with crashes, in one word."""
        seen = sha256()
        swarm = SimulatedSwarm(size=300_000, seed=seed)

        def watch(traffic: Traffic) -> None:
            seen.update(repr((traffic.time, traffic.kind)).encode() + traffic.data)

        swarm.network.watchers.append(watch)
        seeder = swarm.seeder(host=swarm.network.host(link=Link(up=100e3)))
        leecher = swarm.leecher(STATE, storageFactory=None)
        for _ in range(2):
            leecher.meet(seeder)
            swarm.advance(1.3)
            leecher.crash()
            swarm.advance(5)
            swarm.run(leecher.restart())
        leecher.meet(seeder)
        swarm.run(leecher.session.whenComplete())
        swarm.stop()
        return f"{seen.hexdigest()} {swarm.network.events} {swarm.network.now!r}"

    def test_again(self) -> None:
        """The same seed gives the identical trace; another seed another."""
        self.assertEqual(self.trace(1), self.trace(1))
        self.assertNotEqual(self.trace(1), self.trace(2))
