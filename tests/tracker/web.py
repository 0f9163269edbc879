"""
Web servers in memory, for tests of what asks them: real HTTP, no sockets, time that is made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.test.iosim import FakeTransport, IOPump, connect
from twisted.web.client import URI
from twisted.web.iweb import IAgentEndpointFactory
from twisted.web.resource import Resource
from twisted.web.server import Site
from zope.interface import implementer


class _Page(Resource):
    """Answers every path by one function."""

    isLeaf = True

    def __init__(self, answer: Callable[[Any], Any]) -> None:
        super().__init__()
        self._answer = answer

    def render_GET(self, request: Any) -> Any:
        return self._answer(request)


def site(clock: Clock, answer: Callable[[Any], Any]) -> Site:
    """A web server whose pages are what C{answer} makes of a request."""
    return Site(_Page(answer), timeout=None, reactor=clock)


@implementer(IAgentEndpointFactory)
class MemoryWeb:
    """
    Hosts by name, each at an address, all served by one factory.  Pump with L{flush}.

    @ivar visited: C{(scheme, host, port)} of each connection made.
    @param hosts: addresses by name; C{None} refuses connections.
    """

    def __init__(self, clock: Clock, factory: Factory, hosts: dict[str, str | None]) -> None:
        self._clock = clock
        self._factory = factory
        self._hosts = hosts
        self._pumps: list[IOPump] = []
        self._clients: list[FakeTransport] = []
        self.visited: list[tuple[str, str, int]] = []

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """An endpoint that leads to the host of C{uri}."""
        return _Endpoint(self, uri)

    def connect(self, uri: URI, factory: Any) -> Deferred[Any]:
        """Join a client to a server."""
        host = uri.host.decode("ascii")
        self.visited.append((uri.scheme.decode("ascii"), host, uri.port))
        address = self._hosts[host]
        if address is None:
            return fail(ConnectionRefusedError())
        kind = IPv6Address if ":" in address else IPv4Address
        there, here = kind("TCP", address, uri.port), kind("TCP", address, 50000)
        client = factory.buildProtocol(there)
        server = self._factory.buildProtocol(here)
        transport = FakeTransport(client, False, hostAddress=here, peerAddress=there)
        self._clients.append(transport)
        pump = connect(server, FakeTransport(server, True, there, here), client, transport, clock=self._clock)
        self._pumps.append(pump)
        return succeed(client)

    def flush(self) -> None:
        """Carry bytes both ways until none are left."""
        moved = True
        while moved:
            moved = False
            for pump in self._pumps:
                moved = pump.pump() or moved

    @property
    def open(self) -> int:
        """How many connections the client has not let go."""
        return sum(not each.disconnecting and not each.disconnected for each in self._clients)


@implementer(IStreamClientEndpoint)
class _Endpoint:
    def __init__(self, web: MemoryWeb, uri: URI) -> None:
        self._web = web
        self._uri = uri

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        return self._web.connect(self._uri, protocolFactory)


class _Raw(Protocol):
    """Answers whatever comes with bytes of the test's choice, and then closes, or stays."""

    def __init__(self, answer: bytes, closes: bool) -> None:
        self._answer = answer
        self._closes = closes

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(self._answer)
        if self._closes:
            self.transport.loseConnection()


def raw(answer: bytes, closes: bool = True) -> Factory:
    """A server that is none."""
    return Factory.forProtocol(lambda: _Raw(answer, closes))
