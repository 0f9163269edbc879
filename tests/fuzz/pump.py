"""
What grows faster than its input: a part of a seed, over and over, and the time that takes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from tests.fuzz.driver import Endless, Report, cpu, noteFinding, watchdog
from tests.fuzz.mutation import Mutator
from tests.fuzz.target import Finding, Target

#: How often a part is repeated: the second is so many times the first, and may take as much longer, times
#: C{TOLERANCE}.
FIRST, FACTOR, TOLERANCE = 64, 8, 2.5
#: Seconds below which time is not worth measuring.
WORTH = 0.02


def pump(
    target: Target,
    inputs: int,
    seed: int | str = 0,
    keep: Path | None = None,
    say: Callable[[str], object] = print,
) -> Report:
    """Repeat parts of seeds; a finding is what takes more than its length explains."""
    report = Report(target.name)
    mutator = Mutator(target, f"{seed}/pump")
    random = mutator.random
    begun = time.monotonic()
    with watchdog() as feed:
        while report.inputs < inputs:
            data = mutator.next()
            start = random.randrange(len(data) + 1)
            size = random.choice((1, 1, 2, 3, 4, 8, 16, 40))
            part = data[start : start + size] if random.random() < 0.5 else random.choice(mutator.words)
            short, long = (
                (data[:start] + part * times + data[start:])[: 1 << 20] for times in (FIRST, FIRST * FACTOR)
            )
            state = random.getstate()
            grown = target.grow(random, FIRST)
            if grown is not None and report.inputs % 2:
                random.setstate(state)
                short, long = grown, target.grow(random, FIRST * FACTOR) or b""
            report.inputs += 1
            try:
                feed()
                report.accepted += target.run(short).accepted > 0
                taken = cpu(target, long, 1)
                report.slowest = max(report.slowest, taken)
                if taken > WORTH:
                    feed()
                    before, taken = cpu(target, short), cpu(target, long)
                    if taken > WORTH + 1e-7 * len(long) and taken > before * TOLERANCE * len(long) / len(
                        short
                    ):
                        raise Finding(
                            f"grows: {len(short)} bytes {before:.4f} s, {len(long)} bytes {taken:.4f} s"
                        )
            except (Exception, Endless) as reason:
                noteFinding(report, reason, long, keep, say)
    report.rejected = report.inputs - report.accepted
    report.seconds = time.monotonic() - begun
    return report
