"""
The messages of C{ut_pex} (BEP 11): whom a peer is connected to, and no longer.

Only the messages: what to tell whom, and whom to believe, is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntFlag
from typing import ClassVar, Self

from twisted_bt.errors import BencodeError, ProtocolError
from twisted_bt.torrent.addresses import PeerAddr, decodeCompact, encodeCompact
from twisted_bt.torrent.bencoding import BValue, asDict, bytesIn, decode, encode

#: Bytes in a message.  BEP 11 bounds all but the first to 50 added and 50 dropped; libtorrent reads 500 kB.
MAX_MESSAGE = 1 << 16

#: Addresses of each field that are read; the rest is left out.
MAX_READ = 200


class PexFlags(IntFlag):
    """What the sender knows of a peer it tells of."""

    ENCRYPTION = 0x01  # prefers encryption
    SEED = 0x02  # has everything, or wants nothing more
    UTP = 0x04
    HOLEPUNCH = 0x08
    REACHABLE = 0x10  # the sender connected to it


_FLAGS = tuple(map(PexFlags, range(32)))
_NONE = _FLAGS[0]

#: Names of the fields for IPv4 and IPv6.
_FAMILIES = ((b"added", b"dropped", False), (b"added6", b"dropped6", True))


@dataclass(frozen=True, slots=True)
class PexMessage:
    """
    News of a peer's peers.

    @ivar added: each address with its L{PexFlags}, as a number or as such; no address comes twice.
    @ivar dropped: no longer connected to.
    """

    name: ClassVar[bytes] = b"ut_pex"
    added: tuple[tuple[PeerAddr, int], ...] = ()
    dropped: tuple[PeerAddr, ...] = ()

    def encode(self) -> bytes:
        """The payload of the extension's message."""
        fields: dict[bytes, bytes] = {}
        for added, dropped, ipv6 in _FAMILIES:
            ours = [(addr, flags) for addr, flags in self.added if addr.isIPv6 == ipv6]
            gone = encodeCompact(self.dropped, ipv6)
            # Some programs look for the first three whatever there is to tell.
            if ours or not ipv6:
                fields[added] = encodeCompact((addr for addr, _ in ours), ipv6)
                fields[added + b".f"] = bytes(flags & 0xFF for _, flags in ours)
            if gone or not ipv6:
                fields[dropped] = gone
        return encode(fields)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """
        The inverse of L{encode}.  Addresses without a port, repeated ones, and those after the first
        L{MAX_READ} of a field are left out; unknown flags too.

        @raise ProtocolError: there is no such dictionary, it is too long, or an address is cut off.
        """
        try:
            fields = asDict(decode(payload, MAX_MESSAGE, maxDepth=4, maxItems=1000))
            added: dict[PeerAddr, int] = {}
            dropped: dict[PeerAddr, None] = {}
            for news, gone, ipv6 in _FAMILIES:
                _readAdded(added, fields, news, ipv6)
                dropped.update(dict.fromkeys(_addresses(fields, gone, ipv6)))
        except (BencodeError, ValueError) as error:
            raise ProtocolError(f"ut_pex: {error}") from error
        return cls(tuple(added.items()), tuple(dropped))

    def seeds(self) -> list[PeerAddr]:
        """Those added that are said to have everything."""
        return [addr for addr, flags in self.added if flags & PexFlags.SEED]


def _readAdded(found: dict[PeerAddr, int], fields: dict[bytes, BValue], name: bytes, ipv6: bool) -> None:
    flags = bytesIn(fields, name + b".f", b"")
    size = 18 if ipv6 else 6
    packed = _packed(fields, name, size)
    for number, start in enumerate(range(0, len(packed), size)):
        for addr in decodeCompact(packed[start : start + size], ipv6):  # none, if it has no port
            found.setdefault(addr, _FLAGS[flags[number] & 31] if number < len(flags) else _NONE)


def _addresses(fields: dict[bytes, BValue], name: bytes, ipv6: bool) -> Iterable[PeerAddr]:
    return decodeCompact(_packed(fields, name, 18 if ipv6 else 6), ipv6)


def _packed(fields: dict[bytes, BValue], name: bytes, size: int) -> bytes:
    packed = fields.get(name, b"")
    if type(packed) is not bytes or len(packed) % size:
        raise ValueError(f"{name.decode()} is no list of addresses")
    return packed[: MAX_READ * size]
