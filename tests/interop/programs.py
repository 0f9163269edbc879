"""
Programs of others that the interop tests talk to: found, run for the length of a test, ended.

A test that needs a program which is not installed is skipped with a message that names it.  Where
the environment has C{CI} set it fails instead, so that a green run means they were all there.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
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


def freePort(kind: int = socket.SOCK_STREAM, host: str = "127.0.0.1") -> int:
    """A port of C{host} that was free a moment ago, for programs that cannot choose one themselves."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(arguments: Sequence[str], cwd: Path) -> Iterator[subprocess.Popen[bytes]]:
    """
    The program C{arguments[0]}, running in C{cwd} with its output in C{cwd}/output.log; ended on leaving.
    """
    with (cwd / "output.log").open("ab") as log:
        process = subprocess.Popen(arguments, cwd=cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
