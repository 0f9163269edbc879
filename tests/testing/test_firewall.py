"""Tests of L{twisted_bt.testing.firewall}."""

from __future__ import annotations

from twisted.internet.error import ConnectionRefusedError, TimeoutError
from twisted.trial.unittest import SynchronousTestCase

from tests.testing.talkers import Socket, dial, listen
from twisted_bt.testing.firewall import Firewall
from twisted_bt.testing.network import Network


class FirewallTests(SynchronousTestCase):
    """What the rules of a host let through."""

    def setUp(self) -> None:
        """A host that has rules, and a stranger."""
        self.network = Network()
        self.host = self.network.host("10.0.0.1", "fd00::1")
        self.stranger = self.network.host("10.0.0.2", "fd00::2")
        for each in (self.host, self.stranger):
            listen(each, 80)

    def both(self) -> list[tuple[str, str]]:
        """The host's address and the stranger's, of both kinds."""
        return [("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")]

    def test_everything(self) -> None:
        """Without rules everything passes."""
        for here, there in self.both():
            self.assertIsNotNone(dial(self.host, there, 80).made)
            self.assertIsNotNone(dial(self.stranger, here, 80).made)

    def test_noIncomingTCP(self) -> None:
        """Who dials in hears nothing; dialling out goes on."""
        self.host.firewall = Firewall(incomingTCP=False)
        for here, there in self.both():
            self.assertIs(dial(self.stranger, here, 80).failed, TimeoutError)
            self.assertIsNotNone(dial(self.host, there, 80).made)
        self.assertIsNotNone(dial(self.host, "127.0.0.1", 80).made)

    def test_rejecting(self) -> None:
        """Or is refused."""
        self.host.firewall = Firewall(incomingTCP=False, rejects=True)
        self.assertIs(dial(self.stranger, "10.0.0.1", 80).failed, ConnectionRefusedError)

    def test_noIncomingUDP(self) -> None:
        """Datagrams come in as answers only, and for a minute only."""
        self.host = self.network.host("10.0.0.3", firewall=Firewall(incomingUDP=False))
        inner, asked, other = Socket(self.host, 7000), Socket(self.stranger, 1), Socket(self.stranger, 2)
        asked.send(b"early", "10.0.0.3", 7000)
        inner.send(b"who", "10.0.0.2", 1)
        asked.send(b"me", "10.0.0.3", 7000)
        other.send(b"me too", "10.0.0.3", 7000)
        self.network.advance(60)
        asked.send(b"late", "10.0.0.3", 7000)
        self.assertEqual((asked.heard, inner.heard), ([b"who"], [b"me"]))

    def test_memory(self) -> None:
        """Of many that were asked those long ago are forgotten."""
        self.host.firewall = Firewall(incomingUDP=False)
        inner = Socket(self.host, 7000)
        for wait in (0, 100):
            self.network.advance(wait)
            for port in range(1, 4200):
                inner.port.write(b"x", ("10.0.0.2", port))
        self.network.advance(1)
        answering = Socket(self.stranger, 4000)
        answering.send(b"me", "10.0.0.1", 7000)
        self.assertEqual(inner.heard, [b"me"])

    def test_blockedPorts(self) -> None:
        """Nothing passes for those ports, in or out, over TCP or UDP."""
        self.host.firewall = Firewall(blockedPorts={80, 53})
        for here, there in self.both():
            self.assertIs(dial(self.stranger, here, 80).failed, TimeoutError)
            self.assertIs(dial(self.host, there, 80).failed, TimeoutError)
        server, client = Socket(self.stranger, 53), Socket(self.host)
        client.send(b"x", "10.0.0.2", 53)
        self.assertEqual(server.heard, [])
        listen(self.stranger, 81)
        self.assertIsNotNone(dial(self.host, "10.0.0.2", 81).made)

    def test_noOutgoing(self) -> None:
        """Nothing gets out; where that is told, at once."""
        self.host.firewall = Firewall(outgoingTCP=False, outgoingUDP=False)
        server, client = Socket(self.stranger, 53), Socket(self.host)
        self.assertIs(dial(self.host, "10.0.0.2", 80).failed, TimeoutError)
        client.send(b"x", "10.0.0.2", 53)
        self.host.firewall = Firewall(outgoingTCP=False, outgoingUDP=False, rejects=True)
        begun = self.network.now
        self.assertIs(dial(self.host, "10.0.0.2", 80).failed, ConnectionRefusedError)
        self.assertEqual(self.network.now, begun)
        self.assertRaises(PermissionError, client.send, b"x", "10.0.0.2", 53)
        self.assertEqual(server.heard, [])

    def test_exchanged(self) -> None:
        """What is connected goes on whatever the rules become."""
        made = dial(self.stranger, "10.0.0.1", 80).made
        assert made is not None
        self.network.advance(1)
        self.host.firewall = Firewall(incomingTCP=False, outgoingTCP=False)
        served = [each.protocol for each in self.host.streams]
        made.say(b"x")
        served[0].say(b"y")
        self.network.advance(1)
        self.assertEqual((made.heard, served[0].heard), (b"y", b"x"))

    def test_refusedDatagram(self) -> None:
        """That nobody listens at a port is told to a socket with one peer, unless a firewall drops it."""
        client = Socket(self.stranger)
        client.port.connect("10.0.0.1", 9)
        for rules, told in ((Firewall(), 1), (Firewall(incomingUDP=False), 1)):
            self.host.firewall = rules
            client.port.write(b"x")
            self.network.advance(1)
            self.assertEqual(client.protocol.refused, told)
