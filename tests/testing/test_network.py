"""Tests of L{twisted_bt.testing.network} and L{twisted_bt.testing.host}."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IDelayedCall,
    IHostnameResolver,
    IListeningPort,
    IReactorPluggableNameResolver,
    IReactorTCP,
    IReactorThreads,
    IReactorTime,
    IReactorUDP,
    IUDPTransport,
)
from twisted.internet.protocol import ClientFactory, DatagramProtocol, Protocol
from twisted.internet.threads import deferToThreadPool
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_bt.errors import SessionStopped
from twisted_bt.interfaces import IClientReactor, IDiskQueue
from twisted_bt.testing.disk import Disk
from twisted_bt.testing.link import Link
from twisted_bt.testing.network import Network, NotFired, Traffic


class RunningTests(SynchronousTestCase):
    """How time passes."""

    def setUp(self) -> None:
        """A network with one host."""
        self.network = Network()
        self.host = self.network.host()

    def test_advance(self) -> None:
        """All that is due by then happens, and the clock is there."""
        seen: list[float] = []
        self.host.callLater(1, lambda: self.host.callLater(1, lambda: seen.append(self.host.seconds())))
        self.host.callLater(2.5, seen.append, -1)
        self.network.advance(2)
        self.assertEqual((seen, self.network.now), ([2.0], 2.0))

    def test_runUntil(self) -> None:
        """It returns the result, at the time when it came."""
        fired: Deferred[str] = Deferred()
        self.host.callLater(5, fired.callback, "yes")
        self.assertEqual((self.network.runUntil(fired), self.network.now), ("yes", 5.0))

    def test_runUntilFails(self) -> None:
        """It raises what the Deferred failed with."""
        fired: Deferred[str] = Deferred()
        self.host.callLater(5, fired.errback, ValueError("no"))
        self.assertRaises(ValueError, self.network.runUntil, fired)

    def test_runUntilCoroutine(self) -> None:
        """A coroutine will do as well."""

        async def add() -> int:
            return await succeed(1) + 1

        self.assertEqual(self.network.runUntil(add()), 2)

    def test_runUntilTooLate(self) -> None:
        """What does not come in time is cancelled."""
        cancelled: list[object] = []
        never: Deferred[None] = Deferred(cancelled.append)
        self.host.callLater(20, lambda: None)
        self.assertRaises(NotFired, self.network.runUntil, never, 10.0)
        self.assertEqual(cancelled, [never])

    def test_runWhile(self) -> None:
        """It runs as long as something holds, and says when that does not end."""
        seen: list[int] = []
        for number in range(5):
            self.host.callLater(number, seen.append, number)
        self.network.runWhile(lambda: len(seen) < 3)
        self.assertEqual(seen, [0, 1, 2])
        self.assertRaises(NotFired, self.network.runWhile, lambda: True)

    def test_raising(self) -> None:
        """What an event raises is logged and kept, and the others go on."""
        seen: list[int] = []
        self.host.callLater(1, lambda: 1 // 0)
        self.host.callLater(2, seen.append, 2)
        self.network.advance(3)
        self.assertEqual(seen, [2])
        self.assertEqual([each.type for each in self.network.failures], [ZeroDivisionError])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_afterEvent(self) -> None:
        """What must always hold is looked at after every event."""
        looks: list[float] = []
        self.network.afterEvent.append(lambda: looks.append(self.network.now))
        self.host.callLater(1, lambda: None)
        self.host.callLater(2, lambda: None)
        self.network.advance(3)
        self.assertEqual((looks, self.network.events), ([1.0, 2.0], 2))


class HostTests(SynchronousTestCase):
    """What the engine takes for its reactor."""

    def setUp(self) -> None:
        """Two hosts."""
        self.network = Network(seed=5)
        self.one = self.network.host("10.0.0.1", "fd00::1")
        self.two = self.network.host("10.0.0.2", "fd00::2")

    def test_interfaces(self) -> None:
        """A host has all that the engine needs of a reactor."""
        for each in (
            IClientReactor,
            IReactorTime,
            IReactorTCP,
            IReactorUDP,
            IReactorThreads,
            IReactorPluggableNameResolver,
        ):
            verifyObject(each, self.one)
        verifyObject(IHostnameResolver, self.one.nameResolver)
        verifyObject(IDelayedCall, self.one.callLater(1, lambda: None))

    def test_ownCalls(self) -> None:
        """A host knows its own calls to come, and nobody else's."""
        call = self.one.callLater(1, lambda: None)
        other = self.one.callLater(2, lambda: None)
        other.cancel()
        self.assertEqual((self.one.getDelayedCalls(), self.two.getDelayedCalls()), ([call], []))
        self.assertEqual(len(self.network.leftovers()), 1)
        self.network.advance(1)
        self.assertEqual(self.one.getDelayedCalls(), [])

    def test_addresses(self) -> None:
        """Every address is had once, and those nobody asked for are found."""
        self.assertRaises(ValueError, self.network.host, "10.0.0.1")
        made = [self.network.host() for _ in range(3)]
        self.assertEqual(len({each.address for each in made}), 3)
        self.assertIs(self.network.hostAt(made[0].address), made[0])

    def test_random(self) -> None:
        """The seed and the address decide a host's random source, whoever came first."""
        again = Network(seed=5)
        again.host("10.0.0.7")
        self.assertEqual(again.host("10.0.0.2").random.random(), self.two.random.random())
        other = Network(seed=6).host("10.0.0.2")
        self.assertNotEqual(other.random.random(), Network(seed=5).host("10.0.0.2").random.random())

    def test_threads(self) -> None:
        """Work for threads is done in events, in order, with its result or failure."""
        seen: list[object] = []
        self.one.callFromThread(seen.append, 1)
        self.one.callInThread(seen.append, 2)
        self.assertEqual(seen, [])
        result = deferToThreadPool(self.one, self.one.getThreadPool(), lambda: 3)
        failing = deferToThreadPool(self.one, self.one.getThreadPool(), lambda: 1 // 0)
        self.assertEqual(self.network.runUntil(result), 3)
        self.assertRaises(ZeroDivisionError, self.network.runUntil, failing)
        self.assertEqual(seen, [1, 2])
        self.one.suggestThreadPoolSize(3)

    def test_resolver(self) -> None:
        """Another resolver may be put in place of the host's."""
        mine = self.two.nameResolver
        before = self.one.nameResolver
        self.assertIs(self.one.installNameResolver(mine), before)
        self.assertIs(self.one.nameResolver, mine)

    def test_wallClock(self) -> None:
        """The date goes on as the virtual clock does."""
        before = self.one.wallClock()
        self.network.advance(7)
        self.assertEqual(self.one.wallClock() - before, 7.0)

    def test_watched(self) -> None:
        """All that is sent can be watched."""
        seen: list[Traffic] = []
        self.network.watchers.append(seen.append)
        self.one.connectTCP("10.0.0.2", 9, ClientFactory.forProtocol(Protocol))
        self.assertEqual(seen, [])
        self.network.advance(0)
        self.assertEqual([(each.kind, each.target.port) for each in seen], [("connect", 9)])


class Datagrams(DatagramProtocol):
    """Notes what comes, and answers it."""

    def __init__(self, answer: bool = False) -> None:
        self.heard: list[tuple[bytes, tuple[str, int]]] = []
        self.answer = answer
        self.ended = False

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        """Noted."""
        self.heard.append((datagram, addr))
        if self.answer:
            assert self.transport is not None
            self.transport.write(datagram.upper(), addr)

    def stopProtocol(self) -> None:
        """Noted."""
        self.ended = True


class DatagramTests(SynchronousTestCase):
    """UDP."""

    def setUp(self) -> None:
        """A server at port 53 of the second host, a client at any port of the first."""
        self.network = Network()
        self.one = self.network.host("10.0.0.1", "fd00::1", link=Link(0.005, 1e6, 1e6))
        self.two = self.network.host("10.0.0.2", "fd00::2", link=Link(0.005, 1e6, 1e6))
        self.server, self.client = Datagrams(answer=True), Datagrams()
        self.serverPort = self.two.listenUDP(53, self.server)
        self.clientPort = self.one.listenUDP(0, self.client)

    def test_thereAndBack(self) -> None:
        """A datagram arrives after the delay, with the address to answer to."""
        self.clientPort.write(b"who", ("10.0.0.2", 53))
        self.network.advance(0.009)
        self.assertEqual(self.server.heard, [])
        self.network.advance(0.02)
        source = ("10.0.0.1", self.clientPort.getHost().port)
        self.assertEqual(self.server.heard, [(b"who", source)])
        self.assertEqual(self.client.heard, [(b"WHO", ("10.0.0.2", 53))])

    def test_interfaces(self) -> None:
        """A port is a transport and a listening port."""
        verifyObject(IUDPTransport, self.clientPort)
        verifyObject(IListeningPort, self.clientPort)

    def test_lost(self) -> None:
        """What nobody hears is gone."""
        self.clientPort.write(b"x", ("10.0.0.2", 54))
        self.clientPort.write(b"x", ("10.9.9.9", 53))
        self.two.online = False
        self.clientPort.write(b"x", ("10.0.0.2", 53))
        self.network.advance(10)
        self.assertEqual((self.server.heard, self.network.failures), ([], []))

    def test_bothKinds(self) -> None:
        """A port at C{::} hears IPv4 as part of IPv6, and writes to it as such."""
        protocol = Datagrams(answer=True)
        self.two.listenUDP(54, protocol, interface="::")
        self.clientPort.write(b"x", ("10.0.0.2", 54))
        self.network.advance(1)
        self.assertEqual(protocol.heard[0][1][0], "::ffff:10.0.0.1")
        self.assertEqual(self.client.heard, [(b"X", ("10.0.0.2", 54))])

    def test_wrongKind(self) -> None:
        """What cannot be sent is refused as a real socket does."""
        self.assertRaises(ValueError, self.clientPort.write, b"x", ("fd00::2", 53))
        self.assertRaises(ValueError, self.clientPort.write, b"x", ("example.test", 53))
        both = self.one.listenUDP(0, Datagrams(), interface="::")
        self.assertRaises(ValueError, both.write, b"x", ("10.0.0.2", 53))
        self.assertRaises(OSError, self.clientPort.write, bytes(70_000), ("10.0.0.2", 53))

    def test_cut(self) -> None:
        """A datagram longer than the port reads is cut."""
        protocol = Datagrams()
        self.two.listenUDP(54, protocol, maxPacketSize=10)
        self.clientPort.write(bytes(20), ("10.0.0.2", 54))
        self.network.advance(1)
        self.assertEqual(protocol.heard[0][0], bytes(10))

    def test_connected(self) -> None:
        """A connected port hears its peer alone."""
        self.clientPort.connect("10.0.0.2", 53)
        self.assertRaises(RuntimeError, self.clientPort.connect, "10.0.0.2", 53)
        self.clientPort.write(b"a")
        self.one.listenUDP(99, Datagrams()).write(b"b", ("10.0.0.1", self.clientPort.getHost().port))
        self.network.advance(1)
        self.assertEqual([data for data, _ in self.client.heard], [b"A"])

    def test_taken(self) -> None:
        """A number is had once; UDP and TCP have their own."""
        self.assertRaises(CannotListenError, self.two.listenUDP, 53, Datagrams())
        self.two.listenTCP(53, ClientFactory())

    def test_closed(self) -> None:
        """A closed port hears nothing, and its protocol is told in a later event."""
        closing = self.serverPort.stopListening()
        self.assertFalse(self.server.ended)
        self.network.runUntil(closing)
        self.assertTrue(self.server.ended)
        self.clientPort.write(b"x", ("10.0.0.2", 53))
        self.network.advance(1)
        self.assertEqual(self.server.heard, [])
        self.assertEqual(self.two.leftovers(), [])

    def test_raising(self) -> None:
        """What a protocol raises is logged; the port lives on."""
        self.server.datagramReceived = lambda datagram, addr: 1 // 0  # type: ignore[method-assign,assignment]
        self.clientPort.write(b"x", ("10.0.0.2", 53))
        self.network.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class DiskTests(SynchronousTestCase):
    """The disk of a host."""

    def setUp(self) -> None:
        """A disk of 1000 bytes a second, 0.1 s for anything."""
        self.network = Network()
        self.host = self.network.host(disk=Disk(latency=0.1, rate=1000.0))
        self.queue = self.host.diskQueue(self.host, 1, 500)

    def test_interface(self) -> None:
        """It is a disk queue."""
        verifyObject(IDiskQueue, self.queue)

    def test_takesTime(self) -> None:
        """A job is done when the disk would be done with it, after those before."""
        first = self.queue.submit(lambda: self.network.now, 400)
        second = self.queue.submit(lambda: self.network.now)
        self.assertEqual(self.queue.underWay, 2)
        self.assertAlmostEqual(self.network.runUntil(first), 0.5)
        self.assertAlmostEqual(self.network.runUntil(second), 0.6)

    def test_failing(self) -> None:
        """What a job raises is its result."""
        self.assertRaises(ZeroDivisionError, self.network.runUntil, self.queue.submit(lambda: 1 // 0))

    def test_pressure(self) -> None:
        """Listeners hear when more waits than the budget, and when it is well under it."""
        told: list[bool] = []
        forget = self.queue.onPressure(told.append)
        for _ in range(3):
            self.queue.submit(lambda: None, 200)
        self.assertEqual((told, self.queue.congested), ([True], True))
        self.network.advance(10)
        self.assertEqual((told, self.queue.congested), ([True, False], False))
        forget()

    def test_stop(self) -> None:
        """It stops when all is done, and takes nothing more."""
        job = self.queue.submit(lambda: "done")
        job.addBoth(lambda result: self.assertEqual(result, "done"))
        stopped = self.queue.stop()
        self.assertNoResult(stopped)
        self.network.runUntil(stopped)
        self.failureResultOf(self.queue.submit(lambda: None), SessionStopped)
        self.successResultOf(self.queue.stop())

    def test_cancelled(self) -> None:
        """A cancelled job is done all the same."""
        done: list[int] = []
        job = self.queue.submit(lambda: done.append(1))
        job.cancel()
        self.failureResultOf(job)
        self.network.advance(1)
        self.assertEqual(done, [1])
