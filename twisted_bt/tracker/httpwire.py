"""
HTTP trackers, without the HTTP: the URL that asks, and what the body says.

BEP 3 (fields), 7 and 23 (compact peers), 24 (external ip), 31 (retry in), 48 (scrape).
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Sequence
from socket import AF_INET, AF_INET6, inet_ntop
from typing import Any
from urllib.parse import quote

from twisted_bt.errors import BencodeError, TrackerError
from twisted_bt.torrent.addresses import PeerAddr, decodeCompact, peerAddr
from twisted_bt.torrent.bencoding import decodePrefix
from twisted_bt.tracker.announce import (
    DEFAULT_INTERVAL,
    AnnounceRequest,
    AnnounceResponse,
    Event,
    ScrapeAnswer,
    ScrapeEntry,
    printable,
)
from twisted_bt.tracker.urls import LONGEST_URL, TrackerURL, hostOf

MAX_PEERS = 2000
"""Addresses kept of one answer; ten times what anybody asks for."""

_MAX_NAMES = 8
_MAX_COUNT = (1 << 31) - 1


def announceURL(tracker: TrackerURL, request: AnnounceRequest) -> TrackerURL:
    """Where to ask.  What the tracker's own URL had as its query, a passkey perhaps, stays as it was."""
    fields: list[tuple[str, object]] = [
        ("info_hash", request.infoHash),
        ("peer_id", request.peerId),
        ("port", request.port),
        ("uploaded", request.uploaded),
        ("downloaded", request.downloaded),
        ("left", request.left),
        ("compact", 1),
        ("no_peer_id", 1),
        ("key", f"{request.key & 0xFFFFFFFF:08X}"),
    ]
    if request.numwant >= 0:
        fields.append(("numwant", request.numwant))
    if request.event is not Event.NONE:
        fields.append(("event", request.event.value))
    if request.ip is not None:
        fields.append(("ip", request.ip))
    if request.trackerId is not None:
        fields.append(("trackerid", request.trackerId))
    return _withQuery(tracker, tracker.path, fields)


def scrapeURL(tracker: TrackerURL, infoHashes: Sequence[bytes]) -> TrackerURL:
    """
    Where to ask for counts (BEP 48: C{announce} behind the last slash becomes C{scrape}).

    @raise TrackerError: the tracker's URL has no C{announce} there, so it has no scrape.
    """
    start = tracker.target.rfind("/") + 1
    if start == 0 or not tracker.path.startswith("announce", start):
        raise TrackerError("this tracker does not support scrape")
    path = tracker.path[:start] + "scrape" + tracker.path[start + len("announce") :]
    return _withQuery(tracker, path, [("info_hash", each) for each in infoHashes])


def scrapeLimit(tracker: TrackerURL) -> int:
    """
    How many info-hashes one request may ask about: as many as fit into a URL whatever they are.

    @raise TrackerError: it cannot be asked; see L{scrapeURL}.
    """
    room = LONGEST_URL - len(str(scrapeURL(tracker, ())))
    return max(1, room // len("&info_hash=" + 20 * "%00"))


def _withQuery(tracker: TrackerURL, path: str, fields: Iterable[tuple[str, object]]) -> TrackerURL:
    own = [tracker.query.rstrip("&")] if tracker.query else []
    query = "&".join(own + [f"{name}={_quoted(value)}" for name, value in fields])
    return TrackerURL(tracker.scheme, tracker.host, tracker.port, path or "/", query, tracker.credentials)


def _quoted(value: object) -> str:
    return quote(value if isinstance(value, bytes) else str(value), safe="")


def decodeAnnounce(body: bytes) -> AnnounceResponse:
    """
    What the body of an announce's answer says.

    What is missing or makes no sense gets its default, and addresses that are none are left out:
    trackers vary.  Peers that are neither a list nor a string make the answer unusable.

    @raise TrackerError: it says that it failed, or is nothing that can be understood.
    """
    answer = _dictionary(body)
    peers, names = decodePeers(answer.get(b"peers", b""))
    peers6 = answer.get(b"peers6", b"")
    if not isinstance(peers6, bytes):
        raise TrackerError("the tracker's answer has peers6 that are no string")
    warning = answer.get(b"warning message")
    trackerId = answer.get(b"tracker id")
    interval = _count(answer.get(b"interval"))
    return AnnounceResponse(
        interval=DEFAULT_INTERVAL if interval is None else interval,
        minInterval=_count(answer.get(b"min interval")) or 0,
        peers=tuple(dict.fromkeys(peers + _compact(peers6, ipv6=True)))[:MAX_PEERS],
        complete=_count(answer.get(b"complete")),
        incomplete=_count(answer.get(b"incomplete")),
        warning=printable(warning) if isinstance(warning, bytes) else "",
        externalIp=_address(answer.get(b"external ip")),
        trackerId=trackerId if isinstance(trackerId, bytes) and len(trackerId) <= 256 else None,
        names=tuple(dict.fromkeys(names))[:_MAX_NAMES],
    )


def decodePeers(value: object) -> tuple[list[PeerAddr], list[tuple[str, int]]]:
    """
    The addresses in C{peers}, compact (BEP 23) or a list of dictionaries (BEP 3), and the host names in it.

    @raise TrackerError: it is neither.
    """
    if isinstance(value, bytes):
        return _compact(value, ipv6=False), []
    if not isinstance(value, list):
        raise TrackerError("the tracker's answer has peers that are neither a string nor a list")
    peers: list[PeerAddr] = []
    names: list[tuple[str, int]] = []
    for each in value[:MAX_PEERS]:
        try:
            host, port = decodePeer(each)
        except TrackerError:
            continue  # one bad entry says nothing about the others
        try:
            peers.append(peerAddr(host, port))
        except ValueError:
            names.append((host, port))
    return peers, names


def decodePeer(value: object) -> tuple[str, int]:
    """
    Host (an IP literal or a name) and port of one peer's dictionary (BEP 3).

    @raise TrackerError: it has none, or none that can be.
    """
    if isinstance(value, dict):
        raw, port = value.get(b"ip"), value.get(b"port")
        if isinstance(raw, bytes) and 0 < len(raw) <= 253 and isinstance(port, int) and 1 <= port <= 65535:
            try:
                return hostOf(raw.decode("ascii")), port
            except ValueError:
                pass
    raise TrackerError("the tracker's answer has a peer without a usable ip and port")


def decodeScrape(body: bytes) -> ScrapeAnswer:
    """
    Counts by info-hash (BEP 48), and how soon it may be asked again, which trackers say beside BEP 48 as
    C{min_request_interval} among C{flags}.

    @raise TrackerError: it says that it failed, or is nothing that can be understood.
    """
    answer = _dictionary(body)
    files = answer.get(b"files")
    if not isinstance(files, dict):
        raise TrackerError("the tracker's answer to a scrape has no files")
    found = ScrapeAnswer()
    flags = answer.get(b"flags")
    if isinstance(flags, dict):
        found.minInterval = _count(flags.get(b"min_request_interval")) or 0
    for infoHash, entry in files.items():
        if len(infoHash) == 20 and isinstance(entry, dict):
            name = entry.get(b"name")
            found[infoHash] = ScrapeEntry(
                complete=_count(entry.get(b"complete")) or 0,
                incomplete=_count(entry.get(b"incomplete")) or 0,
                downloaded=_count(entry.get(b"downloaded")) or 0,
                name=printable(name) if isinstance(name, bytes) else None,
            )
    return found


def gunzip(body: bytes, limit: int) -> bytes:
    """
    The content of C{body}, never holding more than C{limit} bytes of it.

    @raise TrackerError: it is longer, or no gzip.
    """
    inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        content = inflater.decompress(body, limit + 1)
    except zlib.error as reason:
        raise TrackerError("the tracker's answer is no proper gzip") from reason
    if len(content) > limit:
        raise TrackerError(f"the tracker's answer is over {limit} bytes")
    if not inflater.eof:
        raise TrackerError("the tracker's answer ends too early")
    return content


def checkFailure(body: bytes) -> None:
    """
    Look for a failure in the body of an answer whose HTTP status says that it is none.

    @raise TrackerError: there is one.
    """
    try:
        answer, _ = decodePrefix(body, len(body))
    except BencodeError:
        return
    _refuseFailure(answer)


def _dictionary(body: bytes) -> dict[bytes, Any]:
    """The dictionary in C{body}; a L{TrackerError} if that says it failed, or there is none."""
    try:
        answer, _ = decodePrefix(body, len(body))  # some send a line's end, or more, behind it
    except BencodeError as reason:
        raise TrackerError(f"the tracker's answer is not bencoded: {reason}") from reason
    if not isinstance(answer, dict):
        raise TrackerError("the tracker's answer is no dictionary")
    _refuseFailure(answer)
    return answer


def _refuseFailure(answer: object) -> None:
    if isinstance(answer, dict) and b"failure reason" in answer:
        reason = answer[b"failure reason"]
        text = printable(reason) if isinstance(reason, bytes) else ""
        raise TrackerError(text or "the tracker refused without a reason", _retryIn(answer.get(b"retry in")))


def _retryIn(value: object) -> float | None:
    """BEP 31: a number of minutes, or C{never}; as seconds."""
    if value == b"never":
        return math.inf
    minutes = _count(int(value) if isinstance(value, bytes) and value.isdigit() and len(value) < 9 else value)
    return None if minutes is None else minutes * 60.0


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and 0 <= value <= _MAX_COUNT else None


def _compact(data: bytes, ipv6: bool) -> list[PeerAddr]:
    """The whole addresses in C{data}; some trackers cut the last one."""
    size = 18 if ipv6 else 6
    return decodeCompact(data[: min(len(data) // size, MAX_PEERS) * size], ipv6)


def _address(raw: object) -> str | None:
    if not isinstance(raw, bytes) or len(raw) not in (4, 16):
        return None
    return peerAddr(inet_ntop(AF_INET if len(raw) == 4 else AF_INET6, raw), 1).host
