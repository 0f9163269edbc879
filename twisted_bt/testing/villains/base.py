"""
What all villains have in common: a host of their own, connections they make or take, and a clean end.

A villain is made for a L{SimulatedSwarm<twisted_bt.testing.swarm.SimulatedSwarm>} and let loose on its
members, at any time and on as many as one likes::

    villain = Liar(swarm)
    villain.attack(leecher)
    swarm.finish()
    villain.stop()

To make one of your own, subclass L{Villain}, say in C{effect} what a good client does about it, and
override L{Villain.play}; L{villain<twisted_bt.testing.villains.registry.villain>} enters it where tests
draw theirs from.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import Enum
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from twisted.internet.interfaces import IAddress, IDelayedCall, IListeningPort
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.python.failure import Failure

from twisted_bt.peerwire import messages
from twisted_bt.peerwire.handshake import Handshake
from twisted_bt.settings import Extension
from twisted_bt.testing.host import Host
from twisted_bt.testing.scripted import EXTENSIONS, ScriptedPeer
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.pieces import BLOCK_LENGTH

if TYPE_CHECKING:
    from twisted_bt.testing.swarm import SimulatedSwarm


class Effect(Enum):
    """What a villain achieves against a good client, and what that does about it."""

    TOLERATED = "the session goes on; it costs a slot until somebody else wants it, and its bytes"
    REFUSED = "no session ever begins"
    CLOSED = "its session is ended"
    BANNED = "its session is ended, and there is no other"


class Way(Enum):
    """How a villain and its victim come together."""

    DIAL = "the villain dials"
    LURE = "the victim hears of the villain, as from a tracker, and dials"


class ITarget(Protocol):
    """Whom villains attack; a L{Member<twisted_bt.testing.swarm.Member>} is one."""

    session: Any

    @property
    def address(self) -> PeerAddr:
        """Where it listens."""


class VillainPeer(ScriptedPeer):
    """One connection of a villain."""

    def __init__(self, owner: Villain, peerId: bytes) -> None:
        super().__init__(owner.metainfo.wireHash, peerId, owner.extensions, forgetful=True)
        self._owner = owner

    @property
    def alive(self) -> bool:
        """Whether it is connected."""
        return self.transport is not None and self.lost is None

    @property
    def fast(self) -> bool:
        """Whether both sides speak BEP 6."""
        ours, theirs = self.extensions, self.handshake
        return theirs is not None and Extension.FAST in ours & theirs.extensions

    def connectionMade(self) -> None:
        """Connected: the villain's turn."""
        super().connectionMade()
        self._owner.began(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Over."""
        super().connectionLost(reason)
        self._owner.ended(self)


class Villain(ABC):
    """
    @cvar name: what it is called; unique.
    @cvar effect: what a client does about it that is as it should be.
    @cvar mayLure: it makes sense to have it dialled.
    @cvar extensions: what it offers in handshakes.
    @ivar host: where it is.
    @ivar way: how it comes to its victims.
    @ivar targets: where those listen that it attacked, each once.
    @ivar peers: its connections that are made, or being made.
    @ivar attempts: how many there ever were.
    """

    name: ClassVar[str]
    effect: ClassVar[Effect]
    mayLure: ClassVar[bool] = True
    extensions: ClassVar[frozenset[Extension]] = EXTENSIONS

    def __init__(
        self,
        swarm: SimulatedSwarm,
        host: Host | None = None,
        way: Way = Way.DIAL,
        random: Random | None = None,
    ) -> None:
        """
        @param host: left out: a new one, with the usual link.
        @param random: left out: the host's.
        """
        self.network = swarm.network
        self.metainfo = swarm.metainfo
        self.content = swarm.content
        self.host = host or swarm.network.host()
        self.way = way if self.mayLure else Way.DIAL
        self.random = random or self.host.random
        self.targets: list[PeerAddr] = []
        self.peers: dict[VillainPeer, None] = {}
        self.attempts = 0
        self._running = True
        self._calls: dict[IDelayedCall, None] = {}
        self._port: IListeningPort | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.host.address} {self.way.name.lower()}>"

    # -- its life

    def attack(self, target: ITarget) -> None:
        """Begin with C{target}; it may be attacked again, and others too."""
        if target.address not in self.targets:
            self.targets.append(target.address)
        if self.way is Way.DIAL:
            self.dial(target.address)
        else:
            target.session.peersFound([self.listen()], "tracker")

    def stop(self) -> None:
        """End all connections, and do nothing more; what is left is gone with the next events."""
        self._running = False
        for call in list(self._calls):
            call.cancel()
        self._calls.clear()
        if self._port is not None:
            self._port.stopListening()
            self._port = None
        for peer in list(self.peers):
            peer.abandon()

    # -- its connections

    def newPeer(self) -> VillainPeer:
        """A connection to be."""
        self.attempts += 1
        return VillainPeer(self, self.newPeerId())

    def newPeerId(self) -> bytes:
        """Who it says it is this time."""
        return b"-VL0001-" + self.random.randbytes(12)

    def dial(self, addr: PeerAddr, host: Host | None = None) -> VillainPeer:
        """Connect to C{addr}."""
        peer = self.newPeer()
        self.peers[peer] = None
        dialling = peer.dial(host or self.host, addr)
        dialling.addErrback(lambda _: self.ended(peer))
        return peer

    def listen(self, port: int = 6881) -> PeerAddr:
        """Wait for victims; where that is."""
        if self._port is None:
            self._port = self.host.listenTCP(port, _Trap(self))
        return PeerAddr(self.host.address, port)

    def accept(self) -> VillainPeer | None:
        """Somebody dials."""
        if not self._running:
            return None
        peer = self.newPeer()
        self.peers[peer] = None
        return peer

    def began(self, peer: VillainPeer) -> None:
        """C{peer} is connected."""
        if self._running:
            self.play(peer)
        else:
            peer.abandon()

    def ended(self, peer: VillainPeer) -> None:
        """C{peer} is gone, or could not connect."""
        if self.peers.pop(peer, self) is None and self._running:
            self.parted(peer)

    # -- what makes each the villain it is

    @abstractmethod
    def play(self, peer: VillainPeer) -> None:
        """The part of C{peer}, which is connected: say something, and what to do about what it hears."""

    def parted(self, peer: VillainPeer) -> None:  # noqa: B027 -- most give up
        """C{peer} was thrown out, or never let in: the villain may try again."""

    # -- for its part

    def later(self, delay: float, what: Callable[..., object], *arguments: object) -> None:
        """Do C{what} after C{delay} seconds, unless it is stopped before."""

        def do() -> None:
            del self._calls[call]
            what(*arguments)

        call = self.host.callLater(delay, do)
        self._calls[call] = None

    def every(self, interval: float, peer: VillainPeer, what: Callable[[], object]) -> None:
        """Do C{what} now, and again each C{interval} seconds, for as long as C{peer} is connected."""
        if peer.alive:
            what()
            self.later(interval, self.every, interval, peer, what)

    def onHandshake(self, peer: VillainPeer, what: Callable[[], object]) -> None:
        """Greet, and do C{what} once the other side did."""
        peer.reactions[Handshake] = lambda _: what()
        peer.greet()

    def claim(self, peer: VillainPeer) -> None:
        """Say that it has everything."""
        if peer.fast:
            peer.say(messages.HaveAll())
            return
        count = self.metainfo.layout.pieceCount
        bits = bytearray(b"\xff" * ((count + 7) // 8))
        if count % 8:
            bits[-1] = 0xFF << (8 - count % 8) & 0xFF
        peer.say(messages.Bitfield(bytes(bits)))

    def pretend(self, peer: VillainPeer) -> None:
        """Greet, say that it has everything, and unchoke who is interested in that."""
        peer.reactions[messages.Interested] = lambda _: peer.say(messages.Unchoke())
        self.onHandshake(peer, lambda: self.claim(peer))

    def block(self, request: messages.Request) -> bytes:
        """What was asked for, as it should be."""
        begin = self.metainfo.layout.pieceOffset(request.index) + request.begin
        return self.content[begin : begin + request.length]

    def someRequest(self) -> messages.Request:
        """A block that there is."""
        layout = self.metainfo.layout
        index = self.random.randrange(layout.pieceCount)
        number = self.random.randrange(layout.blockCount(index))
        block = layout.block(index, number)
        return messages.Request(index, number * BLOCK_LENGTH, block.length)


class _Trap(ServerFactory):
    noisy = False

    def __init__(self, owner: Villain) -> None:
        self._owner = owner

    def buildProtocol(self, addr: IAddress | None) -> VillainPeer | None:
        return self._owner.accept()
