"""
Runs a command and takes its measure: wall time, processor time and peak memory, as the kernel counts.

Keep the process that measures small: the kernel counts the memory of the one that starts a command
into that command's peak.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median
from threading import Timer

CHECKOUT = Path(__file__).parents[2]


class CommandFailed(Exception):
    """A measured command ended with an error, or did not end in time; the message has its output."""


@dataclass(frozen=True, slots=True)
class Sample:
    """
    One run.

    @ivar wall: seconds from start to end of the process, start-up included.
    @ivar cpu: processor seconds, user and system together, of the process and its children.
    @ivar peak: most bytes of memory held at a time.
    """

    wall: float
    cpu: float
    peak: int


@dataclass(frozen=True, slots=True)
class Summary:
    """Several values: their middle and how far they spread."""

    middle: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Summary:
        """Of C{values}, one or more."""
        return cls(median(values), min(values), max(values))


def run(
    argv: Sequence[str],
    folder: Path,
    log: Path,
    seconds: float = 600.0,
    environment: Mapping[str, str] | None = None,
) -> Sample:
    """
    Run C{argv} in C{folder}, its output going to C{log}.

    @param environment: left out: ours.

    @raise CommandFailed: its exit status was not 0, or it took longer than C{seconds} and was killed.
    """
    with log.open("wb") as output:
        begun = time.perf_counter()
        process = subprocess.Popen(
            argv,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
        )
        overdue = Timer(seconds, process.kill)
        overdue.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        finally:
            overdue.cancel()
        wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise CommandFailed(f"{argv[0]} ended with {process.returncode} after {wall:.1f} s: {said}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit)


def processorTime(pid: int) -> float:
    """Processor seconds that a process used so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peakOf(pid: int) -> int:
    """The most bytes of memory that a process held at a time so far."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


@cache
def _compiled() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()  # gone at the end of this process


def installed() -> dict[str, str]:
    """
    Our environment, with the checkout to import from.  But for one thing: modules are compiled once, to a
    folder of this process, as those of an installed program are; a checkout may be set to compile them
    in each run.
    """
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONPYCACHEPREFIX": _compiled().name}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment
