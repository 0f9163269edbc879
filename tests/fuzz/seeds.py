"""
Inputs to begin with: what our own encoders write, and the public vectors where they are here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from twisted.trial.unittest import SkipTest

from tests import conformance


def vectors(*sections: str) -> list[bytes]:
    """Every run of bytes in these sections of the vectors; nothing where these are not here."""
    try:
        return sorted({each for name in sections for each in _bytesIn(conformance.cases(name))})
    except SkipTest:
        return []


def texts(section: str, field: str) -> list[bytes]:
    """The texts called C{field} in a section."""
    try:
        found = [case.get(field) for case in conformance.cases(section)]
    except SkipTest:
        return []
    return [each.encode("utf-8", "replace") for each in found if isinstance(each, str)]


def files(suffix: str, limit: int = 1 << 15) -> list[bytes]:
    """The data files of that suffix, but for large ones."""
    try:
        folder = conformance.folder() / "data"
    except SkipTest:
        return []
    return [each.read_bytes() for each in sorted(folder.rglob(f"*{suffix}")) if each.stat().st_size <= limit]


def _bytesIn(value: Any) -> Iterator[bytes]:
    if isinstance(value, dict):
        if isinstance(value.get("hex"), str) and "ascii" in value:
            yield bytes.fromhex(value["hex"])
        for each in value.values():
            yield from _bytesIn(each)
    elif isinstance(value, list):
        for each in value:
            yield from _bytesIn(each)
