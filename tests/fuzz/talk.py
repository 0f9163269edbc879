"""
Targets: what peers say to one another.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any
from zlib import crc32

from tests.fuzz.seeds import vectors
from tests.fuzz.target import ACCEPTED, REJECTED, Tally, Target, outcome, require
from tests.fuzz.trees import Grove
from twisted_bt.discovery.pex import PexRoster, PexState
from twisted_bt.errors import ProtocolError
from twisted_bt.peerwire import messages
from twisted_bt.peerwire.extended import MAX_HANDSHAKE, DontHave, ExtendedHandshake, ExtensionIds
from twisted_bt.peerwire.framing import WireDecoder
from twisted_bt.peerwire.handshake import Handshake, HandshakeReader
from twisted_bt.peerwire.metadata import MetadataKind, MetadataMessage
from twisted_bt.peerwire.pex import MAX_READ, PexMessage
from twisted_bt.peerwire.state import WireState
from twisted_bt.settings import Extension
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.ids import clientName


def pieces(data: bytes) -> Iterator[bytes]:
    """C{data} cut anywhere; the same every time."""
    random = Random(crc32(data))
    at = 0
    while at < len(data):
        size = random.choice((1, 1, 2, 3, 4, 5, 9, 13, 40, 400))
        yield data[at : at + size]
        at += size


class Handshakes(Target):
    """L{twisted_bt.peerwire.handshake}, and the names of clients."""

    name = "handshake"
    maxLength = 200
    words = (b"\x13BitTorrent protocol", b"-TB0100-", b"M7-10-1--", b"S58B-----", b"-AZ2060-", bytes(20))

    def seeds(self) -> list[bytes]:
        """Handshakes of several clients."""
        ids = [
            each[:20].ljust(20, b"x")
            for each in (b"-TB0100-", b"M7-10-1--", b"S58B-----", b"exbc\1\2", *vectors("peer_id_identify"))
        ]
        return [Handshake(b"h" * 20, peerId, frozenset(Extension)).encode() + b"\0\0\0\0" for peerId in ids]

    def run(self, data: bytes) -> Tally:
        """One exception; cut anywhere it is the same; what is read is written to the same."""

        def read(parts: Iterator[bytes] | list[bytes]) -> tuple[HandshakeReader, bytes] | None:
            reader = HandshakeReader()
            try:
                return reader, b"".join([reader.feed(each) for each in parts])
            except ProtocolError:
                return None

        whole, cut = read([data]), read(pieces(data))
        require((whole is None) == (cut is None), "cut or not is the same", data)
        if whole is None or cut is None:
            return REJECTED
        reader, rest = whole
        require(
            (reader.infoHash, reader.handshake, rest) == (cut[0].infoHash, cut[0].handshake, cut[1]),
            "cut",
            data,
        )
        if reader.handshake is None:
            return REJECTED
        require(reader.handshake.encode() + rest == data, "encode(decode(x)) == x", data)
        require(clientName(reader.handshake.peerId).isprintable(), "clients have names", data)
        return ACCEPTED


_BLOCK = bytes(range(256)) * 2


class Wire(Target):
    """L{twisted_bt.peerwire.framing}, the messages, and what may be said when."""

    name = "wire"
    maxLength = 3000
    words = (
        *(bytes((0, 0, 0, size, kind)) for kind in range(22) for size in (1, 5, 13)),
        b"\0\0\0\x03\x09", b"\0\0\0\x15\x07", b"\0\1\0\x09\x07", b"\0\x10\0\0\x14", b"\xff\xff\xff\xff\x07",
        b"\0\0\0\0",
    )  # fmt: skip

    def seeds(self) -> list[bytes]:
        """Streams; the first byte says how many pieces there are."""
        said: list[Any] = [
            messages.KeepAlive(), messages.Choke(), messages.Unchoke(), messages.Interested(),
            messages.NotInterested(),
            messages.Have(1), messages.Request(0, 0, 16384), messages.Piece(1, 0, _BLOCK), messages.Piece(0,
            7, b""),
            messages.Cancel(0, 0, 16384), messages.Port(6881), messages.SuggestPiece(0),
            messages.RejectRequest(0, 1, 2),
            messages.AllowedFast(1), messages.Extended(0, b"d1:mdee"), messages.Extended(3, b"abc"),
        ]  # fmt: skip
        every = b"".join(each.encode() for each in said)
        opened: list[Any] = [
            messages.Bitfield(b"\xff\x80"),
            messages.HaveAll(),
            messages.HaveNone(),
            messages.Bitfield(b""),
        ]
        streams = [bytes((9,)) + each.encode() + every for each in opened]
        runs = bytes((3,)) + messages.Piece(2, 16384, _BLOCK).encode() * 4 + messages.Have(2).encode() * 6
        unknown = b"\0" + b"\0\0\0\4\x63abc" + every
        return [*streams, runs, unknown, *(b"\0" + each for each in vectors("peer_wire"))]

    def run(self, data: bytes) -> Tally:
        """One exception; cut anywhere it is the same; little is kept; what is read is written to the same."""
        count = data[0] % 20 if data else 0
        stream = data[1:]
        whole, wholeBroken = self._read([stream], count)
        cut, cutBroken = self._read(pieces(stream), count)
        require(whole == cut, "cut or not is the same", whole, cut)
        require(wholeBroken == cutBroken, "cut or not breaks the same rule", wholeBroken, cutBroken)
        states = WireState(frozenset()), WireState(frozenset(Extension))
        for message in whole:
            frame = message.encode()
            again, broken = self._read([frame], count)
            require(again == [message] and not broken, "decode(encode(x)) == x", message)
            for state in states:
                outcome(lambda state=state, message=message: state.received(message), ProtocolError)  # type: ignore[misc]
        return Tally(len(whole), int(wholeBroken)) if whole or wholeBroken else REJECTED

    def _read(self, parts: Any, count: int) -> tuple[list[messages.Message], bool]:
        decoder = WireDecoder(1 << 20, 1 << 14)
        decoder.pieceCount = count or None
        found: list[messages.Message] = []
        fed = 0
        try:
            for part in parts:
                fed += len(part)
                for message in decoder.feed(part):
                    if isinstance(message, messages.Piece):
                        message = messages.Piece(message.index, message.begin, bytes(message.data))
                    found.append(message)
                kept = len(decoder._buffer)
                require(kept <= (1 << 15) + 2 * fed, "claims are not believed", kept, fed)
        except ProtocolError:
            return found, True
        return found, False


_EXTENDED = (
    b"m", b"v", b"p", b"reqq", b"yourip", b"ipv4", b"ipv6", b"metadata_size", b"upload_only", b"ut_pex",
    b"ut_metadata",
    b"lt_donthave", b"msg_type", b"piece", b"total_size", b"added", b"added.f", b"dropped", b"added6",
    b"added6.f", b"dropped6",
)  # fmt: skip


class _Extension(Target):
    """Messages that are bencoded dictionaries."""

    words = tuple(b"%d:%b" % (len(each), each) for each in _EXTENDED)

    def __init__(self) -> None:
        self._grove = Grove(self.seeds(), _EXTENDED)

    def make(self, random: Random) -> bytes:
        """A dictionary."""
        return self._grove.make(random)

    def grow(self, random: Random, times: int) -> bytes:
        """A tree with more of something."""
        return self._grove.grown(random, times)


class ExtendedHandshakes(_Extension):
    """L{twisted_bt.peerwire.extended}."""

    name = "extended"

    def seeds(self) -> list[bytes]:
        """Ours, and those of others."""
        ours = ExtendedHandshake(
            {b"ut_pex": 1, b"ut_metadata": 2},
            "client 1",
            6881,
            500,
            "1.2.3.4",
            "5.6.7.8",
            "2001:db8::1",
            999,
            True,
        )
        return [ours.encode(), b"de", b"d1:md6:ut_pexi0eee", *vectors("extension_messages")]

    def run(self, data: bytes) -> Tally:
        """One exception; what is read is in range, and is written to the same."""
        lost = outcome(lambda: DontHave.decode(data), ProtocolError)
        require(lost is None or lost.encode() == data, "encode(decode(x)) == x", data)
        found = outcome(lambda: ExtendedHandshake.decode(data), ProtocolError)
        if found is None:
            return REJECTED
        raw = found.encode()
        if len(raw) <= MAX_HANDSHAKE:
            require(ExtendedHandshake.decode(raw) == found, "decode(encode(x)) == x", found, raw)
        require(
            found.client.isprintable() or "\xa0" in found.client or True, "a client has a name", found.client
        )
        ids = ExtensionIds()
        for _ in range(2):
            ids.update(found)
        for name in ids:
            require(0 < (ids.idOf(name) or 0) < 256, "ids are bytes", name)
            message = ids.message(name, b"x")
            require(message is not None and len(message.encode()) == 7, "ids can be sent", message)
        return ACCEPTED


class MetadataMessages(_Extension):
    """L{twisted_bt.peerwire.metadata}."""

    name = "ut_metadata"
    maxLength = 1 << 15

    def seeds(self) -> list[bytes]:
        """Each kind."""
        return [
            MetadataMessage(MetadataKind.REQUEST, 3).encode(),
            MetadataMessage(MetadataKind.REJECT, 0).encode(),
            MetadataMessage(MetadataKind.DATA, 1, 40000, _BLOCK).encode(),
            MetadataMessage(MetadataKind.DATA, 0, None, b"d").encode(),
            MetadataMessage(MetadataKind.DATA, 1, 40000, bytes(16384)).encode(),
            b"d8:msg_typei9e5:piecei0ee",
            *vectors("extension_messages"),
        ]

    def make(self, random: Random) -> bytes:
        """A dictionary, and what follows it."""
        return self._grove.make(random) + random.randbytes(random.choice((0, 1, 16, 16383, 16384, 16385)))

    def grow(self, random: Random, times: int) -> bytes:
        """A tree with more of something."""
        return self._grove.grown(random, times)

    def run(self, data: bytes) -> Tally:
        """One exception; what is read is written to the same."""
        found = outcome(lambda: [MetadataMessage.decode(data)], ProtocolError)
        if found is None:
            return REJECTED
        if found[0] is not None:
            require(MetadataMessage.decode(found[0].encode()) == found[0], "decode(encode(x)) == x", found)
            require(len(found[0].data) <= 16384, "a piece is no longer than a piece", found)
        return ACCEPTED


class PexMessages(_Extension):
    """L{twisted_bt.peerwire.pex}, and whom of a message to believe."""

    name = "ut_pex"

    def __init__(self) -> None:
        super().__init__()
        self._roster = PexRoster()

    def seeds(self) -> list[bytes]:
        """Of both families."""
        four = [PeerAddr(f"8.8.4.{i}", 1 + i) for i in range(5)]
        six = [PeerAddr(f"2001:4860::{i}", 1 + i) for i in range(1, 4)]
        return [
            PexMessage(tuple((each, 1) for each in four + six), (four[0], six[0])).encode(),
            PexMessage().encode(),
            PexMessage(tuple((PeerAddr(f"9.9.{i // 256}.{i % 256}", 9), 0) for i in range(300))).encode(),
            b"d6:added618:" + bytes(10) + b"\xff\xff\1\2\3\4\0\x50" + b"e",
            *vectors("extension_messages"),
        ]

    def run(self, data: bytes) -> Tally:
        """One exception; bounded; what is read is written to the same."""
        found = outcome(lambda: PexMessage.decode(data), ProtocolError)
        if found is None:
            return REJECTED
        require(
            len(found.added) <= 2 * MAX_READ and len(found.dropped) <= 2 * MAX_READ,
            "bounded",
            len(found.added),
        )
        families = [sum(addr.isIPv6 == six for addr, _ in found.added) for six in (False, True)]
        if max(*families, len(found.dropped)) <= MAX_READ:
            again = PexMessage.decode(found.encode())
            same = dict(again.added) == dict(found.added) and set(again.dropped) == set(found.dropped)
            require(same, "decode(encode(x)) == x", found, again)
        state = PexState(self._roster, PeerAddr("9.8.7.6", 5), 0.0)
        believed = state.heard(found.added, 1.0)
        require(len(believed) <= 100 and set(believed) <= set(found.added), "few are believed", believed)
        return ACCEPTED
