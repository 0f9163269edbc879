"""Tests of L{twisted_bt.testing.stream}: what a simulated connection carries, and how it ends."""

from __future__ import annotations

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost

from tests.testing.streams import HalfEnd, Producer, StreamCase
from twisted_bt.testing.stream import WINDOW


class TransferTests(StreamCase):
    """Bytes."""

    def test_arrive(self) -> None:
        """Bytes arrive in order, both ways, after the delay and at the rate of the link."""
        client, server = self.pair()
        start = self.network.now
        client.transport.write(b"a" * 100_000)
        client.transport.writeSequence([b"b", b"c"])
        server.transport.write(b"d")
        self.network.runWhile(lambda: len(server.data) < 100_002)
        self.assertEqual((server.data[-3:], client.data), (b"abc", b"d"))
        self.assertApproximates(self.network.now - start, 0.1 + 0.01, 0.02)

    def test_onlyBytes(self) -> None:
        """Like a real transport, it takes bytes and nothing like them."""
        client, _ = self.pair()
        for wrong in (bytearray(b"x"), memoryview(b"x"), "x"):
            self.assertRaises(TypeError, client.transport.write, wrong)

    def test_readsSayNothing(self) -> None:
        """Many writes may arrive in one read."""
        client, server = self.pair()
        for _ in range(50):
            client.transport.write(b"x" * 10)
        self.network.advance(1)
        self.assertEqual((len(server.data), server.reads), (500, 1))

    def test_shared(self) -> None:
        """Two connections share a link fairly, whoever began."""
        clients = [self.network.runUntil(self.connect()) for _ in range(2)]
        self.network.advance(0.1)
        clients[0].transport.write(b"x" * 3_000_000)
        self.network.advance(0.5)
        clients[1].transport.write(b"x" * 3_000_000)
        self.network.advance(0.5)
        before = [len(each.data) for each in self.accepted]
        self.network.advance(1)
        first, second = (len(each.data) - then for each, then in zip(self.accepted, before, strict=True))
        self.assertApproximates(first / second, 1.0, 0.1)
        self.assertApproximates(first + second, 1e6, 1e5)

    def test_raising(self) -> None:
        """What a protocol raises is logged and ends its connection, as on a real reactor."""
        client, server = self.pair()
        server.dataReceived = lambda data: 1 // 0
        client.transport.write(b"x")
        self.network.advance(1)
        self.assertIsInstance(server.reason, ZeroDivisionError)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual([each.type for each in self.network.failures], [ZeroDivisionError])


class BackPressureTests(StreamCase):
    """Who does not read stops who sends."""

    def test_window(self) -> None:
        """To one who does not read, a window is sent and no more; then it goes on."""
        client, server = self.pair()
        server.transport.pauseProducing()
        client.transport.write(b"x" * 1_000_000)
        self.network.advance(10)
        self.assertEqual(client.transport.unsent, 1_000_000 - WINDOW)
        self.assertEqual(server.data, b"")
        server.transport.resumeProducing()
        self.network.advance(10)
        self.assertEqual((client.transport.unsent, len(server.data)), (0, 1_000_000))

    def test_producer(self) -> None:
        """A producer is paused above the buffer's size, and resumed when all is sent."""
        client, server = self.pair()
        producer = Producer()
        client.transport.registerProducer(producer, True)
        server.transport.pauseProducing()
        client.transport.write(b"x" * client.transport.bufferSize)
        self.assertEqual(producer.told, [])
        client.transport.write(b"x" * WINDOW)
        self.assertEqual(producer.told, ["pause"])
        self.network.advance(10)
        self.assertEqual(producer.told, ["pause"])
        server.transport.resumeProducing()
        self.network.advance(10)
        self.assertEqual(producer.told, ["pause", "resume"])

    def test_onePull(self) -> None:
        """A producer that is asked each time is asked whenever there is nothing to send."""
        client, server = self.pair()

        class Pull(Producer):
            left = 3

            def resumeProducing(self) -> None:
                if self.left:
                    self.left -= 1
                    client.transport.write(b"x")
                else:
                    client.transport.unregisterProducer()

        client.transport.registerProducer(Pull(), False)
        self.network.advance(1)
        self.assertEqual(server.data, b"xxx")

    def test_oneProducer(self) -> None:
        """There is one producer at a time; after the end none is wanted."""
        client, _ = self.pair()
        client.transport.registerProducer(Producer(), True)
        self.assertRaises(RuntimeError, client.transport.registerProducer, Producer(), True)
        producer = Producer()
        client.transport.unregisterProducer()
        client.transport.loseConnection()
        self.network.advance(1)
        client.transport.registerProducer(producer, True)
        self.assertEqual(producer.told, ["stop"])


class EndingTests(StreamCase):
    """Parting."""

    def test_close(self) -> None:
        """A close sends what was written, and both sides end cleanly."""
        client, server = self.pair()
        client.transport.write(b"x" * 100_000)
        client.transport.loseConnection()
        client.transport.write(b"too late")
        self.network.advance(1)
        self.assertEqual(len(server.data), 100_000)
        self.assertIsInstance(client.reason, ConnectionDone)
        self.assertIsInstance(server.reason, ConnectionDone)
        self.assertNothingLeft()

    def test_abort(self) -> None:
        """An abort drops what waits and is not called back at once; the other side loses the connection."""
        client, server = self.pair()
        client.transport.write(b"x" * 500_000)
        client.transport.abortConnection()
        client.transport.abortConnection()
        self.assertEqual(client.events, ["made"])
        self.network.advance(1)
        self.assertIsInstance(client.reason, ConnectionAborted)
        self.assertIsInstance(server.reason, ConnectionLost)
        self.assertLess(len(server.data), 500_000)
        self.assertNothingLeft()

    def test_unread(self) -> None:
        """To close while something is unread is a reset."""
        client, server = self.pair()
        server.transport.pauseProducing()
        client.transport.write(b"x")
        self.network.advance(1)
        server.transport.loseConnection()
        self.network.advance(1)
        self.assertIsInstance(client.reason, ConnectionLost)

    def test_toNobody(self) -> None:
        """Bytes for somebody who is gone are answered by a reset."""
        client, server = self.pair()
        client.transport.pauseProducing()
        server.transport.loseConnection()
        self.network.advance(1)
        self.assertEqual(client.events, ["made"])
        client.transport.write(b"x")
        self.network.advance(1)
        self.assertEqual(client.events, ["made"])  # nobody looks
        client.transport.write(b"x")
        self.network.advance(1)
        self.assertIsInstance(client.reason, ConnectionLost)

    def test_notNoticed(self) -> None:
        """Who does not read does not notice the end, until it reads again."""
        client, server = self.pair()
        server.transport.pauseProducing()
        client.transport.write(b"last")
        client.transport.loseConnection()
        self.network.advance(1)
        self.assertEqual((server.data, server.events), (b"", ["made"]))
        server.transport.resumeProducing()
        self.network.advance(1)
        self.assertEqual((server.data, server.events), (b"last", ["made", "lost"]))

    def test_producerStopped(self) -> None:
        """A producer hears that nothing more is wanted."""
        client, server = self.pair()
        producer = Producer()
        client.transport.registerProducer(producer, True)
        server.transport.abortConnection()
        self.network.advance(1)
        self.assertEqual(producer.told, ["stop"])

    def test_offline(self) -> None:
        """A host that goes off line is missed by nobody who has nothing to say."""
        client, server = self.pair()
        self.two.online = False
        server.transport.abortConnection()
        self.network.advance(7200)
        self.assertEqual(client.events, ["made"])

    def test_gaveUp(self) -> None:
        """Who sends to a host that is off line gives up after about a quarter of an hour."""
        client, _ = self.pair()
        self.two.online = False
        client.transport.write(b"x")
        self.network.advance(600)
        self.assertEqual(client.events, ["made"])
        self.network.advance(900)
        self.assertIsInstance(client.reason, ConnectionLost)
        self.assertEqual(self.one.leftovers(), [])

    def test_back(self) -> None:
        """A host that was off line for a while misses nothing of what was sent meanwhile."""
        client, server = self.pair()
        client.transport.write(b"a" * 300_000)
        self.network.advance(0.1)
        self.two.online = False
        client.transport.write(b"b" * 300_000)
        self.network.advance(40)
        self.two.online = True
        self.network.advance(60)
        self.assertEqual(server.data, b"a" * 300_000 + b"b" * 300_000)

    def test_crashed(self) -> None:
        """Who sends to a host that has forgotten the connection hears of a reset."""
        client, server = self.pair()
        server.transport.vanish()
        client.transport.write(b"x")
        self.network.advance(1)
        self.assertIsInstance(client.reason, ConnectionLost)


class HalfCloseTests(StreamCase):
    """One direction after the other."""

    kind = HalfEnd

    def test_halfClose(self) -> None:
        """Each direction ends by itself, after what was written."""
        client, server = self.pair()
        client.transport.write(b"question")
        client.transport.loseWriteConnection()
        self.network.advance(1)
        self.assertEqual(client.events, ["made", "write closed"])
        self.assertEqual((server.data, server.events), (b"question", ["made", "read closed"]))
        server.transport.write(b"answer")
        server.transport.loseConnection()
        self.network.advance(1)
        self.assertEqual((client.data, client.events[-1]), (b"answer", "read closed"))
        client.transport.loseConnection()
        self.assertNothingLeft()


class FlowTransferTests(TransferTests):
    """Bytes, likewise."""

    mode = "flow"


class FlowBackPressureTests(BackPressureTests):
    """Who does not read stops who sends, likewise."""

    mode = "flow"


class FlowEndingTests(EndingTests):
    """Parting, likewise."""

    mode = "flow"


class FlowHalfCloseTests(HalfCloseTests):
    """One direction after the other, likewise."""

    mode = "flow"
