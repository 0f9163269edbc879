"""
Vocabulary: connectedPeers.  No two sessions to the same peer, whichever way they came to be; and a
client never talks to itself.
"""

from __future__ import annotations

from tests.sessions.case import SwarmCase
from twisted_bt.errors import PeerDisconnected
from twisted_bt.peerwire.messages import HaveNone
from twisted_bt.sessions.meeting import BOTH_DIAL
from twisted_bt.testing.swarm import Member


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
