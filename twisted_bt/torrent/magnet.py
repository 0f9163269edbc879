"""
Magnet links: what is needed to find a torrent, in a line of text.

BEP 9 (btih, dn, tr, x.pe), BEP 19 (ws), BEP 46 (btpk, s), BEP 52 (btmh), BEP 53 (so).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from typing import Self, TypeVar
from urllib.parse import quote, unquote, unquote_to_bytes

from twisted_bt.errors import MagnetError
from twisted_bt.torrent.ids import parseInfoHash

T = TypeVar("T")

#: Characters in a link; the longest seen, with a hundred trackers, have some 8,000.
MAX_LENGTH = 1 << 16
#: Parameters in a link.
MAX_PARAMETERS = 1 << 10
#: Trackers, web seeds, peers, nodes: as many of each; further ones are left out.
MAX_ENTRIES = 200
#: Characters in a name; further ones are left out.
MAX_NAME = 1 << 10
#: Ranges of files, and files: BEP 53 sets no bound, a torrent of more files is not known.
MAX_RANGES, MAX_FILES = 1 << 13, 1 << 24

_TRACKER = re.compile(r"(?:https?|udp|wss?)://[^\s/]", re.IGNORECASE)
_WEB_SEED = re.compile(r"https?://[^\s/]", re.IGNORECASE)
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_HOST_NAME = re.compile(r"[0-9A-Za-z_](?:[0-9A-Za-z._-]{0,252})\Z")


@dataclass(frozen=True, slots=True)
class Magnet:
    """
    What a magnet link says.

    @ivar infoHash: 20 bytes (v1), or C{None}.
    @ivar infoHashV2: 32 bytes (v2), or C{None}.
    @ivar name: what to show until the metadata is here; for people, not for paths.
    @ivar trackers: URLs, each a tier of its own.
    @ivar webSeeds: URLs (BEP 19).
    @ivar peers: host and port of peers to dial (C{x.pe}); a host may be a name.
    @ivar selectOnly: files to download, by number (BEP 53); empty: nothing said, all.
    @ivar length: bytes of the content (C{xl}).
    @ivar nodes: host and port of DHT nodes (C{dht}).
    @ivar publicKey: 32 bytes: where the DHT holds the newest info-hash (BEP 46).
    @ivar salt: goes with C{publicKey}.

    @raise MagnetError: a hash or key has the wrong size, or there is none of them.
    """

    infoHash: bytes | None = None
    infoHashV2: bytes | None = None
    name: str = ""
    trackers: tuple[str, ...] = ()
    webSeeds: tuple[str, ...] = ()
    peers: tuple[tuple[str, int], ...] = ()
    selectOnly: tuple[range, ...] = ()
    length: int | None = None
    nodes: tuple[tuple[str, int], ...] = ()
    publicKey: bytes | None = None
    salt: bytes = b""

    def __post_init__(self) -> None:
        ways = ((self.infoHash, 20), (self.infoHashV2, 32), (self.publicKey, 32))
        if all(value is None for value, _ in ways):
            raise MagnetError("the magnet link has no info-hash")
        for value, size in ways:
            if value is not None and len(value) != size:
                raise MagnetError(f"the magnet link has a hash of {len(value)} bytes, not {size}")

    @classmethod
    def parse(cls, uri: str) -> Self:
        """
        The link C{uri}.  What is unknown, or useless and not essential (a tracker that is no URL), is
        left out.

        @raise MagnetError: it is no magnet link, names no torrent, or is over a limit.
        """
        if len(uri) > MAX_LENGTH:
            raise MagnetError(f"the magnet link has over {MAX_LENGTH} characters")
        uri = uri.strip()  # links are pasted
        try:
            uri.encode("utf-8")
        except UnicodeEncodeError as error:  # bytes of a command line that are no text
            raise MagnetError("the magnet link is not text") from error
        if uri[:8].lower() != "magnet:?":
            raise MagnetError("a magnet link begins with magnet:?")
        fields = _split(uri[8:])
        hashes, hashesV2, keys = [], [], []
        for topic in fields.get("xt", ()):
            kind, value = _topic(topic)
            if kind == "btih":
                hashes.append(_hash(value))
            elif kind == "btmh":
                hashesV2.append(_multihash(value))
        for topic in fields.get("xs", ()):
            kind, value = _topic(topic)
            if kind == "btpk":
                keys.append(_hex(value, 32))
        return cls(
            infoHash=next(iter(hashes), None),
            infoHashV2=next(iter(hashesV2), None),
            name=next(iter(_usable(fields, "dn", _name)), ""),
            trackers=_usable(fields, "tr", _url(_TRACKER)),
            webSeeds=_usable(fields, "ws", _url(_WEB_SEED)),
            peers=_usable(fields, "x.pe", _hostPort),
            selectOnly=_files(fields.get("so", ())),
            length=next(iter(_usable(fields, "xl", _number)), None),
            nodes=_usable(fields, "dht", _hostPort),
            publicKey=next(iter(keys), None),
            salt=next(iter(_usable(fields, "s", _salt)), b""),
        )

    def uri(self) -> str:
        """The link as text; L{parse} gives this value again."""
        parts: list[str] = []
        if self.infoHash is not None:
            parts.append(f"xt=urn:btih:{self.infoHash.hex()}")
        if self.infoHashV2 is not None:
            parts.append(f"xt=urn:btmh:1220{self.infoHashV2.hex()}")
        if self.publicKey is not None:
            parts.append(f"xs=urn:btpk:{self.publicKey.hex()}")
        if self.salt:
            parts.append(f"s={self.salt.hex()}")
        if self.name:
            parts.append(f"dn={quote(self.name, safe='')}")
        if self.length is not None:
            parts.append(f"xl={self.length}")
        parts += [f"tr={quote(url, safe='')}" for url in self.trackers]
        parts += [f"ws={quote(url, safe='')}" for url in self.webSeeds]
        for key, addresses in (("x.pe", self.peers), ("dht", self.nodes)):
            for host, port in addresses:
                parts.append(f"{key}=[{host}]:{port}" if ":" in host else f"{key}={host}:{port}")
        if self.selectOnly:
            parts.append("so=" + ",".join(_rangeText(files) for files in self.selectOnly))
        return "magnet:?" + "&".join(parts)


def _split(query: str) -> dict[str, list[str]]:
    """The parameters by lower-case name, values still escaped; C{tr.1} is a further C{tr}."""
    if query.count("&") >= MAX_PARAMETERS:
        raise MagnetError(f"the magnet link has over {MAX_PARAMETERS} parameters")
    fields: dict[str, list[str]] = {}
    for part in query.split("&"):
        key, found, value = part.partition("=")
        if found:
            name = re.sub(r"\.\d+\Z", "", key.lower())
            fields.setdefault(name, []).append(value)
    return fields


# ---------------------------------------------------------------- what must be right


def _topic(value: str) -> tuple[str, str]:
    """C{urn:btih:...} as C{btih} and the rest; other topics (ed2k ...) as whatever they are."""
    if _BAD_ESCAPE.search(value):
        raise MagnetError("the magnet link has a topic that is not escaped properly")
    scheme, _, rest = unquote(value).partition(":")
    kind, _, digits = rest.partition(":")
    return (kind.lower() if scheme.lower() == "urn" else ""), digits


def _hash(digits: str) -> bytes:
    try:
        return parseInfoHash(digits)
    except ValueError as error:
        raise MagnetError(f"the magnet link has an invalid info-hash: {error}") from error


def _multihash(digits: str) -> bytes:
    """BEP 52: a multihash, of which SHA-256 (12) with 32 bytes (20) is in use."""
    if digits[:4] != "1220":
        raise MagnetError("the magnet link has an info-hash that is not SHA-256")
    return _hex(digits[4:], 32)


def _hex(digits: str, size: int) -> bytes:
    if len(digits) != 2 * size or not re.fullmatch(r"[0-9A-Fa-f]*", digits):
        raise MagnetError(f"the magnet link has a hash or key that is not {2 * size} hexadecimal digits")
    return bytes.fromhex(digits)


# ---------------------------------------------------------------- what may be left out


def _usable(fields: dict[str, list[str]], key: str, read: Callable[[str], T | None]) -> tuple[T, ...]:
    """What C{read} makes of the values of C{key}: each once, in order, unless it is C{None}."""
    found: dict[T, None] = {}
    for value in fields.get(key, ()):
        if len(found) < MAX_ENTRIES and not _BAD_ESCAPE.search(value):
            item = read(value)
            if item is not None:
                found[item] = None
    return tuple(found)


def _name(value: str) -> str | None:
    """In names a plus is a space, as forms write it."""
    text = _UNSEEN.sub("", unquote(value.replace("+", " "), errors="replace"))
    return text[:MAX_NAME].strip() or None


def _url(pattern: re.Pattern[str]) -> Callable[[str], str | None]:
    """A URL has no spaces, so a plus is a plus."""

    def read(value: str) -> str | None:
        text = unquote(value)
        return text if pattern.match(text) and not _UNSEEN.search(text) else None

    return read


def _number(value: str) -> int | None:
    return int(value) if re.fullmatch(r"[0-9]{1,18}", value) else None


def _salt(value: str) -> bytes | None:
    """BEP 46: in hexadecimal digits; BEP 44 bounds it to 64 bytes."""
    return bytes.fromhex(value) if re.fullmatch(r"(?:[0-9A-Fa-f]{2}){1,64}", value) else None


def _hostPort(value: str) -> tuple[str, int] | None:
    """C{host:port} or C{[ipv6]:port}."""
    host, _, port = unquote_to_bytes(value).decode("latin-1").rpartition(":")
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        return None
    if host[:1] == "[" and host[-1:] == "]":
        if "%" in host:
            return None  # a zone, which is a name of the sender's machine, and may be any text
        try:
            return str(IPv6Address(host[1:-1])), int(port)
        except AddressValueError:
            return None
    return (host, int(port)) if _HOST_NAME.match(host) else None


def _files(values: list[str] | tuple[str, ...]) -> tuple[range, ...]:
    """BEP 53: C{0,2,4,6-8}; parts that make no sense are left out."""
    found: dict[range, None] = {}
    for part in unquote(",".join(values)).split(","):
        match = re.fullmatch(r"([0-9]{1,8})(?:-([0-9]{1,8}))?", part)
        if match is not None and len(found) < MAX_RANGES:
            first = int(match[1])
            last = int(match[2] or first)
            if first <= last < MAX_FILES:
                found[range(first, last + 1)] = None
    return tuple(found)


def _rangeText(files: range) -> str:
    return f"{files.start}-{files.stop - 1}" if len(files) > 1 else str(files.start)
