"""
Peer exchange in swarms (BEP 11): who hears of whom, and what a peer may not do with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.sessions.case import SwarmCase
from tests.sessions.magnets import MagnetCase
from twisted_bt.discovery.pex import FIRST_DELAY, INTERVAL
from twisted_bt.errors import PeerDisconnected, ProtocolError
from twisted_bt.peerwire.extended import ExtendedHandshake
from twisted_bt.peerwire.messages import Extended, HaveNone
from twisted_bt.peerwire.pex import PexFlags, PexMessage
from twisted_bt.sessions.swarm import SwarmSession
from twisted_bt.settings import Settings
from twisted_bt.testing.scripted import ScriptedPeer
from twisted_bt.testing.swarm import Member
from twisted_bt.torrent.addresses import PeerAddr

#: What a scripted peer calls C{ut_pex}.
ID = 5


class PexCase(SwarmCase):
    """A client in the middle, and peers that only it knows of."""

    def setUp(self) -> None:
        """The one in the middle has nothing, so that nobody parts."""
        super().setUp()
        self.middle = self.swarm.leecher()
        self.noted = self.observed(self.middle)

    def speaking(self, member: Member, port: int | None = None, number: int = 0, **more: Any) -> ScriptedPeer:
        """A scripted peer, connected to C{member}, that speaks C{ut_pex} and says that it listens."""
        peer = self.met(member, HaveNone(), peerId=b"-SC0001-pex%09d" % number, **more)
        peer.say(ExtendedHandshake({PexMessage.name: ID}, port=port))
        self.advance(0.1)
        return peer

    def theirId(self, peer: ScriptedPeer) -> int | None:
        """What the other side calls C{ut_pex}; C{None}: it does not speak it."""
        said = [each for each in peer.heardOf(Extended) if each.extensionId == 0]
        return ExtendedHandshake.decode(said[0].payload).extensions.get(PexMessage.name)

    def tell(self, peer: ScriptedPeer, addresses: Iterable[PeerAddr]) -> None:
        """C{peer} tells of C{addresses}."""
        number = self.theirId(peer)
        assert number is not None
        peer.say(Extended(number, PexMessage(tuple((each, 0) for each in addresses)).encode()))

    def news(self, peer: ScriptedPeer) -> list[PexMessage]:
        """What C{peer} was told, in order."""
        return [
            PexMessage.decode(bytes(each.payload))
            for each in peer.heardOf(Extended)
            if each.extensionId == ID
        ]

    def addrOf(self, peer: ScriptedPeer, port: int) -> PeerAddr:
        """Where C{peer} says that it listens."""
        return PeerAddr(peer.transport.getHost().host, port)


class TellingTests(PexCase):
    """What a peer hears of the others."""

    def test_three(self) -> None:
        """Two of ours that are connected to a third get to know each other, and not before its time."""
        one, other = self.swarm.leecher(), self.swarm.leecher()
        for each in (one, other):
            self.swarm.run(each.connect(self.middle))
        self.advance(FIRST_DELAY - 2)
        self.assertEqual(len(one.session.connectedPeers), 1)
        self.advance(5)
        self.assertEqual(len(one.session.connectedPeers), 2)
        self.assertEqual(len(other.session.connectedPeers), 2)
        known = [each.session.meeting.known.get(whom.address) for each, whom in ((one, other), (other, one))]
        self.assertTrue(any(each is not None and "pex" in each.sources for each in known))

    def test_flags(self) -> None:
        """We tell of a seed that it is one, and of whom we dialled that it can be reached."""
        seeder = self.swarm.seeder()
        hidden = self.speaking(self.middle, 4000, 1)
        peer = self.speaking(self.middle, 4001, 2)
        self.swarm.run(self.middle.connect(seeder))
        self.advance(FIRST_DELAY + 2)
        told = dict(self.news(peer)[0].added)
        self.assertEqual(told[self.addrOf(hidden, 4000)], PexFlags(0))
        self.assertEqual(told[seeder.address], PexFlags.SEED | PexFlags.REACHABLE)
        self.assertNotIn(self.addrOf(peer, 4001), told)

    def test_portUnknown(self) -> None:
        """Nobody is told of a peer that dialled us and does not say where it listens."""
        peer, _ = self.speaking(self.middle, 4001, 1), self.speaking(self.middle, None, 2)
        self.advance(FIRST_DELAY + INTERVAL)
        self.assertEqual(self.news(peer), [])

    def test_dropped(self) -> None:
        """Who left is told of a minute later, and nothing is said twice."""
        peer, leaving = self.speaking(self.middle, 4001, 1), self.speaking(self.middle, 4002, 2)
        self.advance(FIRST_DELAY + 2)
        addr = self.addrOf(leaving, 4002)
        leaving.close()
        self.advance(INTERVAL / 2)
        self.assertEqual(len(self.news(peer)), 1)
        self.advance(INTERVAL)
        first, second = self.news(peer)
        self.assertEqual((first.added, first.dropped), (((addr, PexFlags(0)),), ()))
        self.assertEqual((second.added, second.dropped), ((), (addr,)))
        self.advance(3 * INTERVAL)
        self.assertEqual(len(self.news(peer)), 2)

    def test_bothDialled(self) -> None:
        """Who is connected although a second connection with it ended is told of."""
        others = [self.swarm.leecher() for _ in range(6)]
        for each in others:
            for dialling in (self.middle.connect(each), each.connect(self.middle)):
                dialling.addErrback(lambda reason: reason.trap(PeerDisconnected))
        self.advance(2)
        self.assertEqual(len(self.middle.session.connectedPeers), 6)
        peer = self.speaking(self.middle, 4001)
        self.advance(FIRST_DELAY + 1)
        told = {addr for addr, _ in self.news(peer)[0].added}
        self.assertEqual(told, {each.address for each in others})

    def test_spokenByBoth(self) -> None:
        """Who does not speak it is told nothing."""
        silent = self.met(self.middle, HaveNone(), peerId=b"-SC0001-silent000001")
        self.speaking(self.middle, 4001, 1)
        self.advance(FIRST_DELAY + 2)
        self.assertEqual([each for each in silent.heardOf(Extended) if each.extensionId], [])

    def test_off(self) -> None:
        """With C{pex=False} it is not offered."""
        member = self.swarm.leecher(Settings(pex=False))
        peer = self.speaking(member, 4001)
        self.assertIsNone(self.theirId(peer))
        self.assertIsNotNone(self.theirId(self.speaking(self.middle, 4001)))


class HearingTests(PexCase):
    """What is made of what a peer tells."""

    def test_dialled(self) -> None:
        """Whom it tells of is dialled."""
        peer, other = self.speaking(self.middle, 4001), self.swarm.leecher()
        self.tell(peer, [other.address])
        self.advance(1)
        self.assertIn(other.address, self.middle.session.connectedPeers)

    def test_ourselves(self) -> None:
        """An address that is ourselves is dialled once and never again."""
        peer = self.speaking(self.middle, 4001)
        self.tell(peer, [self.middle.address])
        self.advance(1)
        self.assertIn(self.middle.address, self.middle.client.engine.ownAddresses)
        self.assertEqual(len(self.middle.session.connectedPeers), 1)
        self.assertNotIn(self.middle.address, self.middle.session.meeting.known)

    def test_martians(self) -> None:
        """No peer has a group's address, or our loopback's; a liar cannot make us dial them."""
        peer = self.speaking(self.middle, 4001)
        before = len(self.middle.session.meeting.known)
        self.tell(peer, [PeerAddr(host, 80) for host in ("127.0.0.1", "224.0.0.1", "0.0.0.0", "169.254.1.1")])
        self.advance(1)
        self.assertEqual(len(self.middle.session.meeting.known), before)

    def test_flood(self) -> None:
        """A flood of messages ends the session; what they told of is bounded."""
        peer = self.speaking(self.middle, 4001)
        for number in range(30):
            self.tell(peer, [PeerAddr(f"10.99.{number}.{each}", 6881) for each in range(1, 101)])
        self.advance(1)
        self.assertEnded(peer, self.noted, ProtocolError, "flood")
        self.assertLess(len(self.middle.session.meeting.known), 300)

    def test_steady(self) -> None:
        """One message a minute is no flood, for however long."""
        peer = self.speaking(self.middle, 4001)
        for _ in range(60):
            self.tell(peer, [])
            self.advance(60)
        self.assertIsNone(peer.lost)

    def test_garbage(self) -> None:
        """What is no message ends the session."""
        peer = self.speaking(self.middle, 4001)
        number = self.theirId(peer)
        assert number is not None
        peer.say(Extended(number, b"not bencoded"))
        self.advance(1)
        self.assertEnded(peer, self.noted, ProtocolError, "ut_pex")


class PrivateTests(MagnetCase):
    """BEP 27: in a private swarm nobody learns of peers but from its tracker."""

    private = True

    def test_notOffered(self) -> None:
        """C{ut_pex} is not offered, and nothing is made of it if it comes all the same."""
        member = self.swarm.leecher()
        peer = self.met(member, HaveNone())
        said = ExtendedHandshake.decode(peer.heardOf(Extended)[0].payload)
        self.assertNotIn(PexMessage.name, said.extensions)
        self.assertIn(b"ut_metadata", said.extensions)
        other = self.swarm.leecher()
        peer.say(ExtendedHandshake({PexMessage.name: ID}))
        for number in range(1, 10):
            peer.say(Extended(number, PexMessage(((other.address, 0),)).encode()))
        self.advance(1)
        self.assertNotIn(other.address, member.session.meeting.known)

    def test_handedOver(self) -> None:
        """
        Of a link nobody knows that the torrent is private: peers found by hearsay meanwhile are not dialled
        by its swarm, those that the link names are.
        """
        seeder, found = self.swarm.seeder(), self.swarm.seeder()
        fetcher = self.fetcher()
        fetcher.client.addTorrent(self.link(), "/simulated").addErrback(self.fail)
        self.advance(0.1)
        self.fetching(fetcher).peersFound([found.address], "dht")
        self.advance(5)
        swarm: SwarmSession = fetcher.client.swarmSessions[self.infoHash]
        self.assertTrue(swarm.metainfo.private)
        self.assertEqual(len(swarm.meeting.known), 0)
        self.assertEqual(swarm.connectedPeers, {})
        self.swarm.run(swarm.connectPeer(*seeder.address))
        self.assertComplete(fetcher)
