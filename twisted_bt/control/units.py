"""
Sizes, rates and durations as people read and write them.

Powers of 1024: C{1 KiB} is 1024 bytes, and C{1K} on a command line is the same.
"""

from __future__ import annotations

import re
from math import isfinite

_PREFIXES = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)
_DAY = 24 * 3600


def formatSize(size: float) -> str:
    """C{size} bytes in at most four digits: C{"512 B"}, C{"1.5 MiB"}."""
    value = float(size)
    for prefix in _PREFIXES:
        if value < 999.95 or prefix == _PREFIXES[-1]:
            digits = 1 if prefix and value < 99.95 else 0
            return f"{value:.{digits}f} {prefix}B"
        value /= 1024
    raise AssertionError("unreachable")


def formatRate(rate: float) -> str:
    """C{rate} bytes a second: C{"1.5 MiB/s"}."""
    return f"{formatSize(rate)}/s"


def formatDuration(seconds: float) -> str:
    """C{"4.5 s"}, C{"45 s"}, C{"3:20"}, C{"2:05:09"}, C{"3 d 4 h"}; C{"unknown"}: it has no end."""
    if not isfinite(seconds):
        return "unknown"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    if whole < 60:
        return f"{whole} s"
    if hours == 0:
        return f"{minute}:{second:02}"
    if whole < _DAY:
        return f"{hours}:{minute:02}:{second:02}"
    return f"{hours // 24} d {hours % 24} h"


def remaining(left: int, rate: float) -> str:
    """How long C{left} bytes take at C{rate} bytes a second, for people."""
    return formatDuration(left / rate if rate > 0 else float("inf"))


def percentage(done: int, total: int) -> str:
    """C{done} of C{total}, cut (not rounded) to a tenth, so that 100% means all."""
    tenths = done * 1000 // total if total else 1000
    return f"{tenths // 10}.{tenths % 10}%"


def plural(count: int, noun: str) -> str:
    """C{"1 file"}, C{"2 files"}."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def parseSize(text: str) -> int:
    """
    The bytes of C{"262144"}, C{"256K"}, C{"256KiB"} or C{"1.5G"}.

    @raise ValueError: C{text} is no size; the message says so.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no size; write for example 65536, 256K, 64M or 1.5G")
    number, unit = match.groups()
    return int(float(number) * 1024 ** " KMGT".index(unit.upper() or " "))
