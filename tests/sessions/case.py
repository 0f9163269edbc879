"""
What tests of sessions have in common: a small swarm on a simulated network, and a look at the end that
nothing is left of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.errors import SessionException
from twisted_bt.peerwire import messages
from twisted_bt.sessions.observers import SwarmObserver
from twisted_bt.sessions.peer import PeerSession
from twisted_bt.sessions.swarm import SwarmSession
from twisted_bt.testing.scripted import ScriptedPeer
from twisted_bt.testing.swarm import Member, SimulatedSwarm


class Noted(SwarmObserver):
    """
    Notes what it hears: C{events} in order, and why sessions ended.
    """

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.ended: list[BaseException] = []
        self.statuses: list[str] = []

    def statusChanged(self, swarm: SwarmSession, status: Any) -> None:
        """Noted."""
        self.events.append(("status", status.value))
        self.statuses.append(status.value)

    def pieceVerified(self, swarm: SwarmSession, index: int) -> None:
        """Noted."""
        self.events.append(("piece", index))

    def checkProgressed(self, swarm: SwarmSession, done: int, total: int) -> None:
        """Noted."""
        self.events.append(("checked", done, total))

    def completed(self, swarm: SwarmSession) -> None:
        """Noted."""
        self.events.append(("completed",))

    def peerConnected(self, swarm: SwarmSession, peer: PeerSession) -> None:
        """Noted."""
        self.events.append(("connected", peer.connectedPeerAddr))

    def peerDisconnected(self, swarm: SwarmSession, peer: PeerSession, reason: BaseException) -> None:
        """Noted."""
        self.events.append(("disconnected", peer.connectedPeerAddr))
        self.ended.append(reason)

    def trackerAnswered(self, swarm: SwarmSession, url: str, peers: int, warning: str) -> None:
        """Noted."""
        self.events.append(("tracker", url, peers, warning))

    def trackerFailed(self, swarm: SwarmSession, url: str, reason: str) -> None:
        """Noted."""
        self.events.append(("tracker failed", url, reason))

    def pieces(self) -> list[int]:
        """The pieces that were verified, in order."""
        return [event[1] for event in self.events if event[0] == "piece"]


class SwarmCase(SynchronousTestCase):
    """
    A swarm of ten pieces, the last of them short; after each test everybody stops, and nothing may be left.
    """

    size = 300_000
    pieceLength = 1 << 15

    def setUp(self) -> None:
        """Nobody is there yet."""
        self.swarm = SimulatedSwarm(self.size, self.pieceLength, seed=self.id())
        self.network = self.swarm.network
        self.metainfo = self.swarm.metainfo
        self.infoHash = self.metainfo.wireHash
        self.pieceCount = self.metainfo.layout.pieceCount

    def tearDown(self) -> None:
        """Everybody stops."""
        self.swarm.stop()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.network.advance(seconds)

    def observed(self, member: Member) -> Noted:
        """What happens to C{member} from now on."""
        noted = Noted()
        member.session.observe(noted)
        return noted

    def dialled(self, member: Member, peer: ScriptedPeer | None = None, **more: Any) -> ScriptedPeer:
        """A scripted peer, connected to C{member} from a host of its own; nothing was said yet."""
        peer = peer or ScriptedPeer(self.infoHash, **more)
        self.swarm.run(peer.dial(self.network.host(), member.address))
        return peer

    def met(self, member: Member, *said: messages.Message, **more: Any) -> ScriptedPeer:
        """A scripted peer that greeted C{member}, said C{said}, and heard the answer."""
        peer = self.dialled(member, **more)
        peer.greet()
        peer.say(*said)
        self.advance(1)
        return peer

    def arrive(self, member: Member, indices: Iterable[int]) -> None:
        """C{member} has these pieces from now on, wherever they came from."""
        found = list(indices)
        for index in found:
            member.session.downloader.download.addHave(index)
        member.session.available(found)

    def sessionOf(self, member: Member, peer: ScriptedPeer) -> PeerSession:
        """What C{member} knows C{peer} by."""
        here = peer.transport.getHost()
        return next(
            session
            for addr, session in member.session.connectedPeers.items()
            if (addr.host, addr.port) == (here.host, here.port)
        )

    def assertEnded(self, peer: ScriptedPeer, noted: Noted, kind: type[SessionException], word: str) -> None:
        """C{peer} lost its session, once, for a reason of that kind with C{word} in it."""
        self.assertTrue(peer.wasReset, "the session goes on")
        self.assertEqual(len(noted.ended), 1)
        self.assertIsInstance(noted.ended[0], kind)
        self.assertIn(word, str(noted.ended[0]))
