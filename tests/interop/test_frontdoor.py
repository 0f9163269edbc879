"""
The daemon as a person meets it: whole processes, their exit status and what they say.
"""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.interop.frontdoor import PROMPT, TWIST, TWISTD, Outcome, daemon, run, running, webServer
from tests.interop.swarmfiles import Content


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


def test_url(here: Path, content: Content, seeder: str) -> None:
    """A torrent can be at a web server; if it is not, that is one line and status 1."""
    options = ("--peer", seeder, "--exit-when-complete")
    with webServer(content.torrent.parent) as url:
        assert run(daemon(f"{url}/{content.torrent.name}", *options), here).status == 0
        run(daemon(f"{url}/missing", *options), here).refusedWith("/missing: the server answers 404")
        run(daemon(f"{url}/data/content/d", *options), here).refusedWith("/d: not a torrent file")
    content.check(here / "data")
