"""
Bencoding (BEP 3): bytes to values and back, for input that may be hostile.

A strict coat round the C{bencode.py} library (module C{bencodepy}), which by itself loops for ever on
C{d1:ai1e-6:} and reads C{i1_000e} or C{i 3 e} as numbers.  Here

  - a number is as BEP 3 writes it (no C{+}, blank, C{_}, leading zero, C{-0}) and has at most 256 digits;
  - nesting, length and the number of values are limited, and the limits are looked at before the work;
  - keys out of order, or repeated, are accepted unless C{strictKeys}: torrents in the wild have them.
    Of a repeated key the first value counts, as it does for libtorrent and Transmission;
  - what leaves is a value or L{BencodeError}, and nothing else.

The getters at the end read a field of a dictionary that somebody else made: the field's value if it is
of that type (and in range), else the default.  A parser of hostile messages needs no C{isinstance}.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, NamedTuple, TypeAlias, TypeVar

from bencodepy import Bencached, BencodeDecodeError, BencodeDecoder, BencodeEncoder

from twisted_bt.errors import BencodeError

#: What bencoding can say.  Keys are bytes.
BValue: TypeAlias = "int | bytes | list[BValue] | dict[bytes, BValue]"

#: The default for C{maxDepth}; libtorrent's.
MAX_DEPTH = 100

#: The default for C{maxItems}: enough for any message; about a tenth of a second of work.
MAX_ITEMS = 1 << 17

#: Bytes that are bencoding already, to be put into L{encode} as they are.
Raw = Bencached

D = TypeVar("D")

_integer = re.compile(rb"i(0|-?[1-9][0-9]{0,255})e").match
_length = re.compile(rb"(0|[1-9][0-9]{0,9}):").match
_NOTHING: dict[bytes, BValue] = {}


class _Decoder(BencodeDecoder):  # type: ignore[misc]
    """The library's decoder with every reader of its own replaced or guarded; it holds no state."""

    decode_func: dict[bytes, Any]

    def __init__(self, maxDepth: int, strictKeys: bool) -> None:
        super().__init__(max_depth=maxDepth)
        self.strictKeys = strictKeys

    def decode_int(self, x: bytes, f: int, **kwargs: Any) -> tuple[int, int]:
        found = _integer(x, f)
        if found is None:
            raise BencodeError(f"no number at byte {f}")
        return int(found[1]), found.end()

    def decode_string(self, x: bytes, f: int, kind: str = "value", **kwargs: Any) -> tuple[bytes, int]:
        found = _length(x, f)
        if found is None:
            raise BencodeError(f"no string at byte {f}")
        start = found.end()
        end = start + int(found[1])
        if end > len(x):
            raise BencodeError(f"the string at byte {f} goes on after the end")
        return x[start:end], end

    def decode_list(self, x: bytes, f: int, depth: int = 0, **kwargs: Any) -> tuple[list[BValue], int]:
        self.enter(depth, f)
        items: list[BValue] = []
        read = self.decode_func
        f += 1
        while (kind := x[f : f + 1]) != b"e":
            value, f = read[kind](x, f, depth=depth + 1)
            items.append(value)
        return items, f + 1

    def decode_dict(self, x: bytes, f: int, depth: int = 0, **kwargs: Any) -> tuple[dict[bytes, BValue], int]:
        found, _, end = self.entries(x, f, depth)
        return found, end

    def entries(
        self, x: bytes, f: int, depth: int, spans: dict[bytes, tuple[int, int]] | None = None
    ) -> tuple[dict[bytes, BValue], dict[bytes, tuple[int, int]] | None, int]:
        """The dictionary at C{f}, and into C{spans} where each of its values lies."""
        self.enter(depth, f)
        items: dict[bytes, BValue] = {}
        strict, last, read = self.strictKeys, None, self.decode_func
        f += 1
        # A key is read here and not by decode_string: half of all calls are saved.
        while (found := _length(x, f)) is not None:
            keyStart = found.end()
            start = keyStart + int(found[1])
            key = x[keyStart:start]
            if strict:
                if last is not None and key <= last:
                    raise BencodeError(f"the key at byte {f} is out of order or repeated")
                last = key
            value, f = read[x[start : start + 1]](x, start, depth=depth + 1)
            if key not in items:
                items[key] = value
                if spans is not None:
                    spans[key] = (start, f)
        if x[f : f + 1] != b"e":
            raise BencodeError(f"no key at byte {f}")
        return items, spans, f + 1

    def enter(self, depth: int, f: int) -> None:
        if depth >= self.max_depth:
            raise BencodeError(f"nested deeper than {self.max_depth} levels at byte {f}")


class _CountingDecoder(_Decoder):
    """For long input: stops after so many values.  Serves one call."""

    def __init__(self, maxDepth: int, strictKeys: bool, maxItems: int) -> None:
        super().__init__(maxDepth, strictKeys)
        self.left = maxItems
        self.decode_func = {kind: self.counted(read) for kind, read in self.decode_func.items()}

    def counted(self, read: Any) -> Any:
        """C{read}, refusing to run too often."""

        def reader(x: bytes, f: int, **kwargs: Any) -> Any:
            self.left -= 1
            if self.left < 0:
                raise BencodeError("too many values")
            return read(x, f, **kwargs)

        return reader


_shared = cache(_Decoder)


def _decoder(data: bytes, maxLength: int, maxDepth: int, strictKeys: bool, maxItems: int) -> _Decoder:
    if type(data) is not bytes:
        raise BencodeError(f"{type(data).__name__} is not bytes")
    if len(data) > maxLength:
        raise BencodeError(f"{len(data)} bytes are more than {maxLength}")
    # The shortest value takes two bytes, so that short input needs no counting.
    if len(data) <= 2 * maxItems:
        decoder: _Decoder = _shared(maxDepth, strictKeys)
        return decoder
    return _CountingDecoder(maxDepth, strictKeys, maxItems)


def decodePrefix(
    data: bytes,
    maxLength: int,
    maxDepth: int = MAX_DEPTH,
    strictKeys: bool = False,
    maxItems: int = MAX_ITEMS,
) -> tuple[BValue, int]:
    """
    The value that C{data} begins with, and where it ends: what follows is the caller's (BEP 9 sends a
    piece of metadata after a dictionary).

    @param maxLength: in bytes, of C{data} whole.
    @param maxDepth: of lists and dictionaries in one another.
    @param strictKeys: refuse dictionaries whose keys are not in order, or repeated.
    @param maxItems: of all lists and dictionaries together.
    @raise BencodeError: C{data} begins with no value, or is over a limit.
    """
    decoder = _decoder(data, maxLength, maxDepth, strictKeys, maxItems)
    try:
        value, end = decoder.decode_func[data[:1]](data, 0)
    except (KeyError, RecursionError, BencodeDecodeError) as reason:
        raise BencodeError("not bencoding, or it ends too early") from reason
    return value, end


def decode(
    data: bytes,
    maxLength: int,
    maxDepth: int = MAX_DEPTH,
    strictKeys: bool = False,
    maxItems: int = MAX_ITEMS,
) -> BValue:
    """
    The value that C{data} is, to its last byte.  Parameters as for L{decodePrefix}.

    @raise BencodeError: it is none, or is over a limit.
    """
    value, end = decodePrefix(data, maxLength, maxDepth, strictKeys, maxItems)
    if end != len(data):
        raise BencodeError(f"{len(data) - end} bytes follow the value")
    return value


class Spanned(NamedTuple):
    """A dictionary, and where in the input each of its values lies (start, end); C{end} is its own."""

    values: dict[bytes, BValue]
    spans: dict[bytes, tuple[int, int]]
    end: int


def decodeSpans(
    data: bytes,
    maxLength: int,
    maxDepth: int = MAX_DEPTH,
    strictKeys: bool = False,
    maxItems: int = MAX_ITEMS,
) -> Spanned:
    """
    The dictionary that C{data} begins with, and which bytes each of its values was read from: the
    info-hash is over those bytes and not over an encoding of what was understood.  Parameters as for
    L{decodePrefix}.

    @raise BencodeError: C{data} begins with no dictionary, or is over a limit.
    """
    decoder = _decoder(data, maxLength, maxDepth, strictKeys, maxItems)
    if data[:1] != b"d":
        raise BencodeError("not a dictionary")
    spans: dict[bytes, tuple[int, int]] = {}
    try:
        values, _, end = decoder.entries(data, 0, 0, spans)
    except (KeyError, RecursionError, BencodeDecodeError) as reason:
        raise BencodeError("not bencoding, or it ends too early") from reason
    return Spanned(values, spans, end)


class _Encoder(BencodeEncoder):  # type: ignore[misc]
    """The library's encoder, for keys that are bytes."""

    def encode_dict(self, x: dict[Any, Any], r: Any) -> None:
        if not all(type(key) is bytes for key in x):
            raise BencodeError("a key is not bytes")
        super().encode_dict(x, r)


_encoder = _Encoder()


def encode(value: object) -> bytes:
    """
    C{value} in bencoding: bytes, int, bool (as 0 and 1), str (in UTF-8), list, tuple, dict with keys of
    bytes, C{Raw}, in one another.

    @raise BencodeError: it cannot be written (another type, nested in itself).
    """
    try:
        encoded: bytes = _encoder.encode(value)
    except (KeyError, TypeError, ValueError, RecursionError) as reason:
        raise BencodeError(f"cannot be bencoded: {reason!r}") from reason
    return encoded


# ---------------------------------------------------------------- getters for dictionaries of others


def intIn(fields: dict[bytes, BValue], key: bytes, low: int, high: int, default: D) -> int | D:
    """The number C{key}, if it is from C{low} to C{high} (both included)."""
    value = fields.get(key)
    return value if type(value) is int and low <= value <= high else default


def bytesIn(fields: dict[bytes, BValue], key: bytes, default: D, length: int | None = None) -> bytes | D:
    """The string C{key}, if it has C{length} bytes where that is given."""
    value = fields.get(key)
    return value if type(value) is bytes and length in (None, len(value)) else default


def textIn(fields: dict[bytes, BValue], key: bytes, default: D) -> str | D:
    """The string C{key} as text; what is not UTF-8 becomes U+FFFD."""
    value = fields.get(key)
    return value.decode("utf-8", "replace") if type(value) is bytes else default


def listIn(fields: dict[bytes, BValue], key: bytes) -> list[BValue]:
    """The list C{key}, or an empty one."""
    value = fields.get(key)
    return value if type(value) is list else []


def dictIn(fields: dict[bytes, BValue], key: bytes) -> dict[bytes, BValue]:
    """The dictionary C{key}, or an empty one.  Not to be changed."""
    value = fields.get(key)
    return value if type(value) is dict else _NOTHING


def asDict(value: BValue) -> dict[bytes, BValue]:
    """
    C{value}, which must be a dictionary.

    @raise BencodeError: it is none.
    """
    if type(value) is not dict:
        raise BencodeError("not a dictionary")
    return value
