"""
Who may stay: a policy of the user's own, and places that are given to others.
"""

from __future__ import annotations

from zope.interface import implementer

from tests.sessions.case import SwarmCase
from twisted_bt.interfaces import IPeerPolicy, PeerInfo
from twisted_bt.peerwire.extended import ExtendedHandshake
from twisted_bt.peerwire.messages import HaveAll, HaveNone, KeepAlive, Unchoke
from twisted_bt.sessions.policy import StandardPolicy
from twisted_bt.settings import Settings
from twisted_bt.testing.scripted import ScriptedPeer
from twisted_bt.testing.swarm import Member
from twisted_bt.torrent.addresses import PeerAddr


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
