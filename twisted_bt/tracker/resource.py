"""
The embedded tracker's HTTP side: C{/announce} and C{/scrape} for a C{twisted.web} site.

BEP 3, 7, 23, 24, 48.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from ipaddress import ip_address
from typing import Any

from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from twisted_bt.errors import TrackerError
from twisted_bt.torrent.addresses import PeerAddr, encodeCompact, peerAddr
from twisted_bt.torrent.bencoding import encode
from twisted_bt.tracker.announce import AnnounceRequest, Event
from twisted_bt.tracker.peerstore import KnownPeer, PeerStore
from twisted_bt.tracker.udpwire import MAX_SCRAPE

DEFAULT_NUMWANT = 50
MAX_NUMWANT = 200


class TrackerRequest(Request):
    """A request whose body is not kept: nobody has anything to upload to a tracker."""

    def gotLength(self, length: int | None) -> None:
        """Make no room for it."""
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        """Drop C{data}."""

    def process(self) -> None:
        """Answer.  Pages of errors show the URI, and can not where it is not ASCII, as no URI should be."""
        self.uri = self.uri.decode("latin-1").encode("ascii", "replace")
        super().process()


class TrackerSite(Site):
    """Serves a tracker: quietly, and without keeping what clients upload."""

    requestFactory = TrackerRequest
    displayTracebacks = False
    noisy = False

    def log(self, request: Any) -> None:
        """Not each announce."""


class _Answering(Resource):
    """Answers with a bencoded dictionary; a failure is one too (BEP 3)."""

    isLeaf = True

    def __init__(self, answer: Callable[[Any], dict[bytes, object]]) -> None:
        super().__init__()
        self._answer = answer

    def render_GET(self, request: Any) -> bytes:
        request.setHeader("Content-Type", "text/plain")
        try:
            return encode(self._answer(request))
        except TrackerError as reason:
            return encode({b"failure reason": reason.reason})


class TrackerResource(Resource):
    """
    The root of a tracker's site.

    @param interval: seconds that clients are told to wait between announces.
    @param minInterval: seconds that they are told to wait at least.
    """

    def __init__(self, store: PeerStore, interval: int = 1800, minInterval: int = 60) -> None:
        super().__init__()
        self._store = store
        self._interval = interval
        self._minInterval = min(interval, minInterval)
        self.putChild(b"announce", _Answering(self._announce))
        self.putChild(b"scrape", _Answering(self._scrape))

    def _announce(self, request: Any) -> dict[bytes, object]:
        args: dict[bytes, list[bytes]] = request.args
        announce = parseAnnounce(args)
        seenAt = ip_address(request.getClientAddress().host.partition("%")[0])
        addr = _addressOf(announce, str(seenAt), seenAt.is_loopback)
        self._store.announce(announce, addr)
        wanted = DEFAULT_NUMWANT if announce.numwant < 0 else min(announce.numwant, MAX_NUMWANT)
        peers = self._store.sample(announce, addr, wanted)
        counts = self._store.counts(announce.infoHash)
        answer: dict[bytes, object] = {
            b"interval": self._interval,
            b"min interval": self._minInterval,
            b"complete": 0 if counts is None else counts.complete,
            b"incomplete": 0 if counts is None else counts.incomplete,
            b"external ip": seenAt.packed,
        }
        if _first(args, b"compact") == b"0":
            answer[b"peers"] = [_dictionary(each, _first(args, b"no_peer_id") == b"1") for each in peers]
        else:
            answer[b"peers"] = encodeCompact(each.addr for each in peers)
            packed = encodeCompact((each.addr for each in peers), ipv6=True)
            if packed:
                answer[b"peers6"] = packed
        return answer

    def _scrape(self, request: Any) -> dict[bytes, object]:
        asked: list[bytes] = request.args.get(b"info_hash", [])[:MAX_SCRAPE]
        if not asked:
            raise TrackerError("a scrape must name its torrents")
        files: dict[bytes, object] = {}
        for infoHash in asked:
            counts = self._store.counts(infoHash)
            if counts is not None:
                files[infoHash] = {
                    b"complete": counts.complete,
                    b"downloaded": counts.downloaded,
                    b"incomplete": counts.incomplete,
                }
        return {b"files": files}


def parseAnnounce(args: dict[bytes, list[bytes]]) -> AnnounceRequest:
    """
    The announce in the arguments of a URL.

    @raise TrackerError: something is missing, or cannot be.
    """
    infoHash, peerId = _first(args, b"info_hash"), _first(args, b"peer_id")
    if len(infoHash) != 20:
        raise TrackerError("info_hash is not 20 bytes")
    if len(peerId) != 20:
        raise TrackerError("peer_id is not 20 bytes")
    try:
        event = Event(_first(args, b"event").decode("ascii"))
    except ValueError:
        event = Event.NONE  # some clients invent events; they are peers all the same
    port = _number(args, b"port", None)
    if port > 65535:
        raise TrackerError("port is over 65535")
    return AnnounceRequest(
        infoHash,
        peerId,
        port,
        uploaded=_number(args, b"uploaded", 0),
        downloaded=_number(args, b"downloaded", 0),
        left=_number(args, b"left", 1),
        event=event,
        numwant=min(_number(args, b"numwant", -1), MAX_NUMWANT),
        ip=_first(args, b"ip").decode("ascii", "replace") or None,
    )


def _addressOf(announce: AnnounceRequest, seenAt: str, trusted: bool) -> PeerAddr | None:
    """
    Where others reach whoever announces.  What it says itself counts only from this machine: else
    anybody could send a swarm to any address.
    """
    if announce.port == 0:
        return None
    if trusted and announce.ip is not None:
        try:
            return peerAddr(announce.ip, announce.port)
        except ValueError:
            pass
    return peerAddr(seenAt, announce.port)


def _dictionary(peer: KnownPeer, noPeerId: bool) -> dict[bytes, object]:
    entry: dict[bytes, object] = {b"ip": peer.addr.host, b"port": peer.addr.port}
    if not noPeerId:
        entry[b"peer id"] = peer.peerId
    return entry


def _first(args: dict[bytes, list[bytes]], name: bytes) -> bytes:
    return args.get(name, [b""])[0]


def _number(args: dict[bytes, list[bytes]], name: bytes, default: int | None) -> int:
    raw = _first(args, name)
    if raw.isdigit() and len(raw) < 20:
        return int(raw)
    if default is None or raw.isdigit():
        raise TrackerError(f"{name.decode('ascii')} is no number")
    return default
