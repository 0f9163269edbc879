"""
The two front doors as a person meets them: whole processes, their exit status and what they say.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread, Timer

import pytest

from tests.interop.swarmfiles import Content, makeContent

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
            env=_environment(folder),
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


def _environment(folder: Path) -> dict[str, str]:
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
        env=_environment(folder),
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


@pytest.fixture
def content(tmp_path: Path) -> Content:
    """A folder with files, and its torrent."""
    return makeContent(tmp_path / "content", {"a": 300_000, "b/c": 1, "empty": 0, "d": 700_001})


@pytest.fixture
def seeder(tmp_path: Path, content: Content) -> Iterator[str]:
    """A daemon that has the content: where it listens."""
    folder = tmp_path / "seeder"
    folder.mkdir()
    argv = daemon(str(content.torrent), "--download-dir", str(content.folder))
    with running(argv, folder) as process:
        port = process.until(r"listening for peers on port (\d+)")[1]
        process.until("content: seeding")
        yield f"127.0.0.1:{port}"
        assert process.stop() == -signal.SIGTERM


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder to run in."""
    path = tmp_path / "here"
    path.mkdir()
    return path


# ---------------------------------------------------------------- the daemon


def test_plugin(here: Path) -> None:
    """twistd knows the plug-in, and the plug-in has a help of its own."""
    assert re.search(r"^ +bittorrent +\S", run([*TWISTD, "--help"], here).out, re.MULTILINE)
    outcome = run([*TWISTD, "bittorrent", "--help"], here)
    assert outcome.status == 0
    assert "--exit-when-complete" in outcome.out


def test_downloads(here: Path, content: Content, seeder: str) -> None:
    """It downloads from a peer that was named, and ends with status 0 once complete."""
    with running(daemon(str(content.torrent), "--peer", seeder, "--exit-when-complete"), here) as process:
        assert process.end() == 0, process.lines
    content.check(here / "data")
    text = "\n".join(process.lines)
    for line in ("content: added, 977 KiB in 4 files", "content: downloading", "content: complete"):
        assert line in text
    assert "Traceback" not in text
    assert not (here / "twistd.pid").exists()


def test_underTwist(here: Path, content: Content, seeder: str) -> None:
    """The same under twist, Twisted's runner that never goes to the background."""
    argv = [*TWIST, *daemon(str(content.torrent), "--peer", seeder, "--exit-when-complete")[4:]]
    with running(argv, here) as process:
        assert process.end() == 0, process.lines
    content.check(here / "data")
    assert run([*TWIST, "bittorrent", "--nonsense"], here).status == 1


def test_remembers(here: Path, content: Content, seeder: str) -> None:
    """The next run goes on with the torrents of the one before, without being told of them."""
    with running(daemon(str(content.torrent), "--peer", seeder), here) as process:
        process.until("content: complete")
        assert process.stop() == -signal.SIGTERM
    with running(daemon(), here) as process:
        process.until("1 torrent remembered")
        process.until("content: seeding")
        assert process.stop() == -signal.SIGTERM


def test_configFile(here: Path, content: Content, seeder: str) -> None:
    """A file says the same as a command line."""
    (here / "bt.toml").write_text(
        f'torrents = ["{content.torrent}"]\npeer = ["{seeder}"]\nstate_dir = "s"\ndownload-dir = "d"\n'
        'interface = ["127.0.0.1"]\nexit-when-complete = true\nno-dht = true\nno-lsd = true\n',
        encoding="utf-8",
    )
    assert run([*TWISTD, "-n", "bittorrent", "--config", "bt.toml"], here).status == 0
    content.check(here / "d")


def test_terminates(here: Path, content: Content) -> None:
    """SIGTERM ends it within seconds, also in the middle of things, and leaves no pidfile."""
    silent = socket.create_server(("127.0.0.1", 0))
    with (
        closing(silent),
        running(
            daemon(str(content.torrent), "--peer", f"127.0.0.1:{silent.getsockname()[1]}"), here
        ) as process,
    ):
        process.until("content: downloading")
        assert (here / "twistd.pid").exists()
        assert process.stop() == -signal.SIGTERM
    assert not (here / "twistd.pid").exists()


def test_silentTracker(here: Path, content: Content) -> None:
    """SIGTERM ends it within seconds although a tracker never answers."""
    silent = socket.create_server(("127.0.0.1", 0))
    torrent = content.withTrackers(f"http://127.0.0.1:{silent.getsockname()[1]}/announce")
    with closing(silent), running(daemon(str(torrent)), here) as process:
        process.until("content: downloading")
        silent.accept()[0].recv(1)
        assert process.stop() == -signal.SIGTERM


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--nonsense"], ["--nonsense"]),
        (["--max-peers", "many"], ["--max-peers", "'many'"]),
        (["--max-peers", "0"], ["max-peers is 0"]),
        (["--peer", "nowhere"], ["--peer", "'nowhere'"]),
        (["missing.torrent"], ["missing.torrent", "No such file"]),
        (["wrong.torrent"], ["wrong.torrent", "piece length"]),
        (["magnet:?xt=urn:btih:abc"], ["magnet link", "info-hash"]),
        (["--dht-bootstrap", "nowhere"], ["--dht-bootstrap", "'nowhere'"]),
        (["--config", "missing.toml"], ["missing.toml", "No such file"]),
        (["--config", "unknown.toml"], ["unknown.toml", "unknown key 'max-peer'"]),
        (["--config", "type.toml"], ["type.toml", "'listen-port' must be a whole number"]),
        (["--config", "syntax.toml"], ["syntax.toml", "not a TOML file"]),
        (["--download-dir", "wrong.torrent"], ["--download-dir", "wrong.torrent"]),
        (["--state-dir", "wrong.torrent"], ["--state-dir", "wrong.torrent"]),
        (["--interface", "192.0.2.1"], ["192.0.2.1"]),
    ],
)
def test_refused(here: Path, arguments: Sequence[str], words: Sequence[str]) -> None:
    """
    What is wrong with options, torrents and folders is one line on standard error and a status that
    is not 0.
    """
    (here / "wrong.torrent").write_bytes(b"d4:infod4:name1:xee")
    (here / "unknown.toml").write_text("max-peer = 1\n", encoding="utf-8")
    (here / "type.toml").write_text('listen-port = "6881"\n', encoding="utf-8")
    (here / "syntax.toml").write_text("= 1\n", encoding="utf-8")
    run(daemon(*arguments), here).refusedWith("twistd bittorrent: ", *words)
    assert not (here / "twistd.pid").exists()


def test_refusedInBackground(here: Path) -> None:
    """So it is where it was to go to the background; it never gets there."""
    for arguments, word in (["--nonsense"], "--nonsense"), (["missing.torrent"], "No such file"):
        argv = daemon(*arguments)
        argv.remove("-n")
        run(argv, here).refusedWith("twistd bittorrent: ", word)
        assert list(here.glob("twistd.*")) == []


@pytest.mark.parametrize("background", [False, True])
def test_occupiedPort(here: Path, background: bool) -> None:
    """An occupied port is one line, and so in the background."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        argv = daemon("--listen-port", str(taken.getsockname()[1]))
        if background:
            argv.remove("-n")
        run(argv, here).refusedWith(f"port {taken.getsockname()[1]}", "another program uses it")
    assert not (here / "twistd.pid").exists()


def test_occupiedMeanwhile(here: Path) -> None:
    """A port that is taken between the check and its use is one line, too, and leaves no pidfile."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        argv = daemon("--listen-port", str(taken.getsockname()[1]))
        argv[2] = f"import twisted_bt.tap as tap; tap.checkPort = lambda *args: None; {argv[2]}"
        run(argv, here).refusedWith(f"port {taken.getsockname()[1]}", "another program uses it")
    assert not (here / "twistd.pid").exists()


def test_secondDaemon(here: Path) -> None:
    """A state folder has one daemon at a time, in the foreground or background."""
    with running(daemon(), here) as first:
        first.until("listening for peers")
        run(daemon(twistd=["--pidfile", "other.pid"]), here).refusedWith("used by another process")
        assert first.stop() == -signal.SIGTERM


def test_background(here: Path, content: Content) -> None:
    """In the background it holds its state folder, writes a log, and ends when told."""
    argv = daemon(str(content.torrent))
    argv.remove("-n")
    outcome = run(argv, here)
    assert outcome == Outcome(0, "", "")
    pid = int((here / "twistd.pid").read_text())
    gone = os.pidfd_open(pid)
    try:
        run(daemon(twistd=["--pidfile", "other.pid"]), here).refusedWith("used by another process")
    finally:
        os.kill(pid, signal.SIGTERM)
        _waitFor(gone)
    assert "listening for peers" in (here / "twistd.log").read_text()
    assert not (here / "twistd.pid").exists()


def _waitFor(pidfd: int) -> None:
    import select

    readable, _, _ = select.select([pidfd], [], [], PROMPT)
    os.close(pidfd)
    assert readable, "the daemon is still there"


def test_damagedState(here: Path) -> None:
    """A state that is no state any more is one line."""
    (here / "state").mkdir()
    (here / "state" / "state.sqlite").write_bytes(b"not a database " * 1000)
    outcome = run(daemon(), here)
    outcome.refusedWith("state.sqlite", "damaged")


def test_diskFull(here: Path, content: Content, seeder: str) -> None:
    """A disk that takes no more ends C{--exit-when-complete} with the reason and status 1."""
    argv = daemon(str(content.torrent), "--peer", seeder, "--exit-when-complete")
    with running(argv, here, limit=400_000) as process:
        assert process.end() == 1, process.lines
    assert any(line.startswith("twistd bittorrent: ") and "content" in line for line in process.lines)


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


def test_url(here: Path, content: Content, seeder: str) -> None:
    """A torrent can be at a web server; if it is not, that is one line and status 1."""
    options = ("--peer", seeder, "--exit-when-complete")
    with webServer(content.torrent.parent) as url:
        assert run(daemon(f"{url}/{content.torrent.name}", *options), here).status == 0
        run(daemon(f"{url}/missing", *options), here).refusedWith("/missing: the server answers 404")
        run(daemon(f"{url}/data/content/d", *options), here).refusedWith("/d: not a torrent file")
    content.check(here / "data")


# ---------------------------------------------------------------- the tool


def test_demo(here: Path) -> None:
    """The demonstration works, says how fast, and leaves nothing in the folder for temporary files."""
    argv = [*TOOL, "demo", "--size", "3M"]
    environment = {**_environment(here), "TMPDIR": str(here)}
    done = subprocess.run(
        argv, cwd=here, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done
    assert re.search(r"downloaded and verified: 3\.0 MiB in .*, [\d.]+ [KMG]iB/s\n", done.stdout), done
    assert done.stderr == ""
    assert list(here.iterdir()) == []


def test_demoOnTerminal(here: Path) -> None:
    """On a terminal there is a progress bar."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [*TOOL, "demo", "--size", "8M"],
        cwd=here,
        env=_environment(here),
        stdout=theirs,
        stderr=subprocess.STDOUT,
    )
    os.close(theirs)
    timer = Timer(PATIENCE, process.kill)
    timer.start()
    text = b""
    try:
        while chunk := os.read(ours, 4096):
            text += chunk
    except OSError:
        pass  # how a terminal says that the other end was closed
    os.close(ours)
    assert process.wait() == 0, text
    timer.cancel()
    assert re.search(rb"demo\.bin 100\.0% \|.*8\.0 MiB of 8\.0 MiB", text), text


def test_get(here: Path, content: Content, seeder: str) -> None:
    """C{get} ends with status 0 once all is there; then C{verify} agrees, until something is changed."""
    outcome = run([*GET, str(content.torrent), "-o", "out", "--peer", seeder], here)
    assert outcome.status == 0, outcome
    assert "content: complete and verified" in outcome.err
    assert outcome.out == ""
    content.check(here / "out")
    verify = [*TOOL, "verify", str(content.torrent), "-d", "out"]
    assert run(verify, here).status == 0
    with (here / "out" / "content" / "d").open("r+b") as file:
        file.write(b"changed")
    outcome = run(verify, here)
    assert outcome.status == 1
    assert "content/d" in outcome.out


def test_getAgain(here: Path, content: Content) -> None:
    """What is there already needs no peer."""
    outcome = run([*GET, str(content.torrent), "-o", str(content.folder)], here)
    assert outcome.status == 0, outcome
    assert "(0 B downloaded" in outcome.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(here: Path, content: Content, number: int) -> None:
    """Ctrl-C ends C{get} cleanly, with the status of who was interrupted."""
    argv = [*GET, str(content.torrent), "--peer", "127.0.0.1:1", "--listen-port", "0"]
    silent = socket.create_server(("127.0.0.1", 0))
    argv[-3] = f"127.0.0.1:{silent.getsockname()[1]}"
    with closing(silent), running(argv, here) as process:
        silent.accept()[0].recv(1)  # so it is in the middle of things
        assert process.stop(number) == 128 + number
    assert "Traceback" not in "\n".join(process.lines)


def test_getRefused(here: Path, content: Content) -> None:
    """What cannot be got is one line and status 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken, webServer(here) as url:
        port = str(taken.getsockname()[1])
        for arguments, word in [
            (["missing"], "missing"),
            ([f"{url}/missing"], "the server answers 404"),
            (["http://127.0.0.1:1/x"], "no connection"),
            ([str(content.torrent), "--listen-port", port, "--interface", "127.0.0.1"], f"port {port}"),
        ]:
            run([*GET, *arguments], here).refusedWith("twisted-bt: ", word)


def test_getDiskFull(here: Path, content: Content, seeder: str) -> None:
    """A disk that takes no more is one line and status 1."""
    argv = [*GET, str(content.torrent), "--peer", seeder]
    with running(argv, here, limit=400_000) as process:
        assert process.end() == 1, process.lines
    assert process.lines[-1].startswith("twisted-bt: "), process.lines


def test_show(here: Path, content: Content) -> None:
    """C{show --json} is an object a line, and status 1 if a file was refused."""
    outcome = run([*TOOL, "show", "--json", str(content.torrent), __file__], here)
    assert outcome.status == 1
    shown, refused = map(json.loads, outcome.out.splitlines())
    assert shown["infoHash"] == content.infoHash
    assert refused == {"file": __file__, "error": "not a torrent file: not a dictionary"}
    assert run([*TOOL, "show", str(content.torrent)], here).status == 0


def test_createAndGet(here: Path, content: Content) -> None:
    """A torrent that C{create} made is one that C{verify} and C{get} can use."""
    made = run([*TOOL, "create", str(content.folder / "content"), "-o", "x.torrent", "--hybrid"], here)
    assert made.status == 0, made
    assert run([*TOOL, "verify", "x.torrent", "-d", str(content.folder)], here).status == 0
    assert run([*GET, "x.torrent", "-o", str(content.folder)], here).status == 0


def test_brokenPipe(here: Path, content: Content) -> None:
    """Who reads our output may stop reading."""
    with subprocess.Popen(
        [*TOOL, "show", *([str(content.torrent)] * 2000)],
        cwd=here,
        env=_environment(here),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()
        process.wait(PATIENCE)
