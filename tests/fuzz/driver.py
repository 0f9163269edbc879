"""
Runs a target by the million, and keeps what it finds.
"""

from __future__ import annotations

import gc
import hashlib
import signal
import time
import traceback
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from tests.fuzz.mutation import Mutator
from tests.fuzz.target import Finding, Tally, Target

#: Every so many inputs one is looked at for the memory it takes.
SAMPLED = 2000
#: Seconds of CPU after which an input is taken for one that never ends.
ENDLESS = 20.0


class Endless(BaseException):
    """The watchdog barked.  No C{Exception}, so that nobody on the way takes it for theirs."""


@dataclass
class Report:
    """
    What came of a run.

    @ivar found: by what was raised and where: the first input that did it.
    @ivar findings: how many inputs did.
    """

    target: str
    inputs: int = 0
    accepted: int = 0
    rejected: int = 0
    findings: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    found: dict[str, bytes] = field(default_factory=dict)

    def line(self) -> str:
        """For people."""
        counts = f"{self.inputs:>9,} inputs  {self.accepted:>9,} accepted  {self.rejected:>9,} rejected"
        found = f"{len(self.found):>3} findings ({self.findings})"
        return (
            f"{self.target:14} {counts}  {found}  {self.seconds:6.0f} s, slowest {self.slowest * 1000:.0f} ms"
        )


@contextmanager
def watchdog() -> Iterator[Callable[[], None]]:
    """Gives what is called before each input; an input that takes L{ENDLESS} after it is ended."""

    def bark(number: int, frame: FrameType | None) -> None:
        raise Endless(f"no end after {ENDLESS} s of CPU")

    before = signal.signal(signal.SIGVTALRM, bark)
    try:
        yield lambda: signal.setitimer(signal.ITIMER_VIRTUAL, ENDLESS) and None
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def kindOf(reason: BaseException) -> str:
    """What was raised, and where: equal for findings that are likely one."""
    where = [each for each in traceback.extract_tb(reason.__traceback__) if "twisted_bt/" in each.filename]
    frames = where or traceback.extract_tb(reason.__traceback__)
    last = frames[-1]
    text = str(reason).split(":")[0][:60] if isinstance(reason, Finding) else ""
    return f"{type(reason).__name__} {text} at {Path(last.filename).name}:{last.lineno} {last.name}"


def cpu(target: Target, data: bytes, times: int = 3) -> float:
    """The seconds of CPU that an input takes: the least of a few tries."""
    taken = []
    for _ in range(times):
        begun = time.thread_time()
        target.run(data)
        taken.append(time.thread_time() - begun)
    return min(taken)


def memory(target: Target, data: bytes) -> int:
    """The most bytes that are allocated at a time while an input is run."""
    gc.collect()
    tracemalloc.start()
    try:
        target.run(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def check(target: Target, data: bytes, sampled: bool) -> tuple[Tally, float]:
    """
    Run one input, and look at its bounds.

    @raise Exception: a finding.
    """
    begun = time.thread_time()
    tally = target.run(data)
    taken = time.thread_time() - begun
    bound = target.seconds + target.secondsPerByte * len(data)
    if taken > bound and (again := cpu(target, data)) > bound:
        raise Finding(f"slow: {again:.2f} s for {len(data)} bytes")
    if sampled:
        held, allowed = memory(target, data), target.memory + target.memoryPerByte * len(data)
        if held > allowed:
            raise Finding(f"memory: {held} bytes for {len(data)}, allowed {allowed}")
    return tally, taken


def fuzz(
    target: Target,
    inputs: int,
    seed: int | str = 0,
    keep: Path | None = None,
    say: Callable[[str], object] = print,
) -> Report:
    """
    Run C{inputs} inputs.

    @param keep: the folder where the inputs of findings go.
    """
    report = Report(target.name)
    mutator = Mutator(target, seed)
    begun = time.monotonic()
    turns = 0
    with watchdog() as feed:
        while report.inputs < inputs:
            data = mutator.next()
            feed()
            turns += 1
            try:
                tally, taken = check(target, data, not target.batched and turns % SAMPLED == 0)
            except (Exception, Endless) as reason:
                report.inputs += 1
                noteFinding(report, reason, data, keep, say)
            else:
                report.inputs += tally.accepted + tally.rejected
                report.accepted += tally.accepted
                report.rejected += tally.rejected
                report.slowest = max(report.slowest, taken)
    report.seconds = time.monotonic() - begun
    return report


def noteFinding(
    report: Report, reason: BaseException, data: bytes, keep: Path | None, say: Callable[[str], object]
) -> None:
    report.findings += 1
    kind = kindOf(reason)
    if kind in report.found:
        return
    report.found[kind] = data
    say(f"finding: {report.target}: {kind}: {str(reason)[:400]}")
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        path = keep / f"{report.target}-{hashlib.sha1(data).hexdigest()[:12]}"
        path.write_bytes(data)
        say("".join(traceback.format_exception(reason)[-6:]))
        say(f"  kept as {path}")
