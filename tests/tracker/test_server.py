"""Tests for L{twisted_bt.tracker.server}, as far as they need no sockets."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.application.service import IService
from twisted.internet.error import CannotListenError, ConnectionAborted
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.tracker.udpnet import MemoryPort, MemoryUDP
from twisted_bt.tracker import server
from twisted_bt.tracker.server import TrackerService


class _Reactor(MemoryReactorClock):
    """TCP and UDP in memory."""

    tcpTaken = False

    def __init__(self) -> None:
        super().__init__()
        self.udp = MemoryUDP()

    def listenUDP(
        self, port: int, protocol: Any, interface: str = "", maxPacketSize: int = 8192
    ) -> MemoryPort:
        return self.udp.listenUDP(port, protocol, interface, maxPacketSize)

    def listenTCP(self, *args: Any, **more: Any) -> Any:
        if self.tcpTaken:
            raise CannotListenError("", 80, OSError("taken"))
        return super().listenTCP(*args, **more)


class _Transport(StringTransport):
    """Tells whether it was aborted, and loses its connection when the test says so."""

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True


class TrackerServiceTests(SynchronousTestCase):
    """L{TrackerService}."""

    def setUp(self) -> None:
        self.reactor = _Reactor()

    def test_interface(self) -> None:
        """It is a service."""
        verifyObject(IService, TrackerService(self.reactor, Random(1)))

    def test_ports(self) -> None:
        """Its ports and URLs are known once it runs, and while it does."""
        service = TrackerService(self.reactor, Random(1), 8000, 8001, "127.0.0.1")
        self.assertEqual((service.httpPort, service.udpPort, service.announceURLs), (0, 0, ()))
        service.startService()
        self.assertEqual(service.udpPort, 8001)
        self.assertEqual([each.interface for each in self.reactor.udp.ports], ["127.0.0.1"])
        self.assertEqual(self.reactor.tcpServers[0][0], 8000)
        self.assertEqual(len(service.announceURLs), 2)
        self.successResultOf(service.stopService())
        self.assertEqual((service.httpPort, service.udpPort, service.announceURLs), (0, 0, ()))
        self.assertEqual(self.reactor.udp.ports, [])

    def test_oneOnly(self) -> None:
        """Either can be left out."""
        service = TrackerService(self.reactor, Random(1), httpPort=None, udpPort=9, interface="::")
        service.startService()
        self.assertEqual((self.reactor.tcpServers, service.announceURLs), ([], ("udp://[::1]:9/announce",)))
        self.successResultOf(service.stopService())

    def test_taken(self) -> None:
        """If a port is taken, none is left open."""
        self.reactor.tcpTaken = True
        service = TrackerService(self.reactor, Random(1))
        self.assertRaises(CannotListenError, service.startService)
        self.assertEqual((self.reactor.udp.ports, service.running), ([], 0))

    def test_connections(self) -> None:
        """
        Stopping drops the connections of clients and waits for them to go; there is a limit to them, and
        over it the oldest makes room for the newest.
        """
        service = TrackerService(self.reactor, Random(1), udpPort=None)
        service.startService()
        factory: Any = self.reactor.tcpServers[0][1]
        self.patch(server, "MAX_CONNECTIONS", 2)
        clients = []
        for _ in range(4):
            clients.append((factory.buildProtocol(None), _Transport()))
            clients[-1][0].makeConnection(clients[-1][1])
        self.assertEqual([transport.aborted for _, transport in clients], [True, True, False, False])
        stopped = service.stopService()
        for protocol, transport in clients:
            self.assertNoResult(stopped)
            self.assertTrue(transport.aborted)
            protocol.connectionLost(Failure(ConnectionAborted()))
        self.successResultOf(stopped)
