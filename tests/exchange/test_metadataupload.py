"""Tests of L{twisted_bt.exchange.metadataupload}: BEP 9."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.exchange.metadataof import METADATA, PIECES, pieceOf
from twisted_bt.errors import ProtocolError
from twisted_bt.exchange.metadataattempt import PIECE_LENGTH
from twisted_bt.exchange.metadataupload import MetadataUpload


class UploadTests(SynchronousTestCase):
    """Metadata for others."""

    def test_whole(self) -> None:
        """A peer gets all of it, and its parts make the whole."""
        upload = MetadataUpload(METADATA)
        parts = [upload.answer("a", piece, 0.0) for piece in range(PIECES)]
        self.assertEqual(b"".join(part or b"" for part in parts), METADATA)

    def test_rejected(self) -> None:
        """What there is not is rejected, and everything as long as it is not here."""
        upload = MetadataUpload(METADATA)
        self.assertIsNone(upload.answer("a", PIECES, 0.0))
        self.assertIsNone(upload.answer("a", -1, 0.0))
        upload = MetadataUpload()
        self.assertIsNone(upload.answer("a", 0, 0.0))
        upload.arrived(METADATA)
        for piece in range(PIECES):
            self.assertEqual(upload.answer("a", piece, 0.0), pieceOf(METADATA, piece))

    def test_often(self) -> None:
        """Nobody gets it more than a few times; after some minutes it may have it once more."""
        upload = MetadataUpload(METADATA)

        def got(key: str, now: float) -> int:
            return sum(upload.answer(key, n % PIECES, now + n) is not None for n in range(5 * PIECES))

        self.assertEqual(got("a", 0.0), 3 * PIECES)
        self.assertEqual(got("b", 0.0), 3 * PIECES)
        self.assertIn(got("a", 700.0), range(PIECES, PIECES + 2))

    def test_burst(self) -> None:
        """Large metadata is not all in memory for one peer, though it gets all of it in time."""
        pieces = 1000
        upload = MetadataUpload(bytes(pieces * PIECE_LENGTH))
        at_once = sum(upload.answer("a", piece, 0.0) is not None for piece in range(300))
        self.assertEqual(at_once, 256)
        got = [upload.answer("b", piece, piece / 10.0) is not None for piece in range(pieces)]
        self.assertTrue(all(got))

    def test_flood(self) -> None:
        """Who goes on asking although it is rejected breaks the protocol; now and then is no harm."""
        upload = MetadataUpload(METADATA)
        for n in range(2000):
            upload.answer("slow", 99, float(n))
        with self.assertRaises(ProtocolError):
            for _ in range(1000):
                upload.answer("a", 99, 0.0)
        upload.left("a")
        self.assertIsNone(upload.answer("a", 99, 0.0))
        self.assertIsNotNone(upload.answer("a", 0, 0.0))
