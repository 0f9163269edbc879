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
from twisted_bt.testing.script import Frames, Script, requested
from twisted_bt.torrent.addresses import PeerAddr

#: Seconds in which the client says nothing, and nothing was said to it, after which the next is said.
SILENCE = 2.0
#: Where those listen whom the client had dialled.
PORT = 6881


class Pace(Enum):
    """When to say what was said."""

    RECORDED = "at the recorded times"
    ANSWERED = "each block when it is asked for, and the rest once the client said as much as it had before"


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
        self._script = Script(conversation)
        self._frames = Frames()
        self._silence: IDelayedCall | None = None
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
        for each in (*self._calls, self._silence):
            if each is not None and each.active():
                each.cancel()
        if self._port is not None:
            self._port.stopListening()
            self._port = None
        if self.transport is not None:
            self.transport.abortConnection()

    # -- the connection

    def connectionMade(self) -> None:
        """Speak."""
        if self._pace is Pace.ANSWERED:
            self._goOn()
            return
        said = [each for each in self.conversation.said if each.received]
        for each in said:
            self._later(each.time - self.conversation.openedAt, self._say, each.data)
        last = said[-1].time if said else self.conversation.openedAt
        self._later(last - self.conversation.openedAt, self._allSaid, last)

    def dataReceived(self, data: bytes) -> None:
        """The client's turn."""
        self.heard += data
        if self._pace is Pace.ANSWERED:
            for frame in self._frames.feed(data):
                key = requested(frame)
                answer = None if key is None else self._script.answer(key)
                if answer is not None:
                    self._say(answer)
            self._goOn()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is gone."""
        self.lost = reason
        if self._silence is not None and self._silence.active():
            self._silence.cancel()
        self._end()

    def failed(self, reason: Failure) -> None:
        """It was never made."""
        self.lost = reason
        self._end()

    def _later(self, delay: float, what: Any, *arguments: object) -> None:
        self._calls.append(self.host.callLater(delay, what, *arguments))

    def _goOn(self) -> None:
        """Say what is due; what is not is said all the same after a while of silence."""
        if self._silence is not None and self._silence.active():
            self._silence.cancel()
        lines = self._script.lines
        while self._next < len(lines) and lines[self._next].awaited <= len(self.heard):
            self._sayNext()
        if self._next < len(lines):
            self._silence = self.host.callLater(SILENCE, self._break)
        else:
            self._silence = self.host.callLater(SILENCE, self._allSaid, self.conversation.closedAt or 0.0)

    def _break(self) -> None:
        self._sayNext()
        self._goOn()

    def _sayNext(self) -> None:
        self._next += 1
        self._say(self._script.lines[self._next - 1].data)

    def _say(self, data: bytes) -> None:
        if self.lost is None:
            self.transport.write(data)

    def _allSaid(self, last: float) -> None:
        """Close, if that is what the other side had done; C{last} is when it had said the last."""
        closedAt = self.conversation.closedAt
        if closedAt is not None and "non-clean" not in self.conversation.why:
            self._later(max(0.0, closedAt - last), self._close)
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
