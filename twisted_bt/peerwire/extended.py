"""
Extensions beside the peer wire: how they are agreed on, and the small ones themselves.

BEP 10 (the extended handshake and its C{m}), BEP 9 (C{metadata_size}), BEP 21 (C{upload_only}),
BEP 24 (C{yourip}), BEP 54 (C{lt_donthave}).

A handshake comes from anybody: what in it has the wrong type or range counts as not said, since
clients in the wild send odd values in keys that do not matter here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from struct import Struct
from typing import Any, ClassVar, Self

from twisted_bt.errors import BencodeError, ProtocolError
from twisted_bt.interfaces import Buffer
from twisted_bt.peerwire.messages import Extended
from twisted_bt.torrent.bencoding import asDict, bytesIn, decodePrefix, dictIn, encode, intIn, textIn

#: The extension id of the extended handshake itself.
HANDSHAKE_ID = 0

#: Bytes in an extended handshake; usual ones have some 200.
MAX_HANDSHAKE = 1 << 16
#: Lists and dictionaries in one another; a handshake has two levels.
MAX_DEPTH = 10
#: Extensions remembered of a peer: as many as there are ids.
MAX_EXTENSIONS = 255
#: Bytes in the name of an extension, and characters in that of a client.
MAX_EXTENSION_NAME, MAX_CLIENT_NAME = 64, 64

_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+")


@dataclass(frozen=True, slots=True)
class ExtendedHandshake:
    """
    What a side says of itself (BEP 10).  It may come again, to change C{extensions}.

    @ivar extensions: C{m}: the sender's id for each extension it speaks; 0: no longer.
    @ivar client: C{v}: software and version, for people; C{""}: not said.
    @ivar port: C{p}: the TCP port the sender listens on.
    @ivar reqq: how many requests it keeps.
    @ivar yourIp: the address it sees the receiver at.
    @ivar ipv4: where else it can be reached.
    @ivar ipv6: where else it can be reached.
    @ivar metadataSize: bytes in the C{info} dictionary (BEP 9).
    @ivar uploadOnly: it will not download anything (BEP 21).
    @ivar raw: all that was in the dictionary; to L{encode}, further keys to put into it.

    C{None}: not said.
    """

    extensions: Mapping[bytes, int] = field(default_factory=dict)
    client: str = ""
    port: int | None = None
    reqq: int | None = None
    yourIp: str | None = None
    ipv4: str | None = None
    ipv6: str | None = None
    metadataSize: int | None = None
    uploadOnly: bool = False
    raw: Mapping[bytes, Any] = field(default_factory=dict, compare=False, repr=False)

    def encode(self) -> bytes:
        """
        The payload, a bencoded dictionary.

        @raise BencodeError: C{raw} has what cannot be written.
        """
        fields = {
            b"v": self.client or None,
            b"p": self.port,
            b"reqq": self.reqq,
            b"yourip": _packed(self.yourIp),
            b"ipv4": _packed(self.ipv4),
            b"ipv6": _packed(self.ipv6),
            b"metadata_size": self.metadataSize,
            b"upload_only": 1 if self.uploadOnly else None,
        }
        said = {key: value for key, value in fields.items() if value is not None}
        return encode({**self.raw, **said, b"m": dict(self.extensions)})

    def message(self) -> Extended:
        """The message that carries it."""
        return Extended(HANDSHAKE_ID, self.encode())

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """
        The handshake in C{payload}.  Bytes after the dictionary are ignored.

        @raise ProtocolError: there is no dictionary, or it is over a limit.
        """
        try:
            value, _ = decodePrefix(payload, MAX_HANDSHAKE, MAX_DEPTH)
            raw = asDict(value)
        except BencodeError as error:
            raise ProtocolError(f"extended handshake: {error}") from error
        extensions: dict[bytes, int] = {}
        for name, number in dictIn(raw, b"m").items():
            if type(number) is int and 0 <= number <= 255 and 0 < len(name) <= MAX_EXTENSION_NAME:
                extensions[name] = number
                if len(extensions) == MAX_EXTENSIONS:
                    break
        return cls(
            extensions=extensions,
            client=cleaned(textIn(raw, b"v", "")),
            port=intIn(raw, b"p", 1, 65535, None),
            reqq=intIn(raw, b"reqq", 1, 1 << 30, None),
            yourIp=_unpacked(bytesIn(raw, b"yourip", None)),
            ipv4=_unpacked(bytesIn(raw, b"ipv4", None, 4)),
            ipv6=_unpacked(bytesIn(raw, b"ipv6", None, 16)),
            metadataSize=intIn(raw, b"metadata_size", 1, 1 << 30, None),
            uploadOnly=intIn(raw, b"upload_only", 1, 255, None) is not None,
            raw=raw,
        )


def cleaned(text: str) -> str:
    """C{text} for a screen: without control characters and what turns lines round, and not too long."""
    return _UNSEEN.sub(" ", text[: 4 * MAX_CLIENT_NAME]).strip()[:MAX_CLIENT_NAME].rstrip()


def _packed(address: str | None) -> bytes | None:
    return None if address is None else ip_address(address).packed


def _unpacked(packed: bytes | None) -> str | None:
    """An address in 4 or 16 bytes as a literal; IPv4 mapped into IPv6 as IPv4.  Other sizes: C{None}."""
    if packed is None or len(packed) not in (4, 16):
        return None
    address = ip_address(packed)
    if address.version == 6 and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


# ---------------------------------------------------------------- ids and names


class LocalExtensions:
    """
    The ids we give to the extensions we speak: what the peer puts into messages to us.

    @raise ValueError: a name comes twice, or there are more than 255.
    """

    def __init__(self, names: Iterable[bytes]) -> None:
        self._names = dict(enumerate(names, 1))
        self._ids = {name: number for number, name in self._names.items()}
        if len(self._ids) != len(self._names) or len(self._names) > MAX_EXTENSIONS:
            raise ValueError(
                f"extensions repeated, or more than {MAX_EXTENSIONS}: {list(self._names.values())}"
            )

    @property
    def ids(self) -> dict[bytes, int]:
        """For C{m} of our extended handshake."""
        return dict(self._ids)

    def nameOf(self, extensionId: int) -> bytes | None:
        """The extension a message to us belongs to; C{None}: we gave that id to none, ignore it."""
        return self._names.get(extensionId)


class ExtensionIds:
    """The ids the peer gave to the extensions it speaks: what we put into messages to it."""

    __slots__ = ("_ids",)

    def __init__(self) -> None:
        self._ids: dict[bytes, int] = {}

    def update(self, handshake: ExtendedHandshake) -> None:
        """
        Learn from a handshake, the first or a later one: what it names changes, an id of 0 ends it,
        and what it does not name stays.
        """
        for name, number in handshake.extensions.items():
            if number == 0:
                self._ids.pop(name, None)
            elif name in self._ids or len(self._ids) < MAX_EXTENSIONS:
                self._ids[name] = number

    def idOf(self, name: bytes) -> int | None:
        """The peer's id for extension C{name}; C{None}: it does not speak it."""
        return self._ids.get(name)

    def __contains__(self, name: object) -> bool:
        return name in self._ids

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._ids)

    def message(self, name: bytes, payload: bytes) -> Extended | None:
        """C{payload} as a message of extension C{name}; C{None}: the peer does not speak it."""
        number = self._ids.get(name)
        return None if number is None else Extended(number, payload)


# ---------------------------------------------------------------- BEP 54


@dataclass(frozen=True, slots=True)
class DontHave:
    """The sender no longer has piece C{index}, which it said it had."""

    name: ClassVar[bytes] = b"lt_donthave"
    _wire: ClassVar[Struct] = Struct(">I")
    index: int

    def encode(self) -> bytes:
        """The payload of the extension's message."""
        return self._wire.pack(self.index)

    @classmethod
    def decode(cls, payload: Buffer) -> Self:
        """The inverse of L{encode}.  @raise ProtocolError: the payload is not one number."""
        if len(payload) != cls._wire.size:
            raise ProtocolError(f"lt_donthave with a payload of {len(payload)} bytes, not 4")
        return cls(*cls._wire.unpack(payload))
