"""
The fuzzers' command line.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main() -> int:
    """Run what was named."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description="Feeds decoders what nobody should send."
    )
    parser.add_argument(
        "names", metavar="TARGET", nargs="*", help="what to run; all: everything; none: list them"
    )
    parser.add_argument("--inputs", type=int, default=100_000, help="for each target [default: 100000]")
    parser.add_argument("--seed", default="0", help="decides the inputs [default: 0]")
    parser.add_argument("--keep", type=Path, default=Path("findings"), help="folder for inputs of findings")
    parser.add_argument(
        "--input", type=Path, action="append", default=[], help="run this file through the target instead"
    )
    parser.add_argument("--pump", action="store_true", help="look for what grows faster than its input")
    parser.add_argument(
        "--atheris", action="store_true", help="guided by coverage; what follows -- goes to libFuzzer"
    )
    known, rest = parser.parse_known_args()
    if known.atheris:
        from tests.fuzz.guided import guided

        return guided(known.names[0], known.keep, [each for each in rest if each != "--"])
    if rest:
        parser.error(f"unknown: {' '.join(rest)}")

    from tests.fuzz.all import TARGETS
    from tests.fuzz.driver import check, fuzz
    from tests.fuzz.pump import pump

    if not known.names:
        print("\n".join(TARGETS))
        return 0
    names = list(TARGETS) if known.names == ["all"] else known.names
    unknown = [name for name in names if name not in TARGETS]
    if unknown:
        parser.error(f"no target {unknown[0]!r}")
    found = 0
    for name in names:
        target = TARGETS[name]()
        if known.input:
            for path in known.input:
                print(path, *check(target, path.read_bytes(), sampled=True))
            continue
        work = pump if known.pump else fuzz
        report = work(target, known.inputs, known.seed, known.keep, lambda text: print(text, flush=True))
        print(report.line(), flush=True)
        found += len(report.found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
