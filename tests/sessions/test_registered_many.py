"""
Many registered torrents: registered in batches, opened by who knocks, closed when idle.
"""

from __future__ import annotations

from tests.sessions.manycase import INTERVAL, PIECE, ManyCase
from twisted_bt.peerwire.extended import ExtendedHandshake
from twisted_bt.peerwire.messages import HaveNone, Interested, Piece, Request
from twisted_bt.sessions.registering import BATCH
from twisted_bt.sessions.torrentmap import TorrentLoc
from twisted_bt.tracker.announce import Event


class RegisterManyTests(ManyCase):
    """registerTorrents."""

    def test_all(self) -> None:
        """All are known, in several batches, and no swarm is open."""
        progress: list[int] = []
        count = 2 * BATCH + 3
        outcome = self.network.runUntil(
            self.client.registerTorrents(self.torrents(count), lambda done: progress.append(done.count))
        )
        self.assertEqual((outcome.count, outcome.refused), (count, []))
        self.assertEqual(progress, [BATCH, 2 * BATCH, count])
        self.assertEqual((len(self.client.torrentMap), self.client.getSwarmCount()), (count, 0))

    def test_refused(self) -> None:
        """What cannot be registered is told with its reason, and keeps no other from it."""
        bad = TorrentLoc(self.folder / "content", self.folder)
        elsewhere = TorrentLoc(self.torrent(1).metafilePath, self.folder / "nowhere")
        outcome = self.register(self.torrent(0), bad, elsewhere, self.torrent(2))
        self.assertEqual((outcome.count, len(self.client.torrentMap)), (2, 2))
        reasons = dict(outcome.refused)
        self.assertIn("not a torrent", reasons[TorrentLoc(bad[0].absolute(), bad[1].absolute())])
        self.assertEqual(len(reasons), 2)

    def test_again(self) -> None:
        """Registering again changes nothing but where it is, and does not make it due again."""
        self.register(self.torrent(0))
        self.network.advance(10)
        self.register(self.torrent(0))
        self.network.advance(10)
        self.assertEqual(len(self.store.heard), 1)
        self.assertEqual(len(self.client.torrentMap), 1)

    def test_added(self) -> None:
        """What was added stays added, and announces itself."""
        swarm = self.network.runUntil(self.client.addTorrent(self.torrent(0).metafilePath, self.folder))
        self.register(self.torrent(0))
        self.network.runUntil(self.client.removeTorrent(swarm.infoHash))
        self.assertEqual(len(self.client.torrentMap), 0)


class IdleTests(ManyCase):
    """A swarm that was opened by a knock."""

    def setUp(self) -> None:
        """One torrent is registered and announced."""
        super().setUp()
        self.network.runUntil(self.client.stopService())
        self.client = self.newClient(idleTimeout=30)
        self.register(self.torrent(0))
        self.network.advance(5)
        self.infoHash = self.hashes()[0]
        self.timeout = self.client.settings.idleTimeout

    def test_closes(self) -> None:
        """It closes when nobody was there for a while, and opens again for the next."""
        for _ in range(2):
            peer = self.knock(self.infoHash)
            self.network.advance(self.timeout + 10)
            self.assertEqual(self.client.getSwarmCount(), 1)
            peer.close()
            self.network.advance(self.timeout - 5)
            self.assertEqual(self.client.getSwarmCount(), 1)
            self.network.advance(10)
            self.assertEqual((self.client.getSwarmCount(), self.client.activeSessions), (0, 0))

    def test_quiet(self) -> None:
        """Opening and closing are nothing that its tracker should hear of."""
        self.store.heard.clear()
        self.knock(self.infoHash).close()
        self.network.advance(self.timeout + 10)
        self.assertEqual(self.store.heard, [])

    def test_uploadedIsKept(self) -> None:
        """What was sent is told to the tracker, after the swarm was closed too."""
        peer = self.knock(self.infoHash)
        peer.say(HaveNone(), Interested(), ExtendedHandshake())
        self.network.advance(1)
        peer.say(Request(0, 0, PIECE))
        self.network.runUntil(peer.whenHeard(Piece))
        peer.close()
        self.network.advance(self.timeout + 10)
        self.assertEqual(self.client.getSwarmCount(), 0)
        self.network.advance(INTERVAL)
        self.assertEqual(self.store.heard[-1][1].uploaded, PIECE)

    def test_held(self) -> None:
        """What an application opened stays open until it lets go."""
        self.network.runUntil(self.client.openSwarm(self.infoHash))
        self.knock(self.infoHash).close()
        self.network.advance(3 * self.timeout)
        self.assertEqual(self.client.getSwarmCount(), 1)
        self.client.releaseSwarm(self.infoHash)
        self.network.advance(self.timeout + 10)
        self.assertEqual(self.client.getSwarmCount(), 0)

    def test_added(self) -> None:
        """What is added while it is open stays open, in the next run too, and announces itself."""
        self.knock(self.infoHash).close()
        self.store.heard.clear()
        self.network.runUntil(self.client.addTorrent(self.folder / "0.torrent", self.folder))
        self.network.advance(3 * self.timeout)
        self.assertEqual([request.event for _, request in self.store.heard], [Event.STARTED])
        self.restart()
        self.assertEqual(self.client.getSwarmCount(), 1)

    def test_room(self) -> None:
        """Where all slots of open swarms are taken, the longest idle one makes room for a knock."""
        self.network.runUntil(self.client.stopService())
        self.client = self.newClient(maxActive=2)
        self.register(*self.torrents(3))
        self.network.advance(5)
        hashes = sorted(set(self.hashes()))
        for each in hashes:
            self.knock(each).close()
            self.network.advance(1)
        self.assertEqual(sorted(self.client.swarmSessions), hashes[1:])

    def test_damaged(self) -> None:
        """One that lacks something looks for peers by itself, and is announced again when it closed."""
        (self.folder / "content").write_bytes(bytes([1]) * PIECE)
        peer = self.knock(self.infoHash)
        self.store.heard.clear()
        peer.say(HaveNone(), Interested(), ExtendedHandshake())
        self.network.advance(1)
        peer.say(Request(0, 0, PIECE))
        self.network.advance(5)
        self.assertEqual([(each.event, each.left) for _, each in self.store.heard], [(Event.STARTED, PIECE)])
        peer.close()
        self.store.heard.clear()
        self.network.advance(self.timeout + 10)
        events = [(each.event, each.left) for _, each in self.store.heard]
        self.assertEqual(events, [(Event.STOPPED, PIECE), (Event.NONE, PIECE)])

    def test_paused(self) -> None:
        """While it is paused it is announced no more than that it stops; afterwards it is."""
        swarm = self.network.runUntil(self.client.openSwarm(self.infoHash))
        self.network.runUntil(swarm.whenChecked())
        self.store.heard.clear()
        self.network.runUntil(swarm.pause())
        self.network.advance(3 * INTERVAL)
        self.assertEqual([request.event for _, request in self.store.heard], [Event.STOPPED])
        swarm.resume()
        self.network.advance(5)
        self.assertEqual(len(self.store.heard), 2)
