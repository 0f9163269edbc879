"""
Programs of others that the interop tests talk to: found, or the test does not run.

A test that needs a program which is not installed is skipped with a message that names it.  Where
the environment has C{CI} set it fails instead, so that a green run means they were all there.
"""

from __future__ import annotations

import os
import shutil
from importlib import import_module
from types import ModuleType
from unittest import SkipTest


def _missing(what: str) -> Exception:
    message = f"{what} is not installed"
    return AssertionError(f"{message}, and CI is set") if os.environ.get("CI") else SkipTest(message)


def require(program: str) -> str:
    """
    The path of C{program}.

    @raise SkipTest: it is not installed.
    @raise AssertionError: it is not installed although C{CI} is set.
    """
    found = shutil.which(program)
    if found is None:
        raise _missing(program)
    return found


def requireModule(name: str) -> ModuleType:
    """The module C{name}, imported; if it is not there, as L{require}."""
    try:
        return import_module(name)
    except ImportError:
        raise _missing(f"the Python module {name}") from None
