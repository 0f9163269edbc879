"""
What a thousand hostile connections do to a daemon that downloads: the same transfer from one honest
libtorrent seeder, in quiet and under attack.

The daemon is C{twistd bittorrent} as a user runs it, the attack (see L{hostile_villains
<tests.benchmarks.hostile_villains>}) a process of its own, all over loopback with files in memory, so
that they compete for the same processors too.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.hostile_daemon import Probe, Watch, daemon
from tests.benchmarks.hostile_table import Outcome, line, report, results
from tests.benchmarks.measure import installed
from tests.benchmarks.results import Result
from tests.benchmarks.seeder import LibtorrentProcess, libtorrentProcess
from tests.interop.processes import freePort
from tests.interop.swarmfiles import Content, makeContent

#: What the seeder is held to in the run that lasts: a good line, and the daemon has time to spare.
LINE = 20_000_000
#: Bytes in a piece.
PIECE = 1 << 20
#: Seconds until the attack has reached its strength.
RAMP = 5.0
_TRICKLE = 1_000_000
_PATIENCE = 60.0
_VILLAINS = Path(__file__).with_name("hostile_villains.py")


class Attackers:
    """The process of the hostile."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def report(self) -> dict[str, Any]:
        """What they did so far."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("?\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found


@contextmanager
def attackers(
    port: int, content: Content, connections: int, parts: tuple[str, ...] = ()
) -> Iterator[Attackers]:
    """C{connections} hostile connections to C{port}, as long as the body runs."""
    what = {
        "port": port,
        "infoHash": content.infoHash,
        "pieces": -(-content.size // PIECE),
        "connections": connections,
        "parts": parts,
    }
    with subprocess.Popen(
        [sys.executable, "-u", str(_VILLAINS), json.dumps(what)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Attackers(process)
        finally:
            process.kill()


def _until(condition: Callable[[], Any], what: str, seconds: float = _PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.05)


@dataclass(frozen=True, slots=True)
class Scene:
    """
    What all runs have in common.

    @ivar connections: how many are hostile.
    @ivar seconds: that a run lasts, unless the transfer is over before.
    """

    top: Path
    content: Content
    environment: dict[str, str]
    connections: int
    seconds: float
    ramp: float = RAMP
    parts: tuple[str, ...] = ()

    def leech(self, attacked: bool, line: int) -> Outcome:
        """
        The daemon downloads; the seeder is held to C{line} bytes a second, 0: to nothing.
        """
        with ExitStack() as stack:
            seeder = stack.enter_context(libtorrentProcess())
            self._add(seeder, self.content.folder, True)
            seeder.ask("limit", infoHash=self.content.infoHash, upload=_TRICKLE)
            pid, port = self._daemon(stack, "leech", "--peer", f"127.0.0.1:{seeder.port}")
            _until(lambda: self._moved(seeder, "uploaded"), "the first block")
            begin = lambda: seeder.ask("limit", infoHash=self.content.infoHash, upload=line)  # noqa: E731
            return self._measure(stack, pid, port, attacked, begin, lambda: self._moved(seeder, "uploaded"))

    def late(self, attacked: bool, dialled: bool) -> float:
        """
        The honest seeder comes when the attack is there: seconds until it is served the first block.

        @param dialled: whether the daemon knows of it and dials it, or it dials the daemon.
        """
        with ExitStack() as stack:
            seederPort = freePort()
            known = ("--peer", f"127.0.0.1:{seederPort}") if dialled else ()
            _, port = self._daemon(stack, "late", *known)
            if attacked:
                stack.enter_context(attackers(port, self.content, self.connections, self.parts))
            time.sleep(self.ramp)
            seeder = stack.enter_context(libtorrentProcess(listen_interfaces=f"127.0.0.1:{seederPort}"))
            self._add(seeder, self.content.folder, True)
            begun = time.monotonic()
            if not dialled:
                seeder.ask("connect", infoHash=self.content.infoHash, host="127.0.0.1", port=port)
            try:
                _until(lambda: self._moved(seeder, "uploaded"), "the first block", self.seconds)
            except TimeoutError:
                return float("inf")
            return time.monotonic() - begun

    def seed(self, attacked: bool, line: int) -> Outcome:
        """The daemon has everything, and one honest libtorrent leecher that is held to C{line}."""
        with ExitStack() as stack:
            leecher = stack.enter_context(libtorrentProcess())
            target = self.top / "target"
            target.mkdir()
            stack.callback(shutil.rmtree, target)
            self._add(leecher, target, False)
            leecher.ask("limit", infoHash=self.content.infoHash, download=_TRICKLE)
            (self.top / "seed").mkdir()
            (self.top / "seed" / "content").symlink_to(self.content.folder)
            pid, port = self._daemon(stack, "seed")
            log = self.top / "seed" / "log"
            # A peer that cannot be reached is given up by libtorrent after three attempts.
            _until(lambda: ": seeding" in log.read_text(errors="replace"), "the check of the content")
            leecher.ask("connect", infoHash=self.content.infoHash, host="127.0.0.1", port=port)
            _until(lambda: self._moved(leecher, "downloaded"), "the first block")
            begin = lambda: leecher.ask("limit", infoHash=self.content.infoHash, download=line)  # noqa: E731
            return self._measure(
                stack, pid, port, attacked, begin, lambda: self._moved(leecher, "downloaded")
            )

    def _daemon(self, stack: ExitStack, name: str, *arguments: str) -> tuple[int, int]:
        """Start one; its process and port."""
        folder, port = self.top / name, freePort()
        stack.callback(shutil.rmtree, folder)
        told = ["--listen-port", str(port), *arguments, str(self.content.torrent)]
        process = stack.enter_context(daemon(folder, told, self.environment))
        return process.pid, port

    def _add(self, peer: LibtorrentProcess, folder: Path, seed: bool) -> None:
        peer.ask("add", torrent=str(self.content.torrent), saveDir=str(folder), seed=seed)

    def _moved(self, peer: LibtorrentProcess, way: str) -> int:
        count: int = peer.ask("status", infoHash=self.content.infoHash)[way]
        return count

    def _measure(
        self,
        stack: ExitStack,
        pid: int,
        port: int,
        attacked: bool,
        begin: Callable[[], object],
        moved: Callable[[], int],
    ) -> Outcome:
        probe = Probe(port, self.content.infoHash)
        stack.callback(probe.end)
        attack = (
            stack.enter_context(attackers(port, self.content, self.connections, self.parts))
            if attacked
            else None
        )
        time.sleep(self.ramp)
        begin()
        started, before = time.monotonic(), moved()
        watch = Watch(pid)
        probe.seen = watch.seen
        while time.monotonic() < started + self.seconds and moved() < self.content.size:
            time.sleep(0.1)
        rate = (moved() - before) / (time.monotonic() - started)
        probe.seen = None
        return Outcome(rate, watch.end(), attack.report() if attack is not None else {})


def hostile(
    size: int,
    rounds: int,
    say: Callable[[str], object],
    connections: int = 1000,
    seconds: float = 60.0,
    brief: bool = False,
) -> list[Result]:
    """
    Each run in quiet and under attack, C{rounds} times in turn; say what was seen.

    @param size: bytes of the torrent.
    @param brief: one kind of run only, to see that it works.
    """
    memory = Path("/dev/shm")
    found: dict[str, dict[bool, list[Outcome]]] = {}
    waits: dict[str, dict[bool, list[float]]] = {}
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        top = Path(name)
        content = makeContent(top, size, pieceLength=PIECE)
        scene = Scene(top, content, installed(), connections, seconds, min(RAMP, seconds / 4))
        runs: dict[str, Callable[[bool], Outcome]] = {
            f"download at {LINE / 1e6:.0f} MB/s": lambda attacked: scene.leech(attacked, LINE),
            "download, no limit": lambda attacked: scene.leech(attacked, 0),
            "upload, no limit": lambda attacked: scene.seed(attacked, 0),
        }
        meetings: dict[str, Callable[[bool], float]] = {
            "a seeder that it dials": lambda attacked: scene.late(attacked, True),
            "a seeder that dials it": lambda attacked: scene.late(attacked, False),
        }
        if brief:
            runs, meetings = dict(list(runs.items())[:1]), dict(list(meetings.items())[:1])
        for number in range(rounds):
            for attacked in (False, True) if number % 2 == 0 else (True, False):
                for each, run in runs.items():
                    outcome = run(attacked)
                    found.setdefault(each, {}).setdefault(attacked, []).append(outcome)
                    say(f"  {_name(attacked)}, {each}: {line(outcome)}")
                for each, meet in meetings.items():
                    wait = meet(attacked)
                    waits.setdefault(each, {}).setdefault(attacked, []).append(wait)
                    say(f"  {_name(attacked)}, {each}: first block after {wait:.1f} s")
    say(f"\n{connections} hostile connections, runs of {seconds:.0f} s; medians:\n")
    say(report(found, waits))
    return results(found, connections)


def _name(attacked: bool) -> str:
    return "attacked" if attacked else "quiet"
