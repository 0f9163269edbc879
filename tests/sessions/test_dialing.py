"""
Who is dialled, when, and how often.
"""

from __future__ import annotations

from tests.sessions.case import SwarmCase
from twisted_bt.errors import PeerDisconnected
from twisted_bt.peerwire.extended import ExtendedHandshake
from twisted_bt.peerwire.messages import HaveAll, HaveNone
from twisted_bt.sessions.meeting import PATIENCE
from twisted_bt.settings import Settings
from twisted_bt.testing.scripted import Listening, ScriptedPeer
from twisted_bt.torrent.addresses import PeerAddr


class DiallingTests(SwarmCase):
    """Whom a swarm dials."""

    def server(self, **more: object) -> tuple[Listening, PeerAddr]:
        """Somewhere that accepts scripted peers."""
        host = self.network.host()
        listening = Listening(lambda: ScriptedPeer(self.infoHash, **more))  # type: ignore[arg-type]
        host.listenTCP(6881, listening)
        return listening, PeerAddr(host.address, 6881)

    def test_seedersWait(self) -> None:
        """A complete torrent waits for who wants something to come; only then does it dial."""
        seeder = self.swarm.seeder()
        listening, addr = self.server(greets=True)
        seeder.session.peersFound([addr], "tracker")
        self.advance(PATIENCE - 5)
        self.assertEqual(listening.accepted, [])
        self.advance(10)
        self.assertEqual(len(listening.accepted), 1)

    def test_mutedSeeder(self) -> None:
        """A seeder whom nobody reaches, behind a NAT, gives to those whom it reaches."""
        nat = self.network.nat()
        seeder, leecher = self.swarm.seeder(host=nat.host()), self.swarm.leecher()
        leecher.session.peersFound([PeerAddr(nat.address, seeder.address.port)], "tracker")
        seeder.meet(leecher)
        self.swarm.run(leecher.session.whenComplete(), 2 * PATIENCE)

    def test_seedersApart(self) -> None:
        """Two seeders find out about each other once."""
        seeder = self.swarm.seeder()
        listening, addr = self.server(greets=True)
        seeder.session.peersFound([addr], "tracker")
        self.advance(PATIENCE + 5)
        listening.accepted[0].say(HaveAll())
        self.advance(3600)
        self.assertEqual(len(listening.accepted), 1)
        self.assertEqual(seeder.session.connectedPeers, {})

    def test_seedersSlots(self) -> None:
        """A seeder dials as many as it has slots for, and leaves half of all attempts to leechers."""
        seeder = self.swarm.seeder(Settings(maxDialing=4, uploadSlots=3))
        dead = [PeerAddr(f"10.8.0.{number}", 6881) for number in range(1, 9)]
        seeder.session.peersFound(dead, "tracker")
        self.advance(PATIENCE + 5)
        self.assertEqual(seeder.client.engine.dialSlots.taken, 2)

    def test_bannedComesBack(self) -> None:
        """Who was banned after we dialled it is sent away when it dials us, from whatever port."""
        seeder, leecher = self.swarm.seeder(), self.swarm.leecher()
        leecher.session.meeting.ban(seeder.address, "it lied")
        seeder.meet(leecher)
        self.advance(PATIENCE * 5)
        self.assertEqual((leecher.stored.pieces, leecher.session.connectedPeers), ({}, {}))

    def test_retries(self) -> None:
        """One that failed is tried again later, and after three failures no more."""
        member = self.swarm.leecher()
        listening, addr = self.server()
        member.session.peersFound([addr], "tracker")
        self.advance(1)
        self.assertEqual(len(listening.accepted), 1)
        self.advance(40)
        self.assertEqual(len(listening.accepted), 1)
        self.advance(60)
        self.assertEqual(len(listening.accepted), 2)
        self.advance(3600)
        self.assertEqual(len(listening.accepted), 3)
        self.assertEqual(len(member.session.meeting.known), 0)

    def test_noMoreThanSlots(self) -> None:
        """As many are dialled as there are slots."""
        member = self.swarm.leecher(Settings(maxPeersPerTorrent=2))
        places = [self.server(greets=True, peerId=b"-SC0001-scripted000%d" % number) for number in range(4)]
        member.session.peersFound([addr for _, addr in places], "tracker")
        self.advance(5)
        used = [listening for listening, _ in places if listening.accepted]
        self.assertEqual(len(used), 2)
        self.assertEqual(member.session.vacantPeers, 0)
        used[0].accepted[0].close()
        self.advance(5)
        self.assertEqual(sum(bool(listening.accepted) for listening, _ in places), 3)

    def test_listenAddress(self) -> None:
        """One that dialled us and told its port is known there, and dialled when it has gone."""
        member = self.swarm.leecher()
        host = self.network.host()
        listening = Listening(lambda: ScriptedPeer(self.infoHash))
        host.listenTCP(7777, listening)
        peer = ScriptedPeer(self.infoHash)
        self.swarm.run(peer.dial(host, member.address))
        peer.greet()
        peer.say(HaveNone(), ExtendedHandshake(port=7777))
        self.advance(1)
        addr = PeerAddr(host.address, 7777)
        self.assertIn(addr, member.session.meeting.known)
        self.assertEqual(self.sessionOf(member, peer).listenAddr, addr)
        self.advance(100)
        self.assertEqual(listening.accepted, [])
        peer.close()
        self.advance(100)
        self.assertEqual(len(listening.accepted), 1)

    def test_heardOfWhileItIsHere(self) -> None:
        """One that dialled us from where it listens, and is heard of meanwhile, is dialled once it left."""
        member = self.swarm.leecher()
        listening, addr = self.server()
        host = self.network.hostAt(addr.host)
        assert host is not None
        peer = ScriptedPeer(self.infoHash, greets=True)
        self.swarm.run(peer.dial(host, member.address, port=addr.port))
        self.advance(1)
        self.assertIn(addr, member.session.connectedPeers)
        member.session.peersFound([addr], "tracker")
        self.advance(100)
        self.assertEqual(listening.accepted, [])
        peer.close()
        self.advance(200)
        self.assertGreater(len(listening.accepted), 0)

    def test_connectPeerTwice(self) -> None:
        """To ask for a peer that is being dialled already is to wait for the same session."""
        one, two = self.swarm.leecher(), self.swarm.leecher()
        first, second = one.connect(two), one.connect(two)
        self.assertIs(self.swarm.run(first), self.swarm.run(second))
        third = self.swarm.leecher()
        third.meet(two)
        session = self.swarm.run(third.connect(two))
        self.assertEqual(list(third.session.connectedPeers.values()), [session])

    def test_connectPeerByName(self) -> None:
        """C{connectPeer} takes a name as well; a name that nobody has and no port are said to be so."""
        one, two = self.swarm.leecher(), self.swarm.leecher()
        self.network.name("friend.test", two.host.address)
        session = self.swarm.run(one.session.connectPeer("friend.test", two.address.port))
        self.assertEqual(session.connectedPeerAddr, two.address)
        for host, port, word in (("nobody.test", 1, "no such host"), ("friend.test", 0, "port")):
            reason = self.assertRaises(PeerDisconnected, self.swarm.run, one.session.connectPeer(host, port))
            self.assertIn(word, str(reason))

    def test_slowNames(self) -> None:
        """A name that nobody answers for fails in the time that a connection has."""

        class Silent:
            def resolveHostName(self, receiver: object, *rest: object, **more: object) -> None:
                pass

        member = self.swarm.leecher(Settings(connectTimeout=3.0))
        member.host.installNameResolver(Silent())  # type: ignore[arg-type]
        reason = self.assertRaises(
            PeerDisconnected, self.swarm.run, member.session.connectPeer("slow.test", 1)
        )
        self.assertIn("cannot look up slow.test", str(reason))
        self.assertLess(self.network.now, 4)

    def test_twoSeeds(self) -> None:
        """Two seeds part; one of them may have been a leecher until now."""
        seeder, leecher = self.swarm.seeder(), self.swarm.leecher()
        noted = self.observed(leecher)
        self.swarm.run(leecher.connect(seeder))
        self.swarm.finish()
        self.advance(1)
        self.assertEqual((leecher.session.connectedPeers, seeder.session.connectedPeers), ({}, {}))
        self.assertEqual(len(noted.ended), 1)
