"""
Bencoding that knows what it says: values of somebody's message, changed, and written down nearly right.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from twisted_bt.errors import BencodeError
from twisted_bt.torrent.bencoding import decodePrefix

_NUMBERS = (
    0,
    1,
    -1,
    2,
    20,
    255,
    256,
    16384,
    65535,
    65536,
    1 << 31,
    1 << 32,
    1 << 62,
    1 << 63,
    1 << 64,
    10**60,
)


def written(value: Any, random: Random | None = None) -> bytes:
    """C{value} in bencoding; with C{random} now and then not as it should be."""
    parts: list[bytes] = []
    _write(value, parts, random)
    return b"".join(parts)


def _write(value: Any, parts: list[bytes], random: Random | None) -> None:
    if random is not None and random.random() < 0.004:
        parts.append(
            random.choice((b"i-0e", b"i01e", b"ie", b"02:ab", b"-1:", b"e", b"d", b"l", b"i+1e", b"de"))
        )
    elif type(value) is int:
        parts.append(b"i%de" % value)
    elif type(value) is bytes:
        parts.append(b"%d:%b" % (len(value), value))
    elif type(value) is list:
        parts.append(b"l")
        for each in value:
            _write(each, parts, random)
        parts.append(b"e")
    else:
        keys = list(value) if random is not None and random.random() < 0.02 else sorted(value)
        parts.append(b"d")
        for key in keys:
            for _ in range(2 if random is not None and random.random() < 0.005 else 1):
                parts.append(b"%d:%b" % (len(key), key))
                _write(value[key], parts, random)
        parts.append(b"e")


def _containers(value: Any) -> Iterator[Any]:
    if isinstance(value, (list, dict)) and value:
        yield value
        for each in value.values() if isinstance(value, dict) else value:
            yield from _containers(each)


def _repeated(value: Any, chosen: Any, times: int) -> Any:
    """C{value} with the contents of C{chosen}, which is in it, repeated; keys get numbers."""
    if isinstance(value, list):
        return [_repeated(each, chosen, times) for each in value] * (times if value is chosen else 1)
    if isinstance(value, dict):
        inner = {key: _repeated(each, chosen, times) for key, each in value.items()}
        if value is chosen:
            for number in range(times):
                inner |= {b"%b%d" % (key, number): inner[key] for key in value}
        return inner
    if isinstance(value, bytes) and value is chosen:
        return value * times
    return value


class Grove:
    """
    Trees grown from seeds.

    @param seeds: messages that begin with a bencoded value; others are left out.
    @param keys: names that mean something to the decoder.
    """

    def __init__(self, seeds: Sequence[bytes], keys: Sequence[bytes]) -> None:
        self._trees: list[Any] = []
        for each in seeds:
            with contextlib.suppress(BencodeError):
                self._trees.append(decodePrefix(each, len(each))[0])
        self._keys = tuple(keys)

    def tree(self, random: Random) -> Any:
        """A seed's value with a few things changed."""
        value = random.choice(self._trees)
        for _ in range(1 + int(random.expovariate(0.8))):
            value = self._changed(value, random)
        return value

    def make(self, random: Random) -> bytes:
        """The same as bytes."""
        return written(self.tree(random), random)

    def grown(self, random: Random, times: int) -> bytes:
        """A seed's value in which one list or dictionary has so many times as much."""
        value = random.choice(self._trees)
        places = list(_containers(value))
        chosen = random.choice(places) if places else None
        return written(_repeated(value, chosen, times))

    def leaf(self, random: Random) -> Any:
        """A value of any kind."""
        kind = random.random()
        if kind < 0.35:
            return random.choice(_NUMBERS)
        if kind < 0.75:
            size = random.choice((0, 1, 2, 4, 5, 6, 16, 18, 19, 20, 21, 26, 32, 38, 40, 64, 120))
            return random.choice((bytes(size), random.randbytes(size), b"a" * size, b"\xff" * size))
        if kind < 0.85:
            return [self.leaf(random) for _ in range(random.randrange(3))]
        if kind < 0.95:
            return {random.choice(self._keys): self.leaf(random) for _ in range(random.randrange(3))}
        return random.choice(self._trees)

    def _changed(self, value: Any, random: Random) -> Any:
        """C{value}, copied as far as needed, with one thing in it changed."""
        if isinstance(value, dict) and random.random() < 0.95:
            changed = dict(value)
            keys = list(changed)
            kind = random.random()
            if kind < 0.2 or not keys:
                changed[random.choice(self._keys)] = self.leaf(random)
            elif kind < 0.3:
                del changed[random.choice(keys)]
            elif kind < 0.35:
                changed[random.choice(self._keys)] = changed.pop(random.choice(keys))
            else:
                key = random.choice(keys)
                changed[key] = self._changed(changed[key], random)
            return changed
        if isinstance(value, list) and value and random.random() < 0.95:
            listed = list(value)
            at = random.randrange(len(listed))
            kind = random.random()
            if kind < 0.2:
                del listed[at]
            elif kind < 0.3:
                listed[at:at] = listed[at : at + 3] * random.randrange(1, 20)
            elif kind < 0.4:
                listed.insert(at, self.leaf(random))
            else:
                listed[at] = self._changed(listed[at], random)
            return listed
        if isinstance(value, bytes) and value and random.random() < 0.6:
            made = bytearray(value)
            at = random.randrange(len(made))
            kind = random.random()
            if kind < 0.4:
                made[at] = random.randrange(256)
            elif kind < 0.6:
                del made[at:]
            elif kind < 0.8:
                made[at:at] = made[at:] * random.randrange(1, 4)
            else:
                made[at:at] = random.randbytes(random.randrange(1, 8))
            return bytes(made)
        if isinstance(value, int) and random.random() < 0.4:
            return value + random.choice((-1, 1, 1 << 16, -(1 << 16)))
        return self.leaf(random)
