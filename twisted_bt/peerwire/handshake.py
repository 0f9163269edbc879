"""
The first 68 bytes each side sends.

BEP 3: 19, C{BitTorrent protocol}, eight reserved bytes, the info-hash, the peer id.  The reserved
bits say which extensions a side speaks.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from functools import cache

from twisted_bt.errors import ProtocolError
from twisted_bt.settings import Extension

#: What every handshake begins with.
PROTOCOL = b"\x13BitTorrent protocol"

_RESERVED_END = len(PROTOCOL) + 8
_INFO_HASH_END = _RESERVED_END + 20

#: Bytes in a handshake.
HANDSHAKE_LENGTH = _INFO_HASH_END + 20


#: The bits of all extensions there are.
_KNOWN = sum(1 << each.value for each in Extension)


@cache
def _extensions(bits: int) -> frozenset[Extension]:
    """
    The extensions of these bits, which are no others: there are few such sets, and thousands of sessions
    that have one.
    """
    return frozenset(each for each in Extension if bits >> each.value & 1)


def extensionsIn(reserved: bytes) -> frozenset[Extension]:
    """The extensions whose bits are set in C{reserved}."""
    return _extensions(int.from_bytes(reserved, "big") & _KNOWN)


def enabledExtensions(ours: Set[Extension], theirs: Set[Extension]) -> frozenset[Extension]:
    """What holds for a session: the extensions that both sides offer."""
    return _extensions(sum(1 << each.value for each in ours & theirs))


@dataclass(frozen=True, slots=True)
class Handshake:
    """
    Who speaks, of which torrent, and what extensions they know.

    C{extensions} and C{reserved} agree whichever is given: each gets what the other has.  Bits that
    are no L{Extension} stay in C{reserved}.

    @raise ValueError: a field has the wrong size.
    """

    infoHash: bytes
    peerId: bytes
    extensions: frozenset[Extension] = frozenset()
    reserved: bytes = bytes(8)

    def __post_init__(self) -> None:
        if (len(self.infoHash), len(self.peerId), len(self.reserved)) != (20, 20, 8):
            raise ValueError(
                f"info-hash, peer id, reserved of {len(self.infoHash)}, {len(self.peerId)}, "
                f"{len(self.reserved)} bytes; not 20, 20, 8"
            )
        bits = int.from_bytes(self.reserved, "big") | sum(1 << each.value for each in self.extensions)
        object.__setattr__(self, "reserved", bits.to_bytes(8, "big"))
        object.__setattr__(self, "extensions", extensionsIn(self.reserved))

    def encode(self) -> bytes:
        """The 68 bytes."""
        return PROTOCOL + self.reserved + self.infoHash + self.peerId


class HandshakeReader:
    """
    Reads a handshake as it trickles in.

    Whoever accepts a connection answers once C{infoHash} is known, and so do others, so the peer id
    may come only after our own handshake went out.

    @ivar reserved: the eight reserved bytes; C{None} until C{infoHash} is known.
    @ivar infoHash: known after 48 bytes; C{None} before.
    @ivar handshake: all of it, after 68 bytes; C{None} before.
    """

    reserved: bytes | None = None
    infoHash: bytes | None = None
    handshake: Handshake | None = None

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes | memoryview) -> bytes:
        """
        Take C{data} and give back what in it follows the handshake: nothing, as long as that is
        not complete.

        @raise ProtocolError: this is not the BitTorrent protocol; raised at the first byte that differs.
        """
        if self.handshake is not None:
            return bytes(data)
        missing = HANDSHAKE_LENGTH - len(self._buffer)
        known = self._buffer = self._buffer + data[:missing]
        if not PROTOCOL.startswith(known[: len(PROTOCOL)]):
            raise ProtocolError(f"not a BitTorrent handshake: {known[: len(PROTOCOL)]!r}")
        if self.infoHash is None and len(known) >= _INFO_HASH_END:
            self.reserved = known[len(PROTOCOL) : _RESERVED_END]
            self.infoHash = known[_RESERVED_END:_INFO_HASH_END]
        if self.reserved is not None and self.infoHash is not None and len(known) == HANDSHAKE_LENGTH:
            self.handshake = Handshake(self.infoHash, known[_INFO_HASH_END:], reserved=self.reserved)
            self._buffer = b""
        return bytes(data[missing:])
