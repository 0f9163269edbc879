"""
Torrent files from web servers.
"""

from __future__ import annotations

from urllib.parse import urljoin

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import (
    Agent,
    HTTPConnectionPool,
    RequestGenerationFailed,
    ResponseDone,
    ResponseFailed,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse

from twisted_bt.errors import MetainfoError
from twisted_bt.interfaces import IClientReactor

#: Seconds for the whole of a download of a torrent file, and for its connection.
FETCH_TIMEOUT = 60.0
CONNECT_TIMEOUT = 15.0
#: How often a web server may send us elsewhere.
MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


def webAgent(reactor: IClientReactor) -> IAgent:
    """What asks web servers; it keeps no connection."""
    pool = HTTPConnectionPool(reactor, persistent=False)
    return Agent(reactor, connectTimeout=CONNECT_TIMEOUT, pool=pool)


def fetchTorrent(
    clock: IReactorTime, agent: IAgent, url: str, limit: int, userAgent: str = "twisted_bt"
) -> Deferred[bytes]:
    """
    What a web server gives for C{url}, within L{FETCH_TIMEOUT}.

    @param limit: bytes it may have.

    Fails with L{MetainfoError}, whose message names the URL and the reason.  Can be cancelled; no
    connection is left behind.
    """
    return Deferred.fromCoroutine(_fetch(clock, agent, url, limit, userAgent))


async def _fetch(clock: IReactorTime, agent: IAgent, url: str, limit: int, userAgent: str) -> bytes:
    work = Deferred.fromCoroutine(_get(agent, url, limit, userAgent))
    expired = False

    def expire() -> None:
        nonlocal expired
        expired = True
        work.cancel()

    timer = clock.callLater(FETCH_TIMEOUT, expire)
    try:
        return await work
    except Exception as error:
        if expired:
            raise MetainfoError(f"{url}: no complete answer within {FETCH_TIMEOUT:.0f} seconds") from None
        innermost = _innermost(error)
        if isinstance(innermost, CancelledError):
            raise innermost from None
        raise MetainfoError(f"{url}: {_reason(innermost)}") from error
    finally:
        if timer.active():
            timer.cancel()


async def _get(agent: IAgent, url: str, limit: int, userAgent: str) -> bytes:
    # Not RedirectAgent: it forgets the bodies of redirects, and with them their connections.
    for _ in range(MAX_REDIRECTS + 1):
        if not url.lower().startswith(("http://", "https://")):
            raise MetainfoError(f"the server redirects to {url}")
        headers = Headers({"User-Agent": [userAgent], "Accept": ["application/x-bittorrent, */*"]})
        response: IResponse = await agent.request(b"GET", url.encode("utf-8"), headers, None)
        body = _Body(limit)
        response.deliverBody(body)
        if response.code == 200:
            return await body.whole
        body.discard()
        locations = response.headers.getRawHeaders("location", [])
        if response.code not in _REDIRECTS or not locations:
            raise MetainfoError(f"the server answers {response.code}")
        url = urljoin(url, locations[0])
    raise MetainfoError(f"the server redirects more than {MAX_REDIRECTS} times")


class _Body(Protocol):
    """Collects a body of at most C{limit} bytes; to cancel C{whole} drops the connection."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._chunks: list[bytes] = []
        self.whole: Deferred[bytes] = Deferred(lambda _: self._drop())

    def dataReceived(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= self._limit:
            self._chunks.append(data)
        elif not self.whole.called:
            self.whole.errback(MetainfoError(f"over {self._limit >> 20} MiB, hardly a torrent file"))
            self._drop()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.whole.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):  # the latter: no length was given (HTTP/1.0)
            self.whole.callback(b"".join(self._chunks))
        else:
            self.whole.errback(reason)

    def discard(self) -> None:
        """Nobody wants it: drop the connection."""
        self.whole.addErrback(lambda _: None)
        self.whole.cancel()

    def _drop(self) -> None:
        self._chunks.clear()
        if self.transport is not None:
            self.transport.loseConnection()


def _innermost(error: BaseException) -> BaseException:
    """What an agent's error is about: it wraps whatever ended a request."""
    while isinstance(error, (ResponseFailed, RequestGenerationFailed)) and error.reasons:
        error = error.reasons[0].value
    return error


def _reason(error: BaseException) -> str:
    if isinstance(error, DNSLookupError):
        return "the server's name is not known"
    if isinstance(error, ConnectError):
        return f"no connection: {error}"
    if isinstance(error, ConnectionClosed):
        return "the server closed the connection"
    return str(error) or type(error).__name__
