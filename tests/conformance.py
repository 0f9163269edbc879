"""
Access to the conformance material: public test data and vectors of other engines.

The folder is not part of this project.  C{TWISTED_BT_CONFORMANCE} says where it is; without that
variable C{../shared/conformance} beside the checkout is tried.  Where neither exists the tests that
need it are skipped and say so; where the variable names a folder that does not exist they fail.

A test module for a section of the vectors reads::

    class AllowedFastTests(ConformanceTestCase):
        \"""BEP 6 allowed fast sets.\"""

        def test_vectors(self) -> None:
            \"""Each published set is reproduced.\"""
            for case in cases("bep6_allowed_fast"):
                self.assertEqual(allowedFast(case["ip"], ...), case["expect"], case["id"])
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

VARIABLE = "TWISTED_BT_CONFORMANCE"
_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "conformance"


def folder() -> Path:
    """
    Where the material is.

    @raise SkipTest: it is not here, and nobody said that it would be.
    @raise AssertionError: the environment names a folder that holds none.
    """
    named = os.environ.get(VARIABLE)
    found = Path(named) if named else _BESIDE
    if (found / "vectors.json").is_file():
        return found
    if named:
        raise AssertionError(f"{VARIABLE} is {named!r}, where there is no vectors.json")
    raise SkipTest(f"no conformance material: {VARIABLE} is not set and there is no ../shared/conformance")


@cache
def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def section(name: str) -> dict[str, Any]:
    """Section C{name} of the vectors whole: C{description}, C{cases} and what else it holds."""
    found: dict[str, Any] = _read(folder() / "vectors.json")[name]
    return found


def cases(name: str) -> list[dict[str, Any]]:
    """The cases of section C{name} of the vectors, each with an C{id}.  Never empty."""
    found: list[dict[str, Any]] = section(name)["cases"]
    if not found:
        raise AssertionError(f"section {name} has no cases")
    return found


def expected() -> dict[str, dict[str, Any]]:
    """What the oracles say of each torrent, by its path below C{data}."""
    found: dict[str, dict[str, Any]] = _read(folder() / "expected.json")
    return found


def dataFile(name: str) -> bytes:
    """The content of a data file, by its path below C{data}."""
    return (folder() / "data" / name).read_bytes()


def fromHex(field: dict[str, str]) -> bytes:
    """The bytes of a field of the form C{{"hex": ..., "ascii": ...}}."""
    return bytes.fromhex(field["hex"])


class ConformanceTestCase(SynchronousTestCase):
    """The base of tests that need the material: skipped where it is not."""

    def setUp(self) -> None:
        folder()
