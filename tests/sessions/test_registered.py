"""
Vocabulary: TorrentLoc, TorrentMap, registerTorrent, unregisterTorrent, TorrentPresence.

A registered torrent costs a row; its swarm opens when a peer asks for it, and its content is validated on
demand, since nothing says that it is complete.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tests.sessions.case import SwarmCase
from twisted_bt.errors import MetainfoError, PeerDisconnected, StorageError, UnknownTorrent
from twisted_bt.peerwire.extended import ExtendedHandshake
from twisted_bt.peerwire.messages import (
    Extended,
    HaveAll,
    HaveNone,
    Interested,
    Piece,
    RejectRequest,
    Request,
)
from twisted_bt.sessions.client import ClientSession
from twisted_bt.sessions.life import SwarmStatus
from twisted_bt.sessions.torrentmap import Active, Registered, TorrentLoc, TorrentMap, TorrentRow, Unknown
from twisted_bt.settings import Settings
from twisted_bt.storage.database import StateDatabase
from twisted_bt.storage.diskqueue import ImmediateDisk
from twisted_bt.storage.fileio import FileCalls
from twisted_bt.storage.resume import ResumeStore
from twisted_bt.testing.scripted import ScriptedPeer
from twisted_bt.testing.swarm import FOLDER, makeTorrent
from twisted_bt.torrent.addresses import PeerAddr


class RegisteredCase(SwarmCase):
    """A client, the torrent's file and its content on disk."""

    def setUp(self) -> None:
        """Files, and a client that runs."""
        super().setUp()
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.metafile = Path(self.mktemp())
        self.metafile.write_bytes(self.metainfo.encode())
        self.file = self.folder / "content"
        self.file.write_bytes(self.swarm.content)
        self.host = self.network.host()
        self.client = self.newClient()

    def newClient(self, **settings: Any) -> ClientSession:
        """A client that keeps content in files."""
        client = ClientSession(
            self.host,
            Settings(**settings),
            self.host.plugins(wallClock=time.time, files=FileCalls()),
            self.host.random,
        )
        client.startService()
        return client

    def tearDown(self) -> None:
        """It stops, and leaves nothing."""
        self.swarm.run(self.client.stopService())
        self.assertEqual(self.host.leftovers(), [])
        super().tearDown()

    @property
    def loc(self) -> TorrentLoc:
        """Where all is."""
        return TorrentLoc(self.metafile, self.folder)

    @property
    def address(self) -> PeerAddr:
        """Where the client listens."""
        return PeerAddr(self.host.address, self.client.listenerPort or 0)

    def register(self) -> bytes:
        """The torrent is registered."""
        return self.swarm.run(self.client.registerTorrent(self.loc))

    def asked(self) -> ScriptedPeer:
        """A peer has come and asked for the torrent."""
        peer = ScriptedPeer(self.infoHash, greets=True)
        self.swarm.run(peer.dial(self.network.host(), self.address))
        self.swarm.run(peer.whenHeard(Extended))
        return peer

    def damage(self, index: int) -> None:
        """A byte of piece C{index} on disk is wrong."""
        with self.file.open("r+b") as file:
            file.seek(index * self.pieceLength + 5)
            byte = file.read(1)
            file.seek(-1, 1)
            file.write(bytes([byte[0] ^ 1]))

    def request(self, peer: ScriptedPeer, index: int) -> Request:
        """Ask for the first block of a piece."""
        request = Request(index, 0, 16384)
        peer.say(request)
        self.advance(1)
        return request


class RegisterTests(RegisteredCase):
    """registerTorrent and unregisterTorrent."""

    def test_registers(self) -> None:
        """It answers with the info-hash, and costs a row and no swarm."""
        self.assertEqual(self.register(), self.infoHash)
        self.assertEqual(len(self.client.torrentMap), 1)
        self.assertIn(self.infoHash, self.client.torrentMap)
        self.assertEqual((self.client.getSwarmCount(), self.client.activeSessions), (0, 0))

    def test_validatesMetafile(self) -> None:
        """A metafile that is none, or not there, is refused."""
        self.metafile.write_bytes(b"d4:spam4:eggse")
        self.assertRaises(MetainfoError, self.register)
        self.metafile.unlink()
        self.assertRaises(MetainfoError, self.register)
        self.assertEqual(len(self.client.torrentMap), 0)

    def test_filesMissing(self) -> None:
        """Files that are not where they should be are an error that names them."""
        self.file.unlink()
        reason = self.assertRaises(StorageError, self.register)
        self.assertIn("content", str(reason))
        self.assertEqual(len(self.client.torrentMap), 0)

    def test_fileShort(self) -> None:
        """So is a file that is too short."""
        self.file.write_bytes(self.swarm.content[:-1])
        self.assertRaises(StorageError, self.register)
        self.assertEqual(len(self.client.torrentMap), 0)

    def test_contentNotRead(self) -> None:
        """Content is not looked at when registering."""
        self.file.write_bytes(bytes([1]) * self.size)
        self.register()

    def test_unregister(self) -> None:
        """Unregistered, it is known no more; not knowing it is as good."""
        self.register()
        for _ in range(2):
            self.swarm.run(self.client.unregisterTorrent(self.infoHash))
            self.assertEqual(len(self.client.torrentMap), 0)
            self.assertEqual(self.client.torrentPresence(self.infoHash), Unknown())

    def test_unregisterStops(self) -> None:
        """Unregistering stops the swarm; the content stays."""
        self.register()
        peer = self.asked()
        swarm = self.client.swarmSessions[self.infoHash]
        self.swarm.run(self.client.unregisterTorrent(self.infoHash))
        self.advance(1)
        self.assertEqual(swarm.status, SwarmStatus.STOPPED)
        self.assertIsNotNone(peer.lost)
        self.assertEqual(self.file.read_bytes(), self.swarm.content)
        later = ScriptedPeer(self.infoHash, greets=True)
        self.swarm.run(later.dial(self.network.host(), self.address))
        self.advance(1)
        self.assertTrue(later.wasReset)

    def test_remembered(self) -> None:
        """It is known in the next run, and not opened by it."""
        self.swarm.run(self.client.stopService())
        self.client = self.newClient(stateDir=Path(self.mktemp()))
        self.register()
        self.swarm.run(self.client.stopService())
        self.client.startService()
        self.swarm.run(self.client.whenRestored())
        self.assertEqual(self.client.getSwarmCount(), 0)
        presence = self.client.torrentPresence(self.infoHash)
        self.assertEqual(presence, Registered(TorrentLoc(self.metafile.absolute(), self.folder.absolute())))


class TorrentPresenceTests(RegisteredCase):
    """TorrentPresence: what the listener asks after reading an info-hash."""

    def test_unknown(self) -> None:
        """C{Unknown}: nobody here knows it, and the peer is told nothing."""
        self.assertEqual(self.client.torrentPresence(bytes(20)), Unknown())
        self.assertRaises(UnknownTorrent, self.swarm.run, self.client.swarmFor(bytes(20)))

    def test_registered(self) -> None:
        """C{Registered}: where it is."""
        self.register()
        match self.client.torrentPresence(self.infoHash):
            case Registered(loc):
                self.assertEqual(loc, TorrentLoc(self.metafile.absolute(), self.folder.absolute()))
            case other:
                self.fail(f"{other}")

    def test_active(self) -> None:
        """C{Active}: its swarm."""
        self.register()
        swarm = self.swarm.run(self.client.openSwarm(self.infoHash))
        self.assertEqual(self.client.torrentPresence(self.infoHash), Active(swarm))

    def test_registeredWhileActive(self) -> None:
        """To register what is open changes nothing."""
        swarm = self.swarm.run(self.client.addTorrent(self.metainfo, self.folder))
        self.register()
        row = self.client.torrentMap.get(self.infoHash)
        assert row is not None
        self.assertTrue(row.keepOpen)
        self.assertEqual(self.client.torrentPresence(self.infoHash), Active(swarm))


class OnDemandTests(RegisteredCase):
    """A peer asks for a registered torrent."""

    def test_opened(self) -> None:
        """An incoming handshake opens the swarm at that moment, as a seeder with all it may have."""
        self.register()
        peer = self.asked()
        swarm = self.client.swarmSessions[self.infoHash]
        self.assertEqual(swarm.status, SwarmStatus.SEEDING)
        self.assertEqual(len(peer.heardOf(HaveAll)), 1)
        self.assertEqual(swarm.maxPeers, 4)

    def test_openedOnce(self) -> None:
        """Two that ask at once get one swarm."""
        self.register()
        peers = []
        for number in range(3):
            peer = ScriptedPeer(self.infoHash, b"-SC0001-scripted000%d" % number, greets=True)
            peer.dial(self.network.host(), self.address)
            peers.append(peer)
        self.advance(2)
        self.assertTrue(all(peer.handshake for peer in peers))
        self.assertEqual(self.client.getSwarmCount(), 1)
        self.assertEqual(self.client.getPeerCount(), 3)

    def test_verifiedOnDemand(self) -> None:
        """Nothing is hashed before it is asked for; then its piece is, once."""
        self.register()
        peer = self.asked()
        swarm = self.client.swarmSessions[self.infoHash]
        self.assertFalse(swarm.record.verified.any())
        peer.say(HaveNone(), Interested())
        self.advance(1)
        for _ in range(2):
            self.request(peer, 3)
        blocks = peer.heardOf(Piece)
        self.assertEqual(len(blocks), 2)
        begin = 3 * self.pieceLength
        self.assertEqual(bytes(blocks[0].data), self.swarm.content[begin : begin + 16384])
        self.assertEqual(list(swarm.record.verified.search(1)), [3])

    def test_allOfIt(self) -> None:
        """Who asks for all of it gets all of it."""
        self.register()
        leecher = self.swarm.leecher()
        self.swarm.run(leecher.session.connectPeer(*self.address))
        self.swarm.finish()
        self.assertEqual(leecher.content, self.swarm.content)

    def test_corruptNeverSent(self) -> None:
        """A piece that is wrong on disk is never sent but withdrawn (BEP 54, BEP 6); others are served."""
        self.register()
        self.damage(3)
        peer = self.asked()
        peer.say(HaveNone(), Interested(), ExtendedHandshake(extensions={b"lt_donthave": 7}))
        self.advance(1)
        asked = self.request(peer, 3)
        self.assertEqual(peer.heardOf(Piece), [])
        self.assertEqual(peer.heardOf(RejectRequest), [RejectRequest(3, 0, asked.length)])
        told = [each for each in peer.heardOf(Extended) if each.extensionId == 7]
        self.assertEqual([bytes(each.payload) for each in told], [(3).to_bytes(4, "big")])
        self.request(peer, 4)
        self.assertEqual([each.index for each in peer.heardOf(Piece)], [4])
        self.request(peer, 3)
        self.assertEqual([each.index for each in peer.heardOf(Piece)], [4])
        self.assertIsNone(peer.lost)

    def test_corruptFetched(self) -> None:
        """A piece that is wrong on disk is then got from a seed, and served."""
        self.register()
        self.damage(3)
        peer = self.asked()
        peer.say(HaveNone(), Interested())
        self.advance(1)
        self.request(peer, 3)
        swarm = self.client.swarmSessions[self.infoHash]
        self.assertEqual(swarm.status, SwarmStatus.DOWNLOADING)
        self.assertEqual((swarm.progress.left, swarm.maxPeers), (self.pieceLength, 50))
        seeder = self.swarm.seeder()
        self.swarm.run(swarm.connectPeer(*seeder.address))
        self.swarm.run(swarm.whenComplete())
        self.assertEqual(self.file.read_bytes(), self.swarm.content)
        self.assertEqual(swarm.status, SwarmStatus.SEEDING)
        self.assertEqual(swarm.progress.downloaded, self.pieceLength)
        self.request(peer, 3)
        self.assertEqual([each.index for each in peer.heardOf(Piece)], [3])

    def test_partlyThere(self) -> None:
        """What is missing when it is opened is not offered."""
        self.register()
        self.file.write_bytes(self.swarm.content[: 5 * self.pieceLength])
        self.asked()
        swarm = self.client.swarmSessions[self.infoHash]
        self.assertEqual(list(swarm.clientBitfield.search(1)), [0, 1, 2, 3, 4])
        self.assertEqual(swarm.status, SwarmStatus.DOWNLOADING)

    def test_gone(self) -> None:
        """If the metafile went meanwhile, the peer loses its session, and nothing else happens."""
        self.register()
        self.metafile.unlink()
        peer = ScriptedPeer(self.infoHash, greets=True)
        self.swarm.run(peer.dial(self.network.host(), self.address))
        self.advance(1)
        self.assertTrue(peer.wasReset)
        self.assertEqual(self.client.getSwarmCount(), 0)
        self.assertRaises(PeerDisconnected, self.swarm.run, self.client.swarmFor(self.infoHash))
        self.assertRaises(MetainfoError, self.swarm.run, self.client.openSwarm(self.infoHash))

    def test_replaced(self) -> None:
        """A metafile that is another torrent's now is not opened under the old name."""
        self.register()
        self.metafile.write_bytes(makeTorrent(b"another").encode())
        self.assertRaises(MetainfoError, self.swarm.run, self.client.openSwarm(self.infoHash))


class TorrentMapTests(SwarmCase):
    """TorrentMap: rows by info-hash."""

    def setUp(self) -> None:
        """An empty map in memory."""
        super().setUp()
        self.database = StateDatabase(None, ImmediateDisk())
        ResumeStore(self.database)
        self.map = TorrentMap(self.database)
        self.database.openNow()

    def tearDown(self) -> None:
        """Closed."""
        self.successResultOf(self.database.close())
        super().tearDown()

    def row(self, number: int, keepOpen: bool = False) -> TorrentRow:
        """Some torrent."""
        return TorrentRow(number.to_bytes(20, "big"), TorrentLoc(Path(f"/m/{number}"), FOLDER), keepOpen)

    def test_rows(self) -> None:
        """What was put is found, by its info-hash alone."""
        for number in range(1000):
            self.successResultOf(self.map.put(self.row(number)))
        self.assertEqual(len(self.map), 1000)
        self.assertEqual(self.map.get(self.row(7).infoHash), self.row(7))
        self.assertIsNone(self.map.get(bytes([1]) * 20))
        self.assertNotIn("text", self.map)

    def test_replaced(self) -> None:
        """What is put again replaces what was known."""
        self.successResultOf(self.map.put(self.row(1)))
        self.successResultOf(self.map.put(self.row(1, keepOpen=True)))
        self.assertEqual(len(self.map), 1)
        self.assertEqual(self.successResultOf(self.map.keptOpen()), [self.row(1, keepOpen=True)])

    def test_paused(self) -> None:
        """That it is paused is remembered, and that it no longer is."""
        self.successResultOf(self.map.put(self.row(1, keepOpen=True)))
        for paused in (True, False):
            self.successResultOf(self.map.setPaused(self.row(1).infoHash, paused))
            row = self.map.get(self.row(1).infoHash)
            assert row is not None
            self.assertEqual(row.paused, paused)

    def test_removed(self) -> None:
        """What was removed is not known."""
        self.successResultOf(self.map.put(self.row(1)))
        self.successResultOf(self.map.remove(self.row(1).infoHash))
        self.assertNotIn(self.row(1).infoHash, self.map)
