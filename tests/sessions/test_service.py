"""Tests of L{twisted_bt.sessions.service} (vocabulary: ClientService, withRunning)."""

from __future__ import annotations

from twisted.application.service import IService
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_bt.sessions.service import ClientService, withRunning
from twisted_bt.testing.network import Network


class ClientServiceTests(SynchronousTestCase):
    """A listening service with a port."""

    def setUp(self) -> None:
        """A service on a simulated host."""
        self.network = Network()
        self.host = self.network.host()
        self.service = ClientService("peers", self.listen)

    def listen(self) -> list[IListeningPort]:
        """Two ports."""
        return [self.host.listenTCP(7000, Factory()), self.host.listenTCP(7001, Factory())]

    def test_interface(self) -> None:
        """It is a service with a name."""
        verifyObject(IService, self.service)
        self.assertEqual(self.service.name, "peers")

    def test_port(self) -> None:
        """The port is known while it runs."""
        self.assertIsNone(self.service.port)
        self.service.startService()
        self.assertEqual(self.service.port, 7000)
        self.network.runUntil(self.service.stopService())
        self.assertIsNone(self.service.port)

    def test_startedTwice(self) -> None:
        """To start twice is to start once."""
        self.service.startService()
        self.service.startService()
        self.assertEqual(len(self.host.tcpPorts), 2)
        self.network.runUntil(self.service.stopService())

    def test_stopMeansClosed(self) -> None:
        """C{stopService} fires once the ports are closed, for a second caller too."""
        self.service.startService()
        first, second = self.service.stopService(), self.service.stopService()
        self.assertNoResult(first)
        self.network.runUntil(first)
        self.assertEqual(len(self.host.tcpPorts), 0)
        self.successResultOf(second)
        self.successResultOf(self.service.stopService())

    def test_again(self) -> None:
        """It can be started again on the same port."""
        self.service.startService()
        self.network.runUntil(self.service.stopService())
        self.service.startService()
        self.assertEqual(self.service.port, 7000)
        self.network.runUntil(self.service.stopService())

    def test_cannotListen(self) -> None:
        """If it cannot listen it says so, and does not run."""
        self.host.listenTCP(7000, Factory())
        self.assertRaises(CannotListenError, self.service.startService)
        self.assertFalse(self.service.running)
        self.successResultOf(self.service.stopService())

    def test_withRunning(self) -> None:
        """C{withRunning} looks at a running service, and at no other."""
        self.assertEqual(withRunning(self.service, lambda: "none", lambda _: "some"), "none")
        self.service.startService()
        self.assertEqual(withRunning(self.service, lambda: None, lambda service: service.port), 7000)
        self.network.runUntil(self.service.stopService())

    def test_withRunningOnlyLooks(self) -> None:
        """Afterwards the service is as it was, also when the look raised: it can be looked at and stopped."""
        self.service.startService()
        self.assertRaises(ZeroDivisionError, withRunning, self.service, lambda: None, lambda service: 1 // 0)
        self.assertTrue(self.service.running)
        for _ in range(2):
            self.assertEqual(withRunning(self.service, lambda: None, lambda service: service.port), 7000)
        self.network.runUntil(self.service.stopService())
        self.assertEqual(self.host.leftovers(), [])
