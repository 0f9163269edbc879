"""
Ids of nodes: distance, and the bond between an id and the address of its node (BEP 42).

With BEP 42 the first 21 bits of an id follow from the node's external address, so that nobody chooses
a place in the table freely.  Addresses that are not global are exempt.
"""

from __future__ import annotations

from socket import AF_INET, AF_INET6, inet_pton

from twisted_bt.interfaces import Random

#: Bytes in an id, and in an info-hash.
ID_LENGTH = 20
#: Bits in it.
ID_BITS = 160

_MASK4 = bytes.fromhex("030f3fff")
_MASK6 = bytes.fromhex("0103070f1f3f7fff")


def _table() -> tuple[int, ...]:
    """CRC32C (Castagnoli), reflected."""
    entries = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        entries.append(value)
    return tuple(entries)


_CRC = _table()


def crc32c(data: bytes) -> int:
    """The CRC32C of C{data}."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def packed(host: str) -> bytes:
    """The 4 or 16 bytes of an IP literal.  C{OSError}: it is none."""
    return inet_pton(AF_INET6 if ":" in host else AF_INET, host)


def isLocal(address: bytes) -> bool:
    """
    Whether C{address} (packed) is exempt from BEP 42: loopback, link-local and private ones.
    """
    first = address[0]
    if len(address) == 4:
        return (
            first in (10, 127)
            or (first == 172 and 16 <= address[1] < 32)
            or (first == 192 and address[1] == 168)
            or (first == 169 and address[1] == 254)
        )
    return (
        first & 0xFE == 0xFC
        or (first == 0xFE and address[1] & 0xC0 == 0x80)
        or address == b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"
    )


def isUsable(address: bytes) -> bool:
    """Whether a node can have C{address} (packed): not multicast, not of this network, not reserved."""
    first = address[0]
    if len(address) == 4:
        return 0 < first < 224
    return first != 0xFF and (first != 0 or (address[15:] == b"\1" and not any(address[:15])))


def network(address: bytes) -> bytes:
    """What neighbours of C{address} (packed) share: the /24 of IPv4, the /64 of IPv6."""
    return address[:3] if len(address) == 4 else address[:8]


def _prefix(address: bytes, rand: int) -> int:
    """The CRC whose top 21 bits an id with C{rand} as its last byte begins with."""
    mask = _MASK4 if len(address) == 4 else _MASK6
    bare = bytearray(byte & keep for byte, keep in zip(address, mask, strict=False))
    bare[0] |= (rand & 7) << 5
    return crc32c(bytes(bare))


def isSecure(nodeId: bytes, address: bytes) -> bool:
    """
    Whether C{nodeId} is one that the node at C{address} (packed) may have: BEP 42, or exempt.
    """
    if isLocal(address):
        return True
    return (int.from_bytes(nodeId[:4], "big") ^ _prefix(address, nodeId[19])) >> 11 == 0


def secureId(address: bytes, random: Random) -> bytes:
    """A random id that the node at C{address} (packed) may have (BEP 42)."""
    made = bytearray(random.randbytes(ID_LENGTH))
    crc = _prefix(address, made[19])
    made[0] = crc >> 24
    made[1] = crc >> 16 & 0xFF
    made[2] = crc >> 8 & 0xF8 | made[2] & 7
    return bytes(made)


def number(nodeId: bytes) -> int:
    """C{nodeId} for arithmetic: the distance of two is their XOR."""
    return int.from_bytes(nodeId, "big")


def distance(one: bytes, other: bytes) -> int:
    """How far two ids are from one another (BEP 5: XOR)."""
    return number(one) ^ number(other)


def sharedBits(one: bytes, other: bytes) -> int:
    """How many bits two ids have in common before they part; 160: they are the same."""
    return ID_BITS - distance(one, other).bit_length()


def idWithPrefix(like: bytes, bits: int, random: Random) -> bytes:
    """
    A random id that shares exactly C{bits} bits with C{like}: one for the bucket of that depth.
    """
    below = ID_BITS - bits - 1
    if below < 0:
        return like
    tail = number(random.randbytes(ID_LENGTH)) & ((1 << below) - 1)
    return ((number(like) ^ 1 << below) >> below << below | tail).to_bytes(ID_LENGTH, "big")
