"""L{twisted_bt.peerwire.messages}: each message as bytes and back."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.conformance import ConformanceTestCase, cases, fromHex
from twisted_bt.errors import ProtocolError
from twisted_bt.peerwire.extended import DontHave
from twisted_bt.peerwire.framing import WireDecoder
from twisted_bt.peerwire.messages import (
    AllowedFast,
    Bitfield,
    Cancel,
    Choke,
    Extended,
    Have,
    HaveAll,
    HaveNone,
    Interested,
    KeepAlive,
    Message,
    NotInterested,
    Piece,
    Port,
    RejectRequest,
    Request,
    SuggestPiece,
    Unchoke,
    encodeRequests,
)
from twisted_bt.torrent.pieces import Block

#: Every message with its frame, as the BEPs write it.
FRAMES: list[tuple[Message, str]] = [
    (KeepAlive(), "00000000"),
    (Choke(), "00000001 00"),
    (Unchoke(), "00000001 01"),
    (Interested(), "00000001 02"),
    (NotInterested(), "00000001 03"),
    (Have(0x01020304), "00000005 04 01020304"),
    (Bitfield(b"\xf0\x80"), "00000003 05 f080"),
    (Request(1, 2, 0x4000), "0000000d 06 00000001 00000002 00004000"),
    (Piece(1, 2, b"abc"), "0000000c 07 00000001 00000002 616263"),
    (Cancel(1, 2, 3), "0000000d 08 00000001 00000002 00000003"),
    (Port(0x1234), "00000003 09 1234"),
    (SuggestPiece(7), "00000005 0d 00000007"),
    (HaveAll(), "00000001 0e"),
    (HaveNone(), "00000001 0f"),
    (RejectRequest(1, 2, 3), "0000000d 10 00000001 00000002 00000003"),
    (AllowedFast(9), "00000005 11 00000009"),
    (Extended(3, b"de"), "00000004 14 03 6465"),
]

_CODED: list[tuple[Any, bytes]] = [
    (type(message), message.encode()[5:]) for message, _ in FRAMES if not isinstance(message, KeepAlive)
]


class MessageTests(SynchronousTestCase):
    """The messages."""

    def test_frames(self) -> None:
        """Each message is written as its BEP says."""
        for message, frame in FRAMES:
            self.assertEqual(message.encode(), bytes.fromhex(frame), message)

    def test_decode(self) -> None:
        """Each payload, as bytes or as a view, reads as the message it was."""
        for message, frame in FRAMES[1:]:
            payload = bytes.fromhex(frame)[5:]
            kind: Any = type(message)
            self.assertEqual(kind.decode(payload), message)
            self.assertEqual(kind.decode(memoryview(payload)), message)

    def test_wrongSize(self) -> None:
        """A payload that is a byte too short or too long for a message of fixed size is refused."""
        for kind, payload in _CODED:
            if kind in (Bitfield, Piece, Extended):
                continue
            self.assertRaises(ProtocolError, kind.decode, payload + b"\0")
            if payload:
                self.assertRaises(ProtocolError, kind.decode, payload[:-1])
        self.assertRaises(ProtocolError, Piece.decode, bytes(7))
        self.assertRaises(ProtocolError, Extended.decode, b"")

    @settings(derandomize=True, deadline=None, max_examples=300)
    @given(st.sampled_from(_CODED), st.binary(max_size=20))
    def test_anyPayload(self, coded: tuple[Any, bytes], payload: bytes) -> None:
        """Any payload is refused with ProtocolError, or reads as a message that is written that way."""
        kind = coded[0]
        try:
            message = kind.decode(payload)
        except ProtocolError:
            return
        self.assertEqual(message.encode()[5:], payload)

    def test_distinct(self) -> None:
        """Messages of one shape but different meaning are not equal."""
        self.assertNotEqual(Choke(), Unchoke())
        self.assertNotEqual(Request(1, 2, 3), Cancel(1, 2, 3))
        self.assertNotEqual(Piece(1, 2, b"a"), Piece(1, 2, b"b"))
        self.assertNotEqual(Piece(1, 2, b"a"), object())

    def test_frozen(self) -> None:
        """A message cannot be changed, but for a block's."""
        self.assertRaises(AttributeError, setattr, Request(1, 2, 3), "index", 4)
        self.assertRaises(TypeError, hash, Piece(1, 2, b""))

    def test_blockIsView(self) -> None:
        """A block's data is not copied when its message is read; nor shown in full."""
        payload = bytearray(8 + 3)
        piece = Piece.decode(payload)
        payload[8:] = b"new"
        self.assertEqual(piece.data, b"new")
        self.assertEqual(repr(piece), "Piece(index=0, begin=0, data=<3 bytes>)")

    def test_header(self) -> None:
        """A block's header is what comes before its data."""
        piece = Piece(1, 2, b"abc")
        self.assertEqual(piece.encodeHeader() + b"abc", piece.encode())

    def test_encodeRequests(self) -> None:
        """Many requests at once are the same bytes as one by one."""
        blocks = [Block(1, 0, 16384), Block(2, 16384, 7)]
        whole = b"".join(Request(each.index, each.begin, each.length).encode() for each in blocks)
        self.assertEqual(encodeRequests(blocks), whole)
        self.assertEqual(encodeRequests([]), b"")


class BitfieldTests(SynchronousTestCase):
    """Whether a bitfield can speak of so many pieces."""

    def test_fits(self) -> None:
        """The right number of bytes, spare bits clear."""
        for bits, pieces in ((b"\xff", 8), (b"\xff\x80", 9), (b"\xfe", 7), (b"\0\0", 16)):
            self.assertEqual(Bitfield(bits).check(pieces), Bitfield(bits))

    def test_doesNotFit(self) -> None:
        """A byte more or less, or a spare bit set, breaks the rule."""
        for bits, pieces in ((b"", 1), (b"\0\0", 8), (b"\0", 9), (b"\x01", 7), (b"\xff\x40", 9)):
            self.assertRaises(ProtocolError, Bitfield(bits).check, pieces)


class ConformanceTests(ConformanceTestCase):
    """The published vectors."""

    def test_peerWire(self) -> None:
        """Each published sequence of bytes reads as published, and is written the same way."""
        for case in cases("peer_wire"):
            if case.get("name") == "message ids":
                self.compareIds(case["expect"])
                continue
            raw, expect = fromHex(case["bytes"]), case["expect"]
            if case.get("note") == "payload only":
                (name, fields), *_ = expect.items()
                kind: Any = {"have": Have, "request": Request, "port": Port}[name.split()[0]]
                self.assertEqual(kind.decode(raw), kind(**fields), case["id"])
                continue
            decoder = WireDecoder(1 << 20, 1 << 17)
            messages = list(decoder.feed(raw))
            if "sequence" in expect:
                known = [name for name in expect["sequence"] if not name.startswith("unknown")]
                self.assertEqual([spoken(each) for each in messages], known, case["id"])
                continue
            self.assertEqual(len(messages), 1, case["id"])
            self.compare(case["id"], messages[0], expect)
            self.assertEqual(messages[0].encode(), raw, case["id"])

    def compare(self, name: str, message: Message, expect: dict[str, Any]) -> None:
        """The type and each field that C{expect} speaks of."""
        if expect["type"] == "lt_donthave":
            assert isinstance(message, Extended)
            self.assertEqual(message.extensionId, expect["ext_id"], name)
            self.assertEqual(DontHave.decode(message.payload).index, expect["index"], name)
            return
        self.assertEqual(spoken(message), expect["type"].replace("-", " "), name)
        for key in expect.keys() - {"type", "block_length"}:
            self.assertEqual(getattr(message, key), expect[key], name)
        if isinstance(message, Piece):
            self.assertEqual(len(message.data), expect["block_length"], name)
            self.assertEqual(bytes(message.data), bytes(range(13, 13 + expect["block_length"])), name)

    def compareIds(self, ids: dict[str, int]) -> None:
        """The ids of all messages; those of BEP 52 are nobody else's."""
        ours = {spoken(message): message.id for message, _ in FRAMES if not isinstance(message, KeepAlive)}
        later = {name for name in ids if name.startswith("hash")}
        self.assertEqual({name: number for name, number in ids.items() if name not in later}, ours)
        self.assertFalse({ids[name] for name in later} & set(ours.values()))


def spoken(message: Message) -> str:
    """The name the vectors have for the type of C{message}."""
    names = {
        KeepAlive: "keepalive",
        NotInterested: "not interested",
        SuggestPiece: "suggest",
        HaveAll: "have all",
        HaveNone: "have none",
        RejectRequest: "reject",
        AllowedFast: "allowed fast",
        Extended: "extension",
    }
    return names.get(type(message), type(message).__name__.lower())
