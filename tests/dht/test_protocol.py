"""Tests of the UDP port."""

from __future__ import annotations

from random import Random
from typing import Any, cast

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.dht.krpc import decodeMessage, encodeError, encodeQuery, encodeResponse
from twisted_bt.dht.limits import FloodGuard, SendBudget
from twisted_bt.dht.messages import ErrorReply, Ping, Query, Response
from twisted_bt.dht.protocol import KrpcProtocol
from twisted_bt.dht.settings import DhtSettings
from twisted_bt.errors import KrpcError, KrpcSilence, SessionStopped
from twisted_bt.torrent.addresses import PeerAddr

OWN, OTHER = b"o" * 20, b"x" * 20
ADDR, ADDR6 = PeerAddr("1.2.3.4", 5678), PeerAddr("2001:db8::1", 5678)


class _Transport:
    """Notes what is written, or fails."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, tuple[str, int]]] = []
        self.error: Exception | None = None

    def write(self, datagram: bytes, addr: tuple[str, int]) -> None:
        if self.error is not None:
            raise self.error
        self.sent.append((datagram, addr))


class ProtocolTestCase(SynchronousTestCase):
    """A port that answers queries with C{answer}."""

    settings = DhtSettings()
    rate = 1e6

    def setUp(self) -> None:
        self.clock = Clock()
        self.transport: Any = _Transport()
        self.budget = SendBudget(self.rate)
        guard = FloodGuard()
        self.protocol = KrpcProtocol(self.clock, Random(1), self.settings, self.budget, guard)
        self.received: list[tuple[Query, PeerAddr]] = []
        self.protocol.handlers[:] = [self._handle, self._handle]
        self.protocol.makeConnection(cast(Any, self.transport))

    def tearDown(self) -> None:
        self.protocol.stopProtocol()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def _handle(self, query: Query, addr: PeerAddr) -> bytes:
        self.received.append((query, addr))
        return encodeResponse(query.transaction, OWN)

    def ask(self, addr: PeerAddr = ADDR, slow: Any = None) -> tuple[Any, bytes]:
        """Ping C{addr}; the Deferred, and the transaction."""
        asked = self.protocol.ask(addr, OWN, Ping(), slow)
        query = decodeMessage(self.transport.sent[-1][0])
        assert isinstance(query, Query)
        return asked, query.transaction

    def arrives(self, datagram: bytes, addr: tuple[str, int] = ADDR) -> None:
        """A datagram."""
        self.protocol.datagramReceived(datagram, addr)


class AskTests(ProtocolTestCase):
    """Queries of ours."""

    def test_answered(self) -> None:
        """An answer from the address that was asked is the answer."""
        asked, transaction = self.ask()
        self.arrives(encodeResponse(transaction, OTHER))
        self.assertEqual(self.successResultOf(asked).sender, OTHER)

    def test_fromElsewhere(self) -> None:
        """An answer from another address or port, or to another transaction, is none."""
        asked, transaction = self.ask()
        self.arrives(encodeResponse(transaction, OTHER), ("1.2.3.5", ADDR.port))
        self.arrives(encodeResponse(transaction, OTHER), (ADDR.host, 1))
        self.arrives(encodeResponse(b"nope", OTHER))
        self.assertNoResult(asked)
        self.arrives(encodeResponse(transaction, OTHER))
        self.successResultOf(asked)

    def test_twice(self) -> None:
        """A second answer is nothing."""
        asked, transaction = self.ask()
        for _ in range(2):
            self.arrives(encodeResponse(transaction, OTHER))
        self.successResultOf(asked)

    def test_refused(self) -> None:
        """A refusal is an error, with its code and text."""
        asked, transaction = self.ask()
        self.arrives(encodeError(ErrorReply(transaction, 202, "busy")))
        reason = self.failureResultOf(asked, KrpcError).value
        self.assertEqual((reason.code, str(reason)), (202, "busy"))

    def test_silence(self) -> None:
        """Without an answer it is slow first, then silent; what comes later is nothing."""
        slow: list[float] = []
        asked, transaction = self.ask(slow=lambda: slow.append(self.clock.seconds()))
        self.clock.advance(self.settings.slowTimeout)
        self.assertEqual(slow, [self.settings.slowTimeout])
        self.clock.advance(self.settings.queryTimeout - self.settings.slowTimeout - 0.1)
        self.assertNoResult(asked)
        self.clock.advance(0.1)
        self.failureResultOf(asked, KrpcSilence)
        self.arrives(encodeResponse(transaction, OTHER))

    def test_again(self) -> None:
        """A slow query is sent again if that is wanted, the same one."""
        asked, transaction = self.ask(slow=lambda: True)
        self.clock.advance(self.settings.slowTimeout)
        first, second = self.transport.sent
        self.assertEqual(first, second)
        self.arrives(encodeResponse(transaction, OTHER))
        self.successResultOf(asked)

    def test_cancelled(self) -> None:
        """One that is cancelled waits for nothing."""
        asked, transaction = self.ask()
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.arrives(encodeResponse(transaction, OTHER))

    def test_noWay(self) -> None:
        """Where nothing can be sent to it fails at once; a full buffer is a loss like others."""
        self.transport.error = OSError(101, "Network is unreachable")
        self.failureResultOf(self.protocol.ask(ADDR6, OWN, Ping()), KrpcSilence)
        self.transport.error = BlockingIOError(11, "Resource temporarily unavailable")
        asked = self.protocol.ask(ADDR, OWN, Ping())
        self.assertNoResult(asked)
        self.clock.advance(1.0)
        self.clock.advance(10.0)
        self.failureResultOf(asked, KrpcSilence)

    def test_stopped(self) -> None:
        """When the port is closed all of them end, and there are no new ones."""
        asked, _ = self.ask()
        self.protocol.stopProtocol()
        self.failureResultOf(asked, SessionStopped)
        self.failureResultOf(self.protocol.ask(ADDR, OWN, Ping()), SessionStopped)

    def test_readOnly(self) -> None:
        """BEP 43: who only asks says so."""
        self.protocol._settings = DhtSettings(readOnly=True)
        self.protocol.ask(ADDR, OWN, Ping()).addErrback(lambda _: None)
        query = decodeMessage(self.transport.sent[-1][0])
        assert isinstance(query, Query)
        self.assertTrue(query.readOnly)

    def test_many(self) -> None:
        """There is an end to how many may be under way."""
        asked = [self.protocol.ask(ADDR, OWN, Ping()) for _ in range(4200)]
        self.failureResultOf(asked[-1], KrpcSilence)
        self.assertNoResult(asked[0])
        for each in asked[:-1]:
            each.addErrback(lambda _: None)


class AnswerTests(ProtocolTestCase):
    """Queries of others."""

    query = encodeQuery(Query(b"tx", OTHER, Ping()))

    def test_answered(self) -> None:
        """A query is answered to where it came from."""
        self.arrives(self.query)
        self.assertEqual(self.received, [(Query(b"tx", OTHER, Ping()), ADDR)])
        ((datagram, addr),) = self.transport.sent
        self.assertEqual(addr, ADDR)
        self.assertIsInstance(decodeMessage(datagram), Response)

    def test_errors(self) -> None:
        """What is a query and cannot be answered gets its error."""
        self.arrives(self.query.replace(b"4:ping", b"4:pong"))
        self.arrives(self.query.replace(b"2:id20:", b"2:ix20:"))
        codes = [decodeMessage(datagram).code for datagram, _ in self.transport.sent]  # type: ignore[union-attr]
        self.assertEqual(codes, [204, 203])

    def test_silence(self) -> None:
        """What is no query gets nothing."""
        for datagram in (b"", b"hello", b"de", encodeResponse(b"tx", OTHER), b"d1:y1:qe", bytes(5000)):
            self.arrives(datagram)
        self.arrives(self.query, (ADDR.host, 0))
        self.assertEqual(self.transport.sent, [])

    def test_mapped(self) -> None:
        """On a port for both families IPv4 is IPv4, in and out; zones are left out."""
        self.protocol.dual = True
        self.arrives(self.query, ("::ffff:1.2.3.4", 5678))
        self.arrives(self.query, ("fe80::1%eth0", 5678))
        self.assertEqual([addr for _, addr in self.received], [ADDR, PeerAddr("fe80::1", 5678)])
        self.assertEqual([addr[0] for _, addr in self.transport.sent], ["::ffff:1.2.3.4", "fe80::1"])

    def test_families(self) -> None:
        """Each family has its own handler."""
        seen = []
        self.protocol.handlers = [lambda q, a: seen.append(4), lambda q, a: seen.append(6)]
        self.arrives(self.query)
        self.arrives(self.query, ADDR6)
        self.assertEqual(seen, [4, 6])

    def test_flood(self) -> None:
        """Who sends too much gets no answers for a while; others do."""
        for _ in range(60):
            self.arrives(self.query)
        self.assertEqual(len(self.transport.sent), 50)
        self.arrives(self.query, ("1.2.3.5", 1))
        self.assertEqual(len(self.transport.sent), 51)
        self.clock.advance(301)
        self.arrives(self.query)
        self.assertEqual(len(self.transport.sent), 52)

    def test_floodOfRubbish(self) -> None:
        """Rubbish and answers nobody asked for count as well."""
        for kind in (b"rubbish", encodeResponse(b"nope", OTHER)):
            addr = (f"9.9.9.{len(kind)}", 1)
            for _ in range(51):
                self.arrives(kind, addr)
            self.arrives(self.query, addr)
        self.assertEqual(self.received, [])

    def test_unwritable(self) -> None:
        """An answer that cannot be sent is not sent."""
        for error in (OSError(1, "no"), BlockingIOError(11, "full"), ValueError("no address")):
            self.transport.error = error
            self.arrives(self.query)
        self.assertEqual(len(self.received), 3)


class BudgetTests(ProtocolTestCase):
    """A budget of 500 bytes a second."""

    rate = 500.0

    def test_answersAreDropped(self) -> None:
        """Beyond the budget answers are not sent; queries still are."""
        for number in range(40):
            self.arrives(AnswerTests.query, (f"1.2.4.{number}", 1))
        self.assertEqual(len(self.received), 40)
        self.assertLess(len(self.transport.sent), 20)
        before = len(self.transport.sent)
        self.protocol.ask(ADDR, OWN, Ping()).addErrback(lambda _: None)
        self.assertEqual(len(self.transport.sent), before + 1)

    def test_queriesWait(self) -> None:
        """Beyond the budget queries wait, in order; their time begins when they are sent."""
        asked = [self.protocol.ask(PeerAddr("1.2.4.1", port), OWN, Ping()) for port in range(1, 41)]
        sent = len(self.transport.sent)
        self.assertLess(sent, 20)
        asked[30].cancel()
        self.failureResultOf(asked[30], CancelledError)
        for _ in range(60):
            self.clock.advance(0.1)
        self.assertEqual([addr[1] for _, addr in self.transport.sent], [*range(1, 31), *range(32, 41)])
        self.assertNoResult(asked[0])
        self.assertNoResult(asked[-1])
        for each in asked:
            each.addErrback(lambda _: None)
