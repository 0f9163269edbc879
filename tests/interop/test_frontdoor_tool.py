"""
C{twisted-bt} as a person meets it: whole processes, their exit status and what they say.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
from contextlib import closing
from pathlib import Path
from threading import Timer

import pytest

from tests.interop.frontdoor import GET, PATIENCE, TOOL, environmentFor, run, running, webServer
from tests.interop.swarmfiles import Content


def test_demo(here: Path) -> None:
    """The demonstration works, says how fast, and leaves nothing in the folder for temporary files."""
    argv = [*TOOL, "demo", "--size", "3M"]
    environment = {**environmentFor(here), "TMPDIR": str(here)}
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
        env=environmentFor(here),
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
        env=environmentFor(here),
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
