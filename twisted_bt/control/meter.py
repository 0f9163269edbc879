"""
Progress for somebody who watches: a bar on a terminal, else a plain line now and then.
"""

from __future__ import annotations

from typing import Protocol, TextIO

from tqdm import tqdm
from twisted.internet.interfaces import IReactorTime

from twisted_bt.control.units import formatRate, formatSize, percentage, plural, remaining

tqdm.monitor_interval = 0  # else it starts a thread that outlives its bar

#: Seconds between two plain lines, where nobody is supposed to watch closely.
LINE_INTERVAL = 10.0


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
        self._out = out
        self._bar = tqdm(
            total=total,
            desc=label,
            unit="B",
            unit_scale=True,
            unit_divisor=1024,
            file=out,
            dynamic_ncols=True,
            mininterval=0,
            bar_format="{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} {postfix}",
        )

    def show(self, done: int, rate: float = 0.0, peers: int | None = None) -> None:
        left = int(self._bar.total) - done
        parts = [formatRate(rate)] if left or rate else []
        if left:
            parts.append(f"ETA {remaining(left, rate)}")
        if peers is not None:
            parts.append(plural(peers, "peer"))
        self._bar.n = done
        self._bar.set_postfix_str(", ".join(parts), refresh=False)
        self._bar.refresh()

    def note(self, line: str) -> None:
        self._bar.write(line, file=self._out)

    def close(self) -> None:
        self._bar.close()


class LineMeter:
    """A line every L{LINE_INTERVAL} seconds, and one at the end."""

    def __init__(self, label: str, total: int, out: TextIO, clock: IReactorTime) -> None:
        self._label = label
        self._total = total
        self._out = out
        self._clock = clock
        self._next = clock.seconds() + LINE_INTERVAL
        self._complete = False

    def show(self, done: int, rate: float = 0.0, peers: int | None = None) -> None:
        complete = done >= self._total
        if self._complete or (self._clock.seconds() < self._next and not complete):
            return
        self._complete = complete
        self._next = self._clock.seconds() + LINE_INTERVAL
        parts = [f"{percentage(done, self._total)} of {formatSize(self._total)}"]
        if not complete:
            parts += [formatRate(rate), f"ETA {remaining(self._total - done, rate)}"]
        if peers is not None:
            parts.append(plural(peers, "peer"))
        self.note(f"{self._label}: {', '.join(parts)}")

    def note(self, line: str) -> None:
        print(line, file=self._out, flush=True)

    def close(self) -> None:
        pass


def meterFor(label: str, total: int, out: TextIO, clock: IReactorTime) -> Meter:
    """A bar if C{out} is a terminal, else lines."""
    return BarMeter(label, total, out) if out.isatty() else LineMeter(label, total, out, clock)
