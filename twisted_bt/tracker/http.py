"""
The client of HTTP and HTTPS trackers (BEP 3, 7, 23, 24, 31, 48).

The URL of a tracker comes from whoever made the torrent, and where a redirect leads is the tracker's
choice.  So that neither can make this program talk to things behind somebody's firewall:

  - on an address of this machine only paths that begin with C{/announce} or C{/scrape} are asked for;
  - a redirect to another host reaches only addresses in the Internet, unless the tracker is itself
    given as a literal address that is not, or as C{localhost};
  - a redirect does not lead from https to http, since the query holds the passkey.

The address that was really connected to is judged, not a name, and before anything is sent.

A connection serves one request: half an hour passes between two, and most trackers close anyway.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.python.failure import Failure
from twisted.web.client import Agent, RequestGenerationFailed, ResponseFailed
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from twisted_bt.errors import TrackerError
from twisted_bt.interfaces import ITrackerClient
from twisted_bt.tracker.agent import DirectEndpoints, Gate, Hop, bodyOf, isLoopback, isPublic
from twisted_bt.tracker.announce import (
    AnnounceRequest,
    AnnounceResponse,
    ScrapeAnswer,
    ScrapeEntry,
    printable,
)
from twisted_bt.tracker.httpwire import (
    announceURL,
    checkFailure,
    decodeAnnounce,
    decodeScrape,
    gunzip,
    scrapeLimit,
    scrapeURL,
)
from twisted_bt.tracker.resolution import resolveNames
from twisted_bt.tracker.underway import Underway
from twisted_bt.tracker.urls import TrackerURL, isLiteral

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@implementer(ITrackerClient)
class HttpTrackerClient:
    """
    Asks HTTP trackers.

    @param reactor: connects, keeps the time and resolves names.
    @param userAgent: the header of that name.
    @param timeout: seconds for one answer, redirects and body included.
    @param maxBody: bytes of a body, before and after inflating.
    @param maxRedirects: followed for one answer.
    @param guarded: whether the rules about addresses (see the module) hold.
    @param bindAddress: the address to connect from; C{None}: the system chooses.
    @param endpoints: how to reach web servers; C{None}: directly.
    """

    def __init__(
        self,
        reactor: Any,
        userAgent: str = "twisted_bt",
        timeout: float = 30.0,
        maxBody: int = 1 << 20,
        maxRedirects: int = 5,
        guarded: bool = True,
        bindAddress: str | None = None,
        endpoints: IAgentEndpointFactory | None = None,
    ) -> None:
        self._reactor = reactor
        self._userAgent = userAgent
        self._maxBody = maxBody
        self._maxRedirects = maxRedirects
        self._guarded = guarded
        direct = DirectEndpoints(reactor, bindAddress=bindAddress)
        self._endpoints = direct if endpoints is None else endpoints
        self._underway = Underway(reactor, timeout)
        self._ending: set[Deferred[None]] = set()

    def announce(self, url: str, request: AnnounceRequest) -> Deferred[AnnounceResponse]:
        """See L{ITrackerClient.announce}."""
        return self._underway.run(self._announce(url, request))

    def scrape(self, url: str, infoHashes: Sequence[bytes]) -> Deferred[dict[bytes, ScrapeEntry]]:
        """See L{ITrackerClient.scrape}.  Any number of info-hashes, in as many requests as that takes."""
        return self._underway.run(self._scrape(url, infoHashes))

    def close(self) -> Deferred[None]:
        """See L{ITrackerClient.close}."""
        self._underway.close()
        ended = DeferredList(list(self._ending), consumeErrors=True)
        return ended.addCallback(lambda _: None)

    async def _announce(self, url: str, request: AnnounceRequest) -> AnnounceResponse:
        body = await self._get(announceURL(TrackerURL.parse(url), request))
        response = decodeAnnounce(body)
        if response.names:
            return await resolveNames(self._reactor, response)
        return response

    async def _scrape(self, url: str, infoHashes: Sequence[bytes]) -> dict[bytes, ScrapeEntry]:
        tracker = TrackerURL.parse(url)
        limit = scrapeLimit(tracker)
        answer = ScrapeAnswer()
        for start in range(0, len(infoHashes), limit):
            part = infoHashes[start : start + limit]
            found = decodeScrape(await self._get(scrapeURL(tracker, part)))
            answer.update((each, found[each]) for each in part if each in found)
            answer.minInterval = max(answer.minInterval, found.minInterval)
        return answer

    async def _get(self, first: TrackerURL) -> bytes:
        """The content at C{first}, or where that redirects to."""
        url = first
        for _ in range(self._maxRedirects + 1):
            location, body = await self._hop(url, self._gateFor(first, url))
            if location is None:
                return body
            following = url.join(location)
            if following.scheme == "udp" or (url.scheme, following.scheme) == ("https", "http"):
                raise TrackerError(f"the tracker redirects from {url.scheme} to {following.scheme}")
            url = following
        raise TrackerError(f"the tracker redirects more than {self._maxRedirects} times")

    async def _hop(self, url: TrackerURL, gate: Gate) -> tuple[str | None, bytes]:
        """One request: where it redirects to, or C{None} and the content of the body."""
        hop = Hop(self._endpoints, gate, self._maxBody)
        agent = Agent.usingEndpointFactory(self._reactor, hop)
        try:
            response = await agent.request(b"GET", str(url).encode("ascii"), self._headers(url))
            locations = response.headers.getRawHeaders(b"location")
            if response.code in _REDIRECTS and locations:
                return locations[0].decode("latin-1"), b""
            body = await bodyOf(response, self._maxBody)
            encodings = response.headers.getRawHeaders(b"content-encoding") or [b""]
            if encodings[-1].strip().lower() in (b"gzip", b"x-gzip"):
                body = gunzip(body, self._maxBody)
            if response.code != 200:
                checkFailure(body)
                raise TrackerError(f"HTTP status {response.code} {printable(response.phrase)}".strip())
            return None, body
        except (TrackerError, CancelledError):
            raise
        except Exception as reason:
            if hop.overflowed:
                raise TrackerError(f"the tracker's answer is over {self._maxBody} bytes") from reason
            raise TrackerError(_sentence(reason)) from reason
        finally:
            self._end(hop)

    def _headers(self, url: TrackerURL) -> Headers:
        headers = Headers({"User-Agent": [self._userAgent], "Accept-Encoding": ["gzip"]})
        if url.credentials is not None:
            basic = b64encode(url.credentials.encode("utf-8")).decode("ascii")
            headers.addRawHeader("Authorization", f"Basic {basic}")
        return headers

    def _gateFor(self, first: TrackerURL, url: TrackerURL) -> Gate:
        mayBeLocal = url.host == first.host or _isLocal(first.host)

        def gate(address: str) -> None:
            if not self._guarded:
                return
            if isLoopback(address) and not url.path.startswith(("/announce", "/scrape")):
                raise TrackerError(f"{url.path} on this machine is no tracker's")
            if not mayBeLocal and not isPublic(address):
                raise TrackerError(f"the tracker redirects to {url.host}, which is not in the Internet")

        return gate

    def _end(self, hop: Hop) -> None:
        ending = hop.end()
        self._ending.add(ending)
        ending.addBoth(lambda _: self._ending.discard(ending))


def _isLocal(host: str) -> bool:
    return host == "localhost" or (isLiteral(host) and not isPublic(host))


def _sentence(reason: object) -> str:
    """What went wrong, for people."""
    if isinstance(reason, (ResponseFailed, RequestGenerationFailed)) and reason.args and reason.args[0]:
        inner = reason.args[0][0]
        return _sentence(inner.value if isinstance(inner, Failure) else inner)
    if isinstance(reason, DNSLookupError):
        return "the tracker's name cannot be resolved"
    if isinstance(reason, (ConnectError, ConnectionClosed)):
        return f"the tracker cannot be reached: {reason}"
    return str(reason) or type(reason).__name__
