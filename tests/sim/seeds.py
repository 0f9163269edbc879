"""
Command lines that play many seeds, one after the other, and print what happened.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from tests.sim.durable import Errors, Violation, World


def seedParser(name: str, description: str | None, seeds: int = 1000) -> ArgumentParser:
    """
    The parser of C{python -m name}, with C{--seeds} and C{--first}.

    @param seeds: how many, unless the command line says so.
    """
    parser = ArgumentParser(f"python -m {name}", description=description)
    parser.add_argument("--seeds", type=int, default=seeds, help=f"how many [{seeds}]")
    parser.add_argument("--first", type=int, default=0, help="the first of them, to repeat one [0]")
    return parser


def seedsOf(options: Namespace) -> range:
    """Which seeds the command line means."""
    return range(options.first, options.first + options.seeds)


class IScenario(Protocol):
    """
    One seed of a scenario.

    @ivar world: where it takes place.
    @ivar counts: what happened.
    """

    world: World
    counts: Counter[str]

    def play(self) -> None:
        """All of it.  @raise Violation: something happened that must never happen."""


def watched(
    make: Callable[[], IScenario], expected: Callable[[str], bool] = lambda text: False
) -> Counter[str]:
    """
    Make a scenario and play it; returns what happened.

    @param expected: whether an error with this text may be logged.
    @raise Violation: something happened, or was logged, that must never be.
    """
    with Errors(expected) as errors:
        scenario = make()
        try:
            scenario.play()
        except BaseException:
            scenario.world.abandon()
            raise
        if errors.seen:
            raise Violation(f"logged: {errors.seen[0]}")
    return scenario.counts


def command(
    play: Callable[[int], Counter[str]], name: str, description: str | None, arguments: Sequence[str]
) -> int:
    """
    The command C{python -m name}: C{play} each seed, and print the sums of what happened.

    @return: the exit status; 1, if there was a violation.
    """
    total: Counter[str] = Counter()
    begun = time.perf_counter()
    for seed in seedsOf(seedParser(name, description).parse_args(arguments)):
        total["seeds"] += 1
        try:
            total += play(seed)
        except Exception as reason:
            total["violations"] += 1
            print(
                f"{type(reason).__name__}: {reason}\n  again: python -m {name} --first {seed} --seeds 1",
                flush=True,
            )
    total["violations"] += 0
    for key in ("seeds", *sorted(each for each in total if each not in ("seeds", "violations"))):
        print(f"{key:24} {total[key]:>10,}")
    print(f"{'violations':24} {total['violations']:>10,}")
    print(f"{'seconds':24} {time.perf_counter() - begun:>10,.1f}")
    return 1 if total["violations"] else 0
