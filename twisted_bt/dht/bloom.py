"""
The bloom filters of BEP 33: how many peers a torrent has, without telling who.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha1
from math import log

#: Bits of a filter, and bytes.
BITS = 2048
LENGTH = BITS // 8

_HASHES = 2


def bloom(addresses: Iterable[bytes]) -> bytes:
    """The filter with C{addresses} (packed, 4 or 16 bytes each, no port) in it."""
    bits = bytearray(LENGTH)
    for address in addresses:
        digest = sha1(address).digest()
        for start in range(0, 2 * _HASHES, 2):
            index = (digest[start] | digest[start + 1] << 8) % BITS
            bits[index >> 3] |= 1 << (index & 7)
    return bytes(bits)


def union(filters: Iterable[bytes]) -> bytes:
    """The filter of all addresses that are in one of C{filters} (each of L{LENGTH} bytes)."""
    joined = 0
    for each in filters:
        joined |= int.from_bytes(each, "big")
    return joined.to_bytes(LENGTH, "big")


def estimate(filter: bytes) -> float:
    """
    How many addresses are in C{filter}, about; good for up to some 5,000.

    A full filter says nothing but "many": that counts as one zero bit being left.
    """
    zeros = max(1, BITS - int.from_bytes(filter, "big").bit_count())
    return log(zeros / BITS) / (_HASHES * log(1 - 1 / BITS))
