"""
Canonical peer priority (BEP 40): a number that both ends of a connection work out alike.

Whoever prefers the connections with high numbers helps to make the swarm one random graph, and nobody
can make many peers dial one network: they all get other numbers for it.
"""

from __future__ import annotations

from socket import AF_INET, AF_INET6, inet_pton

from twisted_bt.torrent.addresses import PeerAddr

#: The polynomial of CRC32-C (RFC 3720), bits reversed.
_POLYNOMIAL = 0x82F63B78


def _entry(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
    return value


_TABLE = tuple(map(_entry, range(256)))
_ONES = 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """The CRC32-C of C{data}, 32 bits."""
    crc = _ONES
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ _ONES


def peerPriority(ours: PeerAddr, theirs: PeerAddr) -> int:
    """
    The priority of a connection between two peers, 32 bits; the same whichever comes first.

    Of each address the network counts whole, and of the rest every other bit.  The network is 16 bits
    of IPv4 or 48 of IPv6, and beyond them goes to the first byte in which the two differ.

    @raise ValueError: the two are not of one family, or no addresses.
    """
    if ours.isIPv6 != theirs.isIPv6:
        raise ValueError(f"{ours} and {theirs} are not of one family")
    family, least = (AF_INET6, 6) if ours.isIPv6 else (AF_INET, 2)
    try:
        a, b = inet_pton(family, ours.host), inet_pton(family, theirs.host)
    except OSError as error:
        raise ValueError(f"{ours} or {theirs}: {error}") from error
    if a == b:
        low, high = sorted((ours.port, theirs.port))
        return crc32c(low.to_bytes(2, "big") + high.to_bytes(2, "big"))
    same = next(at for at in range(len(a)) if a[at] != b[at])
    kept = max(least, same + 1)
    return crc32c(b"".join(sorted((_masked(a, kept), _masked(b, kept)))))


def _masked(address: bytes, kept: int) -> bytes:
    return address[:kept] + bytes(byte & 0x55 for byte in address[kept:])
