"""Tests of L{twisted_bt.testing.multicast}."""

from __future__ import annotations

from twisted.internet.error import CannotListenError, MulticastJoinError
from twisted.internet.interfaces import IListeningPort, IMulticastTransport, IReactorMulticast
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.testing.talkers import Datagrams
from twisted_bt.testing.firewall import Firewall
from twisted_bt.testing.host import Host
from twisted_bt.testing.multicast import SimulatedMulticast
from twisted_bt.testing.network import Network

GROUPS = ("239.192.152.143", "ff15::efc0:988f")
PORT = 6771


class Member:
    """A socket of each kind, in the group of that kind, unless it is not to join."""

    def __init__(self, host: Host, joins: bool = True) -> None:
        self.protocols = (Datagrams(), Datagrams())
        self.sockets: list[SimulatedMulticast] = []
        for protocol, interface, group in zip(self.protocols, ("", "::"), GROUPS, strict=True):
            socket = host.listenMulticast(PORT, protocol, interface, listenMultiple=True)
            self.sockets.append(socket)
            if joins:
                socket.joinGroup(group)

    def say(self, data: bytes) -> None:
        """To both groups."""
        for socket, group in zip(self.sockets, GROUPS, strict=True):
            socket.write(data, (group, PORT))

    @property
    def heard(self) -> list[list[bytes]]:
        """By either socket."""
        return [[data for data, _ in each.heard] for each in self.protocols]


class MulticastTests(SynchronousTestCase):
    """Groups on a segment."""

    def setUp(self) -> None:
        """Three hosts on a segment, one on another, one on none."""
        self.network = Network()
        self.segment, other = self.network.segment(), self.network.segment()
        self.hosts = [
            self.network.host(f"10.0.0.{number}", f"fd00::{number}", segment=segment)
            for number, segment in enumerate((self.segment, self.segment, self.segment, other, None), 1)
        ]
        self.members = [Member(each, joins=each is not self.hosts[2]) for each in self.hosts]

    def said(self) -> list[list[list[bytes]]]:
        """What all heard after the first spoke."""
        self.members[0].say(b"hello")
        self.network.advance(1)
        return [each.heard for each in self.members]

    def test_interfaces(self) -> None:
        """A host has multicast, and a socket what belongs to it."""
        verifyObject(IReactorMulticast, self.hosts[0])
        for each in self.members[0].sockets:
            verifyObject(IMulticastTransport, each)
            verifyObject(IListeningPort, each)

    def test_heard(self) -> None:
        """Who is on the segment and in the group hears it, who speaks too; nobody else does."""
        yes: list[list[bytes]] = [[b"hello"], [b"hello"]]
        no: list[list[bytes]] = [[], []]
        self.assertEqual(self.said(), [yes, yes, no, no, no])
        sources = [each.last for each in self.members[1].protocols]
        self.assertEqual(sources, [("10.0.0.1", PORT), ("fd00::1", PORT)])

    def test_loopback(self) -> None:
        """Who speaks does not hear itself if it does not want to."""
        for each in self.members[0].sockets:
            self.assertTrue(each.getLoopbackMode())
            each.setLoopbackMode(0)
        self.assertEqual(self.said()[:2], [[[], []], [[b"hello"], [b"hello"]]])

    def test_ttl(self) -> None:
        """With a TTL of 0 nothing leaves the host."""
        for each in self.members[0].sockets:
            self.assertEqual(each.getTTL(), 1)
            each.setTTL(0)
        self.assertEqual(self.said()[:2], [[[b"hello"], [b"hello"]], [[], []]])

    def test_left(self) -> None:
        """Who left the group hears nothing; nobody leaves or joins twice."""
        socket = self.members[1].sockets[0]
        self.failureResultOf(socket.joinGroup(GROUPS[0]), MulticastJoinError)
        self.successResultOf(socket.leaveGroup(GROUPS[0]))
        self.failureResultOf(socket.leaveGroup(GROUPS[0]), MulticastJoinError)
        self.assertEqual(self.said()[1], [[], [b"hello"]])

    def test_noGroup(self) -> None:
        """What is no group of that kind, or no interface here, cannot be joined."""
        four, six = self.members[2].sockets
        for socket, group, interface in (
            (four, "10.0.0.9", ""),
            (four, GROUPS[1], ""),
            (six, GROUPS[0], ""),
            (four, GROUPS[0], "10.0.0.9"),
        ):
            self.failureResultOf(socket.joinGroup(group, interface), MulticastJoinError)
        self.successResultOf(four.joinGroup(GROUPS[0], "10.0.0.3"))
        lonely = Member(self.network.host("10.0.0.8"), joins=False)
        self.failureResultOf(lonely.sockets[1].joinGroup(GROUPS[1]), MulticastJoinError)
        self.assertRaises(OSError, lonely.sockets[1].write, b"x", (GROUPS[1], PORT))

    def test_outgoingInterface(self) -> None:
        """Of several addresses one may be chosen to speak from; of IPv6, interfaces have numbers."""
        host = self.network.host("10.0.1.1", "10.0.1.2", segment=self.segment)
        socket = host.listenMulticast(PORT, Datagrams(), listenMultiple=True)
        self.successResultOf(socket.setOutgoingInterface("10.0.1.2"))
        self.assertEqual(socket.getOutgoingInterface(), "10.0.1.2")
        socket.write(b"x", (GROUPS[0], PORT))
        self.network.advance(1)
        self.assertEqual(self.members[1].protocols[0].last, ("10.0.1.2", PORT))
        self.failureResultOf(socket.setOutgoingInterface("10.0.1.3"), OSError)
        six = self.members[0].sockets[1]
        self.successResultOf(six.setOutgoingInterface(1))
        self.assertEqual(six.getOutgoingInterface(), 1)
        self.failureResultOf(six.setOutgoingInterface(7), OSError)

    def test_shared(self) -> None:
        """Several sockets of a host share the port if all want to, and all hear the group."""
        again = Member(self.hosts[1])
        self.assertEqual((self.said()[1], again.heard), ([[b"hello"], [b"hello"]],) * 2)
        self.assertRaises(CannotListenError, self.hosts[1].listenMulticast, PORT, Datagrams())
        self.hosts[1].listenMulticast(7000, Datagrams())
        self.assertRaises(
            CannotListenError, self.hosts[1].listenMulticast, 7000, Datagrams(), listenMultiple=True
        )

    def test_firewall(self) -> None:
        """A host that lets nothing in unasked hears no groups."""
        self.hosts[1].firewall = Firewall(incomingUDP=False)
        self.assertEqual(self.said()[1], [[], []])

    def test_moved(self) -> None:
        """Who is moved to another segment hears that one."""
        self.segment.join(self.hosts[3])
        self.segment.leave(self.hosts[1])
        said = self.said()
        self.assertEqual((said[1], said[3]), ([[], []], [[b"hello"], [b"hello"]]))

    def test_behindNat(self) -> None:
        """Hosts behind one NAT are on a segment, and nobody else is."""
        homes = [self.network.nat() for _ in range(2)]
        places = ((homes[0], 2), (homes[0], 3), (homes[1], 2))
        hosts = [home.host(f"192.168.1.{number}", f"fd00::{number}") for home, number in places]
        first, second, elsewhere = map(Member, hosts)
        first.sockets[0].write(b"hello", (GROUPS[0], PORT))
        self.network.advance(1)
        heard = [each.heard[0] for each in (second, elsewhere, self.members[0])]
        self.assertEqual(heard, [[b"hello"], [], []])

    def test_closed(self) -> None:
        """A closed socket hears nothing."""
        for each in self.members[1].sockets:
            self.network.runUntil(each.stopListening())
        self.assertEqual(self.said()[1], [[], []])
        self.assertEqual(self.hosts[1].leftovers(), [])
