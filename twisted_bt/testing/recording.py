"""
Records what goes over the wire, so that a bug report becomes a test; L{replaying} plays it again.

An application records its client's connections, whatever they are for, by handing it a reactor that does::

    file = open("report.jsonl", "w")
    recorder = Recorder(file.write, reactor.seconds)
    client = ClientSession(recorder.on(reactor), settings)

In a simulation the same is done to a host, before a client is made on it: C{recorder.on(host)}.  (What is
recorded is all that was said: content, and addresses of peers; with HTTP trackers their passkeys too.)

The format, version 1, is a JSON object a line.  The first says what it is; each other has the seconds since
recording began (C{t}), the number of the connection (C{c}), and what happened (C{e})::

    {"format": "twisted_bt recording", "version": 1, "note": ""}
    {"t": 0.5, "c": 1, "e": "opened", "dialled": true, "here": "10.0.0.2:49152", "there": "10.0.0.1:6881"}
    {"t": 0.5, "c": 1, "e": "sent", "data": "E0JpdFRvcnJlbnQ..."}
    {"t": 0.6, "c": 1, "e": "received", "data": "..."}
    {"t": 9.1, "c": 1, "e": "closed", "why": "Connection was closed cleanly."}

C{data} is base64.  Here and there, sent and received are those of who recorded.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from zope.interface import directlyProvides, providedBy

from twisted_bt.testing.host import Host

FORMAT, VERSION = "twisted_bt recording", 1
#: Bytes recorded unless told otherwise; then it says so and records no more data.
MAX_RECORDED = 1 << 30
#: What a file may hold: characters in a line, bytes of data, connections.
MAX_LINE, MAX_DATA, MAX_CONNECTIONS = 1 << 22, 1 << 28, 10_000
#: Characters of a text in it.
_MAX_TEXT = 1000

R = TypeVar("R")


class RecordingError(ValueError):
    """A file is no recording, or beyond a limit; the message says where."""


class Recorder:
    """
    Writes down all that connections carry.

    @ivar connections: how many were opened.
    @ivar recorded: bytes of data so far.
    """

    def __init__(
        self,
        write: Callable[[str], object],
        seconds: Callable[[], float],
        note: str = "",
        limit: int = MAX_RECORDED,
    ) -> None:
        """
        @param write: takes the text, a line at a time: the method of an open file.
        @param seconds: the time, of any clock: C{reactor.seconds}.
        @param note: for people.
        @param limit: bytes of data to record.
        """
        self._writeText = write
        self._seconds = seconds
        self._began = seconds()
        self._limit = limit
        self.connections = 0
        self.recorded = 0
        self._write({"format": FORMAT, "version": VERSION, "note": note})

    def on(self, reactor: R) -> R:
        """
        C{reactor}, but that TCP connections made and accepted by way of the result are recorded.  Give a
        client this in place of the reactor.  A simulated host is changed itself, for as long as it lives.
        """
        recorded = _RecordedReactor(reactor, self)
        if isinstance(reactor, Host):  # known by what it is, to the network and to what looks after it
            vars(reactor).update(connectTCP=recorded.connectTCP, listenTCP=recorded.listenTCP)
            return reactor
        return cast(R, recorded)

    def wrap(self, factory: Any, dialled: bool) -> WrappingFactory:
        """A factory whose connections are those of C{factory}, recorded; for other protocols of yours."""
        return _RecordedFactory(factory, self, dialled)

    # -- for the connections

    def opened(self, dialled: bool, here: Any, there: Any) -> int:
        """A connection begins; its number."""
        self.connections += 1
        self._event(
            self.connections, "opened", dialled=dialled, here=_shownAddress(here), there=_shownAddress(there)
        )
        return self.connections

    def data(self, connection: int, kind: str, data: bytes) -> None:
        """C{data} was C{"sent"} or C{"received"}."""
        if self.recorded > self._limit:
            return
        self.recorded += len(data)
        if self.recorded > self._limit:
            self._event(connection, "truncated")
        else:
            self._event(connection, kind, data=b64encode(data).decode("ascii"))

    def closed(self, connection: int, why: str) -> None:
        """It is over."""
        self._event(connection, "closed", why=why[:_MAX_TEXT])

    def _event(self, connection: int, kind: str, **more: object) -> None:
        self._write({"t": round(self._seconds() - self._began, 6), "c": connection, "e": kind, **more})

    def _write(self, line: dict[str, object]) -> None:
        self._writeText(json.dumps(line) + "\n")


def _shownAddress(address: Any) -> str:
    host = getattr(address, "host", None)
    if not isinstance(host, str):
        return type(address).__name__
    return f"[{host}]:{address.port}" if ":" in host else f"{host}:{address.port}"


class _RecordedReactor:
    """All of a reactor, but for what makes TCP connections."""

    def __init__(self, reactor: Any, recorder: Recorder) -> None:
        self._reactor = reactor
        self._recorder = recorder
        self._connect, self._listen = reactor.connectTCP, reactor.listenTCP
        directlyProvides(self, providedBy(reactor))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def connectTCP(self, host: str, port: int, factory: Any, *more: Any, **named: Any) -> Any:
        """See C{IReactorTCP}."""
        return self._connect(host, port, self._recorder.wrap(factory, True), *more, **named)

    def listenTCP(self, port: int, factory: Any, *more: Any, **named: Any) -> Any:
        """See C{IReactorTCP}."""
        return self._listen(port, self._recorder.wrap(factory, False), *more, **named)


class _RecordedConnection(ProtocolWrapper):
    number = 0

    def makeConnection(self, transport: Any) -> None:
        factory = cast(_RecordedFactory, self.factory)
        self.number = factory.recorder.opened(factory.dialled, transport.getHost(), transport.getPeer())
        super().makeConnection(transport)

    def dataReceived(self, data: bytes) -> None:
        cast(_RecordedFactory, self.factory).recorder.data(self.number, "received", data)
        super().dataReceived(data)

    def write(self, data: bytes) -> None:
        cast(_RecordedFactory, self.factory).recorder.data(self.number, "sent", data)
        super().write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        parts = list(data)
        cast(_RecordedFactory, self.factory).recorder.data(self.number, "sent", b"".join(parts))
        super().writeSequence(parts)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        cast(_RecordedFactory, self.factory).recorder.closed(self.number, reason.getErrorMessage())
        super().connectionLost(reason)


class _RecordedFactory(WrappingFactory):
    protocol = _RecordedConnection
    noisy = False

    def __init__(self, wrapped: Any, recorder: Recorder, dialled: bool) -> None:
        super().__init__(wrapped)
        self.recorder = recorder
        self.dialled = dialled

    def buildProtocol(self, addr: IAddress | None) -> ProtocolWrapper | None:  # type: ignore[override]
        wrapped = self.wrappedFactory.buildProtocol(addr)
        return None if wrapped is None else _RecordedConnection(cast(Any, self), wrapped)


# ---------------------------------------------------------------- reading


@dataclass(frozen=True, slots=True)
class Said:
    """C{data}, sent or received at C{time}."""

    time: float
    received: bool
    data: bytes


@dataclass
class Conversation:
    """
    What one connection carried.

    @ivar number: which.
    @ivar openedAt: seconds since recording began.
    @ivar dialled: who recorded made it; else the other side did.
    @ivar here: the address of who recorded, for people.
    @ivar there: the other's.
    @ivar said: in order.
    @ivar closedAt: C{None}: not while it was recorded.
    @ivar why: it was closed.
    """

    number: int
    openedAt: float
    dialled: bool
    here: str
    there: str
    said: list[Said] = field(default_factory=list)
    closedAt: float | None = None
    why: str = ""

    def bytesOf(self, received: bool) -> bytes:
        """All that was received, or sent."""
        return b"".join(each.data for each in self.said if each.received == received)


@dataclass
class Recording:
    """
    What a file holds.

    @ivar conversations: in the order in which they began.
    @ivar note: for people.
    @ivar truncated: there was more than the recorder might write.
    """

    conversations: list[Conversation]
    note: str = ""
    truncated: bool = False

    @classmethod
    def read(
        cls,
        lines: Iterable[str],
        maxLine: int = MAX_LINE,
        maxData: int = MAX_DATA,
        maxConnections: int = MAX_CONNECTIONS,
    ) -> Recording:
        """
        The recording in C{lines}: an open file, for example, from wherever it came.

        @raise RecordingError: it is none, or over a limit (characters, bytes, connections).
        """
        reader = _Reader(maxData, maxConnections)
        for number, line in enumerate(lines, 1):
            if len(line) > maxLine:
                raise RecordingError(f"line {number} has more than {maxLine} characters")
            if line.strip():
                try:
                    reader.take(line)
                except ValueError as reason:  # also of base64 that is none, or no ASCII
                    raise RecordingError(f"line {number}: {reason}") from reason
        if not reader.begun:
            raise RecordingError("an empty file is no recording")
        return cls(list(reader.found.values()), reader.note, reader.truncated)

    def peers(self) -> list[Conversation]:
        """Those in which the other side spoke as BitTorrent peers do, or said nothing."""
        greeting = b"\x13BitTorrent protocol"
        found = []
        for each in self.conversations:
            first = each.bytesOf(received=True)[: len(greeting)]
            if greeting.startswith(first):
                found.append(each)
        return found


class _Reader:
    def __init__(self, maxData: int, maxConnections: int) -> None:
        self.found: dict[int, Conversation] = {}
        self.note = ""
        self.begun = False
        self.truncated = False
        self._room = maxData
        self._maxConnections = maxConnections
        self._time = 0.0

    def take(self, line: str) -> None:
        try:
            said = json.loads(line)
        except (ValueError, RecursionError) as reason:
            raise RecordingError("it is not JSON") from reason
        if not isinstance(said, dict):
            raise RecordingError("it is no object")
        if not self.begun:
            if said.get("format") != FORMAT or said.get("version") != VERSION:
                raise RecordingError(f"it is no {FORMAT!r} of version {VERSION}")
            self.note = _text(said, "note")
            self.begun = True
            return
        self._event(said)

    def _event(self, said: dict[str, Any]) -> None:
        time, number, kind = said.get("t"), said.get("c"), said.get("e")
        if isinstance(time, bool) or not isinstance(time, (int, float)) or not self._time <= time < 1e9:
            raise RecordingError(f"no time, or one before the line before: {str(time)[:20]}")
        self._time = float(time)
        if type(number) is not int or not 0 < number < 1 << 31:
            raise RecordingError("no number of a connection")
        if kind == "opened":
            self._open(number, said)
            return
        conversation = self.found.get(number)
        if conversation is None or conversation.closedAt is not None:
            raise RecordingError(f"connection {number} is not open")
        if kind == "closed":
            conversation.closedAt, conversation.why = self._time, _text(said, "why")
        elif kind == "truncated":
            self.truncated = True
        elif kind in ("sent", "received"):
            data = b64decode(_text(said, "data", MAX_LINE), validate=True)
            self._room -= len(data)
            if self._room < 0:
                raise RecordingError("too much data")
            conversation.said.append(Said(self._time, kind == "received", data))
        else:
            raise RecordingError(f"nothing known happened: {str(kind)[:20]!r}")

    def _open(self, number: int, said: dict[str, Any]) -> None:
        dialled = said.get("dialled")
        if number in self.found or not isinstance(dialled, bool):
            raise RecordingError(f"connection {number} is opened twice, or by nobody")
        if len(self.found) >= self._maxConnections:
            raise RecordingError("too many connections")
        self.found[number] = Conversation(
            number, self._time, dialled, _text(said, "here"), _text(said, "there")
        )


def _text(said: dict[str, Any], name: str, most: int = _MAX_TEXT) -> str:
    text = said.get(name, "")
    if not isinstance(text, str) or len(text) > most:
        raise RecordingError(f"{name} is no text, or a long one")
    return text
