"""
Villains that take their time.
"""

from __future__ import annotations

from twisted_bt.peerwire import messages
from twisted_bt.peerwire.handshake import Handshake
from twisted_bt.testing.villains.base import Effect, Villain, VillainPeer
from twisted_bt.testing.villains.registry import villain


@villain
class Mute(Villain):
    """Takes the connection, and all that is sent, and never says a byte: ended for want of a handshake."""

    name = "mute"
    effect = Effect.REFUSED

    def play(self, peer: VillainPeer) -> None:
        """Nothing."""


@villain
class Idle(Villain):
    """Greets, and never says another byte: ended after C{incomingTimeout}."""

    name = "idle"
    effect = Effect.CLOSED

    def play(self, peer: VillainPeer) -> None:
        """Be polite, once."""
        peer.greet()


@villain
class SlowHandshake(Villain):
    """
    A slow-loris: a byte of its handshake every C{interval} seconds: ended after C{handshakeTimeout}.
    """

    name = "slow handshake"
    effect = Effect.REFUSED
    interval = 2.0

    def play(self, peer: VillainPeer) -> None:
        """As slowly as that."""
        left = bytearray(Handshake(self.metainfo.wireHash, peer.peerId, self.extensions).encode())

        def drip() -> None:
            if left:
                peer.sendRaw(bytes(left[:1]))
                del left[:1]

        self.every(self.interval, peer, drip)


@villain
class SlowMessages(Villain):
    """
    A slow-loris that greets in time: has everything, takes requests, and sends a byte of the first
    block every C{interval} seconds.  It snubs, so little is asked of it, and others are asked for that.
    """

    name = "slow messages"
    effect = Effect.TOLERATED
    interval = 1.0

    def play(self, peer: VillainPeer) -> None:
        """Promise, and drip."""
        left = bytearray()

        def serve(request: messages.Request) -> None:
            if not left:
                left.extend(messages.Piece(request.index, request.begin, self.block(request)).encode())

        def drip() -> None:
            if left:
                peer.sendRaw(bytes(left[:1]))
                del left[:1]

        def begin() -> None:
            self.claim(peer)
            self.every(self.interval, peer, drip)

        peer.reactions[messages.Interested] = lambda _: peer.say(messages.Unchoke())
        peer.reactions[messages.Request] = serve
        self.onHandshake(peer, begin)


@villain
class ByteAMinute(Villain):
    """Greets, and then sends one byte a minute, so that it is never silent for long enough to be closed."""

    name = "byte a minute"
    effect = Effect.TOLERATED
    interval = 60.0

    def play(self, peer: VillainPeer) -> None:
        """Each four bytes are a keep-alive, one might say."""
        peer.greet()
        self.later(self.interval, self.every, self.interval, peer, lambda: peer.sendRaw(b"\0"))
