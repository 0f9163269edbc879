"""
Villains that send more than anybody needs.
"""

from __future__ import annotations

from abc import abstractmethod
from random import Random
from typing import TYPE_CHECKING

from twisted_bt.peerwire import messages
from twisted_bt.peerwire.extended import ExtendedHandshake
from twisted_bt.testing.villains.base import Effect, ITarget, Villain, VillainPeer, Way
from twisted_bt.testing.villains.registry import villain

if TYPE_CHECKING:
    from twisted_bt.testing.host import Host
    from twisted_bt.testing.swarm import SimulatedSwarm


class Flood(Villain):
    """
    Greets, and then says the same kind of thing every C{interval} seconds: ended.
    """

    effect = Effect.CLOSED
    interval = 0.2

    def play(self, peer: VillainPeer) -> None:
        """See L{Villain.play}."""
        self.onHandshake(peer, lambda: self.begin(peer))

    def begin(self, peer: VillainPeer) -> None:
        """C{peer} was greeted."""
        self.every(self.interval, peer, lambda: self.flood(peer))

    @abstractmethod
    def flood(self, peer: VillainPeer) -> None:
        """Say it once more."""


@villain
class RequestFlood(Flood):
    """
    Asks for C{burst} blocks every C{interval} seconds, choked or not: ended, nobody needs so many.
    """

    name = "request flood"
    burst = 500

    def begin(self, peer: VillainPeer) -> None:
        """Want it all."""
        peer.say(messages.Interested())
        super().begin(peer)

    def flood(self, peer: VillainPeer) -> None:
        """Any blocks."""
        peer.say(*[self.someRequest() for _ in range(self.burst)])


@villain
class DeafFlood(RequestFlood):
    """
    Asks for blocks without end and reads nothing: ended, and what waits for it meanwhile is bounded.
    """

    name = "deaf flood"

    def play(self, peer: VillainPeer) -> None:
        """Hear their handshake, and nothing more."""
        super().play(peer)
        self.later(2.0, lambda: peer.alive and peer.transport.pauseProducing())


@villain
class CancelFlood(RequestFlood):
    """Asks for blocks and takes that back, C{burst} times every C{interval} seconds: ended."""

    name = "cancel flood"
    burst = 200

    def flood(self, peer: VillainPeer) -> None:
        """Want it, and not."""
        for _ in range(self.burst):
            each = self.someRequest()
            peer.say(each, messages.Cancel(each.index, each.begin, each.length))


@villain
class Flapper(Flood):
    """Is interested, and is not, C{burst} times every C{interval} seconds: ended."""

    name = "flapper"
    burst = 50

    def flood(self, peer: VillainPeer) -> None:
        """Never decide."""
        once = messages.Interested().encode() + messages.NotInterested().encode()
        peer.sendRaw(once * self.burst)


@villain
class HaveFlood(Flood):
    """Tells of C{burst} pieces every C{interval} seconds, again and again: ended."""

    name = "have flood"
    burst = 1000

    def flood(self, peer: VillainPeer) -> None:
        """Any pieces."""
        count = self.metainfo.layout.pieceCount
        peer.say(*[messages.Have(self.random.randrange(count)) for _ in range(self.burst)])


@villain
class GiantFrames(Villain):
    """Announces a message of up to 4 GiB and sends what it can of it: ended when its length is read."""

    name = "giant frames"
    effect = Effect.CLOSED

    def play(self, peer: VillainPeer) -> None:
        """Of any kind but keep-alive; those that nobody knows too."""

        def begin() -> None:
            length = self.random.randrange(1 << 24, 1 << 32)
            kind = self.random.choice((5, 6, 7, 20, 200))
            peer.sendRaw(length.to_bytes(4, "big") + bytes([kind]) + bytes(100_000))

        self.onHandshake(peer, begin)


@villain
class FastFlood(Flood):
    """
    Suggests, allows and rejects C{burst} pieces at random every C{interval} seconds (BEP 6): only the first
    few count, and then it is ended.
    """

    name = "fast flood"
    burst = 200

    def begin(self, peer: VillainPeer) -> None:
        """Where that is understood."""
        if peer.fast:
            self.claim(peer)
            super().begin(peer)

    def flood(self, peer: VillainPeer) -> None:
        """Anything goes."""
        count = self.metainfo.layout.pieceCount
        for _ in range(self.burst):
            asked = self.someRequest()
            peer.say(
                messages.SuggestPiece(self.random.randrange(count)),
                messages.AllowedFast(self.random.randrange(count)),
                messages.RejectRequest(asked.index, asked.begin, asked.length),
            )


@villain
class ExtensionAbuser(Flood):
    """
    Sends extended handshakes (BEP 10) without end: hundreds of names in C{m}, under numbers that change each
    time, and a C{reqq}, a port and a size of the metadata that cannot be.  Ended after some.
    """

    name = "extension abuser"
    interval, names = 0.5, 400

    def flood(self, peer: VillainPeer) -> None:
        """As somebody else each time."""
        random = self.random
        known = [b"ut_pex", b"ut_metadata", b"lt_donthave"]
        names = [*known, *(b"x_%d" % random.randrange(10_000) for _ in range(self.names))]
        said = ExtendedHandshake(
            extensions={name: random.randrange(256) for name in names},
            client="\x1b[2J" * 30,
            port=random.choice((1, 65535, 6881)),
            reqq=random.choice((1, 1 << 30)),
            metadataSize=random.choice((1, 1 << 30)),
            raw={b"upload_only": 0, b"junk": [b"x" * 100] * 50},
        )
        peer.say(said, messages.Extended(random.randrange(1, 256), random.randbytes(20)))


@villain
class ConnectionFlood(Villain):
    """
    Opens C{count} connections, from as many hosts as C{hosts} says, and opens each anew when it ends.  Half
    of them say nothing: ended for want of a handshake.  The others greet, and want nothing: they stay until
    somebody else wants their slot.
    """

    name = "connection flood"
    effect = Effect.TOLERATED
    mayLure = False
    count, hosts, interval = 120, 8, 5.0

    def __init__(
        self,
        swarm: SimulatedSwarm,
        host: Host | None = None,
        way: Way = Way.DIAL,
        random: Random | None = None,
    ) -> None:
        super().__init__(swarm, host, way, random)
        self._hosts = [self.host, *(swarm.network.host(link=self.host.link) for _ in range(self.hosts - 1))]

    def attack(self, target: ITarget) -> None:
        """See L{Villain.attack}."""
        self.targets.append(target.address)
        for number in range(self.count):
            self.later(number * 0.01, self._open)

    def _open(self) -> None:
        self.dial(self.random.choice(self.targets), self.random.choice(self._hosts))

    def play(self, peer: VillainPeer) -> None:
        """Take a place."""
        if self.random.random() < 0.5:
            peer.greet()

    def parted(self, peer: VillainPeer) -> None:
        """Another in its place."""
        self.later(self.interval, self._open)
