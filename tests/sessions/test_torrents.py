"""
Vocabulary: ClientSession: torrents added, removed, queued, kept and remembered.
"""

from __future__ import annotations

import errno
from pathlib import Path

from tests.sessions.case import Noted, SwarmCase
from twisted_bt.errors import MetainfoError, PeerDisconnected, UnknownTorrent
from twisted_bt.sessions.client import ClientSession
from twisted_bt.sessions.life import SwarmStatus
from twisted_bt.settings import Settings
from twisted_bt.storage.memory import MemoryStorageFactory
from twisted_bt.testing.diskfaults import Fault
from twisted_bt.testing.invariants import endFaults
from twisted_bt.testing.swarm import FOLDER, makeTorrent


class TorrentsTests(SwarmCase):
    """Adding and removing."""

    def test_beforeStart(self) -> None:
        """A torrent added before C{startService} waits for it."""
        host = self.network.host()
        client = ClientSession(host, Settings(), host.plugins(storageFactory=MemoryStorageFactory()))
        adding = client.addTorrent(self.metainfo, FOLDER)
        self.advance(10)
        self.assertNoResult(adding)
        client.startService()
        swarm = self.swarm.run(adding)
        self.assertEqual(swarm.infoHash, self.infoHash)
        self.swarm.run(client.stopService())

    def test_sources(self) -> None:
        """A torrent is added from a value, from bytes or from a file; twice it is the same swarm."""
        member = self.swarm.leecher()
        path = Path("/some.torrent")
        member.host.files.put(path, self.metainfo.encode())
        for source in (self.metainfo, self.metainfo.encode(), path, str(path)):
            self.assertIs(self.swarm.run(member.client.addTorrent(source, FOLDER)), member.session)

    def test_invalid(self) -> None:
        """What is no torrent is refused, and nothing is known of it."""
        member = self.swarm.leecher()
        for source in (b"no torrent", b"d4:infod6:lengthi1eee", Path(self.mktemp())):
            self.assertRaises(MetainfoError, self.swarm.run, member.client.addTorrent(source, FOLDER))
        self.assertEqual(len(member.client.torrentMap), 1)

    def test_removed(self) -> None:
        """A removed torrent is stopped and forgotten; its content stays."""
        seeder, leecher = self.swarm.seeder(), self.swarm.leecher()
        self.swarm.run(leecher.connect(seeder))
        content = leecher.stored
        self.swarm.finish()
        self.swarm.run(leecher.client.removeTorrent(self.infoHash))
        self.assertEqual(leecher.session.status, SwarmStatus.STOPPED)
        self.assertEqual((leecher.client.getSwarmCount(), len(leecher.client.torrentMap)), (0, 0))
        self.assertEqual(len(content.pieces), self.pieceCount)
        self.swarm.run(leecher.client.removeTorrent(self.infoHash))
        self.assertEqual(leecher.client.engine.buffers.out, 0)
        self.assertEqual(leecher.client.engine.activeSlots.taken, 0)

    def test_removedMidway(self) -> None:
        """Removed in the middle of a download, it gives back all it held of the client."""
        seeder, leecher = self.swarm.seeder(), self.swarm.leecher()
        noted = self.observed(leecher)
        self.swarm.run(leecher.connect(seeder))
        self.network.runWhile(lambda: len(noted.pieces()) < 2)
        self.assertGreater(leecher.client.engine.buffers.out, 0)
        self.swarm.run(leecher.client.removeTorrent(self.infoHash))
        self.assertEqual(endFaults(leecher.client.engine), [])
        self.assertIsInstance(noted.ended[0], PeerDisconnected)

    def test_keptOpen(self) -> None:
        """Torrents of earlier runs are open again after a start; paused ones stay paused."""
        folder = Path(self.mktemp())
        member = self.swarm.leecher(Settings(stateDir=folder))
        other = makeTorrent(b"other", name="other")
        paused = self.swarm.run(member.client.addTorrent(other, FOLDER))
        self.swarm.run(paused.pause())
        self.swarm.run(member.client.stopService())
        member.client.startService()
        self.swarm.run(member.client.whenRestored())
        self.advance(1)
        statuses = {swarm.name: swarm.status for swarm in member.client.swarmSessions.values()}
        self.assertEqual(statuses, {"content": SwarmStatus.DOWNLOADING, "other": SwarmStatus.PAUSED})

    def test_metafileGone(self) -> None:
        """A torrent of an earlier run whose file is gone is reported, and the others go on."""
        folder = Path(self.mktemp())
        member = self.swarm.leecher(Settings(stateDir=folder))
        other = makeTorrent(b"other", name="other")
        self.swarm.run(member.client.addTorrent(other, FOLDER))
        self.swarm.run(member.client.stopService())
        member.host.files.remove(str(folder / "torrents" / f"{other.wireHash.hex()}.torrent"))
        member.client.startService()
        self.swarm.run(member.client.whenRestored())
        self.assertEqual(list(member.client.swarmSessions), [self.infoHash])

    def test_stateUnreadable(self) -> None:
        """If what is known cannot be read at the start, that is reported; later, torrents are opened."""
        member = self.swarm.leecher(Settings(stateDir=Path("/state")))
        self.swarm.run(member.client.stopService())
        mend = member.host.files.faults.add(Fault("query", errno.EIO, times=2))
        member.client.startService()
        self.swarm.run(member.client.whenRestored())
        self.assertEqual(list(member.client.swarmSessions), [])
        mend()
        swarm = self.swarm.run(member.client.openSwarm(self.infoHash))
        self.assertEqual(swarm.infoHash, self.infoHash)

    def test_maxActive(self) -> None:
        """Only so many swarms are open at a time; downloads come first."""
        member = self.swarm.member(range(self.pieceCount), Settings(maxActive=1))
        first, second = (makeTorrent(name.encode(), name=name) for name in ("one", "two"))
        waiting = [self.swarm.run(member.client.addTorrent(each, FOLDER)) for each in (first, second)]
        self.advance(10)
        self.assertEqual([each.status for each in waiting], [SwarmStatus.QUEUED] * 2)
        self.assertEqual(member.client.activeSessions, 1)
        self.swarm.run(member.session.pause())
        self.advance(1)
        self.assertEqual([each.status for each in waiting], [SwarmStatus.DOWNLOADING, SwarmStatus.QUEUED])

    def test_queuedStopped(self) -> None:
        """A swarm that waits its turn can be paused, removed and stopped, and takes no turn then."""
        member = self.swarm.member(range(self.pieceCount), Settings(maxActive=1))
        others = [makeTorrent(name.encode(), name=name) for name in ("one", "two", "three")]
        waiting = [self.swarm.run(member.client.addTorrent(each, FOLDER)) for each in others]
        self.swarm.run(waiting[0].pause())
        self.swarm.run(member.client.removeTorrent(others[1].wireHash))
        self.swarm.run(member.session.pause())
        self.advance(1)
        self.assertEqual(
            [each.status for each in waiting],
            [SwarmStatus.PAUSED, SwarmStatus.STOPPED, SwarmStatus.DOWNLOADING],
        )

    def test_unknown(self) -> None:
        """To open what nobody knows fails with its name."""
        member = self.swarm.leecher()
        reason = self.assertRaises(UnknownTorrent, self.swarm.run, member.client.openSwarm(bytes(20)))
        self.assertEqual(reason.infoHash, bytes(20))
        self.assertIs(self.swarm.run(member.client.openSwarm(self.infoHash)), member.session)

    def test_observed(self) -> None:
        """Who observes the client hears of all its swarms, those to come included, until it has enough."""
        member = self.swarm.leecher()
        noted = Noted()
        forget = member.client.observe(noted)
        self.swarm.run(member.client.addTorrent(makeTorrent(b"x"), FOLDER))
        self.advance(1)
        self.assertIn("downloading", noted.statuses)
        before = len(noted.events)
        forget()
        self.swarm.run(member.session.pause())
        self.assertEqual(len(noted.events), before)
