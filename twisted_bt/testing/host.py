"""
A computer on the simulated network: what the engine takes for its reactor.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from random import Random
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IConnector, IDelayedCall, IHostnameResolver, IReactorMulticast
from zope.interface import implementer

from twisted_bt.interfaces import IClientReactor
from twisted_bt.sessions.engine import Plugins
from twisted_bt.testing.carrier import Access, carry
from twisted_bt.testing.clock import VirtualCall
from twisted_bt.testing.disk import Disk, DiskQueue
from twisted_bt.testing.filesystem import SimulatedFiles
from twisted_bt.testing.firewall import Firewall, Gate
from twisted_bt.testing.link import Link
from twisted_bt.testing.multicast import Segment, SimulatedMulticast
from twisted_bt.testing.ports import PortTable
from twisted_bt.testing.power import stopDead
from twisted_bt.testing.resolver import SimulatedResolver
from twisted_bt.testing.route import AddressSpace, Leg, Packet, Trail
from twisted_bt.testing.stream import Stream
from twisted_bt.testing.tcp import SimulatedConnector, SimulatedPort
from twisted_bt.testing.threads import SimulatedThreads
from twisted_bt.testing.udp import SimulatedUDP

if TYPE_CHECKING:
    from twisted_bt.testing.network import Network

#: What every host calls itself.
_LOOPBACK = ("127.0.0.1", "::1")


@implementer(IClientReactor, IReactorMulticast)
class Host:
    """
    Made by L{Network.host<twisted_bt.testing.network.Network.host>}.  Give it to a
    L{ClientSession<twisted_bt.sessions.client.ClientSession>} in place of the reactor.

    @ivar network: where it is.
    @ivar addresses: by which others reach it; behind a NAT, its neighbours alone.
    @ivar localAddresses: these, and what every host calls itself.
    @ivar link: how it hangs on the network; may be exchanged at any time.
    @ivar access: both ends of that.
    @ivar random: a source of its own, decided by the seed of the network.
    @ivar disk: how quick its disk is; see L{diskQueue}.
    @ivar files: what is on its disk.
    @ivar queues: who works with it.
    @ivar streams: its open TCP connections.
    @ivar dialling: those that it is making.
    @ivar space: where it has its addresses.
    @ivar behind: the outer side of the NAT that it is behind; C{None}: it is behind none.
    @ivar segment: who hears its multicasts.
    @ivar gate: has the rules of its firewall.
    @ivar clockError: seconds by which its wall clock is wrong.
    @ivar late: events that wait for it to wake up.
    """

    def __init__(
        self, network: Network, addresses: Sequence[str], link: Link, disk: Disk, space: AddressSpace
    ) -> None:
        self.network = network
        self.addresses = tuple(addresses)
        self.localAddresses = {*addresses, *_LOOPBACK}
        self.link = link
        self.disk = disk
        self.space = space
        self.behind: Host | None = None
        self.segment = Segment()
        self.random = Random(f"{network.seed}/{space.name}{self.addresses[0]}")
        chance = Random(f"{network.seed}/disk/{space.name}{self.addresses[0]}")
        self.files = SimulatedFiles(disk, self.wallClock, chance)
        self.queues: list[DiskQueue] = []
        self.dialling: dict[Stream, None] = {}
        self.streams: dict[Stream, None] = {}
        self.tcpPorts = PortTable(self.localAddresses)
        self.udpPorts = PortTable(self.localAddresses)
        self.nameResolver: IHostnameResolver = SimulatedResolver(self, network.lookUp)
        self.gate = Gate(Firewall(), self.seconds)
        self.clockError = 0.0
        self.late: list[Any] = []
        self._online = True
        self._asleep = False
        self.access = Access(self)
        self._calls: dict[VirtualCall, None] = {}
        self._threads = SimulatedThreads(self)
        space.take(self, *self.addresses)

    def __repr__(self) -> str:
        return f"<Host {self.addresses[0]}>"

    @property
    def address(self) -> str:
        """The first of C{addresses}."""
        return self.addresses[0]

    # -- time

    def seconds(self) -> float:
        """See C{IReactorTime}: since the simulation began."""
        return self.network.clock.now

    def wallClock(self) -> float:
        """Seconds since 1970, as this host's clock shows them."""
        return self.network.epoch + self.network.clock.now + self.clockError

    def wallClockJump(self, seconds: float) -> None:
        """Somebody sets its clock: forward, or backward if C{seconds} is negative.  L{seconds} goes on."""
        self.clockError += seconds

    def callLater(
        self, delay: float, callable: Callable[..., object], *args: object, **kw: object
    ) -> IDelayedCall:
        """See C{IReactorTime}."""
        return self.network.clock.callLater(delay, callable, (args, kw), self._calls, self)

    def getDelayedCalls(self) -> list[IDelayedCall]:
        """See C{IReactorTime}: what this host still has to do."""
        return list(self._calls)

    # -- TCP

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> SimulatedPort:
        """See C{IReactorTCP}."""
        listening = SimulatedPort(self, interface, port or self.tcpPorts.ephemeral(), factory)
        listening.startListening()
        return listening

    def connectTCP(
        self,
        host: str,
        port: int,
        factory: Any,
        timeout: float = 30.0,
        bindAddress: tuple[str, int] | None = None,
    ) -> IConnector:
        """See C{IReactorTCP}."""
        connector = SimulatedConnector(self, host, port, factory, timeout, bindAddress)
        connector.connect()
        return connector

    # -- UDP

    def listenUDP(
        self, port: int, protocol: Any, interface: str = "", maxPacketSize: int = 8192
    ) -> SimulatedUDP:
        """See C{IReactorUDP}."""
        socket = SimulatedUDP(self, interface, port or self.udpPorts.ephemeral(), protocol, maxPacketSize)
        socket.startListening()
        return socket

    def listenMulticast(
        self,
        port: int,
        protocol: Any,
        interface: str = "",
        maxPacketSize: int = 8192,
        listenMultiple: bool = False,
    ) -> SimulatedMulticast:
        """See C{IReactorMulticast}."""
        number = port or self.udpPorts.ephemeral()
        socket = SimulatedMulticast(self, interface, number, protocol, maxPacketSize, listenMultiple)
        socket.startListening()
        return socket

    # -- threads: there are none

    def callFromThread(self, callable: Callable[..., object], *args: object, **kwargs: object) -> None:
        """See C{IReactorFromThreads}: the next event."""
        self.network.clock.callLater(0, callable, (args, kwargs), host=self)

    def callInThread(self, callable: Callable[..., object], *args: object, **kwargs: object) -> None:
        """See C{IReactorInThreads}: an event like others."""
        self._threads.callInThread(callable, *args, **kwargs)

    def getThreadPool(self) -> Any:
        """See C{IReactorThreads}; what it is given is done in events."""
        return self._threads

    def suggestThreadPoolSize(self, size: int) -> None:
        """See C{IReactorThreads}."""

    def endThreads(self) -> None:
        """What was given to threads is not done, if it is not yet."""
        self._threads.abandon()
        self._threads = SimulatedThreads(self)

    # -- names

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        """See C{IReactorPluggableNameResolver}."""
        previous, self.nameResolver = self.nameResolver, resolver
        return previous

    # -- disk

    def diskQueue(self, reactor: Any, workers: int, budget: int) -> DiskQueue:
        """
        For C{Plugins(diskQueue=host.diskQueue)}: work takes the time that this host's disk needs, and no
        thread.
        """
        clock = self.network.clock
        queue = DiskQueue(
            clock, self.files, workers, budget, lambda delay, call: clock.callLater(delay, call, host=self)
        )
        self.queues.append(queue)
        return queue

    def plugins(self, **others: Any) -> Plugins:
        """
        What makes a client session on this host free of threads, of the real clock and of real files;
        C{others} are further fields of L{Plugins}.

        Who wants real files says C{plugins(files=FileCalls(), wallClock=time.time)}: their times of change
        are real ones.
        """
        own = {"diskQueue": self.diskQueue, "files": self.files, "wallClock": self.wallClock}
        return Plugins(**{**own, **others})

    # -- the end, and a new beginning

    def crash(self) -> None:
        """
        The power fails, between two events.  What ran on it is gone, and nobody is told; its disk keeps what
        was synced, and any part of the rest.
        """
        stopDead(self)
        self.files.crash()
        self.online = False

    def kill(self) -> None:
        """
        Its programs end as if by a signal that they cannot catch.  What they wrote is there, and the system
        resets their connections.
        """
        for stream in list(self.streams):
            stream.abortConnection()
        stopDead(self)
        self.files.kill()

    def restart(self) -> None:
        """It runs again after L{crash}; start what is to run on it."""
        self.online = True

    # -- what is left

    def leftovers(self) -> list[str]:
        """What is still open or to come on this host, for people; empty after a clean end."""
        left = [f"call: {call!r}" for call in self._calls]
        left += [f"connection: {stream!r}" for stream in self.streams]
        left += [f"open file: {path}" for path in self.files.openFiles]
        if self.tcpPorts:
            left.append(f"{len(self.tcpPorts)} TCP ports")
        if self.udpPorts:
            left.append(f"{len(self.udpPorts)} UDP ports")
        return left

    # -- faults

    @property
    def online(self) -> bool:
        """C{False}: nothing reaches it or leaves it, and nobody is told; as while it is suspended."""
        return self._online and not self._asleep

    @online.setter
    def online(self, online: bool) -> None:
        self._online = online

    @property
    def firewall(self) -> Firewall:
        """Its rules; may be exchanged at any time, which connections that are made do not notice."""
        return self.gate.rules

    @firewall.setter
    def firewall(self, rules: Firewall) -> None:
        self.gate.rules = rules

    def readdress(self, *addresses: str, resets: bool = False) -> None:
        """
        It has C{addresses} instead.  Sockets on any address go on, those bound to an old one hear nothing
        more, and its connections from an old one are dead: nothing passes, unless it gets that address
        back.

        @param resets: both ends of such connections hear of it, instead of finding out.
        @raise ValueError: somebody has one of them.
        """
        self.space.check(*addresses, but=self)
        self.space.give(self, *self.addresses)
        self.addresses = addresses
        self.localAddresses.clear()
        self.localAddresses.update((*addresses, *_LOOPBACK))
        self.space.take(self, *addresses)
        for stream in list(self.streams) if resets else ():
            if stream.way is not None and not stream.way.stands:
                stream.reset()

    def suspend(self) -> None:
        """Its lid is closed: what it should do waits until it wakes up, what is sent to it gets lost."""
        self._asleep = True

    def resume(self) -> None:
        """It wakes up, and does all that is overdue at once, in order."""
        self._asleep = False
        late, self.late = self.late, []
        self.network.clock.again(late)

    # -- for the network

    @property
    def suspended(self) -> bool:
        """Whether it sleeps."""
        return self._asleep

    def sourceFor(self, there: str) -> str:
        """The address from which to reach C{there}; empty: there is no way."""
        if there in _LOOPBACK:
            return there
        return next((own for own in self.addresses if (":" in own) == (":" in there)), "")

    def send(self, packet: Packet, trail: Trail = ()) -> None:
        """C{packet}, which came here by C{trail}, goes on to who has its address, or towards that."""
        there = packet.target.host
        hop = self if there in self.localAddresses else self.space.hopTo(there)
        if hop is not None:
            self._pass(hop, packet, trail)

    def sendToGroup(self, packet: Packet, ttl: int, loops: bool) -> None:
        """C{packet} goes to all on its segment, and to itself if it C{loops}."""
        if loops:
            self._pass(self, packet, ())
        if ttl > 0:
            for each in list(self.segment.hosts):
                if each is not self:
                    self._pass(each, packet, ())

    def _pass(self, hop: Host, packet: Packet, trail: Trail) -> None:
        further = (*trail, Leg(self, hop))
        self.hand(hop, packet.flow, packet.size, lambda: hop.receive(packet, further), packet.lost)

    def receive(self, packet: Packet, trail: Trail) -> None:
        """C{packet} came here by C{trail}."""
        first = trail[0]
        assert isinstance(first, Leg), "it was sent by somebody"
        if first.source is self and len(trail) == 1:
            packet.arrive(self, trail)
        elif not self.network.reachable(first.source, self):
            packet.lost()
        elif self.gate.letsIn(packet):
            packet.arrive(self, trail)
        elif self.gate.rules.rejects:
            packet.refused(trail)

    def transmit(
        self,
        other: Host,
        flow: Any,
        size: int,
        arrive: Callable[[], object],
        dropped: Callable[[], object] | None = None,
    ) -> None:
        """
        Call C{arrive} once C{size} bytes of C{flow} came through to C{other}, or C{dropped}.  A flow with a
        C{way} goes that.
        """
        way = getattr(flow, "way", None)
        if way is None:
            self.hand(other, flow, size, arrive, dropped)
        else:
            way.send(self, flow, size, arrive, dropped)

    def hand(
        self,
        other: Host,
        flow: Hashable,
        size: int,
        arrive: Callable[[], object],
        dropped: Callable[[], object] | None = None,
    ) -> None:
        """The same, straight to C{other}."""
        carry(self, other, flow, size, arrive, dropped)

    def signal(self, other: Host, arrive: Callable[[], object], flow: Any = None) -> None:
        """Call C{arrive} once something of C{flow} so small that it never waits came through to C{other}."""
        way = getattr(flow, "way", None)
        if way is None:
            delay = 0.0 if other is self else self.link.latency + other.link.latency
            self.network.clock.callLater(delay, lambda: arrive() if self.online and other.online else None)
        else:
            self.network.clock.callLater(way.delay, lambda: arrive() if way.openFrom(self) else None)

    def drop(self, flow: Hashable) -> None:
        """What of C{flow} has not left yet is not sent."""
        self.access.drop(flow)
