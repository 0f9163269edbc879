"""
The benchmarks' command line.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial

from tests.benchmarks.adding import adding
from tests.benchmarks.announcing import announcing
from tests.benchmarks.dht import dht
from tests.benchmarks.download import download
from tests.benchmarks.hostile import hostile
from tests.benchmarks.idle import idle
from tests.benchmarks.registry import registry

Benchmark = Callable[[int, int, Callable[[str], object]], list[str]]

#: By name: C{benchmark(size, rounds, say)}, giving the bounds that were not kept.
BENCHMARKS: dict[str, Benchmark] = {
    "dht": dht,
    "download": download,
    "hostile": hostile,
    "registry": registry,
    "idle": idle,
    "announcing": announcing,
    "adding": adding,
}


def main() -> int:
    """Run those that were named, or all."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Runs our programs and those of others alternately and compares them.",
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"one of: {', '.join(BENCHMARKS)} [all]")
    parser.add_argument("--size", type=int, default=1024, metavar="MIB", help="to move [default: 1024]")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each contestant [default: 5]")
    parser.add_argument("--short", action="store_true", help="only see that they work: 16 MiB, one round")
    parser.add_argument("--connections", type=int, default=1000, help="hostile ones [default: 1000]")
    parser.add_argument("--seconds", type=float, default=60.0, help="of an attack [default: 60]")
    parser.add_argument("--check", action="store_true", help="exit status 1 if a bound is not kept")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark {unknown[0]!r}")
    size, rounds = (16, 1) if arguments.short else (arguments.size, arguments.rounds)
    connections, seconds = (100, 3.0) if arguments.short else (arguments.connections, arguments.seconds)
    attack: Benchmark = partial(hostile, connections=connections, seconds=seconds)
    benchmarks = {**BENCHMARKS, "hostile": attack}
    broken = []
    for name in arguments.names or BENCHMARKS:
        print(f"{name}:", flush=True)
        found = benchmarks[name](size << 20, rounds, lambda text: print(text, flush=True))
        if not arguments.short:
            for fault in found:
                print(f"not kept: {fault}")
            broken += found
    return 1 if arguments.check and broken else 0


if __name__ == "__main__":
    sys.exit(main())
