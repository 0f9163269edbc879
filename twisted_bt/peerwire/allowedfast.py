"""
Which pieces a peer may ask for while choked (BEP 6, "Allowed Fast Set Generation").

They follow from the peer's address, so that coming back, even from another port, brings no more of them.
"""

from __future__ import annotations

from hashlib import sha1
from ipaddress import AddressValueError, IPv4Address
from struct import Struct

_NUMBERS = Struct(">5I")


def allowedFastSet(infoHash: bytes, ip: str, pieceCount: int, k: int) -> tuple[int, ...]:
    """
    The C{k} pieces (or all, if there are fewer) that the peer at C{ip} is allowed fast, in the order
    BEP 6 finds them.

    The algorithm is for IPv4; whoever comes over IPv6, or without an address, gets none.
    """
    try:
        network = int(IPv4Address(ip)) & 0xFFFFFF00
    except AddressValueError:
        return ()
    found: dict[int, None] = {}
    wanted = min(k, pieceCount)
    digest = network.to_bytes(4, "big") + infoHash
    while len(found) < wanted:
        digest = sha1(digest).digest()
        for number in _NUMBERS.unpack(digest):
            if len(found) < wanted:
                found[number % pieceCount] = None
    return tuple(found)
