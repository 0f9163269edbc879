"""
One GET to a server that may be hostile: connections that cannot outgrow a limit, reach where they
should not, or be left behind.

Why not C{treq}: it inflates gzip without a limit, keeps cookies of everybody, and refuses URLs with an
IPv6 literal; its time limit ends before the body.  C{Agent} has what is left.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any, cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import URI, BrowserLikePolicyForHTTPS, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IAgentEndpointFactory, IPolicyForHTTPS, IResponse
from zope.interface import implementer

from twisted_bt.errors import TrackerError

#: Refuses an address by raising L{TrackerError}.
Gate = Callable[[str], None]

_HEADERS = 1 << 16
"""Bytes allowed for what is not the body: status line, headers, chunk sizes."""


def isLoopback(host: str) -> bool:
    """Whether C{host} is an address of this machine."""
    return _plain(host).is_loopback


def isPublic(host: str) -> bool:
    """Whether C{host} is an address in the Internet."""
    return _plain(host).is_global


def _plain(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(host.partition("%")[0])
    mapped = address.ipv4_mapped if address.version == 6 else None
    return mapped or address


@implementer(IAgentEndpointFactory)
class DirectEndpoints:
    """
    Reaches web servers directly, over TCP or TLS.

    @param policy: whom to trust; C{None}: whom the system trusts.
    @param timeout: seconds for a connection to be made.
    @param bindAddress: the address to connect from; C{None}: the system chooses.
    """

    def __init__(
        self,
        reactor: Any,
        policy: IPolicyForHTTPS | None = None,
        timeout: float = 15.0,
        bindAddress: str | None = None,
    ) -> None:
        self._reactor = reactor
        self._policy = BrowserLikePolicyForHTTPS() if policy is None else policy
        self._timeout = timeout
        self._bindAddress = None if bindAddress is None else (bindAddress, 0)

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """An endpoint for C{uri}, which is http or https."""
        direct = HostnameEndpoint(
            self._reactor, uri.host.decode("ascii"), uri.port, self._timeout, self._bindAddress
        )
        if uri.scheme != b"https":
            return direct
        return wrapClientTLS(self._policy.creatorForNetloc(uri.host, uri.port), direct)


class _Capped(ProtocolWrapper):
    """Ends a connection that brings more bytes than it may, and tells when a connection is gone."""

    def __init__(self, factory: Any, wrapped: Any) -> None:
        super().__init__(factory, wrapped)
        self.room = factory.room
        self.gone: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.room -= len(data)
        if self.room < 0:
            self.abortConnection()
        else:
            super().dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self.gone.callback(None)


class _CappedFactory(WrappingFactory):
    protocol = _Capped
    noisy = False

    def __init__(self, wrapped: Any, room: int) -> None:
        super().__init__(wrapped)
        self.room = room
        wrapped.noisy = False  # or every announce makes two lines in the log


@implementer(IAgentEndpointFactory, IStreamClientEndpoint)
class Hop:
    """
    The one connection that serves one request: watched, and ended when told.

    @param gate: is shown the address that was reached, before anything is sent to it.
    """

    def __init__(self, endpoints: IAgentEndpointFactory, gate: Gate, maxBody: int) -> None:
        self._endpoints = endpoints
        self._gate = gate
        self._room = maxBody + _HEADERS
        self._endpoint: IStreamClientEndpoint | None = None
        self._wrapper: _Capped | None = None

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """This object, for C{uri}."""
        self._endpoint = self._endpoints.endpointForURI(uri)
        return self

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """Connect, and show the gate where we came to."""
        assert self._endpoint is not None, "an agent asks for the endpoint first"
        factory = _CappedFactory(protocolFactory, self._room)
        connecting = self._endpoint.connect(cast(IProtocolFactory, factory))
        return connecting.addCallback(self._connected)

    def _connected(self, wrapper: Any) -> Any:
        self._wrapper = wrapper  # from here on L{end} ends it
        self._gate(wrapper.transport.getPeer().host)
        return wrapper.wrappedProtocol

    @property
    def overflowed(self) -> bool:
        """Whether the server sent more than it may."""
        return self._wrapper is not None and self._wrapper.room < 0

    def end(self) -> Deferred[None]:
        """Drop the connection, if it is still there; fires when it is gone."""
        if self._wrapper is None:
            return succeed(None)
        if not self._wrapper.gone.called:
            self._wrapper.abortConnection()  # to lose a TLS connection needs the other side's consent
        return self._wrapper.gone


class Body(Protocol):
    """Collects a body of at most C{limit} bytes into C{whole}."""

    def __init__(self, limit: int) -> None:
        self.whole: Deferred[bytes] = Deferred()
        self._limit = limit
        self._size = 0
        self._chunks: list[bytes] = []

    def dataReceived(self, data: bytes) -> None:
        """Keep C{data}, unless it is too much."""
        self._size += len(data)
        if self._size <= self._limit:
            self._chunks.append(data)
        elif not self.whole.called:
            self._chunks.clear()
            self.whole.errback(TrackerError(f"the tracker's answer is over {self._limit} bytes"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The body is whole, or never will be."""
        if self.whole.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):  # the latter: no length was given (HTTP/1.0)
            self.whole.callback(b"".join(self._chunks))
        else:
            self.whole.errback(reason)


def bodyOf(response: IResponse, limit: int) -> Deferred[bytes]:
    """
    The body of C{response} as it was sent.  To cancel this leaves the connection to its L{Hop}.

    @raise TrackerError: it has more than C{limit} bytes.
    """
    body = Body(limit)
    response.deliverBody(body)
    return body.whole
