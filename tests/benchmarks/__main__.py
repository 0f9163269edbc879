"""
The benchmarks' command line.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.benchmarks.machine import machine
from tests.benchmarks.results import Result
from tests.benchmarks.table import insert, markdown, summary

Benchmark = Callable[..., list[Result]]

#: By name, in the order of the goals: the module that has a function of that name, which is called with
#: size, rounds and what prints a line.
BENCHMARKS = {
    "download": "download",
    "seeding": "seeding",
    "many": "download",
    "small": "download",
    "recheck": "recheck",
    "latency": "latency",
    "registry": "registry",
    "idle": "idle",
    "announcing": "announcing",
    "adding": "adding",
    "dht": "dht",
    "hostile": "hostile",
}
#: MiB and rounds of the short form.
SHORT = (8, 1)


def options() -> argparse.ArgumentParser:
    """What can be said on the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Runs our programs and those of others in turn and compares them, in one table.",
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"one of: {', '.join(BENCHMARKS)} [all]")
    parser.add_argument("--size", type=int, default=2048, metavar="MIB", help="to move [default: 2048]")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each contestant [default: 5]")
    parser.add_argument(
        "--torrents", type=int, default=100_000, help="that are registered [default: 100,000]"
    )
    parser.add_argument("--connections", type=int, default=1000, help="hostile ones [default: 1000]")
    parser.add_argument("--seconds", type=float, default=60.0, help="of an attack [default: 60]")
    parser.add_argument("--short", action="store_true", help="only see that they work: 8 MiB, one round")
    parser.add_argument("--check", action="store_true", help="exit status 1 if a goal is missed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="save what each run gave")
    parser.add_argument(
        "--load", type=Path, metavar="FILE", help="take what is saved there; run only what is named"
    )
    parser.add_argument("--markdown", action="store_true", help="print the table for a page")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put it into a page, between its marks")
    return parser


def benchmark(name: str) -> Benchmark:
    """
    One of them.  What it needs is loaded now and not before: the kernel counts our memory into that of
    the programs we start (see L{measure<tests.benchmarks.measure>}).
    """
    found: Benchmark = getattr(import_module(f"tests.benchmarks.{BENCHMARKS[name]}"), name)
    return found


def _say(text: str) -> None:
    print(text, flush=True)


def main() -> int:
    """Run those that were named, or all."""
    parser = options()
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark {unknown[0]!r}")
    size, rounds = SHORT if arguments.short else (arguments.size, arguments.rounds)
    more: dict[str, dict[str, Any]] = {
        "hostile": {"connections": arguments.connections, "seconds": arguments.seconds},
        "registry": {"torrents": arguments.torrents},
    }
    if arguments.short:
        more["hostile"] = {"connections": 50, "seconds": 2.0, "brief": True}
    saved: dict[str, Any] = {"results": {}}
    if arguments.load is not None:
        saved = json.loads(arguments.load.read_text(encoding="utf-8"))
    names = arguments.names or ([] if arguments.load is not None else list(BENCHMARKS))
    if names:
        saved["setting"] = f"{size:,} MiB, {rounds} runs of each in turn; {machine()}"
    failed = False
    for name in names:
        print(f"{name}:", flush=True)
        begun = time.monotonic()
        try:
            results = benchmark(name)(size << 20, rounds, _say, **more.get(name, {}))
        except Exception:
            # What the others gave in an hour is not to be lost.
            traceback.print_exc()
            failed = True
            continue
        print(f"({name} took {time.monotonic() - begun:.1f} s)\n", flush=True)
        saved["results"][name] = [each.toJson() for each in results]
        if arguments.json is not None:
            arguments.json.write_text(json.dumps(saved, indent=1), encoding="utf-8")
    found = [Result.fromJson(each) for name in BENCHMARKS for each in saved["results"].get(name, ())]
    _report(found, saved["setting"], arguments.markdown, arguments.write)
    missed = not arguments.short and any((each.missed or 0) > 0 for each in found)
    return 1 if failed or (arguments.check and missed) else 0


def _report(found: Sequence[Result], setting: str, asPage: bool, page: Path | None) -> None:
    print(f"\nMedians (least-most); {setting}\n")
    print(markdown(found) if asPage else summary(found), flush=True)
    if page is not None:
        text = f"Medians (least-most); {setting}.\n\n{markdown(found)}"
        page.write_text(insert(text, page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
