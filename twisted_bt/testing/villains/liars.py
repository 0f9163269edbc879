"""
Villains that promise what they do not keep.
"""

from __future__ import annotations

from twisted_bt.peerwire import messages
from twisted_bt.peerwire.handshake import Handshake
from twisted_bt.testing.villains.base import Effect, ITarget, Villain, VillainPeer
from twisted_bt.testing.villains.floods import Flood
from twisted_bt.testing.villains.registry import villain


@villain
class Liar(Villain):
    """Says that it has everything, unchokes, and serves nothing: snubbed."""

    name = "liar"
    effect = Effect.TOLERATED

    def play(self, peer: VillainPeer) -> None:
        """Promise."""
        self.pretend(peer)


@villain
class Corrupter(Villain):
    """
    Serves like a seed, but C{share} of its blocks are wrong: found and banned although pieces come from
    several peers.

    @ivar forged: how many blocks of which it sent wrong data.
    """

    name = "corrupter"
    effect = Effect.BANNED
    share = 0.3
    forged = 0

    def play(self, peer: VillainPeer) -> None:
        """Serve, after a fashion."""

        def serve(request: messages.Request) -> None:
            data = self.block(request)
            if self.random.random() < self.share:
                self.forged += 1
                data = bytes([data[0] ^ 1]) + data[1:]
            peer.say(messages.Piece(request.index, request.begin, data))

        peer.reactions[messages.Request] = serve
        self.pretend(peer)


@villain
class SubtleCorrupter(Corrupter):
    """Wrong in one block of thirty only, to have the others of a piece blamed."""

    name = "subtle corrupter"
    share = 1 / 30


@villain
class Shapeshifter(Corrupter):
    """
    Sends nothing but wrong data, and comes back under a new id and from a new port whenever it is thrown
    out: banned by its address.
    """

    name = "shapeshifter"
    share = 1.0
    interval = 1.0

    def parted(self, peer: VillainPeer) -> None:
        """Again, as somebody else."""
        self.later(self.interval, self._again)

    def _again(self) -> None:
        self.dial(self.random.choice(self.targets))


@villain
class TwoFaces(Shapeshifter):
    """
    The same, with a second connection that is idle and does no wrong, so that somebody honest seems to be on
    its host: banned, and its host after some more.
    """

    name = "two faces"

    def attack(self, target: ITarget) -> None:
        """See L{Villain.attack}: first with the good face, and with the other after a second."""
        super().attack(target)
        self.later(1.0, self._again)

    def play(self, peer: VillainPeer) -> None:
        """Be idle, if nobody is."""
        if next(iter(self.peers)) is peer:
            peer.greet()
        else:
            super().play(peer)


@villain
class Refuser(Villain):
    """Says that it has everything, unchokes, and rejects each request (BEP 6): it is asked for less."""

    name = "refuser"
    effect = Effect.TOLERATED

    def play(self, peer: VillainPeer) -> None:
        """Never mind."""

        def refuse(asked: messages.Request) -> None:
            if peer.fast:
                peer.say(messages.RejectRequest(asked.index, asked.begin, asked.length))

        peer.reactions[messages.Request] = refuse
        self.pretend(peer)


@villain
class Teaser(Villain):
    """Unchokes, takes requests, chokes without serving one, and does so again after C{interval} seconds."""

    name = "teaser"
    effect = Effect.TOLERATED
    interval = 0.5

    def play(self, peer: VillainPeer) -> None:
        """On and off."""
        choking = True

        def unchoke() -> None:
            nonlocal choking
            if choking:
                choking = False
                peer.say(messages.Unchoke())

        def choke(_: messages.Request) -> None:
            nonlocal choking
            if not choking:
                choking = True
                peer.say(messages.Choke())

        peer.reactions[messages.Interested] = lambda _: self.every(self.interval, peer, unchoke)
        peer.reactions[messages.Request] = choke
        self.onHandshake(peer, lambda: self.claim(peer))


@villain
class Mirror(Villain):
    """Greets with the id of whom it greets: taken for that peer's own second connection, and ended."""

    name = "mirror"
    effect = Effect.REFUSED

    def play(self, peer: VillainPeer) -> None:
        """Wait for their id, of which the first part of ours makes them tell."""
        first = Handshake(self.metainfo.wireHash, bytes(20), self.extensions).encode()[:48]
        peer.reactions[Handshake] = lambda theirs: peer.sendRaw(theirs.peerId)
        peer.sendRaw(first)


@villain
class BlockFlood(Flood):
    """Sends blocks that nobody asked for: ended after two MiB of them."""

    name = "block flood"
    interval = 0.1

    def flood(self, peer: VillainPeer) -> None:
        """Ten at a time."""
        asked = [self.someRequest() for _ in range(10)]
        peer.say(*[messages.Piece(each.index, each.begin, bytes(each.length)) for each in asked])
