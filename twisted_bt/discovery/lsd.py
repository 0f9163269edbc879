"""
The announcements of local service discovery (BEP 14): like a request of HTTP, in a datagram to a group.

Only the datagrams.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

#: The groups, and the port of both.
IPV4_GROUP, IPV6_GROUP = "239.192.152.143", "ff15::efc0:988f"
PORT = 6771

#: Bytes in a datagram that we send (BEP 14), and in one that we read.
MAX_SENT, MAX_READ = 1400, 2048
#: Info-hashes in a datagram: as many as fit into one that we send.
MAX_HASHES = 24

_MAX_COOKIE = 64
_REQUEST = b"BT-SEARCH * HTTP/1.1\r\n"
_NAME = re.compile(rb"[!#-'*+.0-9A-Z^-z|~-]+\Z")
_HASH = re.compile(rb"[0-9A-Fa-f]{40}\Z")
_PORT = re.compile(rb"[0-9]{1,5}\Z")
_COOKIE = re.compile(r"[!-~]{0,64}\Z")


@dataclass(frozen=True, slots=True)
class LocalAnnounce:
    """
    Somebody takes part in these swarms, and listens on that port of where the datagram comes from.

    @ivar infoHashes: of 20 bytes each, at least one.
    @ivar cookie: by which the sender knows its own; C{""}: it sent none.
    """

    port: int
    infoHashes: tuple[bytes, ...]
    cookie: str = ""

    def encode(self, group: str) -> bytes:
        """
        A datagram to C{group}.

        @raise ValueError: it cannot be said: no such port, no hashes or too many, an odd cookie.
        """
        if not 0 < self.port < 65536 or not _COOKIE.match(self.cookie):
            raise ValueError(f"port {self.port} with cookie {self.cookie!r}")
        if not 0 < len(self.infoHashes) <= MAX_HASHES or any(len(each) != 20 for each in self.infoHashes):
            raise ValueError(f"{len(self.infoHashes)} info-hashes")
        host = f"[{group}]" if ":" in group else group
        lines = [f"Host: {host}:{PORT}", f"Port: {self.port}"]
        lines += [f"Infohash: {infoHash.hex()}" for infoHash in self.infoHashes]
        lines += [f"cookie: {self.cookie}"] * bool(self.cookie)
        return _REQUEST + "\r\n".join(lines).encode("ascii") + b"\r\n\r\n\r\n"

    @classmethod
    def decode(cls, datagram: bytes) -> LocalAnnounce | None:
        """
        The announcement in C{datagram}; C{None}: it is none, or one that cannot be used.  Headers that
        are not known are ignored, and so are hashes that are none, and those after many.
        """
        if len(datagram) > MAX_READ or not datagram.startswith(_REQUEST):
            return None
        port, cookie = 0, ""
        hashes: dict[bytes, None] = {}
        for name, value in _headers(datagram):
            if name == b"port" and _PORT.match(value):
                port = int(value)
            elif name == b"infohash" and _HASH.match(value) and len(hashes) < MAX_HASHES:
                hashes[bytes.fromhex(value.decode("ascii"))] = None
            elif name == b"cookie":
                cookie = value[:_MAX_COOKIE].decode("latin-1")
        if not 0 < port < 65536 or not hashes:
            return None
        return cls(port, tuple(hashes), cookie)


def _headers(datagram: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names in lower case, and values, until the first empty line; lines that are none are left out."""
    for line in datagram[len(_REQUEST) :].split(b"\r\n"):
        if not line:
            return
        # No pattern for the whole: one that skips blanks at both ends takes minutes for 2,000 of them.
        name, colon, value = line.partition(b":")
        if colon and _NAME.match(name) and b"\r" not in value and b"\n" not in value:
            yield name.lower(), value.strip(b" \t")


def announcements(port: int, infoHashes: Sequence[bytes], cookie: str, batch: int) -> list[LocalAnnounce]:
    """C{infoHashes} in as many announcements as that takes with C{batch} in each."""
    return [
        LocalAnnounce(port, tuple(infoHashes[at : at + batch]), cookie)
        for at in range(0, len(infoHashes), batch)
    ]
