"""
Inputs made from inputs: bytes flipped, cut, doubled, joined, and words of the format put in.
"""

from __future__ import annotations

from random import Random

from tests.fuzz.target import Target

#: Bytes and numbers at the edges of what formats can say.
EDGES = (
    b"\0", b"\xff", b"\x7f", b"\x80", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0",
    b"-1", b"0", b"00", b"65535", b"65536", b"2147483648", b"4294967296", b"9223372036854775808",
    b"18446744073709551616", b"9" * 40, b"\xc3\x28", b"\xed\xa0\x80", b"\xe2\x80\xae", b"%00", b"%", b"\r\n",
)  # fmt: skip


class Mutator:
    """
    An endless supply of inputs for one target, decided by a seed.

    @ivar words: what is put in.
    """

    def __init__(self, target: Target, seed: int | str, fresh: bool = True) -> None:
        """
        @param fresh: begin with the seeds as they are.
        """
        self.random = Random(f"{seed}/{target.name}")
        self._target = target
        self._seeds = target.seeds()
        self.words = (*target.words, *target.words, *EDGES)
        self._fresh = iter(self._seeds if fresh else ())
        self._makes = target.make(Random(0)) is not None

    def next(self) -> bytes:
        """One more.  The seeds themselves come first."""
        for seed in self._fresh:
            return seed
        random = self.random
        if self._makes and random.random() < 0.4:
            data = self._target.make(random) or b""
            if random.random() < 0.5:
                return data[: self._target.maxLength]
        else:
            data = random.choice(self._seeds)
        return self.mutated(data)[: self._target.maxLength]

    def mutated(self, data: bytes) -> bytes:
        """C{data} with a few things wrong."""
        random = self.random
        made = bytearray(data)
        for _ in range(1 + int(random.expovariate(0.7))):
            self._change(made)
        return bytes(made)

    def _change(self, made: bytearray) -> None:
        random = self.random
        size = len(made)
        at = int(random.random() * (size + 1))
        kind = int(random.random() * 10)
        if kind == 0 and at < size:
            made[at] ^= 1 << int(random.random() * 8)
        elif kind == 1:
            made[at : at + 1] = random.randbytes(1)
        elif kind == 2:
            made[at:at] = random.choice(self.words)
        elif kind == 3:
            word = random.choice(self.words)
            made[at : at + len(word)] = word
        elif kind == 4:
            del made[at : at + 1 + int(random.expovariate(0.2))]
        elif kind == 5:
            made[at:at] = made[at : at + 1 + int(random.expovariate(0.05))]
        elif kind == 6 and at < size:
            # The same over and over: what grows faster than its input shows here.
            part = bytes(made[at : at + 1 + int(random.expovariate(0.5))])
            made[at:at] = part * min(1 + int(random.expovariate(0.03)), self._target.maxLength // len(part))
        elif kind == 7:
            other = random.choice(self._seeds)
            start = int(random.random() * (len(other) + 1))
            if random.random() < 0.3:
                made[at:] = other[start:]
            else:
                made[at:at] = other[start : start + 1 + int(random.expovariate(0.05))]
        elif kind == 8:
            made[at : at + 4] = random.randbytes(4)
        elif random.random() < 0.3:
            del made[at:]
        else:
            made[at : at + 1] = random.choice((b"e", b"d", b"l", b"i", b":", b"0", b"9", b"-", b"&", b"="))
