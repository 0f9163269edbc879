"""
How much a client keeps: numbers that no peer may drive up, whatever it sends.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from twisted_bt.sessions.client import ClientSession
from twisted_bt.testing.host import Host


@dataclass(frozen=True)
class Footprint:
    """
    What a client holds at a moment, or the most it held; counts, and bytes where it says so.

    @ivar sessions: with peers, those being set up included.
    @ivar connections: of its host, those that have not said what they want included.
    @ivar known: addresses heard of.
    @ivar told: bytes of messages that wait for peers, as far as no transport has them.
    @ivar unsent: bytes in transports that wait to be sent.
    @ivar asked: blocks that peers asked for and did not get.
    @ivar owed: blocks asked of peers.
    @ivar buffers: bytes of pieces that are only partly here.
    @ivar bans: addresses.
    @ivar calls: timers of the host.
    """

    sessions: int = 0
    connections: int = 0
    known: int = 0
    told: int = 0
    unsent: int = 0
    asked: int = 0
    owed: int = 0
    buffers: int = 0
    bans: int = 0
    calls: int = 0

    @classmethod
    def of(cls, client: ClientSession, host: Host) -> Footprint:
        """
        That of C{client} on C{host}, now.

        @raise SessionStopped: it does not run.
        """
        swarms = list(client.swarmSessions.values())
        peers = [peer for swarm in swarms for peer in swarm.establishedPeers()]
        return cls(
            sessions=client.getPeerCount(),
            connections=len(host.streams),
            known=sum(len(swarm.meeting.known) for swarm in swarms),
            told=sum(peer.pendingMessages.waiting for peer in peers),
            unsent=sum(stream.unsent for stream in host.streams),
            asked=sum(len(peer.upload.queue) for peer in peers),
            owed=sum(len(peer.download.outstanding) for peer in peers),
            buffers=client.engine.buffers.out,
            bans=len(client.engine.bans),
            calls=len(host.getDelayedCalls()),
        )

    def __or__(self, other: Footprint) -> Footprint:
        """The greater of each number."""
        names = [each.name for each in fields(self)]
        return Footprint(**{name: max(getattr(self, name), getattr(other, name)) for name in names})

    def beyond(self, limits: Footprint) -> list[str]:
        """What is more than C{limits} allow, for people; a limit of 0 is none."""
        found = [(each.name, getattr(self, each.name), getattr(limits, each.name)) for each in fields(self)]
        return [f"{name}: {value} > {limit}" for name, value, limit in found if limit and value > limit]
