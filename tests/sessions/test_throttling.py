"""
Vocabulary: throttling.  A peer session holds one client slot and one swarm slot from before it
connects until after it is closed, given back in reverse order on every path.

The invariant C{max - len(connectedPeers) == vacant} is judged after every event of every test
(L{twisted_bt.testing.invariants}); at the end of each test no slot may be taken.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from tests.sessions.case import SwarmCase
from twisted_bt.errors import PeerDisconnected, SessionException
from twisted_bt.peerwire.handshake import Handshake
from twisted_bt.peerwire.messages import HaveNone
from twisted_bt.sessions.peer import PeerSession
from twisted_bt.settings import Settings
from twisted_bt.testing.scripted import ScriptedPeer
from twisted_bt.testing.swarm import FOLDER, Member, makeTorrent
from twisted_bt.torrent.addresses import PeerAddr


class ThrottlingCase(SwarmCase):
    """One leecher, and what becomes of its slots."""

    def setUp(self) -> None:
        """A leecher."""
        super().setUp()
        self.member = self.swarm.leecher()

    def taken(self, member: Member | None = None) -> tuple[int, int, int]:
        """Client slots, swarm slots and slots for dialling that are taken."""
        member = member or self.member
        engine = member.client.engine
        return engine.clientSlots.taken, member.session.slots.taken, engine.dialSlots.taken

    def dial(self, addr: PeerAddr) -> Deferred[PeerSession]:
        """The leecher dials."""
        return self.member.session.connectPeer(*addr)

    def server(self, peer: ScriptedPeer) -> PeerAddr:
        """Where C{peer} listens."""
        return peer.listen(self.network.host())

    def assertRefused(self, dialling: Deferred[PeerSession], word: str) -> None:
        """It fails in the end, says why, and holds no slot."""
        reason = self.assertRaises(PeerDisconnected, self.swarm.run, dialling)
        self.assertIn(word, str(reason))
        self.advance(0)
        self.assertEqual(self.taken(), (0, 0, 0))


class DiallingTests(ThrottlingCase):
    """Slots of who dials."""

    def test_heldWhileDialling(self) -> None:
        """The slots are taken before the connection is made, and held while it lasts."""
        peer = ScriptedPeer(self.infoHash, greets=True)
        dialling = self.dial(self.server(peer))
        self.assertEqual(self.taken(), (1, 1, 1))
        self.swarm.run(dialling)
        self.assertEqual(self.taken(), (1, 1, 0))
        self.assertEqual(self.member.session.vacantPeers, self.member.session.maxPeers - 1)

    def test_heldUntilClosed(self) -> None:
        """They are held until the connection is gone, not only until it is to be closed."""
        peer = ScriptedPeer(self.infoHash, greets=True)
        session = self.swarm.run(self.dial(self.server(peer)))
        session.close(PeerDisconnected("enough"))
        self.assertEqual(self.taken(), (1, 1, 0))
        self.advance(0)
        self.assertEqual(self.taken(), (0, 0, 0))

    def test_refused(self) -> None:
        """A refused connection gives them back."""
        self.assertRefused(self.dial(PeerAddr(self.network.host().address, 9)), "refused")

    def test_timedOut(self) -> None:
        """So does one that nobody answers, after C{connectTimeout}."""
        self.assertRefused(self.dial(PeerAddr("10.99.99.99", 9)), "imeout")
        self.assertAlmostEqual(self.network.now, self.member.client.settings.connectTimeout, places=1)

    def test_silentHandshake(self) -> None:
        """So does a peer that never greets, after C{handshakeTimeout}."""
        peer = ScriptedPeer(self.infoHash)
        self.assertRefused(self.dial(self.server(peer)), "no handshake in time")
        self.advance(1)
        self.assertTrue(peer.wasReset)

    def test_wrongHandshake(self) -> None:
        """So does one that speaks another protocol."""
        peer = ScriptedPeer(self.infoHash)
        addr = self.server(peer)
        dialling = self.dial(addr)
        dialling.addErrback(lambda reason: reason)
        self.advance(0.1)
        peer.sendRaw(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        reason = self.assertRaises(SessionException, self.swarm.run, dialling)
        self.assertIn("not a BitTorrent handshake", str(reason))
        self.advance(0)
        self.assertEqual(self.taken(), (0, 0, 0))

    def test_wrongInfoHash(self) -> None:
        """So does one that answers for another torrent."""
        peer = ScriptedPeer(bytes(20), greets=True)
        self.assertRefused(self.dial(self.server(peer)), "another torrent")

    def test_lostInHandshake(self) -> None:
        """So does one that goes in the middle of its handshake."""
        peer = ScriptedPeer(self.infoHash)
        dialling = self.dial(self.server(peer))
        self.advance(0.1)
        peer.sendRaw(Handshake(self.infoHash, peer.peerId).encode()[:30])
        peer.close()
        self.assertRefused(dialling, "closed by the peer")

    def test_lostMidway(self) -> None:
        """So does one that is lost in the middle of the exchange."""
        peer = ScriptedPeer(self.infoHash, greets=True)
        self.swarm.run(self.dial(self.server(peer)))
        peer.transport.abortConnection()
        self.advance(1)
        self.assertEqual(self.taken(), (0, 0, 0))

    def test_duplicate(self) -> None:
        """A second attempt on the same address is the first one, and takes no slots of its own."""
        peer = ScriptedPeer(self.infoHash)
        addr = self.server(peer)
        first = self.dial(addr)
        second = self.dial(addr)
        self.advance(0.1)
        self.assertEqual(self.taken(), (1, 1, 1))
        peer.greet()
        self.assertIs(self.swarm.run(first), self.swarm.run(second))
        self.assertEqual(self.taken(), (1, 1, 0))

    def test_duplicateOfIncoming(self) -> None:
        """An attempt on an address that is connected the other way fails, and keeps no slots."""
        peer = ScriptedPeer(self.infoHash)
        host = self.network.host()
        addr = peer.listen(host)
        incoming = ScriptedPeer(self.infoHash)
        self.swarm.run(incoming.dial(host, self.member.address, port=addr.port))
        incoming.sendRaw(Handshake(self.infoHash, peer.peerId).encode()[:48])
        self.advance(1)
        self.assertEqual(self.taken(), (1, 1, 0))
        reason = self.assertRaises(PeerDisconnected, self.swarm.run, self.dial(addr))
        self.assertIn("already connected", str(reason))
        self.assertEqual(self.taken(), (1, 1, 0))

    def test_dialSlots(self) -> None:
        """No more than C{maxDialing} connections are set up at a time; the others come after."""
        member = self.swarm.leecher(Settings(maxDialing=3, connectTimeout=5.0))
        member.session.peersFound([PeerAddr(f"10.99.0.{number}", 1) for number in range(1, 8)], "tracker")
        self.assertEqual(self.taken(member), (3, 3, 3))
        self.advance(5.5)
        self.assertEqual(self.taken(member), (3, 3, 3))
        self.advance(10)
        self.assertEqual(self.taken(member), (0, 0, 0))


class CancellingTests(ThrottlingCase):
    """Slots of who is cancelled or stopped, in each phase."""

    def full(self, settings: Settings) -> tuple[Member, ScriptedPeer]:
        """A leecher with one session, and its peer."""
        member = self.swarm.leecher(settings)
        peer = ScriptedPeer(self.infoHash, greets=True)
        self.swarm.run(member.session.connectPeer(*self.server(peer)))
        return member, peer

    def later(self, member: Member) -> tuple[Deferred[PeerSession], ScriptedPeer, list[Any]]:
        """A further attempt of C{member}, who has to wait; what becomes of it."""
        peer = ScriptedPeer(self.infoHash, b"-SC0001-scripted0002", greets=True)
        dialling = member.session.connectPeer(*self.server(peer))
        outcome: list[Any] = []
        dialling.addBoth(outcome.append)
        self.advance(20)
        self.assertEqual(outcome, [])
        self.assertIsNone(peer.handshake)
        return dialling, peer, outcome

    def test_waitingForClientSlot(self) -> None:
        """While all client slots are taken one waits holding none; it goes on when one falls free."""
        member, first = self.full(Settings(maxPeers=1))
        _, second, outcome = self.later(member)
        self.assertEqual(self.taken(member), (1, 1, 0))
        first.close()
        self.advance(1)
        self.assertIsInstance(outcome[0], PeerSession)
        self.assertIsNotNone(second.handshake)
        self.assertEqual(self.taken(member), (1, 1, 0))

    def test_waitingForSwarmSlot(self) -> None:
        """While all swarm slots are taken one waits holding a client slot."""
        member, first = self.full(Settings(maxPeersPerTorrent=1))
        _, _, outcome = self.later(member)
        self.assertEqual(self.taken(member), (2, 1, 0))
        first.close()
        self.advance(1)
        self.assertIsInstance(outcome[0], PeerSession)

    def test_pausedWhileWaitingForSwarmSlot(self) -> None:
        """The source's leak: interrupted in the second wait, the client slot is given back."""
        member, _ = self.full(Settings(maxPeersPerTorrent=1))
        _, _, outcome = self.later(member)
        self.swarm.run(member.session.pause())
        self.assertEqual(self.taken(member), (0, 0, 0))
        self.assertIsInstance(outcome[0].value, PeerDisconnected)

    def test_pausedWhileWaitingForClientSlot(self) -> None:
        """Interrupted in the first wait nothing is owed."""
        member, _ = self.full(Settings(maxPeers=1))
        _, _, outcome = self.later(member)
        self.swarm.run(member.session.pause())
        self.assertEqual(self.taken(member), (0, 0, 0))
        self.assertIsInstance(outcome[0].value, PeerDisconnected)

    def stopIn(self, phase: float, greeting: bytes = b"") -> None:
        """Stop the client C{phase} seconds after it began to dial somebody who says C{greeting}."""
        peer = ScriptedPeer(self.infoHash)
        addr = self.server(peer)
        dialling = self.dial(addr)
        outcome: list[Any] = []
        dialling.addBoth(outcome.append)
        self.advance(phase)
        if greeting:
            peer.sendRaw(greeting)
            self.advance(0.1)
        engine = self.member.client.engine
        slots = self.member.session.slots
        self.assertEqual((engine.clientSlots.taken, slots.taken), (1, 1))
        self.swarm.run(self.member.client.stopService())
        self.assertEqual((engine.clientSlots.taken, slots.taken, engine.dialSlots.taken), (0, 0, 0))
        self.assertEqual(len(outcome), 1)
        self.assertEqual(self.member.host.leftovers(), [])

    def test_stoppedBeforeConnected(self) -> None:
        """C{stopService} while the connection is being made."""
        self.stopIn(0.005)

    def test_stoppedInHandshake(self) -> None:
        """C{stopService} while the handshake is waited for."""
        self.stopIn(1)

    def test_stoppedHalfGreeted(self) -> None:
        """C{stopService} after half of it came."""
        self.stopIn(1, Handshake(self.infoHash, bytes(20)).encode()[:50])

    def test_stoppedInExchange(self) -> None:
        """C{stopService} in the middle of the exchange."""
        self.stopIn(1, Handshake(self.infoHash, b"x" * 20).encode())

    def test_connectPeerCancelled(self) -> None:
        """Who cancels C{connectPeer} is told so; the session it asked for goes on by itself."""
        peer = ScriptedPeer(self.infoHash, greets=True)
        dialling = self.dial(self.server(peer))
        dialling.cancel()
        self.failureResultOf(dialling, CancelledError, PeerDisconnected)
        self.advance(1)
        client, swarm, dial = self.taken()
        self.assertEqual(client, swarm)
        self.assertEqual(dial, 0)


class AcceptingTests(ThrottlingCase):
    """Slots of who is dialled."""

    def test_held(self) -> None:
        """A client slot from the first byte, a swarm slot from the info-hash, both until it is closed."""
        peer = self.dialled(self.member)
        self.advance(1)
        self.assertEqual(self.taken(), (1, 0, 0))
        peer.sendRaw(Handshake(self.infoHash, peer.peerId).encode()[:48])
        self.advance(1)
        self.assertEqual(self.taken(), (1, 1, 0))
        self.assertEqual(len(self.member.session.connectedPeers), 1)
        peer.sendRaw(peer.peerId)
        self.advance(1)
        self.assertEqual(self.taken(), (1, 1, 0))
        peer.close()
        self.advance(1)
        self.assertEqual(self.taken(), (0, 0, 0))

    def test_silent(self) -> None:
        """Who says nothing is closed after C{handshakeTimeout}."""
        peer = self.dialled(self.member)
        self.advance(self.member.client.settings.handshakeTimeout + 1)
        self.assertTrue(peer.wasReset)
        self.assertEqual(self.taken(), (0, 0, 0))

    def test_halfSilent(self) -> None:
        """So is who stops after the info-hash."""
        peer = self.dialled(self.member)
        peer.sendRaw(Handshake(self.infoHash, peer.peerId).encode()[:48])
        self.advance(1)
        self.assertEqual(self.taken(), (1, 1, 0))
        self.advance(self.member.client.settings.handshakeTimeout + 1)
        self.assertTrue(peer.wasReset)
        self.assertEqual(self.taken(), (0, 0, 0))

    def test_wrongProtocol(self) -> None:
        """Who speaks another protocol is closed at once."""
        peer = self.dialled(self.member)
        peer.sendRaw(b"GET / HTTP/1.1\r\n\r\n")
        self.advance(1)
        self.assertTrue(peer.wasReset)
        self.assertEqual(self.taken(), (0, 0, 0))

    def test_unknownTorrent(self) -> None:
        """Who asks for a torrent that nobody here knows hears nothing and is closed."""
        peer = self.dialled(self.member, ScriptedPeer(bytes(20)))
        peer.greet()
        self.advance(1)
        self.assertTrue(peer.wasReset)
        self.assertIsNone(peer.handshake)
        self.assertEqual(self.taken(), (0, 0, 0))

    def test_noClientSlot(self) -> None:
        """When all client slots are taken, who knocks is closed at once."""
        member = self.swarm.leecher(Settings(maxPeers=1))
        self.met(member, HaveNone())
        second = self.dialled(member, peerId=b"-SC0001-scripted0002")
        self.advance(1)
        self.assertTrue(second.wasReset)
        self.assertEqual(self.taken(member), (1, 1, 0))

    def test_noSwarmSlot(self) -> None:
        """When all swarm slots are taken, who knocks waits a while for one, holding a client slot."""
        member = self.swarm.leecher(Settings(maxPeersPerTorrent=1))
        first = self.met(member, HaveNone())
        second, third = (
            self.met(member, HaveNone(), peerId=b"-SC0001-scripted000%d" % number) for number in (2, 3)
        )
        self.assertEqual(self.taken(member), (3, 1, 0))
        first.close()
        self.advance(1)
        self.assertIsNotNone(second.handshake)
        self.assertEqual(self.taken(member), (2, 1, 0))
        self.advance(member.client.settings.handshakeTimeout)
        self.assertTrue(third.wasReset)
        self.assertEqual(self.taken(member), (1, 1, 0))

    def test_manySilent(self) -> None:
        """No more than C{maxIncomingHandshakes} connections may keep silent at a time."""
        member = self.swarm.leecher(Settings(maxIncomingHandshakes=5, maxPeers=100))
        peers = [self.dialled(member) for _ in range(8)]
        self.advance(1)
        self.assertEqual(sum(peer.lost is not None for peer in peers), 3)
        self.assertEqual(self.taken(member)[0], 5)
        self.advance(member.client.settings.handshakeTimeout)
        late = self.met(member, HaveNone())
        self.assertIsNotNone(late.handshake)

    def test_stopped(self) -> None:
        """C{stopService} with peers in every phase leaves nothing."""
        member = self.swarm.leecher(Settings(maxPeersPerTorrent=1))
        peers = [self.met(member, HaveNone())]
        peers.append(self.met(member, HaveNone(), peerId=b"-SC0001-scripted0002"))
        peers.append(self.dialled(member))
        half = self.dialled(member)
        half.sendRaw(Handshake(self.infoHash, half.peerId).encode()[:30])
        self.advance(1)
        engine = member.client.engine
        self.assertEqual(engine.clientSlots.taken, 4)
        self.swarm.run(member.client.stopService())
        self.assertEqual((engine.clientSlots.taken, member.session.slots.taken), (0, 0))
        self.advance(1)
        self.assertTrue(all(peer.lost is not None for peer in [*peers, half]))


class PriorityTests(ThrottlingCase):
    """Sessions that download have priority over those that seed."""

    def test_downloadsFirst(self) -> None:
        """A free client slot goes to a swarm that downloads, although one that seeds waited longer."""
        member = self.swarm.member(range(self.pieceCount), Settings(maxPeers=1))
        other = makeTorrent(b"other content")
        leeching = self.swarm.run(member.client.addTorrent(other, FOLDER))
        self.swarm.run(leeching.whenChecked())
        held = ScriptedPeer(self.infoHash, greets=True)
        self.swarm.run(member.session.connectPeer(*self.server(held)))
        seederWants = ScriptedPeer(self.infoHash, b"-SC0001-scripted0002", greets=True)
        leecherWants = ScriptedPeer(other.wireHash, b"-SC0001-scripted0003", greets=True)
        first = member.session.connectPeer(*self.server(seederWants))
        self.advance(1)
        second = leeching.connectPeer(*self.server(leecherWants))
        self.advance(1)
        held.close()
        self.advance(1)
        self.successResultOf(second)
        self.assertNoResult(first)
        first.addErrback(lambda reason: reason.trap(PeerDisconnected))
