"""
A client whose system calls are counted: its files are those of a simulated host, and its one connection is
Twisted's own on a socket that notes what is asked of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.tcp import Connection
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.interfaces import Buffer
from twisted_bt.peerwire.framing import WireDecoder
from twisted_bt.peerwire.handshake import Handshake
from twisted_bt.peerwire.messages import Message
from twisted_bt.settings import Extension
from twisted_bt.storage.fileio import makeFolders, replaceFile
from twisted_bt.testing.swarm import FOLDER, SimulatedSwarm

PIECE = 1 << 20
_HANDSHAKE = 68


class CountingSocket:
    """
    Has room for all that is written, and gives as much as is asked for of what came.

    @ivar calls: the names of the calls, in order.
    @ivar came: what can be read.
    @ivar parts: what was written, part by part as it was given.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.came = b""
        self._read = 0
        self.parts: list[Buffer] = []

    @property
    def left(self) -> int:
        """Bytes that can be read."""
        return len(self.came) - self._read

    def put(self, data: bytes) -> None:
        """C{data} comes."""
        self.came = self.came[self._read :] + data
        self._read = 0

    def recv(self, size: int) -> bytes:
        """See C{socket}."""
        self.calls.append("recv")
        data = self.came[self._read : self._read + size]
        self._read += len(data)
        return data

    def recv_into(self, view: memoryview) -> int:
        """See C{socket}."""
        self.calls.append("recv_into")
        if not self.left:
            raise BlockingIOError
        size = min(len(view), self.left)
        view[:size] = memoryview(self.came)[self._read : self._read + size]
        self._read += size
        return size

    def send(self, data: Buffer) -> int:
        """See C{socket}."""
        self.calls.append("send")
        self.parts.append(data)
        return len(data)

    def sendmsg(self, parts: Sequence[Buffer]) -> int:
        """See C{socket}."""
        self.calls.append("sendmsg")
        self.parts += parts
        return sum(map(len, parts))

    def setsockopt(self, *option: object) -> None:
        """Nothing that can be set matters here."""

    def setblocking(self, blocking: object) -> None:
        """It never blocks."""

    def shutdown(self, how: int) -> None:
        """It ends."""

    def close(self) -> None:
        """It is gone."""

    def fileno(self) -> int:
        """Any number."""
        return 0


class _Link(Connection):
    """As accepted by a server."""

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "10.0.0.1", 6881)

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", "10.9.9.9", 50_000)


class _Waiting:
    """As much of a reactor as a connection needs."""

    def __init__(self, clock: Any) -> None:
        self.callLater = clock.callLater
        self.readers: set[object] = set()
        self.writers: set[object] = set()

    def addReader(self, reader: object) -> None:
        self.readers.add(reader)

    def removeReader(self, reader: object) -> None:
        self.readers.discard(reader)

    def addWriter(self, writer: object) -> None:
        self.writers.add(writer)

    def removeWriter(self, writer: object) -> None:
        self.writers.discard(writer)


class CountedClient:
    """
    One client with one peer.

    @ivar socket: of the connection to the peer.
    @ivar written: the buffers of each call that wrote to a file.
    @ivar found: what each call that read a file gave.
    @ivar session: of the torrent.
    """

    def __init__(self, test: SynchronousTestCase, size: int, complete: bool) -> None:
        """@param complete: all the content is here, or nothing of it."""
        self.swarm = swarm = SimulatedSwarm(size, PIECE)
        test.addCleanup(swarm.stop)
        host = swarm.network.host()
        if complete:
            makeFolders(host.files, FOLDER)
            replaceFile(host.files, FOLDER / swarm.metainfo.name, swarm.content)
        self.written: list[list[memoryview]] = []
        self.found: list[bytes] = []
        member = swarm.leecher(host=host, storageFactory=None)
        self._count(host.files)
        self.session = member.session
        self.files = host.files
        self.socket = CountingSocket()
        self._waiting = _Waiting(host)
        reactor: Any = self._waiting
        protocol = member.client._listener.buildProtocol(IPv4Address("TCP", "10.9.9.9", 50_000))
        assert protocol is not None
        skt: Any = self.socket
        self._link = _Link(skt, protocol, reactor)
        self._link.connected = True
        self._link.startReading()
        protocol.makeConnection(self._link)
        self._decoder = WireDecoder(1 << 20, 1 << 20)
        hello = Handshake(swarm.metainfo.wireHash, b"-SC0001-scripted0001", frozenset({Extension.FAST}))
        self.say(hello.encode())
        heard = b"".join(map(bytes, self._taken()))
        self._rest = heard[_HANDSHAKE:]

    def _count(self, files: Any) -> None:
        write, read = files.write, files.readNew

        def counted(fd: int, buffers: list[memoryview], offset: int) -> int:
            self.written.append(buffers)
            done: int = write(fd, buffers, offset)
            return done

        def countedRead(fd: int, length: int, offset: int) -> bytes:
            data: bytes = read(fd, length, offset)
            self.found.append(data)
            return data

        files.write, files.readNew = counted, countedRead

    def dropWrites(self) -> None:
        """From now on nothing is kept of what is written to files."""
        files: Any = self.files
        files.write = lambda fd, buffers, offset: sum(map(len, buffers))

    def say(self, data: bytes) -> None:
        """The peer says C{data}; all that follows of it is done, and a little time passes."""
        self.socket.put(data)
        while self.socket.left:
            self.read()
        self.rest()

    def read(self) -> None:
        """One read."""
        assert self._link in self._waiting.readers, "reading is paused"
        assert self._link.doRead() is None

    def rest(self, seconds: float = 0.1) -> None:
        """Time passes; what waits to be written is."""
        while self._link in self._waiting.writers:
            assert self._link.doWrite() is None
        self.swarm.advance(seconds)

    def _taken(self) -> list[Buffer]:
        parts, self.socket.parts = self.socket.parts, []
        return parts

    def heard(self) -> list[Message]:
        """What the client said since."""
        data, self._rest = self._rest + b"".join(self._taken()), b""
        return list(self._decoder.feed(data))

    def forget(self) -> None:
        """Count from here."""
        self.socket.calls.clear()
        self.socket.parts.clear()
        self.written.clear()
        self.found.clear()
