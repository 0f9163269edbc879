"""
What the tests of villains have in common: one villain, one honest peer, and the same run without the villain.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from twisted_bt.sessions.observers import SwarmObserver
from twisted_bt.sessions.peer import PeerSession
from twisted_bt.sessions.swarm import SwarmSession
from twisted_bt.testing.footprint import Footprint
from twisted_bt.testing.link import Link
from twisted_bt.testing.network import Network
from twisted_bt.testing.swarm import Member, SimulatedSwarm
from twisted_bt.testing.villains import VILLAINS, Villain, Way

SIZE, SEED = 4_000_000, "villains"
#: Where a villain sits; and the honest ends, of which one is what the download waits for.
AWAY, QUICK, SLOW = Link(up=250e3, down=1e6), 2e6, 200e3
#: What one villain may make a client keep at most.
LIMITS = Footprint(
    sessions=60,
    connections=200,
    known=400,
    told=1 << 18,
    unsent=1 << 19,
    asked=2100,
    buffers=24 << 20,
    bans=20,
)


@dataclass
class Outcome:
    """
    @ivar seconds: that the honest download took.
    @ivar most: what the villain's victim kept at most.
    @ivar live: the villain's sessions with its victim in the end.
    @ivar sessions: how many it had.
    @ivar reasons: why they ended.
    @ivar banned: the villain is, at its end.
    @ivar wronged: the honest peer is.
    """

    seconds: float
    most: Footprint
    live: int = 0
    sessions: int = 0
    reasons: tuple[str, ...] = ()
    banned: bool = False
    wronged: bool = False


class _Noted(SwarmObserver):
    def __init__(self, honest: str) -> None:
        self.honest = honest
        self.sessions = 0
        self.reasons: list[str] = []

    def peerConnected(self, swarm: SwarmSession, peer: PeerSession) -> None:
        """A session began."""
        self.sessions += peer.connectedPeerAddr.host != self.honest

    def peerDisconnected(self, swarm: SwarmSession, peer: PeerSession, reason: BaseException) -> None:
        """It ended."""
        if peer.connectedPeerAddr.host != self.honest:
            self.reasons.append(str(reason))


def play(name: str | None, atSeeder: bool, way: Way) -> Outcome:
    """
    A leecher downloads from one seeder, and the villain C{name} (C{None}: nobody) attacks one of them.

    @raise AssertionError: the download is wrong, something was raised or is left behind.
    """
    network = Network(SEED, mode="flow")
    swarm = SimulatedSwarm(size=SIZE, seed=SEED, network=network)
    seeder = swarm.seeder(host=network.host(link=Link(up=QUICK if atSeeder else SLOW)))
    leecher = swarm.leecher(host=network.host(link=Link(down=SLOW if atSeeder else QUICK)))
    victim, honest = (seeder, leecher) if atSeeder else (leecher, seeder)
    noted = _Noted(honest.host.address)
    victim.session.observe(noted)
    start = network.now
    villain: Villain | None = None
    if name is not None:
        villain = VILLAINS[name](swarm, network.host(link=AWAY), way)
        villain.attack(victim)
    network.advance(0.5)
    leecher.meet(seeder)
    outcome = Outcome(0.0, Footprint())
    while not leecher.session.complete:
        if network.now > start + 600:
            raise AssertionError("it does not end")
        network.advance(0.25)
        outcome.most |= Footprint.of(victim.client, victim.host)
    outcome.seconds = network.now - start
    outcome.live = sum(addr.host != noted.honest for addr in victim.session.connectedPeers)
    outcome.sessions, outcome.reasons = noted.sessions, tuple(noted.reasons)
    bans = victim.client.engine.bans
    if villain is not None:
        addresses = [addr for addr in bans._addresses if addr.host == villain.host.address]
        outcome.banned = bool(addresses)
        villain.stop()
    outcome.wronged = honest.address in bans
    conclude(swarm, leecher)
    return outcome


def conclude(swarm: SimulatedSwarm, leecher: Member) -> None:
    """
    End a run whose villains were stopped.

    @raise AssertionError: C{leecher} has not the content, or something is left behind.
    """
    network = swarm.network
    network.advance(1)
    if leecher.content != swarm.content:
        raise AssertionError("the content is wrong")
    swarm.stop()
    if network.leftovers():
        raise AssertionError(f"left behind: {network.leftovers()}")


@cache
def quiet(atSeeder: bool) -> float:
    """Seconds that the download takes without a villain."""
    return play(None, atSeeder, Way.DIAL).seconds
