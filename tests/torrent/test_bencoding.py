"""Tests for L{twisted_bt.torrent.bencoding}."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.errors import BencodeError
from twisted_bt.torrent.bencoding import (
    Raw,
    asDict,
    bytesIn,
    decode,
    decodePrefix,
    decodeSpans,
    dictIn,
    encode,
    intIn,
    listIn,
    textIn,
)

BIG = 1 << 20
values: st.SearchStrategy[Any] = st.recursive(
    st.integers(-(10**30), 10**30) | st.binary(max_size=30),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.binary(max_size=8), inner, max_size=5),
    max_leaves=20,
)
fixed = settings(derandomize=True, deadline=None, max_examples=200)


class DecodeTests(SynchronousTestCase):
    """L{decode} of good and of hostile input."""

    def test_values(self) -> None:
        """Each kind of value is read."""
        self.assertEqual(
            decode(b"d1:ai-12e1:bl0:3:abcee", BIG),
            {b"a": -12, b"b": [b"", b"abc"]},
        )

    def test_refused(self) -> None:
        """What is not bencoding is refused, at once, whatever the library under it does."""
        for data in (
            b"",
            b"d1:ai1e-6:",  # makes bencode.py loop for ever
            b"i+3e",
            b"i 3e",
            b"i3 e",
            b"i3\ne",
            b"i1_000e",
            b"i03e",
            b"i-0e",
            b"i-e",
            b"ie",
            b"i3",
            b"i" + b"9" * 5000 + b"e",
            "i\u0663e".encode(),
            b"03:abc",
            b"+3:abc",
            b"-1:a",
            b"1_0:aaaaaaaaaa",
            b" 1:a",
            b"1 :a",
            b"3:ab",
            b"99999999999999999999:a",
            b"9999999999:a",
            b":a",
            b"e",
            b"l",
            b"li1e",
            b"d",
            b"d1:a",
            b"d1:ae",
            b"d1:ai1e",
            b"d1:ai1e2:b",
            b"d9:ae",
            b"di1ei2ee",
            b"dle1:ae",
            b"x",
            b"i1ei2e",
            b"5:helloworld",
        ):
            with self.assertRaises(BencodeError, msg=repr(data)):
                decode(data, BIG)

    def test_onlyBytes(self) -> None:
        """Anything but bytes is refused, as text and views would be misread by the library."""
        for data in ("i1e", bytearray(b"i1e"), memoryview(b"i1e"), None):
            with self.assertRaises(BencodeError):
                decode(data, BIG)  # type: ignore[arg-type]

    def test_length(self) -> None:
        """The limit of length is looked at before anything is parsed."""
        self.assertEqual(decode(b"3:abc", 5), b"abc")
        with self.assertRaises(BencodeError):
            decode(b"3:abc", 4)

    def test_depth(self) -> None:
        """Nesting goes as deep as the limit and no deeper, for lists and dictionaries."""
        decode(b"l" * 100 + b"e" * 100, BIG)
        decode(b"d0:" * 3 + b"de" + b"e" * 3, BIG, maxDepth=4)
        for data, depth in (
            (b"l" * 101 + b"e" * 101, 100),
            (b"d0:" * 3 + b"de" + b"e" * 3, 3),
            (b"l" * 500_000, 100),
        ):
            with self.assertRaises(BencodeError):
                decode(data, BIG, maxDepth=depth)

    def test_items(self) -> None:
        """The limit of values, keys not counted, is kept, and nothing within it is refused."""
        ten = b"l" + b"0:" * 5 + b"d1:ai1ee" + b"e"
        self.assertEqual(decode(ten, BIG, maxItems=8), [b"", b"", b"", b"", b"", {b"a": 1}])
        with self.assertRaises(BencodeError):
            decode(ten, BIG, maxItems=7)
        with self.assertRaises(BencodeError):
            decode(b"l" + b"le" * 500_000 + b"e", BIG)

    def test_keys(self) -> None:
        """Keys out of order or repeated are accepted, the first counting; refused if so asked."""
        self.assertEqual(decode(b"d1:bi1e1:ai2e1:bi3ee", BIG), {b"b": 1, b"a": 2})
        decode(b"d1:ai1e1:bi2ee", BIG, strictKeys=True)
        for data in (b"d1:bi1e1:ai2ee", b"d1:ai1e1:ai2ee", b"ld1:bi1e1:ai2eee"):
            with self.assertRaises(BencodeError):
                decode(data, BIG, strictKeys=True)

    @fixed
    @given(values)
    def test_roundTrip(self, value: Any) -> None:
        """What was encoded decodes to the same, in canonical order."""
        encoded = encode(value)
        self.assertEqual(decode(encoded, BIG, strictKeys=True), value)
        self.assertEqual(decode(encoded, BIG, maxItems=len(encoded) // 2), value)

    @fixed
    @given(values, st.binary(max_size=10))
    def test_prefix(self, value: Any, rest: bytes) -> None:
        """A value at the beginning is read and its end told, whatever follows."""
        encoded = encode(value)
        self.assertEqual(decodePrefix(encoded + rest, BIG), (value, len(encoded)))

    @fixed
    @given(st.binary(max_size=60) | st.text("dlie0123456789:-", max_size=40).map(str.encode))
    @example(b"d1:ai1e-6:")
    def test_anything(self, data: bytes) -> None:
        """Whatever comes is a value, which then encodes to bytes, or the one exception."""
        try:
            value = decode(data, BIG)
        except BencodeError:
            return
        if isinstance(value, int | bytes):
            self.assertEqual(encode(value), data)

    @fixed
    @given(values, st.integers(0, 200))
    def test_truncated(self, value: Any, cut: int) -> None:
        """No part of an encoding short of the whole is one."""
        encoded = encode(value)
        with self.assertRaises(BencodeError):
            decode(encoded[: min(cut, len(encoded) - 1)], BIG)


class SpanTests(SynchronousTestCase):
    """L{decodeSpans}."""

    def test_spans(self) -> None:
        """Each value is told with the bytes it was read from, in whatever order they are."""
        data = b"d4:infod1:bi1e1:ai02ee1:zi7e1:ali1eeetrailing".replace(b"i02e", b"i2e")
        top = decodeSpans(data, BIG)
        self.assertEqual(top.values, {b"info": {b"b": 1, b"a": 2}, b"z": 7, b"a": [1]})
        self.assertEqual(
            {key: data[start:end] for key, (start, end) in top.spans.items()},
            {b"info": b"d1:bi1e1:ai2ee", b"z": b"i7e", b"a": b"li1ee"},
        )
        self.assertEqual(data[top.end :], b"trailing")

    def test_repeated(self) -> None:
        """Of a repeated key the span is that of the value that counts."""
        data = b"d1:ai1e1:ai22ee"
        top = decodeSpans(data, BIG)
        self.assertEqual((top.values[b"a"], top.spans[b"a"]), (1, (4, 7)))

    def test_notDictionary(self) -> None:
        """Anything but a dictionary is refused."""
        for data in (b"", b"le", b"i1e", b"0:", b"d", b"d1:a"):
            with self.assertRaises(BencodeError):
                decodeSpans(data, BIG)


class EncodeTests(SynchronousTestCase):
    """L{encode}."""

    def test_kinds(self) -> None:
        """All that can be written is; keys are sorted as bytes."""
        self.assertEqual(
            encode({b"b": True, b"a": ("\u00e9", [b"x"]), b"B": Raw(b"i7e")}),
            b"d1:Bi7e1:al2:\xc3\xa9l1:xee1:bi1ee",
        )

    def test_refused(self) -> None:
        """What cannot be written is refused with the one exception."""
        loop: list[object] = []
        loop.append(loop)
        wrong: tuple[object, ...] = (
            None,
            1.5,
            {1: b""},
            {"a": b""},
            {b"a": None},
            [set()],
            loop,
            bytearray(b"x"),
            "\ud800",
        )
        for value in wrong:
            with self.assertRaises(BencodeError):
                encode(value)


class GetterTests(SynchronousTestCase):
    """The getters for dictionaries of others."""

    fields = {b"i": 5, b"b": b"abc", b"l": [1], b"d": {b"x": 1}, b"bad": b"a\xff"}

    def test_present(self) -> None:
        """A field of the right type and range is given."""
        f: Any = self.fields
        self.assertEqual(intIn(f, b"i", 5, 5, None), 5)
        self.assertEqual(bytesIn(f, b"b", None), b"abc")
        self.assertEqual(bytesIn(f, b"b", None, 3), b"abc")
        self.assertEqual(textIn(f, b"b", ""), "abc")
        self.assertEqual(textIn(f, b"bad", ""), "a\ufffd")
        self.assertEqual(listIn(f, b"l"), [1])
        self.assertEqual(dictIn(f, b"d"), {b"x": 1})
        self.assertEqual(asDict(f), f)

    def test_default(self) -> None:
        """A field that is absent, of another type, or out of range counts as absent."""
        f: Any = self.fields
        self.assertEqual(
            [
                intIn(f, b"i", 6, 9, None),
                intIn(f, b"i", 0, 4, None),
                intIn(f, b"b", 0, 9, None),
                intIn(f, b"none", 0, 9, 7),
                bytesIn(f, b"b", b"", 4),
                bytesIn(f, b"i", None),
                textIn(f, b"i", "?"),
                listIn(f, b"d"),
                dictIn(f, b"l"),
            ],
            [None, None, None, 7, b"", None, "?", [], {}],
        )
        with self.assertRaises(BencodeError):
            asDict([])
