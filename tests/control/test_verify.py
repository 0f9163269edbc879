"""Tests for L{twisted_bt.control.verify}."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.control.verify import Verdict, verifyContent
from twisted_bt.torrent.create import createMetainfo
from twisted_bt.torrent.metainfo import Metainfo

PIECE = 1 << 14


class VerifyTests(SynchronousTestCase):
    """Whether files are the content of a torrent."""

    def setUp(self) -> None:
        self.base = Path(self.mktemp())
        self.folder = self.base / "t"
        (self.folder / "sub").mkdir(parents=True)
        # Pieces: a alone in 0, a and b in 1, b alone in 2 and 3, b and sub/c in 4.
        (self.folder / "a").write_bytes(b"a" * (PIECE + 100))
        (self.folder / "b").write_bytes(b"b" * 3 * PIECE)
        (self.folder / "empty").write_bytes(b"")
        (self.folder / "sub" / "c").write_bytes(b"c" * 10)
        self.metainfo = createMetainfo(self.folder, pieceLength=PIECE)

    def verify(self, metainfo: Metainfo | None = None) -> Verdict:
        """The verdict on what lies there now."""
        return verifyContent(metainfo or self.metainfo, self.base)

    def change(self, name: str, offset: int) -> None:
        """Make one byte another."""
        path = self.folder / name
        content = bytearray(path.read_bytes())
        content[offset] ^= 1
        path.write_bytes(content)

    def test_allThere(self) -> None:
        """What is as it should be passes; progress is told in bytes, up to all of them."""
        heard: list[int] = []
        verdict = verifyContent(self.metainfo, self.base, heard.append)
        self.assertEqual(verdict, Verdict(5, 5, ()))
        self.assertTrue(verdict.passed)
        self.assertEqual(heard, [PIECE, 2 * PIECE, 3 * PIECE, 4 * PIECE, self.metainfo.totalSize])

    def test_hybrid(self) -> None:
        """Padding is not looked for on disk."""
        self.assertTrue(self.verify(createMetainfo(self.folder, pieceLength=PIECE, hybrid=True)).passed)

    def test_damagedInside(self) -> None:
        """A changed byte accuses its file, with the pieces."""
        self.change("b", PIECE * 2)
        verdict = self.verify()
        self.assertFalse(verdict.passed)
        self.assertEqual((verdict.good, verdict.faults), (4, ("damaged: t/b, 1 piece: 3",)))

    def test_damagedAtBorder(self) -> None:
        """A piece in two files accuses both: nobody knows which it was."""
        self.change("b", 0)
        self.assertEqual(self.verify().faults, ("damaged: t/a, 1 piece: 1", "damaged: t/b, 1 piece: 1"))

    def test_missing(self) -> None:
        """A missing file is named as such; its neighbours are only in doubt."""
        (self.folder / "a").unlink()
        verdict = self.verify()
        self.assertEqual(verdict.good, 3)
        self.assertEqual(
            verdict.faults,
            ("missing: t/a", "in doubt: t/b shares a piece with a file that is missing or damaged"),
        )

    def test_missingEmpty(self) -> None:
        """An empty file has to be there, though no piece misses it."""
        (self.folder / "empty").unlink()
        verdict = self.verify()
        self.assertFalse(verdict.passed)
        self.assertEqual((verdict.good, verdict.faults), (5, ("missing: t/empty",)))

    def test_wrongSizes(self) -> None:
        """Too short and too long are said with both sizes."""
        with (self.folder / "sub" / "c").open("ab") as file:
            file.write(b"more")
        self.assertEqual(self.verify().faults, ("damaged: t/sub/c has 14 of 10 bytes",))
        (self.folder / "sub" / "c").write_bytes(b"c")
        self.assertEqual(
            self.verify().faults,
            (
                "in doubt: t/b shares a piece with a file that is missing or damaged",
                "damaged: t/sub/c has 1 of 10 bytes",
            ),
        )

    def test_nothingThere(self) -> None:
        """A folder without any of it makes every file missing, and is left as it is."""
        other = Path(self.mktemp())
        other.mkdir()
        verdict = verifyContent(self.metainfo, other)
        self.assertEqual((verdict.good, len(verdict.faults)), (0, 4))
        self.assertEqual(list(other.iterdir()), [])

    def test_manyPieces(self) -> None:
        """Runs of pieces are written as such, and not for ever."""
        content = bytearray(b"x" * 40 * PIECE)
        (self.base / "big").write_bytes(content)
        metainfo = createMetainfo(self.base / "big", pieceLength=PIECE)
        for index in [3, 4, 5, *range(10, 40, 2)]:
            content[index * PIECE] = 0
        (self.base / "big").write_bytes(content)
        self.assertEqual(
            self.verify(metainfo).faults,
            ("damaged: big, 18 pieces: 3-5, 10, 12, 14, 16, 18, 20, 22, ...",),
        )
