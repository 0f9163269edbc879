"""
A computer on the simulated network: what the engine takes for its reactor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IConnector, IDelayedCall, IHostnameResolver
from zope.interface import implementer

from twisted_bt.interfaces import IClientReactor
from twisted_bt.sessions.engine import Plugins
from twisted_bt.testing.clock import VirtualCall
from twisted_bt.testing.disk import Disk, DiskQueue
from twisted_bt.testing.link import Link, Pipe
from twisted_bt.testing.ports import PortTable
from twisted_bt.testing.resolver import SimulatedResolver
from twisted_bt.testing.stream import Stream
from twisted_bt.testing.tcp import SimulatedConnector, SimulatedPort
from twisted_bt.testing.threads import SimulatedThreads
from twisted_bt.testing.udp import SimulatedUDP

if TYPE_CHECKING:
    from twisted_bt.testing.network import Network

#: What every host calls itself.
_LOOPBACK = ("127.0.0.1", "::1")


@implementer(IClientReactor)
class Host:
    """
    Made by L{Network.host<twisted_bt.testing.network.Network.host>}.  Give it to a
    L{ClientSession<twisted_bt.sessions.client.ClientSession>} in place of the reactor.

    @ivar network: where it is.
    @ivar addresses: by which others reach it.
    @ivar link: how it hangs on the network.
    @ivar online: C{False}: nothing reaches it or leaves it, and nobody is told.
    @ivar random: a source of its own, decided by the seed of the network.
    @ivar disk: how quick its disk is; see L{diskQueue}.
    @ivar streams: its open TCP connections.
    """

    def __init__(self, network: Network, addresses: Sequence[str], link: Link, disk: Disk) -> None:
        self.network = network
        self.addresses = tuple(addresses)
        self.localAddresses = frozenset((*addresses, *_LOOPBACK))
        self.link = link
        self.online = True
        self.disk = disk
        self.random = Random(f"{network.seed}/{self.addresses[0]}")
        self.streams: dict[Stream, None] = {}
        self.tcpPorts = PortTable(self.localAddresses)
        self.udpPorts = PortTable(self.localAddresses)
        self.nameResolver: IHostnameResolver = SimulatedResolver(self, network.lookUp)
        self._uplink = Pipe(network.clock, link.up)
        self._downlink = Pipe(network.clock, link.down)
        self._calls: dict[VirtualCall, None] = {}
        self._threads = SimulatedThreads(self)

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
        return self.network.epoch + self.network.clock.now

    def callLater(
        self, delay: float, callable: Callable[..., object], *args: object, **kw: object
    ) -> IDelayedCall:
        """See C{IReactorTime}."""
        return self.network.clock.callLater(delay, callable, (args, kw), self._calls)

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

    # -- threads: there are none

    def callFromThread(self, callable: Callable[..., object], *args: object, **kwargs: object) -> None:
        """See C{IReactorFromThreads}: the next event."""
        self.network.clock.callLater(0, callable, (args, kwargs))

    def callInThread(self, callable: Callable[..., object], *args: object, **kwargs: object) -> None:
        """See C{IReactorInThreads}: an event like others."""
        self._threads.callInThread(callable, *args, **kwargs)

    def getThreadPool(self) -> Any:
        """See C{IReactorThreads}; what it is given is done in events."""
        return self._threads

    def suggestThreadPoolSize(self, size: int) -> None:
        """See C{IReactorThreads}."""

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
        return DiskQueue(self.network.clock, self.disk, workers, budget)

    def plugins(self, **others: Any) -> Plugins:
        """
        What makes a client session on this host free of threads and of the real clock; C{others} are
        further fields of L{Plugins}.

        Files are real ones all the same, with real times of change: who keeps content in files says
        C{plugins(wallClock=time.time)}, or what is remembered of them is not trusted after a crash.
        """
        return Plugins(**{"diskQueue": self.diskQueue, "wallClock": self.wallClock, **others})

    # -- what is left

    def leftovers(self) -> list[str]:
        """What is still open or to come on this host, for people; empty after a clean end."""
        left = [f"call: {call!r}" for call in self._calls]
        left += [f"connection: {stream!r}" for stream in self.streams]
        if self.tcpPorts:
            left.append(f"{len(self.tcpPorts)} TCP ports")
        if self.udpPorts:
            left.append(f"{len(self.udpPorts)} UDP ports")
        return left

    # -- for the network

    @property
    def quantum(self) -> int:
        """The most that a stream sends at a time."""
        return self._uplink.quantum

    def sourceFor(self, there: str) -> str:
        """The address from which to reach C{there}; empty: there is no way."""
        if there in _LOOPBACK:
            return there
        return next((own for own in self.addresses if (":" in own) == (":" in there)), "")

    def peerAt(self, address: str) -> Host | None:
        """Who has C{address}, as seen from here."""
        return self if address in self.localAddresses else self.network.hostAt(address)

    def transmit(self, other: Host, flow: object, size: int, arrive: Callable[[], object]) -> None:
        """Call C{arrive} once C{size} bytes of C{flow} came through to C{other}; or never."""
        if other is self:
            self.network.clock.callLater(0, arrive)
        elif self.online:
            self._uplink.send(flow, size, lambda: self._carry(other, flow, size, arrive))

    def signal(self, other: Host, arrive: Callable[[], object]) -> None:
        """Call C{arrive} once something so small that it never waits came through to C{other}."""
        delay = 0.0 if other is self else self.link.latency + other.link.latency
        self.network.clock.callLater(delay, lambda: arrive() if self.online and other.online else None)

    def drop(self, flow: object) -> None:
        """What of C{flow} has not left yet is not sent."""
        self._uplink.drop(flow)

    def _carry(self, other: Host, flow: object, size: int, arrive: Callable[[], object]) -> None:
        def arrived() -> None:
            if other.online:
                other._downlink.send(flow, size, arrive)

        if self.online:
            self.network.clock.callLater(self.link.latency + other.link.latency, arrived)
