"""
Targets: what trackers answer.
"""

from __future__ import annotations

import gzip
from random import Random
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from tests.fuzz.logs import Errors
from tests.fuzz.seeds import files, vectors
from tests.fuzz.target import ACCEPTED, REJECTED, Tally, Target, outcome, require
from tests.fuzz.trees import Grove
from tests.tracker.names import Names
from tests.tracker.requests import announcing
from tests.tracker.web import MemoryWeb, raw
from twisted_bt.errors import TrackerError
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.bencoding import encode
from twisted_bt.tracker.announce import AnnounceResponse
from twisted_bt.tracker.http import HttpTrackerClient
from twisted_bt.tracker.httpwire import MAX_PEERS, checkFailure, decodeAnnounce, decodeScrape, gunzip
from twisted_bt.tracker.udpwire import (
    AnnounceReply,
    ConnectReply,
    ErrorReply,
    ScrapeReply,
    decodeReply,
    transactionOf,
)

_HASH = b"h" * 20
_KEYS = (
    b"interval", b"min interval", b"peers", b"peers6", b"complete", b"incomplete", b"downloaded",
    b"failure reason",
    b"retry in", b"warning message", b"external ip", b"tracker id", b"ip", b"port", b"peer id", b"files",
    b"name", _HASH,
)  # fmt: skip
_PEERS = [
    {b"ip": b"1.2.3.4", b"port": 80},
    {b"ip": b"::1", b"port": 1},
    {b"ip": b"host.name", b"port": 2, b"peer id": b"x"},
]


class HttpBodies(Target):
    """L{twisted_bt.tracker.httpwire}: the bodies of answers, also packed."""

    name = "httpbody"
    memoryPerByte = 1100  # gzip makes a thousand of one
    memory = 1 << 21
    words = (
        *(b"%d:%b" % (len(each), each) for each in _KEYS), b"5:never", b"6:\1\2\3\4\0\x50", b"\x1f\x8b\x08",
    )  # fmt: skip

    def __init__(self) -> None:
        self._grove = Grove(self.seeds(), _KEYS)

    def seeds(self) -> list[bytes]:
        """Of each form."""
        counts = {b"complete": 1, b"incomplete": 2, b"downloaded": 3, b"name": b"n"}
        plain = [
            encode(
                {
                    b"interval": 1800,
                    b"min interval": 60,
                    b"peers": b"\1\2\3\4\0\x50" * 3,
                    b"peers6": b"\x20" * 36,
                }
            ),
            encode(
                {
                    b"interval": 5,
                    b"peers": _PEERS,
                    b"external ip": b"\1\2\3\4",
                    b"tracker id": b"t",
                    b"complete": 1,
                }
            ),
            encode({b"failure reason": b"no", b"retry in": 5}),
            encode({b"failure reason": b"no", b"retry in": b"never"}),
            encode({b"peers": b"", b"warning message": b"w", b"external ip": bytes(15) + b"\1"}),
            encode({b"files": {_HASH: counts, b"x" * 20: {}}}),
        ]
        return (
            plain
            + [gzip.compress(each, mtime=0) for each in plain[:2]]
            + vectors("http_tracker_response")
            + files(".gz")
        )

    def make(self, random: Random) -> bytes:
        """An answer, sometimes packed."""
        made = self._grove.make(random)
        return gzip.compress(made, 1, mtime=0) if random.random() < 0.1 else made

    def grow(self, random: Random, times: int) -> bytes:
        """A tree with more of something."""
        return self._grove.grown(random, times)

    def run(self, data: bytes) -> Tally:
        """One exception; bounded, even when it was packed."""
        if data[:2] == b"\x1f\x8b":
            content = outcome(lambda: gunzip(data, 1 << 16), TrackerError)
            if content is None:
                return REJECTED
            require(len(content) <= 1 << 16, "unpacked no longer than the limit", len(content))
            data = content
        scrape = outcome(lambda: decodeScrape(data), TrackerError)
        outcome(lambda: checkFailure(data), TrackerError)
        found = outcome(lambda: decodeAnnounce(data), TrackerError)
        if found is not None:
            require(len(found.peers) <= MAX_PEERS and len(found.names) <= 8, "bounded", len(found.peers))
            require(len(set(found.peers)) == len(found.peers), "each once", found.peers)
            require(0 <= found.interval < 1 << 31 and 0 <= found.minInterval < 1 << 31, "intervals", found)
            require(all(0 < each.port < 65536 for each in found.peers), "ports", found.peers)
            require(found.warning.isprintable(), "warnings can be shown", found.warning)
        return REJECTED if found is None and scrape is None else ACCEPTED


class HttpAnswers(Target):
    """L{twisted_bt.tracker.http}: whatever a web server may send, to the whole client."""

    name = "httpclient"
    seconds = 0.5
    memory = 1 << 22
    memoryPerByte = 1100
    words = (
        b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 404 No\r\n", b"HTTP/1.1 302 There\r\n",
        b"HTTP/1.1 100 Go on\r\n\r\n",
        b"Content-Length: 5\r\n", b"Content-Length: -1\r\n", b"Content-Encoding: gzip\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Location: http://other/announce\r\n", b"Location: udp://x\r\n", b"Location: //\r\n",
        b"Connection: close\r\n",
        b"\r\n\r\n", b"5\r\nd2:ab\r\n", b"0\r\n\r\n", b"HTTP/1.1 204 Nothing\r\n\r\n",
        b"HTTP/9.9 999 \xff\r\n", b": ", b"ffffffff\r\n",
    )  # fmt: skip

    def __init__(self) -> None:
        self._errors = Errors()

    def seeds(self) -> list[bytes]:
        """Of each form."""
        body = b"d8:intervali77e5:peers6:\1\2\3\4\0\x50e"
        packed = gzip.compress(body, mtime=0)
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n"
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:5], body[5:]))
        return [
            head % len(body) + b"\r\n" + body,
            b"HTTP/1.0 200 OK\r\n\r\n" + body,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n",
            head % len(packed) + b"Content-Encoding: gzip\r\n\r\n" + packed,
            b"HTTP/1.1 302 Found\r\nLocation: http://tracker/announce2\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 404 No\r\nContent-Length: 26\r\n\r\nd14:failure reason4:gone2:xe",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" + body,
            *vectors("http_response_parse"),
        ]  # fmt: skip

    def run(self, data: bytes) -> Tally:
        """One exception; nothing stays open, nothing is logged as an error."""
        reactor = MemoryReactorClock()
        reactor.nameResolver = Names({})
        hosts = {"tracker": "192.0.2.1", "other": "9.9.9.9"}
        web = MemoryWeb(reactor, raw(data, closes=True), _Hosts(hosts))
        client = HttpTrackerClient(reactor, timeout=30, endpoints=web, maxBody=1 << 14, maxRedirects=2)
        result: list[Any] = []
        client.announce("http://tracker/announce", announcing()).addBoth(result.append)
        for _ in range(20):
            web.flush()
            if result:
                break
        reactor.advance(31)
        web.flush()
        require(len(result) == 1, "an announce ends", result)
        closed: list[Any] = []
        client.close().addBoth(closed.append)
        web.flush()
        require(
            len(closed) == 1 and web.open == 0 and not reactor.getDelayedCalls(), "nothing stays open", closed
        )
        self._errors.none()
        answer = result[0]
        if isinstance(answer, AnnounceResponse):
            return ACCEPTED
        if not isinstance(answer, Failure) or not answer.check(TrackerError):
            answer.raiseException()
        return REJECTED


class _Hosts(dict[str, "str | None"]):
    """Every name is a host that refuses."""

    def __missing__(self, name: str) -> None:
        return None


class UdpReplies(Target):
    """L{twisted_bt.tracker.udpwire}: what UDP trackers answer."""

    name = "udpreply"
    words = tuple(bytes((0, 0, 0, kind)) for kind in range(5))
    maxLength = 2048

    def seeds(self) -> list[bytes]:
        """Each kind."""
        four, six = PeerAddr("1.2.3.4", 80), PeerAddr("2001:db8::1", 1)
        own = [
            ConnectReply(7, 8).encode(), AnnounceReply(7, 1800, 1, 2, (four, four)).encode(False),
            AnnounceReply(7, 1800, 1, 2, (six,)).encode(True), ScrapeReply(7, ((1, 2, 3), (4, 5,
            6))).encode(),
            ErrorReply(7, "no").encode(),
        ]  # fmt: skip
        return own + vectors("udp_tracker") + files(".bin")

    def run(self, data: bytes) -> Tally:
        """One exception, by either family; what is read is written to the same."""
        accepted = False
        for ipv6 in (False, True):
            found = outcome(lambda ipv6=ipv6: decodeReply(data, ipv6), TrackerError)  # type: ignore[misc]
            if found is None:
                continue
            accepted = True
            require(found.transaction == transactionOf(data), "its transaction", found)
            if isinstance(found, AnnounceReply):
                if all(each.isIPv6 == ipv6 for each in found.peers):
                    require(decodeReply(found.encode(ipv6), ipv6) == found, "decode(encode(x)) == x", found)
            elif isinstance(found, ErrorReply):
                require(
                    found.message.isprintable() and len(found.message) <= 300, "one line for people", found
                )
            else:
                require(decodeReply(found.encode(), ipv6) == found, "decode(encode(x)) == x", found)
        return ACCEPTED if accepted else REJECTED
