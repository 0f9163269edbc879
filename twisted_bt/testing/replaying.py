"""
Plays a recording to a client on a simulated network: the other side's part of each conversation.

    >>> recording = Recording.read(open("report.jsonl"))
    >>> swarm = SimulatedSwarm(...)  # with the torrent that it is about
    >>> replay = Replay(recording, network)
    >>> replay.against(leecher)
    >>> network.runUntil(replay.whenPlayed())
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IDelayedCall, IListeningPort
from twisted.internet.protocol import ClientFactory, connectionDone
from twisted.internet.protocol import Protocol as StreamProtocol
from twisted.python.failure import Failure

from twisted_bt.testing.host import Host
from twisted_bt.testing.link import Link
from twisted_bt.testing.network import Network
from twisted_bt.testing.recording import Conversation, Recording
from twisted_bt.torrent.addresses import PeerAddr

#: Where those listen whom the client had dialled.
PORT = 6881


class Pace(Enum):
    """When to say what was said."""

    RECORDED = "at the recorded times"
    ANSWERED = "as soon as the client said as much as it had before"


class IReplayed(Protocol):
    """To whom it is played; a L{Member<twisted_bt.testing.swarm.Member>}, for example."""

    session: Any

    @property
    def address(self) -> PeerAddr:
        """Where it listens."""


class Replay:
    """
    Each conversation comes from a host of its own.  Where the client had dialled, the host listens, and the
    client is told of it at the time; where it had been dialled, the host dials.

    @ivar parts: one for each conversation, in order.
    """

    def __init__(
        self,
        recording: Recording,
        network: Network,
        pace: Pace = Pace.RECORDED,
        conversations: Sequence[Conversation] | None = None,
        link: Link | None = None,
    ) -> None:
        """
        @param conversations: which to play; left out: those of peers.
        @param link: of the hosts; left out: a very quick one, since the times in a recording are those at
            which bytes arrived.
        """
        self.network = network
        self._pace = pace
        link = link or Link(latency=0.0001, up=1e9, down=1e9)
        chosen = recording.peers() if conversations is None else conversations
        self._began = min((each.openedAt for each in chosen), default=0.0)
        self.parts = [Part(each, network.host(link=link), pace, self._over) for each in chosen]
        self._waiting: list[Deferred[None]] = []

    def against(self, target: IReplayed) -> None:
        """Begin, now."""
        for part in self.parts:
            part.begin(target, part.conversation.openedAt - self._began)

    def whenPlayed(self) -> Deferred[None]:
        """Fires once all was said, or cannot be said any more since the client closed the connection."""
        if all(part.over for part in self.parts):
            return succeed(None)
        waiter: Deferred[None] = Deferred()
        self._waiting.append(waiter)
        return waiter

    def stop(self) -> None:
        """End it; what is left is gone with the next events."""
        for part in self.parts:
            part.stop()

    def _over(self) -> None:
        if all(part.over for part in self.parts):
            waiting, self._waiting = self._waiting, []
            for each in waiting:
                each.callback(None)


class Part(StreamProtocol):
    """
    One conversation, played.

    @ivar conversation: what was recorded.
    @ivar heard: what the client says now.
    @ivar over: all was said, or the connection is gone, or was never made.
    @ivar lost: why it is gone; C{None}: it is not.
    """

    transport: Any = None
    lost: Failure | None = None
    over = False

    def __init__(self, conversation: Conversation, host: Host, pace: Pace, over: Any) -> None:
        self.conversation = conversation
        self.host = host
        self.heard = bytearray()
        self._pace = pace
        self._tellOver = over
        self._calls: list[IDelayedCall] = []
        self._port: IListeningPort | None = None
        self._lines: list[tuple[float, int, bytes]] = []
        awaited = 0  # bytes that the client had said before
        for said in conversation.said:
            if said.received:
                self._lines.append((said.time - conversation.openedAt, awaited, said.data))
            else:
                awaited += len(said.data)
        self._next = 0

    def begin(self, target: IReplayed, delay: float) -> None:
        """Come together with C{target} after C{delay} seconds."""
        if self.conversation.dialled:
            self._port = self.host.listenTCP(PORT, _Meeting(self))
            there = PeerAddr(self.host.address, PORT)
            self._later(delay, lambda: target.session.peersFound([there], "user"))
        else:
            address = target.address
            self._later(
                delay, lambda: self.host.connectTCP(address.host, address.port, _Meeting(self), timeout=30)
            )

    def stop(self) -> None:
        """End it."""
        for each in self._calls:
            if each.active():
                each.cancel()
        if self._port is not None:
            self._port.stopListening()
            self._port = None
        if self.transport is not None:
            self.transport.abortConnection()

    # -- the connection

    def connectionMade(self) -> None:
        """Speak."""
        if self._pace is Pace.RECORDED:
            for time, _, data in self._lines:
                self._later(time, self._say, data)
        else:
            self._answer()
        self._look()

    def dataReceived(self, data: bytes) -> None:
        """The client's turn."""
        self.heard += data
        if self._pace is Pace.ANSWERED:
            self._answer()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is gone."""
        self.lost = reason
        self._end()

    def failed(self, reason: Failure) -> None:
        """It was never made."""
        self.lost = reason
        self._end()

    def _later(self, delay: float, what: Any, *arguments: object) -> None:
        self._calls.append(self.host.callLater(delay, what, *arguments))

    def _answer(self) -> None:
        while self._next < len(self._lines) and self._lines[self._next][1] <= len(self.heard):
            self._say(self._lines[self._next][2])

    def _say(self, data: bytes) -> None:
        self._next += 1
        if self.lost is None:
            self.transport.write(data)
        self._look()

    def _look(self) -> None:
        """Is all said?  Then close, if that is what the other side had done."""
        if self._next < len(self._lines) or self.over:
            return
        closedAt = self.conversation.closedAt
        if closedAt is not None and "non-clean" not in self.conversation.why:
            last = self._lines[-1][0] if self._lines else 0.0
            self._later(max(0.0, closedAt - self.conversation.openedAt - last), self._close)
        self._end()

    def _close(self) -> None:
        if self.lost is None:
            self.transport.loseConnection()

    def _end(self) -> None:
        if not self.over:
            self.over = True
            self._tellOver()


class _Meeting(ClientFactory):
    noisy = False

    def __init__(self, part: Part) -> None:
        self._part = part

    def buildProtocol(self, addr: IAddress | None) -> Part | None:
        return self._part if self._part.transport is None else None

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self._part.failed(reason)
