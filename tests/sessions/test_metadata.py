"""
Torrents of which a magnet link is all that is known (BEP 9): the metadata comes from peers, the swarm takes
over, and a restart needs none of it again.
"""

from __future__ import annotations

from collections import Counter
from hashlib import sha1
from pathlib import Path

from twisted.internet.defer import Deferred

from tests.sessions.case import SwarmCase
from tests.sessions.magnets import Fetcher, MagnetCase
from twisted_bt.errors import MagnetError, SessionStopped
from twisted_bt.peerwire.extended import ExtendedHandshake
from twisted_bt.peerwire.messages import Extended
from twisted_bt.peerwire.metadata import METADATA_PIECE_LENGTH, MetadataKind, MetadataMessage
from twisted_bt.sessions.life import SwarmStatus
from twisted_bt.sessions.metadatasession import FetchStatus
from twisted_bt.sessions.swarm import SwarmSession
from twisted_bt.sessions.torrentmap import Unknown
from twisted_bt.settings import Settings
from twisted_bt.testing.scripted import ScriptedPeer
from twisted_bt.testing.swarm import FOLDER
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.magnet import Magnet


class FetchingTests(MagnetCase):
    """From a link to the content."""

    def test_fetched(self) -> None:
        """A peer that the link names gives metadata, then content; the swarm has the torrent as it is."""
        seeder = self.swarm.seeder()
        fetcher = self.fetcher()
        link = self.link(seeder.address, trackers=("http://10.9.9.9/announce",), name="shown")
        adding = fetcher.client.addTorrent(link, FOLDER)
        self.advance(0.01)
        fetching = self.fetching(fetcher)
        self.assertEqual((fetching.status, fetching.name), (FetchStatus.FETCHING, "shown"))
        swarm = self.swarm.run(adding)
        self.assertEqual(swarm.metainfo.infoBytes, self.metainfo.infoBytes)
        self.assertEqual(swarm.metainfo.trackers, (("http://10.9.9.9/announce",),))
        self.assertEqual(fetcher.client.metadataSessions, {})
        self.assertEqual(fetcher.told[0], (0, 0))
        self.assertIn((2 * METADATA_PIECE_LENGTH, len(self.metainfo.infoBytes)), fetcher.told)
        self.assertComplete(fetcher)

    def test_eachOnce(self) -> None:
        """From three peers at once, each piece is asked for once, and not all of one."""
        tellers = [self.teller(peerId=b"-SC0001-teller%06d" % number) for number in range(3)]
        fetcher = self.fetcher()
        _, outcome = self.added(fetcher, *(each.listen(self.network.host()) for each in tellers))
        self.advance(5)
        self.assertIsInstance(outcome[0], SwarmSession)
        asked = Counter(piece for teller in tellers for piece in teller.asked)
        self.assertEqual(asked, {0: 1, 1: 1, 2: 1})

    def test_incoming(self) -> None:
        """A peer that dials us gives metadata as well."""
        seeder, fetcher = self.swarm.seeder(), self.fetcher()
        _, outcome = self.added(fetcher)
        self.swarm.run(seeder.session.connectPeer(*fetcher.address))
        self.advance(1)
        self.assertIsInstance(outcome[0], SwarmSession)
        self.assertComplete(fetcher)

    def test_fetchersMeet(self) -> None:
        """Two who have nothing stay connected, and once one has the metadata the other gets it from it."""
        one, other = self.fetcher(), self.fetcher()
        self.added(one, other.address)
        self.added(other)
        self.advance(5)
        self.assertEqual(len(self.fetching(one).connectedPeers), 1)
        seeder = self.swarm.seeder()
        self.fetching(one).connectPeer(*seeder.address)
        self.advance(200)
        self.assertComplete(one)
        self.assertComplete(other)

    def test_twice(self) -> None:
        """A link that is added twice is fetched once, and both get the swarm."""
        fetcher = self.fetcher()
        _, first = self.added(fetcher)
        _, second = self.added(fetcher)
        self.assertEqual(len(fetcher.client.metadataSessions), 1)
        self.fetching(fetcher).connectPeer(*self.teller().listen(self.network.host()))
        self.advance(2)
        swarm = fetcher.client.swarmSessions[self.infoHash]
        self.assertEqual((first, second), ([swarm], [swarm]))

    def test_torrentFileComes(self) -> None:
        """Who adds the torrent file meanwhile need not wait, nor does who added the link."""
        fetcher = self.fetcher()
        _, outcome = self.added(fetcher)
        swarm = self.swarm.run(fetcher.client.addTorrent(self.metainfo, FOLDER))
        self.advance(1)
        self.assertEqual(outcome, [swarm])
        self.assertEqual(fetcher.client.metadataSessions, {})

    def test_secondVersionOnly(self) -> None:
        """A link that has an info-hash of version 2 only is refused."""
        fetcher = self.fetcher()
        adding = fetcher.client.addTorrent(Magnet(infoHashV2=bytes(32)), FOLDER)
        self.failureResultOf(adding, MagnetError)


class LiarTests(MagnetCase):
    """Peers that give wrong metadata, or none."""

    def test_onlyALiar(self) -> None:
        """If the only peer lies, it is banned; once an honest one appears, everything completes."""
        liar, fetcher = self.teller("wrong"), self.fetcher()
        address = liar.listen(self.network.host())
        _, outcome = self.added(fetcher, address)
        self.advance(200)
        self.assertEqual(outcome, [])
        self.assertIn(address, fetcher.client.engine.bans)
        self.assertTrue(liar.wasReset)
        self.assertEqual(sorted(liar.asked), [0, 1, 2])
        seeder = self.swarm.seeder()
        self.fetching(fetcher).peersFound([seeder.address], "tracker")
        self.advance(2)
        self.assertIsInstance(outcome[0], SwarmSession)
        self.assertComplete(fetcher)

    def test_liarsAmongHonest(self) -> None:
        """Liars that are there from the beginning do not prevent it, and only they are banned."""
        liars = [self.teller("wrong", peerId=b"-SC0001-liar%08d" % number) for number in range(3)]
        addresses = [each.listen(self.network.host()) for each in liars]
        seeder, fetcher = self.swarm.seeder(), self.fetcher()
        _, outcome = self.added(fetcher, *addresses, seeder.address)
        self.advance(200)
        self.assertIsInstance(outcome[0], SwarmSession)
        self.assertNotIn(seeder.address, fetcher.client.engine.bans)
        self.assertTrue(all(each.asked for each in liars))
        self.assertComplete(fetcher)

    def test_silent(self) -> None:
        """A peer that offers and never answers is only late: another is asked."""
        silent, fetcher = self.teller(lambda piece: None), self.fetcher()
        address = silent.listen(self.network.host())
        _, outcome = self.added(fetcher, address)
        self.advance(5)
        self.fetching(fetcher).connectPeer(*self.swarm.seeder().address)
        self.advance(60)
        self.assertIsInstance(outcome[0], SwarmSession)
        self.assertNotIn(address, fetcher.client.engine.bans)

    def test_notMetadata(self) -> None:
        """Bytes that have the info-hash and are no torrent end it, for a reason."""
        garbage = b"d4:name1:xe"
        self.infoHash = sha1(garbage).digest()
        teller = ScriptedPeer(self.infoHash)
        fetcher = self.fetcher()
        _, outcome = self.added(fetcher)

        def answer(message: Extended) -> None:
            if message.extensionId == 7:
                data = MetadataMessage(MetadataKind.DATA, 0, len(garbage), garbage)
                teller.say(Extended(1, data.encode()))

        teller.reactions[Extended] = answer
        self.swarm.run(teller.dial(self.network.host(), fetcher.address))
        teller.greet()
        teller.say(ExtendedHandshake({MetadataMessage.name: 7}, metadataSize=len(garbage)))
        self.advance(2)
        self.assertEqual(len(outcome), 1)
        self.assertIn("MetainfoError", repr(outcome[0]))
        self.assertEqual(fetcher.client.metadataSessions, {})
        self.assertTrue(teller.lost)


class RestartTests(MagnetCase):
    """What the next run knows of it."""

    def setUp(self) -> None:
        """A state folder."""
        super().setUp()
        self.state = Path(self.mktemp())

    def test_fetchedBefore(self) -> None:
        """What was fetched is not fetched again: nobody is there to give it."""
        host = self.network.host()
        fetcher = self.fetcher(host, stateDir=self.state)
        teller = self.teller()
        _, outcome = self.added(fetcher, teller.listen(self.network.host()), selectOnly=(range(1, 2),))
        self.advance(1)
        self.assertIsInstance(outcome[0], SwarmSession)
        self.stop(fetcher)
        asked = list(teller.asked)
        again = self.fetcher(host, stateDir=self.state)
        self.swarm.run(again.client.whenRestored())
        swarm = again.client.swarmSessions[self.infoHash]
        self.assertEqual(swarm.metainfo.infoBytes, self.metainfo.infoBytes)
        self.assertEqual(again.client.metadataSessions, {})
        self.advance(100)
        self.assertEqual(teller.asked, asked)
        self.assertLess(swarm.progress.left, self.size)

    def test_fetchingStill(self) -> None:
        """What was being fetched goes on, from the peers that the link names."""
        host, seeder = self.network.host(), self.swarm.seeder(Settings(listenPort=6881))
        self.swarm.run(seeder.client.stopService())
        fetcher = self.fetcher(host, stateDir=self.state)
        _, outcome = self.added(fetcher, PeerAddr(seeder.host.address, 6881))
        self.advance(3)
        self.assertEqual(outcome, [])
        self.stop(fetcher)
        self.assertIn("SessionStopped", repr(outcome[0]))
        seeder.client.startService()
        seeder.session = self.swarm.run(seeder.client.addTorrent(self.metainfo, FOLDER))
        self.swarm.run(seeder.session.whenChecked())
        again = self.fetcher(host, stateDir=self.state)
        self.swarm.run(again.client.whenRestored())
        self.assertIn(self.infoHash, again.client.metadataSessions)
        self.advance(10)
        self.assertComplete(again)

    def test_addedAgainAtOnce(self) -> None:
        """Who adds the link again before all is restored gets one fetch and not two."""
        host = self.network.host()
        self.added(self.fetcher(host, stateDir=self.state))
        self.stop(self.fetchers[0])
        again = self.fetcher(host, stateDir=self.state)
        link = self.link(self.teller().listen(self.network.host()))
        swarm = self.swarm.run(again.client.addTorrent(link, FOLDER), 10)
        self.advance(10)
        self.assertEqual(again.client.swarmSessions, {self.infoHash: swarm})
        self.assertEqual(again.client.metadataSessions, {})

    def test_removedIsForgotten(self) -> None:
        """What was removed while it was fetched is not there the next time."""
        host = self.network.host()
        fetcher = self.fetcher(host, stateDir=self.state)
        self.added(fetcher)
        self.swarm.run(fetcher.client.removeTorrent(self.infoHash))
        self.stop(fetcher)
        again = self.fetcher(host, stateDir=self.state)
        self.swarm.run(again.client.whenRestored())
        self.assertIsInstance(again.client.torrentPresence(self.infoHash), Unknown)
        self.assertEqual(again.client.metadataSessions, {})


class EndTests(MagnetCase):
    """It is called off while it is under way."""

    def setUp(self) -> None:
        """One who is connected to a peer that has nothing to say."""
        super().setUp()
        self.silent = self.teller(lambda piece: None)
        self.peer = self.fetcher()
        _, self.outcome = self.added(self.peer, self.silent.listen(self.network.host()))
        self.assertEqual(len(self.fetching(self.peer).establishedPeers()), 1)

    def test_removed(self) -> None:
        """C{removeTorrent} ends the session and fails who waits."""
        self.swarm.run(self.peer.client.removeTorrent(self.infoHash))
        self.assertIn("SessionStopped", repr(self.outcome[0]))
        self.assertEqual(self.peer.client.metadataSessions, {})
        self.assertIsInstance(self.peer.client.torrentPresence(self.infoHash), Unknown)
        self.advance(1)
        self.assertTrue(self.silent.lost)
        self.assertEqual(self.peer.client.engine.clientSlots.taken, 0)

    def test_removedJustThen(self) -> None:
        """C{removeTorrent} at the moment the metadata is here: there is no swarm."""
        removing: list[Deferred[None]] = []
        fetched = self.fetching(self.peer).whenFetched()
        fetched.addCallback(lambda _: removing.append(self.peer.client.removeTorrent(self.infoHash)))
        self.fetching(self.peer).connectPeer(*self.swarm.seeder().address)
        self.advance(60)
        self.successResultOf(removing[0])
        self.assertIn("SessionStopped", repr(self.outcome[0]))
        self.assertEqual((self.peer.client.swarmSessions, self.peer.client.metadataSessions), ({}, {}))
        self.assertIsInstance(self.peer.client.torrentPresence(self.infoHash), Unknown)

    def test_stopped(self) -> None:
        """C{stopService} leaves nothing and fails who waits."""
        self.stop(self.peer)
        self.assertIn("SessionStopped", repr(self.outcome[0]))
        self.advance(1)
        self.assertTrue(self.silent.lost)

    def test_stoppedJustThen(self) -> None:
        """So it does at the moment the metadata is here."""
        stopping: list[Deferred[None]] = []
        fetched = self.fetching(self.peer).whenFetched()
        fetched.addCallback(lambda _: stopping.append(self.peer.client.stopService()))
        self.fetching(self.peer).connectPeer(*self.swarm.seeder().address)
        self.advance(60)
        self.successResultOf(stopping[0])
        self.assertIn("SessionStopped", repr(self.outcome[0]))
        self.assertEqual(self.peer.host.leftovers(), [])

    def test_addedAgain(self) -> None:
        """What was removed can be added again."""
        self.swarm.run(self.peer.client.removeTorrent(self.infoHash))
        _, outcome = self.added(self.peer, self.swarm.seeder().address)
        self.advance(2)
        self.assertIsInstance(outcome[0], SwarmSession)

    def test_cancelled(self) -> None:
        """Who no longer waits does not stop it."""
        adding, outcome = self.added(self.peer)
        adding.cancel()
        self.assertIn("CancelledError", repr(outcome[0]))
        self.fetching(self.peer).connectPeer(*self.swarm.seeder().address)
        self.advance(30)
        self.assertIsInstance(self.outcome[0], SwarmSession)


class SelectionTests(MagnetCase):
    """C{so} of a link (BEP 53)."""

    def selected(self, *ranges: range) -> tuple[Fetcher, SwarmSession]:
        """A link that selects files, once all of them is here."""
        fetcher = self.fetcher()
        adding = fetcher.client.addTorrent(self.link(self.swarm.seeder().address, selectOnly=ranges), FOLDER)
        swarm = self.swarm.run(adding)
        self.swarm.run(swarm.whenComplete(), 300)
        self.advance(30)
        return fetcher, swarm

    def test_only(self) -> None:
        """Only pieces of the selected files are got, and then it is complete."""
        fetcher, swarm = self.selected(range(1, 2))
        pieces = self.metainfo.layout.piecesOf(100_000, 100_000)
        self.assertEqual(sorted(fetcher.stored(self.infoHash).pieces), list(pieces))
        self.assertEqual((swarm.status, swarm.progress.left), (SwarmStatus.SEEDING, 0))

    def test_beyond(self) -> None:
        """
        Files that the torrent has not are ignored, however many are named; if it has none of them, all is
        got.
        """
        fetcher, _ = self.selected(*(range(number, 1 << 24) for number in range(2, 500)))
        pieces = self.metainfo.layout.piecesOf(200_000, 100_000)
        self.assertEqual(sorted(fetcher.stored(self.infoHash).pieces), list(pieces))
        other, _ = self.selected(range(3, 4))
        self.assertComplete(other)


class StoppedTests(SwarmCase):
    """Without a running client."""

    def test_notRunning(self) -> None:
        """Nothing is fetched, and a stopped client says so."""
        fetcher = Fetcher(self.network.host(), Settings())
        self.assertEqual(fetcher.client.metadataSessions, {})
        adding = fetcher.client.addTorrent(Magnet(self.infoHash), FOLDER)
        self.assertNoResult(adding)
        fetcher.client.startService()
        self.advance(1)
        self.assertIn(self.infoHash, fetcher.client.metadataSessions)
        self.swarm.run(fetcher.client.stopService())
        self.failureResultOf(adding, SessionStopped)
