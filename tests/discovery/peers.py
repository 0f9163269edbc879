"""
Addresses of peers that the tests make up.
"""

from __future__ import annotations

from twisted_bt.torrent.addresses import PeerAddr


def addrs(count: int, start: int = 1) -> list[PeerAddr]:
    """C{count} addresses."""
    return [PeerAddr(f"10.0.{number >> 8}.{number & 255}", 6881) for number in range(start, start + count)]
