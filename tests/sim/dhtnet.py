"""
A network for many DHT nodes: UDP and a clock, and nothing that costs time for what these do not use.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from random import Random
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import AlreadyCalled, AlreadyCancelled, CannotListenError
from twisted.internet.interfaces import IDelayedCall, IUDPTransport
from zope.interface import implementer


@implementer(IDelayedCall)
class Call:
    """One event to come."""

    __slots__ = ("arguments", "due", "function", "network")

    def __init__(
        self, network: DhtNet, due: float, function: Callable[..., object], arguments: tuple[Any, ...]
    ) -> None:
        self.network = network
        self.due = due
        self.function: Callable[..., object] | None = function
        self.arguments = arguments

    def getTime(self) -> float:
        """When it is due."""
        return self.due

    def active(self) -> bool:
        """Whether it is still to come."""
        return self.function is not None

    def cancel(self) -> None:
        """See L{IDelayedCall}."""
        if self.function is None:
            raise AlreadyCalled
        self.function, self.arguments = None, ()
        self.network.pending -= 1

    def reset(self, secondsFromNow: float) -> None:
        """Not needed."""
        raise AlreadyCancelled

    def delay(self, secondsLater: float) -> None:
        """Not needed."""
        raise AlreadyCancelled


class DhtNet:
    """
    @ivar loss: the share of datagrams that get lost.
    @ivar dead: hosts that nothing reaches and nothing leaves.
    @ivar pending: calls to come.
    @ivar sent: datagrams so far.
    """

    def __init__(self, seed: int = 0) -> None:
        self.random = Random(seed)
        self.now = 0.0
        self.loss = 0.0
        self.dead: set[str] = set()
        self.pending = 0
        self.sent = 0
        self.ports: dict[tuple[str, int], Port] = {}
        self._queue: list[tuple[float, int, Call]] = []
        self._order = 0

    def callLater(self, delay: float, function: Callable[..., object], *arguments: Any) -> Call:
        """See C{IReactorTime}."""
        call = Call(self, self.now + delay, function, arguments)
        self._order += 1
        self.pending += 1
        heappush(self._queue, (call.due, self._order, call))
        return call

    def advance(self, seconds: float, until: Callable[[], object] = lambda: False) -> None:
        """Let C{seconds} pass, or less if C{until()} holds before."""
        end = self.now + seconds
        queue = self._queue
        while queue and queue[0][0] <= end:
            due, _, call = heappop(queue)
            function = call.function
            if function is None:
                continue
            self.now = due
            self.pending -= 1
            call.function = None
            function(*call.arguments)
            if until():
                return
        self.now = end

    def result(self, waited: Deferred[Any], seconds: float = 600.0) -> Any:
        """What C{waited} fires with, within so many virtual seconds."""
        outcome: list[Any] = []
        waited.addBoth(outcome.append)
        self.advance(seconds, lambda: outcome)
        if not outcome:
            raise AssertionError(f"not within {seconds} virtual seconds")
        if hasattr(outcome[0], "raiseException"):
            outcome[0].raiseException()
        return outcome[0]

    def deliver(self, datagram: bytes, source: tuple[str, int], target: tuple[str, int]) -> None:
        """On its way, or lost."""
        self.sent += 1
        random = self.random.random
        if self.loss and random() < self.loss:
            return
        self.callLater(0.02 + 0.1 * random(), self._arrive, datagram, source, target)

    def _arrive(self, datagram: bytes, source: tuple[str, int], target: tuple[str, int]) -> None:
        port = self.ports.get(target)
        if port is not None and target[0] not in self.dead and source[0] not in self.dead:
            port.protocol.datagramReceived(datagram, source)


class SimReactor:
    """One host: what a L{DhtNode<twisted_bt.dht.service.DhtNode>} takes for its reactor."""

    nameResolver: Any = None

    def __init__(self, network: DhtNet, host: str) -> None:
        self._network = network
        self._host = host
        self.callLater = network.callLater

    def seconds(self) -> float:
        """See C{IReactorTime}."""
        return self._network.now

    def listenUDP(self, port: int, protocol: Any, interface: str = "", maxPacketSize: int = 8192) -> Port:
        """See C{IReactorUDP}."""
        opened = Port(self._network, (self._host, port), protocol)
        if opened.address in self._network.ports:
            raise CannotListenError(interface, port, OSError(98, "Address already in use"))
        self._network.ports[opened.address] = opened
        protocol.makeConnection(opened)
        return opened


@implementer(IUDPTransport)
class Port:
    """An open port."""

    __slots__ = ("address", "network", "protocol")

    def __init__(self, network: DhtNet, address: tuple[str, int], protocol: Any) -> None:
        self.network = network
        self.address = address
        self.protocol = protocol

    def write(self, packet: bytes, addr: tuple[str, int] | None = None) -> None:
        """See L{IUDPTransport}."""
        assert addr is not None
        if (":" in addr[0]) != (":" in self.address[0]):
            raise OSError(101, "Network is unreachable")
        self.network.deliver(packet, self.address, addr)

    def stopListening(self) -> Deferred[None]:
        """See L{IUDPTransport}."""
        del self.network.ports[self.address]
        self.protocol.doStop()
        return succeed(None)

    def getHost(self) -> IPv4Address | IPv6Address:
        """See L{IUDPTransport}."""
        kind = IPv6Address if ":" in self.address[0] else IPv4Address
        return kind("UDP", *self.address)

    def connect(self, host: str, port: int) -> None:
        raise NotImplementedError

    def setBroadcastAllowed(self, enabled: bool) -> None:
        raise NotImplementedError

    def getBroadcastAllowed(self) -> bool:
        return False
