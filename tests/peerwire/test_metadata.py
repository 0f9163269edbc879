"""L{twisted_bt.peerwire.metadata}: the messages of BEP 9."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.conformance import ConformanceTestCase, cases, fromHex
from twisted_bt.errors import ProtocolError
from twisted_bt.peerwire.metadata import METADATA_PIECE_LENGTH, MetadataKind, MetadataMessage
from twisted_bt.torrent.bencoding import encode

DATA = MetadataMessage(MetadataKind.DATA, 0, 34256, b"xxxxxxxx")


class MetadataMessageTests(SynchronousTestCase):
    """Messages about a piece of metadata."""

    def test_roundTrip(self) -> None:
        """Each kind reads as it was written, even if the data looks like more of the dictionary."""
        for message in (
            MetadataMessage(MetadataKind.REQUEST, 3),
            MetadataMessage(MetadataKind.REJECT, 3),
            DATA,
            MetadataMessage(MetadataKind.DATA, 1, 20000, b"d1:ai1ee" * 2),
        ):
            self.assertEqual(MetadataMessage.decode(message.encode()), message)

    def test_unknownKind(self) -> None:
        """A kind that is not known is ignored, as BEP 9 asks."""
        self.assertIsNone(MetadataMessage.decode(encode({b"msg_type": 3, b"piece": 0})))

    def test_refused(self) -> None:
        """No dictionary, no type, no piece, no data or too much of it breaks the protocol."""
        head = encode({b"msg_type": 1, b"piece": 0, b"total_size": 1 << 20})
        for payload in (
            b"",
            b"i1e",
            b"d8:msg_type",
            encode({b"piece": 0}),
            encode({b"msg_type": 0}),
            encode({b"msg_type": 0, b"piece": -1}),
            encode({b"msg_type": b"0", b"piece": 0}),
            head,
            head + bytes(METADATA_PIECE_LENGTH + 1),
            head + bytes(1 << 17),
        ):
            self.assertRaises(ProtocolError, MetadataMessage.decode, payload)

    @settings(derandomize=True, deadline=None, max_examples=300)
    @given(st.integers(0, 70), st.binary(max_size=9), st.integers(0, 70))
    def test_damaged(self, start: int, damage: bytes, end: int) -> None:
        """Damaged messages are a value, nothing, or ProtocolError."""
        whole = DATA.encode()
        try:
            got = MetadataMessage.decode(whole[:start] + damage + whole[end:])
        except ProtocolError:
            return
        self.assertTrue(got is None or got.piece >= 0)


class ConformanceTests(ConformanceTestCase):
    """The published vectors."""

    def test_messages(self) -> None:
        """Each published message reads as published, and is written the same way."""
        found = [case for case in cases("extension_messages") if "msg_type" in case["expect"]]
        self.assertTrue(found)
        for case in found:
            expect = case["expect"]
            message = MetadataMessage(
                MetadataKind[expect["msg_type"].upper()],
                expect["piece"],
                expect.get("total_size"),
                expect.get("trailing_data", "").encode(),
            )
            self.assertEqual(MetadataMessage.decode(fromHex(case["bytes"])), message, case["id"])
            self.assertEqual(message.encode(), fromHex(case["bytes"]), case["id"])
