"""Tests for L{twisted_bt.transport.plainsocket}: real sockets, asked by hand whether they are ready."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Connection
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.transport.plainsocket import SharedReader


class Readiness:
    """As much of a reactor as a connection needs to say what it waits for."""

    def __init__(self) -> None:
        self.writers: set[Any] = set()

    def addReader(self, reader: object) -> None:
        """Nothing is read but by hand."""

    removeReader = addReader

    def addWriter(self, writer: object) -> None:
        """It has something to write."""
        self.writers.add(writer)

    def removeWriter(self, writer: object) -> None:
        """It has nothing more."""
        self.writers.discard(writer)


class SenderTests(SynchronousTestCase):
    """What C{adopt} gives to write with."""

    def setUp(self) -> None:
        ours, self.theirs = socket.socketpair()
        ours.setblocking(False)
        self.theirs.setblocking(False)
        self.addCleanup(ours.close)
        self.addCleanup(self.theirs.close)
        self.reactor = Readiness()
        reactor: Any = self.reactor
        self.connection = Connection(ours, Protocol(), reactor)
        self.connection.connected = True
        self.connection.startReading()
        self.came: list[bytes] = []
        send = SharedReader(1 << 16).adopt(self.connection, lambda view: self.came.append(bytes(view)))
        assert send is not None
        self.send = send

    def received(self) -> bytes:
        """All that arrives, the connection being asked to write as often as it wants to."""
        parts = []
        while True:
            try:
                parts.append(self.theirs.recv(1 << 16))
            except BlockingIOError:
                if not self.reactor.writers:
                    return b"".join(parts)
                self.assertIsNone(self.connection.doWrite())

    def test_atOnce(self) -> None:
        """What the system takes is there before the reactor was asked for anything."""
        self.send([b"head", memoryview(b"a block")[2:], b"", bytearray(b"end")])
        self.assertFalse(self.reactor.writers)
        self.assertEqual(self.received(), b"headblockend")

    def test_full(self) -> None:
        """More than the system takes arrives all the same, in order, as do later parts."""
        blocks = [bytes([number]) * 100_000 for number in range(50)]
        self.send([memoryview(each) for each in blocks])
        self.assertTrue(self.reactor.writers)
        self.send([b"later", b"parts"])
        self.assertEqual(self.received(), b"".join(blocks) + b"laterparts")

    def test_behindOthers(self) -> None:
        """What was written the usual way before goes first."""
        self.connection.write(b"first ")
        self.send([b"second"])
        self.assertEqual(self.received(), b"first second")

    def test_manyParts(self) -> None:
        """More parts than a system takes in one call."""
        self.send([b"%d," % number for number in range(3000)])
        self.assertEqual(self.received(), b"".join(b"%d," % number for number in range(3000)))

    def test_gone(self) -> None:
        """That the other side is gone is found out by the connection itself, in its own time."""
        self.theirs.close()
        self.send([b"hello"])
        self.assertEqual(self.reactor.writers, {self.connection})
        self.assertIsNotNone(self.connection.doWrite())

    def test_reading(self) -> None:
        """What comes is handed over, as long as the reader's buffer at a time."""
        self.theirs.send(bytes(100_000))
        while sum(map(len, self.came)) < 100_000:
            self.assertIsNone(self.connection.doRead())
        self.assertEqual(max(map(len, self.came)), 1 << 16)

    def test_notAPlainSocket(self) -> None:
        """Any other transport is left as it is."""
        self.assertIsNone(SharedReader().adopt(object(), lambda view: None))
