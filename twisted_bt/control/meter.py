"""
Progress for somebody who watches: a bar on a terminal, else a plain line now and then.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol, TextIO

from twisted_bt.control.units import formatRate, formatSize, percentage, plural, remaining

#: Seconds between two plain lines, where nobody is supposed to watch closely.
LINE_INTERVAL = 10.0
#: Columns and rows of a terminal that does not say.
USUAL_SIZE = (80, 24)


class Meter(Protocol):
    """Shows how far something has come."""

    def show(self, done: int, rate: float = 0.0, peers: int | None = None) -> None:
        """C{done} bytes of the total are there; C{rate} in bytes a second; C{peers} connected."""

    def note(self, line: str) -> None:
        """A line of text that stays."""

    def close(self) -> None:
        """Leave what is shown as it is and go on below it."""


class BarMeter:
    """A bar of tqdm's on a terminal."""

    def __init__(self, label: str, total: int, out: TextIO) -> None:
        from tqdm import tqdm  # here, since most runs show no bar, and it takes long to import

        tqdm.monitor_interval = 0  # else it starts a thread that outlives its bar
        self._total = total
        self._out = out
        # A terminal may not know its size; tqdm would show nothing there.
        known = _knowsSize(out)
        self._bar = tqdm(
            total=total,
            desc=label,
            file=out,
            dynamic_ncols=known,
            ncols=None if known else USUAL_SIZE[0],
            nrows=None if known else USUAL_SIZE[1],
            mininterval=0,
            bar_format=self._format(0, ""),
        )

    def show(self, done: int, rate: float = 0.0, peers: int | None = None) -> None:
        left = self._total - done
        parts = [""]
        if left or rate >= 1:
            parts.append(formatRate(rate))
        if left:
            parts.append(f"ETA {remaining(left, rate)}")
        if peers is not None:
            parts.append(plural(peers, "peer"))
        self._bar.n = done
        self._bar.bar_format = self._format(done, ", ".join(parts))
        self._bar.refresh()

    def _format(self, done: int, more: str) -> str:
        sizes = f"{formatSize(done)} of {formatSize(self._total)}"
        return f"{{desc}} {percentage(done, self._total):>6} |{{bar}}| {sizes}{more}"

    def note(self, line: str) -> None:
        self._bar.write(line, file=self._out)

    def close(self) -> None:
        self._bar.close()


def _knowsSize(out: TextIO) -> bool:
    try:
        return min(os.get_terminal_size(out.fileno())) > 0
    except (OSError, ValueError):
        return False


class LineMeter:
    """A line every L{LINE_INTERVAL} seconds; nothing for what is over sooner."""

    def __init__(self, label: str, total: int, out: TextIO, seconds: Callable[[], float]) -> None:
        self._label = label
        self._total = total
        self._out = out
        self._seconds = seconds
        self._next = seconds() + LINE_INTERVAL

    def show(self, done: int, rate: float = 0.0, peers: int | None = None) -> None:
        if self._seconds() < self._next:
            return
        self._next = self._seconds() + LINE_INTERVAL
        parts = [
            f"{percentage(done, self._total)} of {formatSize(self._total)}",
            formatRate(rate),
            f"ETA {remaining(self._total - done, rate)}",
        ]
        if peers is not None:
            parts.append(plural(peers, "peer"))
        self.note(f"{self._label}: {', '.join(parts)}")

    def note(self, line: str) -> None:
        print(line, file=self._out, flush=True)

    def close(self) -> None:
        pass


def meterFor(label: str, total: int, out: TextIO, seconds: Callable[[], float]) -> Meter:
    """
    A bar if C{out} is a terminal, else lines.

    @param total: bytes.
    @param seconds: tells the time.
    """
    return BarMeter(label, total, out) if out.isatty() else LineMeter(label, total, out, seconds)


class Pace:
    """
    Shows work of our own on a meter: some ten times a second, with the average rate so far.
    """

    def __init__(self, meter: Meter, total: int, seconds: Callable[[], float]) -> None:
        self._meter = meter
        self._total = total
        self._seconds = seconds
        self._began = self._next = seconds()

    def show(self, done: int) -> None:
        """C{done} bytes are done."""
        now = self._seconds()
        if now < self._next and done < self._total:
            return
        self._next = now + 0.1
        self._meter.show(done, done / max(now - self._began, 0.001))

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self._seconds() - self._began
