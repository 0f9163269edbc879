"""
Vocabulary: connectedPeers.  No two sessions to the same peer, whichever way they came to be; and a
client never talks to itself.
"""

from __future__ import annotations

from zope.interface import implementer

from tests.sessions.case import SwarmCase
from twisted_bt.errors import PeerDisconnected
from twisted_bt.interfaces import IPeerPolicy, PeerInfo
from twisted_bt.peerwire.extended import ExtendedHandshake
from twisted_bt.peerwire.messages import HaveAll, HaveNone, KeepAlive, Unchoke
from twisted_bt.sessions.meeting import BOTH_DIAL, PATIENCE
from twisted_bt.sessions.policy import StandardPolicy
from twisted_bt.settings import Settings
from twisted_bt.testing.scripted import Listening, ScriptedPeer
from twisted_bt.testing.swarm import Member
from twisted_bt.torrent.addresses import PeerAddr


class TwiceTests(SwarmCase):
    """One peer, one session."""

    def assertOne(self, one: Member, two: Member) -> None:
        """Exactly one session is between the two, and both know it as the same."""
        mine = list(one.session.connectedPeers.values())
        theirs = list(two.session.connectedPeers.values())
        self.assertEqual((len(mine), len(theirs)), (1, 1))
        self.assertTrue(mine[0].established and theirs[0].established)
        self.assertNotEqual(mine[0].incoming, theirs[0].incoming)
        self.assertEqual(len(one.host.streams), 1)
        self.assertEqual(len(two.host.streams), 1)

    def test_bothDial(self) -> None:
        """Both sides dial at once: exactly one session remains, the same on both sides."""
        for delay in (0.0, 0.005, 0.02, 0.03, 0.05, 1.0):
            one, two = self.swarm.leecher(), self.swarm.leecher()
            one.meet(two)
            self.advance(delay)
            two.meet(one)
            self.advance(3)
            self.assertOne(one, two)
            self.advance(60)
            self.assertOne(one, two)

    def test_bothDialWhileDownloading(self) -> None:
        """Whichever session goes, the download is complete in the end."""
        seeder, leecher = self.swarm.seeder(), self.swarm.leecher()
        leecher.meet(seeder)
        seeder.connect(leecher).addErrback(lambda reason: reason.trap(PeerDisconnected))
        self.swarm.finish(120)
        self.assertEqual(leecher.content, self.swarm.content)

    def test_twoSources(self) -> None:
        """A peer that two trackers return, or tracker and DHT, is dialled once."""
        one, two = self.swarm.leecher(), self.swarm.leecher()
        for source in ("tracker", "tracker", "dht", "pex"):
            one.session.peersFound([two.address, two.address], source)
            self.advance(0.01)
        self.assertEqual(len(one.session.connectedPeers), 1)
        self.advance(5)
        self.assertOne(one, two)

    def test_alreadyConnected(self) -> None:
        """C{connectPeer} to whom there is a session with gives that session."""
        one, two = self.swarm.leecher(), self.swarm.leecher()
        session = self.swarm.run(one.connect(two))
        self.assertIs(self.swarm.run(one.connect(two)), session)

    def test_samePeerId(self) -> None:
        """One that comes from two addresses is one peer: the older session stays."""
        member = self.swarm.leecher()
        first = self.met(member, HaveNone())
        second = self.met(member, HaveNone())
        self.assertIsNotNone(second.lost)
        self.assertIsNone(first.lost)
        self.assertEqual(len(member.session.connectedPeers), 1)

    def test_comesAgain(self) -> None:
        """Once its session is gone, a peer may come again under its id."""
        member = self.swarm.leecher()
        first = self.met(member, HaveNone())
        first.close()
        self.advance(1)
        second = self.met(member, HaveNone())
        self.assertIsNone(second.lost)
        self.assertIsNotNone(second.handshake)

    def test_muchLater(self) -> None:
        """A second connection long after the first is no case of both sides dialling: the older stays."""
        one, two = self.swarm.leecher(), self.swarm.leecher()
        session = self.swarm.run(one.connect(two))
        self.advance(BOTH_DIAL + 5)
        reason = self.assertRaises(PeerDisconnected, self.swarm.run, two.connect(one))
        self.assertIn("already connected", str(reason))
        self.advance(1)
        self.assertOne(one, two)
        self.assertEqual(list(one.session.connectedPeers.values()), [session])


class OurselvesTests(SwarmCase):
    """A client never talks to itself."""

    def test_selfConnection(self) -> None:
        """Its own address, however it is heard of, leads to no session, and is not dialled again."""
        member = self.swarm.leecher()
        noted = self.observed(member)
        member.meet(member)
        self.advance(5)
        self.assertEqual(member.session.connectedPeers, {})
        self.assertEqual([event for event in noted.events if event[0] == "connected"], [])
        self.assertIn(member.address, member.client.engine.ownAddresses)
        dials: list[object] = []
        self.network.watchers.append(lambda traffic: dials.append(traffic))
        member.meet(member)
        self.advance(600)
        self.assertEqual(dials, [])

    def test_asked(self) -> None:
        """Told to connect to itself it says what is wrong, the second time without trying."""
        member = self.swarm.leecher()
        for word in ("ourselves", "ourselves"):
            reason = self.assertRaises(PeerDisconnected, self.swarm.run, member.connect(member))
            self.assertIn(word, str(reason))

    def test_ownIdFromOutside(self) -> None:
        """Who greets with our own id is taken for ourselves."""
        member = self.swarm.leecher()
        peer = self.met(member, HaveNone(), peerId=member.client.clientPeerId)
        self.assertIsNotNone(peer.lost)
        self.assertEqual(member.session.connectedPeers, {})


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


@implementer(IPeerPolicy)
class Picky(StandardPolicy):
    """Accepts no one whose software is called Bad, nor dials port 6666."""

    asked: list[PeerInfo]

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.asked = []

    def accepts(self, peer: PeerInfo) -> bool:
        """See above."""
        self.asked.append(peer)
        return not peer.client.startswith("Bad") and peer.addr.port != 6666


class PolicyTests(SwarmCase):
    """C{IPeerPolicy}, brought by the application."""

    def test_asked(self) -> None:
        """It is asked before dialling and after each handshake, knowing more each time."""
        member = self.swarm.leecher(peerPolicy=Picky)
        peer = self.met(member, HaveNone())
        peer.say(ExtendedHandshake(client="Good 1.0"))
        self.advance(1)
        asked = member.session.peerPolicy.asked  # type: ignore[attr-defined]
        self.assertEqual([each.peerId for each in asked], [None, peer.peerId, peer.peerId])
        self.assertEqual([each.client for each in asked][-1], "Good 1.0")
        self.assertIsNone(peer.lost)

    def test_refusedBySoftware(self) -> None:
        """Who turns out to be unwanted loses its session."""
        member = self.swarm.leecher(peerPolicy=Picky)
        peer = self.met(member, HaveNone())
        peer.say(ExtendedHandshake(client="Bad 1.0"))
        self.advance(1)
        self.assertTrue(peer.wasReset)

    def test_refusedByAddress(self) -> None:
        """Who is unwanted from the start is not dialled."""
        member = self.swarm.leecher(peerPolicy=Picky)
        dials: list[object] = []
        self.network.watchers.append(dials.append)
        member.session.peersFound([PeerAddr("10.0.0.77", 6666)], "tracker")
        self.advance(10)
        self.assertEqual(dials, [])

    def test_allRefused(self) -> None:
        """Thousands of unwanted addresses are gone through at once, and cost nothing but that."""
        member = self.swarm.leecher(peerPolicy=Picky)
        found = [PeerAddr(f"10.{number >> 8}.{number & 255}.7", 6666) for number in range(3000)]
        member.session.peersFound(found, "tracker")
        self.advance(5)
        self.assertEqual(len(member.session.peerPolicy.asked), 3000)  # type: ignore[attr-defined]
        self.assertEqual(member.client.engine.clientSlots.taken, 0)

    def test_roomMade(self) -> None:
        """When there is no slot, who is of no use to either side makes room for who knocks."""
        member = self.swarm.member(range(self.pieceCount), Settings(maxPeersPerTorrent=1))
        idle = self.met(member, HaveNone())
        self.advance(70)
        fresh = self.met(member, HaveNone(), peerId=b"-SC0001-scripted0002")
        self.assertTrue(idle.wasReset)
        self.assertIsNotNone(fresh.handshake)

    def test_noRoom(self) -> None:
        """Who is useful does not make room."""
        member = self.swarm.leecher(Settings(maxPeersPerTorrent=1))
        useful = self.met(member, HaveAll(), Unchoke())
        self.advance(40)
        fresh = self.met(member, HaveNone(), peerId=b"-SC0001-scripted0002")
        self.assertIsNone(useful.lost)
        self.assertIsNone(fresh.handshake)


class TurnoverTests(SwarmCase):
    """Slots that are all taken by peers of no use."""

    def full(self) -> tuple[Member, list[ScriptedPeer]]:
        """A leecher whose two slots are taken by peers that promise everything and give nothing."""
        member = self.swarm.leecher(Settings(maxPeersPerTorrent=2))
        ids = (b"-SC0001-scripted0001", b"-SC0001-scripted0002")
        return member, [self.met(member, HaveAll(), Unchoke(), peerId=each) for each in ids]

    def test_newOnes(self) -> None:
        """They make room, one after the other, for peers that were never met."""
        member, liars = self.full()
        seeder = self.swarm.seeder()
        member.meet(seeder)
        self.advance(10)
        self.assertNotIn(seeder.address, member.session.connectedPeers)
        self.swarm.run(member.session.whenComplete(), 80)
        self.assertEqual(sum(each.lost is not None for each in liars), 1)

    def test_nobodyNew(self) -> None:
        """They stay where nobody else is known, or only those who were of no use before."""
        member, liars = self.full()

        def stayThrough(minutes: int) -> None:
            for _ in range(minutes):
                self.advance(60)
                for each in liars:
                    self.assertIsNone(each.lost)
                    each.say(KeepAlive())

        stayThrough(4)
        other = ScriptedPeer(self.infoHash, b"-SC0001-scripted0003", greets=True)
        known = member.session.meeting.known
        addr = other.listen(self.network.host())
        known.add([addr], "tracker", self.network.now)
        known.disappointed(addr, self.network.now)
        stayThrough(3)

    def test_beforeThoseWhoKnock(self) -> None:
        """The slot is for who was chosen, although others wait for one."""
        member, _ = self.full()
        seeder = self.swarm.seeder()
        knocking = True

        def knock() -> None:
            if knocking:
                peer = ScriptedPeer(self.infoHash, self.network.random.randbytes(20), greets=True)
                peer.dial(self.network.host(), member.address).addErrback(lambda _: None)
                self.network.clock.callLater(1.0, knock)

        knock()
        member.meet(seeder)
        self.swarm.run(member.session.whenComplete(), 100)
        knocking = False

    def test_fewHostsKnock(self) -> None:
        """A seeder whose slots a few hosts take again and again, wanting nothing, serves others too."""
        seeder = self.swarm.seeder()
        hosts = [self.network.host() for _ in range(6)]
        knocking = True

        def knock() -> None:
            if knocking:
                for host in hosts:
                    peer = ScriptedPeer(self.infoHash, self.network.random.randbytes(20), greets=True)
                    peer.dial(host, seeder.address).addErrback(lambda _: None)
                self.network.clock.callLater(0.5, knock)

        knock()
        self.advance(5)
        leecher = self.swarm.leecher()
        leecher.meet(seeder)
        self.swarm.run(leecher.session.whenComplete(), 150)
        knocking = False

    def test_hearsay(self) -> None:
        """Who is told of by a peer, and not there, does not keep us from those a tracker names."""
        member = self.swarm.leecher()
        dead = [PeerAddr(f"10.200.0.{number}", 6881) for number in range(1, 120)]
        member.session.peersFound(dead, "pex")
        self.advance(1)
        seeder = self.swarm.seeder()
        member.meet(seeder)
        self.swarm.run(member.session.whenComplete(), 5)

    def test_dead(self) -> None:
        """Nor do those of a tracker, if they are not there, keep us from whom the user names."""
        member = self.swarm.leecher()
        dead = [PeerAddr(f"10.200.0.{number}", 6881) for number in range(1, 120)]
        member.session.peersFound(dead, "tracker")
        self.advance(1)
        seeder = self.swarm.seeder()
        member.session.peersFound([seeder.address], "user")
        self.swarm.run(member.session.whenComplete(), 5)
