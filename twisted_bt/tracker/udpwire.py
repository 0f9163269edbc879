"""
UDP trackers, without the UDP: every datagram of BEP 15 as a value, and the options of BEP 41.

Both directions, for the client and for the embedded tracker.  Decoding gives a value or raises
L{TrackerError} and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from struct import Struct
from typing import ClassVar

from twisted_bt.errors import TrackerError
from twisted_bt.torrent.addresses import PeerAddr, decodeCompact, encodeCompact
from twisted_bt.tracker.announce import AnnounceRequest, Event, printable

PROTOCOL_ID = 0x41727101980
CONNECTION_LIFE = 60.0
"""Seconds for which a client may use a connection id (BEP 15)."""
MAX_SCRAPE = 74
"""Info-hashes that BEP 15 lets one datagram ask about."""

_EVENTS = (Event.NONE, Event.COMPLETED, Event.STARTED, Event.STOPPED)
_HEAD = Struct(">II")  # action, transaction
_REQUEST = Struct(">QII")  # connection, action, transaction
_END, _NOP, _URL_DATA = 0, 1, 2  # BEP 41


def retransmitDelay(attempt: int, first: float = 15.0) -> float:
    """Seconds to wait for an answer to try number C{attempt}, from 0: BEP 15's 15 * 2 ^ n, n at most 8."""
    return float(first * 2 ** min(attempt, 8))


# ---------------------------------------------------------------- requests


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """Ask for a connection id."""

    action: ClassVar[int] = 0
    transaction: int

    def encode(self) -> bytes:
        """16 bytes."""
        return _REQUEST.pack(PROTOCOL_ID, self.action, self.transaction)


@dataclass(frozen=True, slots=True)
class AnnounceCall:
    """An announce on the wire; C{target} is path and query of the tracker's URL (BEP 41)."""

    action: ClassVar[int] = 1
    _wire: ClassVar[Struct] = Struct(">20s20sQQQI4sIiH")
    connection: int
    transaction: int
    request: AnnounceRequest
    target: str = ""

    def encode(self) -> bytes:
        """98 bytes, and the options."""
        it = self.request
        return (
            _REQUEST.pack(self.connection, self.action, self.transaction)
            + self._wire.pack(
                it.infoHash,
                it.peerId,
                it.downloaded,
                it.left,
                it.uploaded,
                _EVENTS.index(it.event),
                _packedIPv4(it.ip),
                it.key & 0xFFFFFFFF,
                it.numwant,
                it.port,
            )
            + encodeOptions(self.target)
        )

    @classmethod
    def decode(cls, connection: int, transaction: int, body: bytes) -> AnnounceCall:
        """From what follows the first 16 bytes."""
        if len(body) < cls._wire.size:
            raise TrackerError(f"an announce of {16 + len(body)} bytes, not 98")
        infoHash, peerId, downloaded, left, uploaded, event, ip, key, numwant, port = cls._wire.unpack_from(
            body
        )
        if event >= len(_EVENTS):
            raise TrackerError(f"no event {event}")
        request = AnnounceRequest(
            infoHash,
            peerId,
            port,
            uploaded,
            downloaded,
            left,
            _EVENTS[event],
            key,
            max(numwant, -1),
            str(IPv4Address(ip)) if any(ip) else None,
        )
        return cls(connection, transaction, request, decodeOptions(body[cls._wire.size :]))


@dataclass(frozen=True, slots=True)
class ScrapeCall:
    """Ask for the counts of torrents."""

    action: ClassVar[int] = 2
    connection: int
    transaction: int
    infoHashes: tuple[bytes, ...]

    def encode(self) -> bytes:
        """16 bytes and 20 for each info-hash."""
        return _REQUEST.pack(self.connection, self.action, self.transaction) + b"".join(self.infoHashes)

    @classmethod
    def decode(cls, connection: int, transaction: int, body: bytes) -> ScrapeCall:
        """From what follows the first 16 bytes; more info-hashes than allowed are not looked at."""
        count = min(len(body) // 20, MAX_SCRAPE)
        return cls(connection, transaction, tuple(body[20 * i : 20 * i + 20] for i in range(count)))


UdpRequest = ConnectRequest | AnnounceCall | ScrapeCall


def decodeRequest(datagram: bytes) -> UdpRequest:
    """
    What a client asks.

    @raise TrackerError: nothing that BEP 15 describes.
    """
    if len(datagram) < _REQUEST.size:
        raise TrackerError(f"a request of {len(datagram)} bytes")
    connection, action, transaction = _REQUEST.unpack_from(datagram)
    if action == ConnectRequest.action:
        if connection != PROTOCOL_ID:
            raise TrackerError("a connect without the protocol id")
        return ConnectRequest(transaction)
    if action == AnnounceCall.action:
        return AnnounceCall.decode(connection, transaction, datagram[_REQUEST.size :])
    if action == ScrapeCall.action:
        return ScrapeCall.decode(connection, transaction, datagram[_REQUEST.size :])
    raise TrackerError(f"no action {action}")


# ---------------------------------------------------------------- replies


@dataclass(frozen=True, slots=True)
class ConnectReply:
    """A connection id."""

    transaction: int
    connection: int

    def encode(self) -> bytes:
        """16 bytes."""
        return _HEAD.pack(0, self.transaction) + self.connection.to_bytes(8, "big")


@dataclass(frozen=True, slots=True)
class AnnounceReply:
    """Peers, all of the family that the datagram came by."""

    _wire: ClassVar[Struct] = Struct(">III")
    transaction: int
    interval: int
    leechers: int
    seeders: int
    peers: tuple[PeerAddr, ...]

    def encode(self, ipv6: bool) -> bytes:
        """20 bytes, and 6 (or 18) for each peer of that family."""
        counts = self._wire.pack(self.interval, self.leechers, self.seeders)
        return _HEAD.pack(1, self.transaction) + counts + encodeCompact(self.peers, ipv6)


@dataclass(frozen=True, slots=True)
class ScrapeReply:
    """C{(seeders, completed, leechers)} for each info-hash asked about, in that order."""

    _wire: ClassVar[Struct] = Struct(">III")
    transaction: int
    counts: tuple[tuple[int, int, int], ...]

    def encode(self) -> bytes:
        """8 bytes and 12 for each torrent."""
        return _HEAD.pack(2, self.transaction) + b"".join(self._wire.pack(*each) for each in self.counts)


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """The tracker refuses, and says why."""

    transaction: int
    message: str

    def encode(self) -> bytes:
        """8 bytes and the message."""
        return _HEAD.pack(3, self.transaction) + self.message.encode("utf-8")


UdpReply = ConnectReply | AnnounceReply | ScrapeReply | ErrorReply


def transactionOf(datagram: bytes) -> int | None:
    """Which request C{datagram} answers; C{None} if it is too short to answer any."""
    if len(datagram) < _HEAD.size:
        return None
    return int.from_bytes(datagram[4:8], "big")


def decodeReply(datagram: bytes, ipv6: bool) -> UdpReply:
    """
    What a tracker answered, over IPv6 or IPv4.

    @raise TrackerError: nothing that BEP 15 describes.
    """
    if len(datagram) < _HEAD.size:
        raise TrackerError(f"the tracker's answer is {len(datagram)} bytes")
    action, transaction = _HEAD.unpack_from(datagram)
    body = datagram[_HEAD.size :]
    if action == 0 and len(body) >= 8:
        return ConnectReply(transaction, int.from_bytes(body[:8], "big"))
    if action == 1 and len(body) >= 12:
        interval, leechers, seeders = AnnounceReply._wire.unpack_from(body)
        size = 18 if ipv6 else 6
        packed = body[12 : 12 + (len(body) - 12) // size * size]
        return AnnounceReply(transaction, interval, leechers, seeders, tuple(decodeCompact(packed, ipv6)))
    if action == 2:
        whole = body[: len(body) // 12 * 12]
        return ScrapeReply(transaction, tuple(ScrapeReply._wire.iter_unpack(whole)))
    if action == 3:
        return ErrorReply(transaction, printable(body) or "the tracker refused without a reason")
    raise TrackerError(f"the tracker's answer has action {action} and {len(datagram)} bytes")


# ---------------------------------------------------------------- BEP 41


def encodeOptions(target: str) -> bytes:
    """Path and query as URLData options of up to 255 bytes each; nothing where there are none."""
    raw = target.encode("utf-8")
    chunks: Sequence[bytes] = [raw[i : i + 255] for i in range(0, len(raw), 255)]
    return b"".join(bytes((_URL_DATA, len(each))) + each for each in chunks)


def decodeOptions(data: bytes) -> str:
    """
    Path and query in the options; unknown options are skipped.

    @raise TrackerError: an option is cut short.
    """
    found = b""
    at = 0
    while at < len(data) and data[at] != _END:
        if data[at] == _NOP:
            at += 1
            continue
        if at + 1 >= len(data) or at + 2 + data[at + 1] > len(data):
            raise TrackerError("an option is cut short")
        if data[at] == _URL_DATA:
            found += data[at + 2 : at + 2 + data[at + 1]]
        at += 2 + data[at + 1]
    return found.decode("utf-8", "replace")


def _packedIPv4(ip: str | None) -> bytes:
    """C{ip} as 4 bytes; all zero, which is "as you see me", for none or another family."""
    try:
        return IPv4Address(ip or "0.0.0.0").packed
    except ValueError:
        return bytes(4)
