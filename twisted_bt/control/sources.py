"""
Where a torrent file comes from: a path or an http(s) URL.
"""

from __future__ import annotations

import os
from pathlib import Path
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
from twisted_bt.torrent.metainfo import Metainfo

#: Bytes a torrent file may have.
MAX_TORRENT_SIZE = 32 << 20
#: Seconds for the whole of a download of a torrent file, and for its connection.
FETCH_TIMEOUT = 60.0
CONNECT_TIMEOUT = 15.0
#: How often a web server may send us elsewhere.
MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


def readMetainfo(path: Path) -> Metainfo:
    """
    The torrent in the file at C{path}.

    @raise MetainfoError: it cannot be read, or is none; the message names C{path}.
    """
    return parseTorrent(str(path), readTorrentFile(path))


def isURL(source: str) -> bool:
    """Whether C{source} is to be asked of a web server."""
    return source.lower().startswith(("http://", "https://"))


def checkSource(source: str) -> None:
    """
    Refuse what can be told from the text alone.

    @raise MetainfoError: a magnet link, or a URL of a scheme other than http and https.
    """
    if source.lower().startswith("magnet:"):
        raise MetainfoError("magnet links are not supported yet; give a torrent file or the URL of one")
    scheme, found, _ = source.partition("://")
    if found and not isURL(source) and "/" not in scheme:
        raise MetainfoError(f"{source}: {scheme}:// is not supported; give a path, http:// or https://")


def readTorrentFile(path: Path) -> bytes:
    """
    The content of the torrent file at C{path}.

    @raise MetainfoError: it cannot be read or is over L{MAX_TORRENT_SIZE} bytes; the message names it.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_TORRENT_SIZE + 1)
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise MetainfoError(f"{path}: cannot be read: {reason}") from error
    if len(content) > MAX_TORRENT_SIZE:
        raise MetainfoError(f"{path}: over {MAX_TORRENT_SIZE >> 20} MiB, hardly a torrent file")
    return content


def parseTorrent(source: str, content: bytes) -> Metainfo:
    """
    C{content} as a torrent that can be exchanged.

    @param source: where it is from, for the error.
    @raise MetainfoError: it is none; the message names C{source}.
    """
    try:
        return Metainfo.fromBytes(content)
    except MetainfoError as error:
        raise MetainfoError(f"{source}: {error}") from error


def webAgent(reactor: IClientReactor) -> IAgent:
    """What asks web servers; it keeps no connection."""
    pool = HTTPConnectionPool(reactor, persistent=False)
    return Agent(reactor, connectTimeout=CONNECT_TIMEOUT, pool=pool)


def fetchTorrent(
    clock: IReactorTime, agent: IAgent, url: str, userAgent: str = "twisted_bt"
) -> Deferred[bytes]:
    """
    What a web server gives for C{url}, with limits on size and time.

    Fails with L{MetainfoError}, whose message names the URL and the reason.  Can be cancelled; no
    connection is left behind.
    """
    return Deferred.fromCoroutine(_fetch(clock, agent, url, userAgent))


async def _fetch(clock: IReactorTime, agent: IAgent, url: str, userAgent: str) -> bytes:
    work = Deferred.fromCoroutine(_get(agent, url, userAgent))
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


async def _get(agent: IAgent, url: str, userAgent: str) -> bytes:
    # Not RedirectAgent: it forgets the bodies of redirects, and with them their connections.
    for _ in range(MAX_REDIRECTS + 1):
        if not isURL(url):
            raise MetainfoError(f"the server redirects to {url}")
        headers = Headers({"User-Agent": [userAgent], "Accept": ["application/x-bittorrent, */*"]})
        response: IResponse = await agent.request(b"GET", url.encode("utf-8"), headers, None)
        body = _Body(MAX_TORRENT_SIZE)
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
