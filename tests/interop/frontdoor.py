"""
Whole processes of ours, as a person starts them: what they say, and how they end.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread, Timer

ROOT = Path(__file__).resolve().parents[2]
TWISTD = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]
TWIST = [sys.executable, "-m", "twisted"]
TOOL = [sys.executable, "-c", "import sys; from twisted_bt.cli import main; sys.exit(main())"]
#: Nobody is looked for in the world or the local network.
ALONE = ("--no-dht", "--no-lsd")
#: Seconds after which a process that should have ended by itself is taken to hang.
PATIENCE = 60.0
GET = [*TOOL, "get", *ALONE]
#: Seconds within which a daemon has to be gone once it is told so.
PROMPT = 8.0


@dataclass(frozen=True)
class Outcome:
    """What a process left."""

    status: int
    out: str
    err: str

    def refusedWith(self, *words: str) -> None:
        """It said why in one line on standard error, and its status is not 0."""
        assert self.status not in (0, None), self
        assert self.err.count("\n") == 1, self
        assert "Traceback" not in self.out + self.err, self
        for word in words:
            assert word in self.err, self


class Running:
    """A process whose output can be waited for; it is killed if it takes too long."""

    def __init__(self, argv: Sequence[str], folder: Path, limit: int | None = None) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            argv,
            cwd=folder,
            env=environmentFor(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=partial(_limitFiles, limit) if limit is not None else None,
        )
        self._timer = Timer(PATIENCE, self.process.kill)
        self._timer.start()

    def until(self, pattern: str) -> re.Match[str]:
        """Read on to a line in which C{pattern} is found."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            found = re.search(pattern, line)
            if found is not None:
                return found
        raise AssertionError(f"no {pattern!r} in:\n" + "\n".join(self.lines))

    def end(self) -> int:
        """Read to the end: its exit status."""
        assert self.process.stdout is not None
        self.lines += self.process.stdout.read().splitlines()
        return self.process.wait()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; the exit status, which has to come promptly."""
        self.process.send_signal(number)
        assert self.process.stdout is not None
        late = Timer(PROMPT, self.process.kill)
        late.start()
        status = self.end()
        late.cancel()
        assert status != -signal.SIGKILL, f"not gone within {PROMPT} s:\n" + "\n".join(self.lines)
        return status

    def close(self) -> None:
        """Whatever it still does."""
        self._timer.cancel()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def environmentFor(folder: Path) -> dict[str, str]:
    """What a process that runs in C{folder} finds in its environment."""
    # The home folder too is the test's, so that no state of the user's is touched.
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("XDG_")}
    return {**inherited, "PYTHONPATH": os.pathsep.join(paths), "HOME": str(folder), "PYTHONUNBUFFERED": "1"}


def _limitFiles(size: int) -> None:
    # No file of this process grows beyond that: to it, the disk is full.
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def run(argv: Sequence[str], folder: Path) -> Outcome:
    """Run to the end."""
    done = subprocess.run(
        argv,
        cwd=folder,
        env=environmentFor(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@contextmanager
def running(argv: Sequence[str], folder: Path, limit: int | None = None) -> Iterator[Running]:
    """A process for the C{with} statement, which ends it."""
    with closing(Running(argv, folder, limit)) as process:
        yield process


def daemon(*arguments: str, twistd: Sequence[str] = ()) -> list[str]:
    """The command line of a daemon in the foreground, on this machine only, its state below its folder."""
    return [
        *TWISTD,
        *("-n", *twistd, "bittorrent"),
        *("--state-dir", "state", "--download-dir", "data", "--interface", "127.0.0.1", *ALONE),
        *arguments,
    ]


@contextmanager
def webServer(folder: Path) -> Iterator[str]:
    """Serves the files in C{folder}: the URL of that."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
