"""Tests of L{twisted_bt.storage.filemap}."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.storage.filemap import Extent, FileMap, FileSpan

lengthLists = st.lists(st.integers(0, 12), min_size=1, max_size=12)


def mapOf(lengths: list[int]) -> FileMap:
    """Files of these lengths, one after the other."""
    return FileMap(
        FileSpan((f"file-{number}",), sum(lengths[:number]), length) for number, length in enumerate(lengths)
    )


class FileMapTests(SynchronousTestCase):
    """Which files a range of the content lies in."""

    @settings(derandomize=True, deadline=None)
    @given(lengthLists, st.data())
    def test_model(self, lengths: list[int], data: st.DataObject) -> None:
        """The extents of any range name, byte for byte, what counting one by one gives."""
        fileMap = mapOf(lengths)
        bytewise = [(number, offset) for number, length in enumerate(lengths) for offset in range(length)]
        begin = data.draw(st.integers(0, len(bytewise)))
        end = data.draw(st.integers(begin, len(bytewise)))
        extents = fileMap.extents(begin, end - begin)
        self.assertEqual(
            [(each.file, each.offset + step) for each in extents for step in range(each.length)],
            bytewise[begin:end],
        )

    @settings(derandomize=True, deadline=None)
    @given(lengthLists)
    def test_fewest(self, lengths: list[int]) -> None:
        """All of the content is one extent for each file that has bytes."""
        fileMap = mapOf(lengths)
        whole = [Extent(number, 0, length) for number, length in enumerate(lengths) if length]
        self.assertEqual(fileMap.extents(0, sum(lengths)), whole)
        self.assertEqual(fileMap.totalLength, sum(lengths))

    def test_outside(self) -> None:
        """A range that is not all inside is refused."""
        fileMap = mapOf([3, 0, 4])
        for offset, length in ((-1, 2), (0, 8), (8, 0), (7, 1), (2, -1)):
            self.assertRaises(ValueError, fileMap.extents, offset, length)

    def test_gaps(self) -> None:
        """Files that leave a gap or overlap are refused."""
        for offset in (2, 4):
            with self.assertRaises(ValueError):
                FileMap([FileSpan(("a",), 0, 3), FileSpan(("b",), offset, 1)])


class FileSpanTests(SynchronousTestCase):
    """What may be a file of a torrent."""

    def test_outsidePaths(self) -> None:
        """A path that could lead out of the data folder is refused, whoever let it come so far."""
        for path in ((), ("",), (".",), ("..",), ("a", ".."), ("a/b",), ("/etc",), ("a\0",)):
            self.assertRaises(ValueError, FileSpan, path, 0, 1)
            self.assertRaises(ValueError, FileSpan, ("fine",), 0, 0, link=path or ("",))

    def test_padPath(self) -> None:
        """A pad file needs no path: it is on no disk."""
        self.assertEqual(FileSpan((), 0, 5, isPad=True).length, 5)

    def test_negative(self) -> None:
        """Negative numbers are refused."""
        self.assertRaises(ValueError, FileSpan, ("a",), -1, 1)
        self.assertRaises(ValueError, FileSpan, ("a",), 0, -1)

    def test_linkWithBytes(self) -> None:
        """A link has no bytes of its own."""
        self.assertRaises(ValueError, FileSpan, ("a",), 0, 1, link=("b",))
