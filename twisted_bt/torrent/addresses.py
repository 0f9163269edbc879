"""
Where a peer is: an IP address and a port, and its compact forms.

BEP 23 (IPv4, 6 bytes) and BEP 7 (IPv6, 18 bytes).
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import NamedTuple


class PeerAddr(NamedTuple):
    """An IP literal in its shortest form and a port.  Use L{peerAddr} for text from outside."""

    host: str
    port: int

    @property
    def isIPv6(self) -> bool:
        """Whether C{host} is an IPv6 literal."""
        return ":" in self.host

    def compact(self) -> bytes:
        """6 bytes for IPv4, 18 for IPv6, in network order."""
        family = AF_INET6 if self.isIPv6 else AF_INET
        return inet_pton(family, self.host) + self.port.to_bytes(2, "big")

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if self.isIPv6 else f"{self.host}:{self.port}"


def peerAddr(host: str, port: int) -> PeerAddr:
    """
    A L{PeerAddr} from an IP literal; IPv4 mapped into IPv6 becomes IPv4.

    @raise ValueError: C{host} is no IP literal, or C{port} is not 1 to 65535.
    """
    if not 1 <= port <= 65535:
        raise ValueError(f"no port {port}")
    address = ip_address(host.partition("%")[0])
    if address.version == 6 and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return PeerAddr(str(address), port)


def parsePeerAddr(text: str) -> PeerAddr:
    """
    A L{PeerAddr} from C{1.2.3.4:80} or C{[::1]:80}.

    @raise ValueError: C{text} is not of that form.
    """
    host, colon, port = text.strip().rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{text!r}: an IPv6 address with a port needs brackets")
    if not colon or not (port.isascii() and port.isdigit()) or len(port) > 5:
        raise ValueError(f"{text!r} has no port")
    return peerAddr(host, int(port))


def decodeCompact(data: bytes, ipv6: bool = False) -> list[PeerAddr]:
    """
    The addresses packed in C{data} (6 bytes each, or 18), port 0 left out; IPv4 mapped into IPv6
    becomes IPv4.

    @raise ValueError: C{data} is no whole number of them.
    """
    size, family = (18, AF_INET6) if ipv6 else (6, AF_INET)
    if len(data) % size:
        raise ValueError(f"{len(data)} bytes are no multiple of {size}")
    found = []
    for start in range(0, len(data), size):
        port = int.from_bytes(data[start + size - 2 : start + size], "big")
        if port:
            # IPv4 mapped into IPv6 is the same peer as plain IPv4, here as in peerAddr.
            host = inet_ntop(family, data[start : start + size - 2])
            found.append(PeerAddr(host[7:] if host.startswith("::ffff:") and "." in host else host, port))
    return found


def encodeCompact(addresses: Iterable[PeerAddr], ipv6: bool = False) -> bytes:
    """The addresses of that family in C{addresses}, packed; the others are left out."""
    return b"".join(a.compact() for a in addresses if a.isIPv6 == ipv6)
