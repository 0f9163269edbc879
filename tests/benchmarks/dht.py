"""
How many C{get_peers} queries a node answers in a second of its processor's time: ours, with a full table
and a full store, and libtorrent's, in turn, asked by the same sender over loopback.
"""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from tests.benchmarks.measure import Summary, installed, processorTime
from tests.benchmarks.results import Goal, Result

#: Answers in a second of processor time, the least.
FLOOR = 15_000
#: Queries on their way at a time: enough that nobody waits for them.
WINDOW = 64
_RESPONDER = Path(__file__).with_name("dht_responder.py")
_WORKER = Path(__file__).parents[1] / "interop" / "dht_worker.py"


@contextmanager
def _process(argv: list[str]) -> Iterator[tuple[subprocess.Popen[str], Callable[[str], Any]]]:
    """A process that is driven by lines; gives it, and what reads the answer to one."""
    with subprocess.Popen(
        [sys.executable, "-u", *argv],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=installed(),
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def ask(line: str) -> Any:
            if line:
                process.stdin.write(line + "\n")  # type: ignore[union-attr]
                process.stdin.flush()  # type: ignore[union-attr]
            return json.loads(process.stdout.readline())  # type: ignore[union-attr]

        try:
            yield process, ask
        finally:
            process.kill()


def send(port: int, count: int, infoHash: bytes | None) -> int:
    """
    Ask the node at C{port} C{count} times, for C{infoHash} or (C{None}) another each time; how many
    answers came.
    """
    random = Random(2)
    answers = asked = waiting = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine:
        mine.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        mine.connect(("127.0.0.1", port))
        mine.setblocking(False)
        while asked < count or waiting:
            while waiting < WINDOW and asked < count:
                target = random.randbytes(20) if infoHash is None else infoHash
                mine.send(
                    b"d1:ad2:id20:abcdefghij01234567899:info_hash20:%be1:q9:get_peers1:t2:%b1:y1:qe"
                    % (target, asked.to_bytes(4, "big")[2:])
                )
                asked += 1
                waiting += 1
            if not select.select([mine], [], [], 1.0)[0]:
                waiting = 0  # lost
                continue
            try:
                while True:
                    mine.recv(2048)
                    answers += 1
                    waiting -= 1
            except BlockingIOError:
                pass
    return answers


def _measure(pid: int, port: int, count: int, infoHash: bytes | None) -> float:
    """Answers in a second of that process's time."""
    before = processorTime(pid)
    answers = send(port, count, infoHash)
    return answers / max(0.01, processorTime(pid) - before)


def dht(size: int, rounds: int, say: Callable[[str], object]) -> list[Result]:
    """
    Ask each 60,000 times (in proportion to C{size} under a GiB), C{rounds} times in turn; say the results.
    """
    count = max(1000, min(60_000, size // (1 << 30) * 60_000 or 1000))
    torrents = [] if size >= 1 << 30 else ["100"]  # in its store; all there is room for
    rates: dict[str, list[float]] = {}
    with (
        _process([str(_RESPONDER), *torrents]) as (ours, askOurs),
        _process([str(_WORKER), json.dumps({"nodes": 1, "bootstrap": ""})]) as (theirs, askTheirs),
    ):
        facts = askOurs("")
        port = askTheirs('{"id": 0, "do": "ports"}')["result"][0]
        stored = bytes.fromhex(facts["infoHash"])
        contests: list[tuple[str, int, int, bytes | None]] = [
            ("twisted_bt, full table", ours.pid, facts["port"], None),
            ("libtorrent, empty table", theirs.pid, port, None),
            ("twisted_bt, 100 peers in each answer", ours.pid, facts["port"], stored),
        ]
        for number in range(rounds):
            for name, pid, where, infoHash in contests if number % 2 == 0 else contests[::-1]:
                rates.setdefault(name, []).append(_measure(pid, where, count, infoHash))
                say(f"  {name}: {rates[name][-1]:,.0f}")
    say(f"\nget_peers answers a second of processor time, {count:,} queries; medians (least-most):\n")
    for name, _, _, _ in contests:
        summary = Summary.of(rates[name])
        say(f"  {name:40} {summary.middle:9,.0f} ({summary.least:,.0f}-{summary.most:,.0f})")
    say(f"  table of {facts['nodes']} nodes: {facts['table'] / 1e3:.0f} kB")
    say(f"  store of {facts['peers']:,} peers: {facts['store'] / 1e6:.1f} MB")
    full, empty, stocked = (tuple(rates[name]) for name, _, _, _ in contests)
    goal = Goal(FLOOR, atLeast=True, ratio=False)
    work, quantity = "answer DHT queries", "answers a second of processor time"
    return [
        Result(0, work, quantity, full, empty, goal=goal),
        Result(0, work, "the same, 100 peers in each", stocked),
    ]
