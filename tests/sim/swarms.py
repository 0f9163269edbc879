"""
Whole swarms on the virtual clock: runs scenarios and prints how they went.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable, Sequence
from time import process_time

from tests.sim.scenarios import SCENARIOS, Scenario
from tests.sim.scenarios.crowd import Outcome


def run(
    scenario: Scenario, leechers: int, size: int, seed: int, say: Callable[[str], object]
) -> list[Outcome]:
    """Run C{scenario}, and tell its outcomes row by row."""
    enabled = gc.isenabled()
    gc.disable()  # over millions of objects each of its rounds takes seconds, for next to nothing
    try:
        outcomes = scenario(leechers, size, seed)
    finally:
        if enabled:
            gc.enable()
    for each in outcomes:
        say(str(each))
        for note in each.notes:
            say(f"    {note}")
    return outcomes


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim.swarms", description=__doc__)
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"one of: {', '.join(SCENARIOS)} [all]")
    parser.add_argument("--leechers", type=int, help="[default: depends on the scenario]")
    parser.add_argument("--size", type=float, metavar="MB", help="of the content [default: likewise]")
    parser.add_argument("--seed", type=int, default=1, help="[default: 1]")
    chosen = parser.parse_args(argv)
    unknown = [name for name in chosen.names if name not in SCENARIOS]
    if unknown:
        parser.error(f"no scenario {unknown[0]!r}")
    print(Outcome.HEAD, flush=True)
    faults = []
    for name in chosen.names or SCENARIOS:
        scenario, leechers, size = SCENARIOS[name]
        began = process_time()
        outcomes = run(
            scenario,
            chosen.leechers or leechers,
            int(chosen.size * 1e6) if chosen.size else size,
            chosen.seed,
            lambda text: print(text, flush=True),
        )
        faults += [f"{each.name}: {fault}" for each in outcomes for fault in each.faults]
        print(f"    {process_time() - began:.0f} s of processor time", flush=True)
        gc.collect()
    for fault in faults:
        print(f"not as it should be: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
