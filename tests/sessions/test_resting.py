"""
What a swarm keeps in memory while nobody is there: not the info dictionary, which its file has too.
"""

from __future__ import annotations

from pathlib import Path

from tests.sessions.case import Noted, SwarmCase
from tests.sessions.test_registered import RegisteredCase
from twisted_bt.peerwire.extended import ExtendedHandshake
from twisted_bt.peerwire.messages import Extended, Interested, Piece
from twisted_bt.peerwire.metadata import MetadataKind, MetadataMessage
from twisted_bt.sessions.client import ClientSession
from twisted_bt.sessions.life import SwarmStatus
from twisted_bt.sessions.metafiles import RereadInfo, infoIsHere
from twisted_bt.sessions.swarm import SwarmSession
from twisted_bt.settings import Settings
from twisted_bt.storage.fileio import FileCalls
from twisted_bt.testing.scripted import ScriptedPeer
from twisted_bt.testing.swarm import FOLDER
from twisted_bt.torrent.metainfo import Metainfo

#: Our number for C{ut_metadata}.
METADATA = 3


class RestingTests(RegisteredCase):
    """The info dictionary of a swarm whose torrent file is on disk."""

    def opened(self) -> SwarmSession:
        """The swarm, open, and nobody there."""
        swarm = self.swarm.run(self.client.openSwarm(self.register()))
        self.advance(2)
        return swarm

    def metadata(self, peer: ScriptedPeer) -> list[MetadataMessage]:
        """What C{peer} got when it asked for the first piece of the metadata."""
        swarm = self.client.swarmSessions[self.infoHash]
        peer.say(ExtendedHandshake(extensions={MetadataMessage.name: METADATA}).message())
        number = swarm.tongues.local.ids[MetadataMessage.name]
        peer.say(Extended(number, MetadataMessage(MetadataKind.REQUEST, 0).encode()))
        self.advance(1)
        answers = [
            MetadataMessage.decode(bytes(each.payload)) for each in peer.heardOf(Extended) if each.extensionId
        ]
        return [each for each in answers if each is not None]

    def test_forgotten(self) -> None:
        """It is not in memory while nobody is there; whoever asks gets it as it was."""
        swarm = self.opened()
        self.assertEqual(swarm.status, SwarmStatus.SEEDING)
        self.assertFalse(infoIsHere(swarm.metainfo))
        self.assertEqual(swarm.metainfo, self.metainfo)
        self.assertEqual(swarm.metainfo.infoLength, len(self.metainfo.infoBytes))
        self.assertFalse(infoIsHere(swarm.metainfo))
        self.assertEqual(swarm.metainfo.infoBytes, self.metainfo.infoBytes)
        self.assertEqual(swarm.metainfo.pieceHashes, self.metainfo.pieceHashes)
        self.assertEqual(swarm.metainfo.encode(), self.metainfo.encode())

    def test_untilTheyLeave(self) -> None:
        """Read again for a peer, it stays until nobody is there any more."""
        swarm = self.opened()
        peer = self.asked()
        peer.say(Interested())
        self.advance(12)
        self.request(peer, 3)
        self.assertEqual([each.index for each in peer.heardOf(Piece)], [3])
        self.assertTrue(infoIsHere(swarm.metainfo))
        peer.close()
        self.advance(120)
        self.assertFalse(infoIsHere(swarm.metainfo))

    def test_metadata(self) -> None:
        """A peer that came by a magnet link gets metadata that was not in memory."""
        self.opened()
        peer = self.asked()
        (answer,) = self.metadata(peer)
        self.assertEqual((answer.kind, answer.data), (MetadataKind.DATA, self.metainfo.infoBytes))

    def test_metadataGone(self) -> None:
        """If the file is gone, the peer hears that there is none, and the swarm goes on."""
        swarm = self.opened()
        peer = self.asked()
        self.metafile.unlink()
        (answer,) = self.metadata(peer)
        self.assertEqual(answer.kind, MetadataKind.REJECT)
        self.assertEqual(swarm.status, SwarmStatus.SEEDING)

    def test_gone(self) -> None:
        """If the file is gone when a piece has to be hashed, the swarm stops and says why."""
        swarm = self.opened()
        peer = self.asked()
        peer.say(Interested())
        self.advance(12)
        self.metafile.unlink()
        self.request(peer, 3)
        self.assertEqual(swarm.status, SwarmStatus.FAILED)
        self.assertIn(str(self.metafile), swarm.reason)
        self.assertEqual(peer.heardOf(Piece), [])

    def test_another(self) -> None:
        """If the file is another torrent's by then, the same."""
        swarm = self.opened()
        other = Metainfo.fromInfo(self.metainfo.infoBytes.replace(b"7:content", b"7:another"))
        self.metafile.write_bytes(other.encode())
        info = swarm.metainfo.info
        assert isinstance(info, RereadInfo)
        peer = self.asked()
        peer.say(Interested())
        self.advance(12)
        self.request(peer, 3)
        self.assertEqual(swarm.status, SwarmStatus.FAILED)
        self.assertIn("another torrent", swarm.reason)

    def test_queued(self) -> None:
        """While it waits for its turn, it is not in memory either."""
        self.swarm.run(self.client.stopService())
        state = Path(self.mktemp())
        self.client = ClientSession(
            self.host,
            Settings(stateDir=state, maxActive=1),
            self.host.plugins(files=FileCalls()),
            self.host.random,
        )
        self.client.startService()
        torrents = [
            Metainfo.fromInfo(self.metainfo.infoBytes.replace(b"7:content", b"7:conten%d" % number))
            for number in range(2)
        ]
        swarms = [self.swarm.run(self.client.addTorrent(each, self.folder)) for each in torrents]
        self.advance(2)
        self.assertEqual([each.status for each in swarms], [SwarmStatus.DOWNLOADING, SwarmStatus.QUEUED])
        self.assertFalse(infoIsHere(swarms[1].metainfo))
        self.assertEqual(swarms[1].metainfo.infoBytes, torrents[1].infoBytes)

    def test_adopted(self) -> None:
        """A torrent that is added while it is open needs the file it was registered with no more."""
        swarm = self.opened()
        self.swarm.run(self.client.addTorrent(self.metafile, self.folder))
        self.metafile.unlink()
        self.advance(2)
        self.assertEqual(swarm.metainfo.infoBytes, self.metainfo.infoBytes)
        self.swarm.run(swarm.verify())
        self.assertEqual(swarm.status, SwarmStatus.SEEDING)


class StoppingTests(SwarmCase):
    """Stopping a client that has more torrents than may be active."""

    def test_queued(self) -> None:
        """Those that wait for their turn do not get it while the others stop."""
        noted = Noted()
        host = self.network.host()
        client = ClientSession(host, Settings(maxActive=1), host.plugins(), host.random)
        client.startService()
        client.observe(noted)
        for number in range(3):
            info = self.metainfo.infoBytes.replace(b"7:content", b"7:conten%d" % number)
            self.swarm.run(client.addTorrent(Metainfo.fromInfo(info), FOLDER))
        self.advance(2)
        noted.statuses.clear()
        self.swarm.run(client.stopService())
        self.assertEqual(noted.statuses, ["stopped"] * 3)
