"""Tests for L{twisted_bt.torrent.paths}."""

from __future__ import annotations

import gc
import ntpath
import posixpath
import sys
from collections.abc import Callable

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.errors import MetainfoError
from twisted_bt.torrent.paths import NAME_MAX, decodeText, distinct, safeElement, safeName, safePath

fixed = settings(derandomize=True, deadline=None, max_examples=300)
#: Pieces of names that did harm somewhere.
nasty = st.lists(
    st.sampled_from(
        [
            *(b".", b"..", b"/", b"\\", b"\0", b"\x07", b":", b"CON", b"a", b" ", b"~", b"$"),
            *(b"\xff", b"\xe2\x80", b"x" * 239, b".ext"),
            *(each.encode() for each in ("\u200b", "\u202e", "\u00e9", "\U0001f488")),
        ]
    )
    | st.binary(max_size=4),
    max_size=8,
).map(b"".join)


class ElementTests(SynchronousTestCase):
    """L{safeElement} and L{safeName}."""

    @fixed
    @given(nasty)
    @example(b"\x07" * 5000)
    @example(b"\xff" * 300 + b".\xff\xff")
    def test_staysInside(self, raw: bytes) -> None:
        """Whatever comes, an element is one name, and that can lead nowhere else, nor be too long."""
        for windows in (False, True):
            name = safeElement(raw, windows)
            self.assertNotIn(name, ("", ".", ".."))
            self.assertFalse(set("/\\\0") & set(name))
            self.assertLessEqual(len(name.encode("utf-8")), NAME_MAX)
            self.assertEqual(posixpath.normpath(posixpath.join("/data", name)), "/data/" + name)
        self.assertEqual(ntpath.splitdrive(name)[0], "")
        self.assertFalse(name.endswith((".", " ")))

    @fixed
    @given(nasty)
    def test_again(self, raw: bytes) -> None:
        """A name that was made safe is safe, and stays as it is."""
        for windows in (False, True):
            name = safeElement(raw, windows)
            if len(name.encode("utf-8")) <= 240:
                self.assertEqual(safeElement(name.encode("utf-8"), windows), name)

    def test_manyRemoved(self) -> None:
        """A name of a million characters that vanish, or are none, is read at once, and not one by one."""
        raw = b"\xff" * 1_000_000 + "ä".encode()
        self.assertEqual(self.counted(decodeText, raw, 100), "_" * 1_000_000 + "ä")
        for each, name in ((b"/", ".txt"), (b"\xff", "_" * 246 + ".txt")):
            self.assertEqual(self.counted(safeElement, each * 1_000_000 + b".txt", 300), name)

    def test_manyLong(self) -> None:
        """Nor are names that are cut, of which there may be a hundred thousand."""
        for each in (
            b"a",
            b"\xff",
            b"\x07/",
            "ä".encode(),
            b"\xc0a",
            b"\xc0aa",
            b"\xffa",
            b"\xe2\x80",
            b"\xf8",
        ):
            self.counted(safeElement, each * 300, 400)  # were thousands
        self.counted(safeElement, ("\u200b".encode() + b"\xc0a") * 300, 800)  # five times as long

    def counted(self, function: Callable[[bytes], str], raw: bytes, most: int) -> str:
        """What C{function} makes of C{raw}, with so many calls at most."""
        calls = 0

        def count(frame: object, event: str, argument: object) -> None:
            nonlocal calls
            calls += 1

        before = sys.getprofile()
        gc.disable()  # what others left behind is not to be ended meanwhile
        sys.setprofile(count)
        try:
            found = function(raw)
        finally:
            sys.setprofile(before)
            gc.enable()
        self.assertLess(calls, most)
        return found

    def test_windowsDevices(self) -> None:
        """On Windows names of devices get an underscore, with extensions too; elsewhere they stay."""
        for name in ("CON", "con", "NUL.txt", "com1", "LPT9.a.b", "aux .c"):
            self.assertEqual(safeElement(name.encode(), windows=True), "_" + name)
            self.assertEqual(safeElement(name.encode(), windows=False), name)
        self.assertEqual(safeElement(b"CONSOLE", windows=True), "CONSOLE")

    def test_nothingLeft(self) -> None:
        """An element of which nothing is left becomes an underscore; a torrent's name becomes none."""
        for raw in (b"", b".", b"..", b"/", b"/..", b"\0", b"\\", "\u200b.".encode()):
            self.assertEqual(safeElement(raw), "_")
            self.assertIsNone(safeName(raw))
        self.assertEqual(safeName(b"...", windows=False), "...")
        self.assertIsNone(safeName(b"...", windows=True))

    def test_cut(self) -> None:
        """A long element is cut, on a whole character, and keeps a short extension."""
        self.assertEqual(safeElement(b"a" * 300), "a" * 240)
        self.assertEqual(safeElement(b"a" * 300 + b".jpeg"), "a" * 240 + ".jpeg")
        self.assertEqual(safeElement(b"a" * 300 + b".extension"), "a" * 240)
        self.assertEqual(safeElement("\u20ac".encode() * 100), "\u20ac" * 80)

    def test_path(self) -> None:
        """A path is made safe element by element."""
        self.assertEqual(safePath([b"..", b"etc/passwd", b"a"]), ("_", "etcpasswd", "a"))

    def test_invalidText(self) -> None:
        """Bytes that are no UTF-8 become underscores, and characters beyond ASCII stay."""
        self.assertEqual(decodeText(b"\xffa\xc3\xa9\x80"), "_a\u00e9_")
        self.assertEqual(decodeText(b"\xed\xa0\x80"), "_")


def _paths(*names: str) -> list[tuple[str, ...]]:
    return [tuple(name.split("/")) for name in names]


class DistinctTests(SynchronousTestCase):
    """L{distinct}."""

    def test_unchanged(self) -> None:
        """Paths that differ by more than case stay as they are."""
        paths = _paths("a", "b", "d/a", "D/b", "e.f")
        self.assertEqual(distinct(paths), paths)

    def test_renamed(self) -> None:
        """Equal paths are numbered before the extension; names that are taken are passed over."""
        self.assertEqual(
            distinct(_paths("a.x", "A.x", "a.1.x", "a.x", "b", "b")),
            _paths("a.x", "A.2.x", "a.1.x", "a.3.x", "b", "b.1"),
        )

    def test_folders(self) -> None:
        """A file where a folder must be gives way, wherever it comes in the list."""
        self.assertEqual(distinct(_paths("a", "a/b/c", "A/B")), _paths("a.1", "a/b/c", "A/B.1"))

    def test_unicodeCase(self) -> None:
        """Case, and how accents are composed, make no difference beyond ASCII either."""
        self.assertEqual(distinct(_paths("\u00c9", "\u00e9")), _paths("\u00c9", "\u00e9.1"))
        self.assertEqual(distinct(_paths("\u00e9", "e\u0301")), _paths("\u00e9", "e\u0301.1"))

    def test_shared(self) -> None:
        """Those of equal tokens may have equal paths."""
        paths = _paths("p", "x", "p", "p", "p")
        self.assertEqual(distinct(paths, [5, None, 5, 6, None]), _paths("p", "x", "p", "p.1", "p.2"))

    def test_tooMany(self) -> None:
        """Thousands of equal names are refused before much work was done; a few are not."""
        self.assertEqual(len(set(distinct([("a",)] * 33))), 33)
        for paths in ([("a",)] * 34, [("a",)] * 100_000, [("a",), ("b",)] * 24):
            with self.assertRaises(MetainfoError):
                distinct(paths)

    def test_longNames(self) -> None:
        """A number does not make a name longer than a disk takes."""
        name = "a" * 240 + ".jpegxyz" + "\u00e9"
        for path in distinct([("d", name)] * 20):
            self.assertLessEqual(len(path[-1].encode("utf-8")), NAME_MAX)

    @fixed
    @given(
        st.lists(
            st.lists(
                st.sampled_from(["a", "A", "a.1", "b", "a.x", "A.1.x", "\u00e9", "\u00c9"]),
                min_size=1,
                max_size=3,
            )
        )
    )
    def test_property(self, listed: list[list[str]]) -> None:
        """No two results are equal, none is a folder of another, and each stays in its folder."""
        paths = [tuple(path) for path in listed]
        try:
            found = distinct(paths)
        except MetainfoError:
            return
        folded = [tuple(each.casefold() for each in path) for path in found]
        self.assertEqual(len(set(folded)), len(folded))
        folders = {path[:depth] for path in folded for depth in range(1, len(path))}
        self.assertFalse(folders & set(folded))
        self.assertEqual([path[:-1] for path in found], [path[:-1] for path in paths])
