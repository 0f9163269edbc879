"""
Magnet links and the DHT at the front doors: whole processes, as in C{test_frontdoor}.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.interop.swarmfiles import Content, makeContent
from tests.interop.test_frontdoor import ALONE, GET, TOOL, daemon, run, running

HOST = "127.0.0.1"
PORT = r"DHT node on port (\d+)"


@pytest.fixture
def content(tmp_path: Path) -> Content:
    """A folder with files, and its torrent."""
    return makeContent(tmp_path / "content", {"a": 300_000, "b/c": 1, "empty": 0})


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder to run in."""
    path = tmp_path / "here"
    path.mkdir()
    return path


def freePort() -> int:
    """One that nobody uses now."""
    with socket.create_server((HOST, 0)) as trial:
        port: int = trial.getsockname()[1]
        return port


def folderFor(name: str, here: Path) -> Path:
    """A folder for another program beside ours."""
    folder = here.parent / name
    folder.mkdir()
    return folder


@contextmanager
def seeding(here: Path, content: Content, *arguments: str) -> Iterator[int]:
    """A daemon that has the content: its port."""
    argv = daemon(str(content.torrent), "--download-dir", str(content.folder), *arguments)
    with running(argv, folderFor("seeder", here)) as process:
        port = int(process.until(r"listening for peers on port (\d+)")[1])
        process.until("content: seeding")
        yield port


def link(content: Content, here: Path, *arguments: str) -> str:
    """What C{twisted-bt magnet} says."""
    outcome = run([*TOOL, "magnet", str(content.torrent), *arguments], here)
    assert (outcome.status, outcome.err) == (0, ""), outcome
    return outcome.out.strip()


def test_link(here: Path, content: Content) -> None:
    """The link that C{magnet} prints says in C{show} what the torrent says."""
    magnet = link(content, here, "--peer", "[::1]:6881")
    outcome = run([*TOOL, "show", "--json", magnet, str(content.torrent)], here)
    assert outcome.status == 0, outcome
    shown, torrent = map(json.loads, outcome.out.splitlines())
    assert shown["infoHash"] == torrent["infoHash"] == content.infoHash
    assert (shown["name"], shown["length"]) == (torrent["name"], content.size)
    assert shown["peers"] == [["::1", 6881]]


def test_get(here: Path, content: Content) -> None:
    """
    C{get} downloads what a link names from the one peer that the link names; C{show --fetch} shows it and
    downloads nothing.
    """
    with seeding(here, content) as port:
        magnet = link(content, here, "--peer", f"{HOST}:{port}")
        fetched = run([*TOOL, "show", "--fetch", "--json", *ALONE, magnet], here)
        assert fetched.status == 0, fetched
        assert os.listdir(here) == []
        outcome = run([*GET, magnet, "-o", "out"], here)
    assert outcome.status == 0, outcome
    assert "content: complete and verified" in outcome.err
    content.check(here / "out")
    shown = json.loads(fetched.out)
    assert (shown["file"], shown["infoHash"], len(shown["files"])) == (magnet, content.infoHash, 3)


def test_remembered(here: Path, content: Content) -> None:
    """A daemon that was stopped while it looked for metadata goes on with that the next time."""
    port = freePort()
    with running(daemon(link(content, here, "--peer", f"{HOST}:{port}")), here) as process:
        process.until("content: fetching metadata from 0 peers")
        process.stop()
    with (
        seeding(here, content, "--listen-port", str(port)),
        running(daemon("--exit-when-complete"), here) as process,
    ):
        assert process.end() == 0, process.lines
    for line in ("1 torrent remembered", "content: fetching metadata from 1 peer", "content: complete"):
        assert any(line in each for each in process.lines), process.lines
    content.check(here / "data")


def test_noMetadata(here: Path) -> None:
    """Metadata that nobody gives in time is one line and status 1, and a link that is none is so at once."""
    fetch = [*TOOL, "show", "--fetch", *ALONE, "--timeout", "0.2"]
    run([*fetch, "magnet:?xt=urn:btih:" + "07" * 20], here).refusedWith("twisted-bt: ", "no metadata within")
    run([*fetch, "magnet:?dn=x"], here).refusedWith("twisted-bt: ", "no info-hash")
    run([*GET, "magnet:?dn=x"], here).refusedWith("twisted-bt: ", "no info-hash")


def test_dht(here: Path, content: Content) -> None:
    """
    The DHT is enough: C{get} finds a seeder through a third node.  C{dht} says who that is, what peers and
    torrents it knows, and in one line that somebody is silent.
    """
    alone = ("--no-lsd", "--dht-bootstrap", f"{HOST}:{freePort()}")
    argv = [each for each in daemon(*alone) if each != "--no-dht"]
    with running(argv, folderFor("third", here)) as third:
        node = f"{HOST}:{third.until(PORT)[1]}"
        ask, bootstrap = [*TOOL, "dht"], ["--bootstrap", node]
        pinged = run([*ask, "ping", node], here)
        assert (pinged.status, pinged.out.split()[0]) == (0, node), pinged
        run([*ask, "ping", alone[-1], "--timeout", "0.5"], here).refusedWith("twisted-bt: ", "no answer")
        seederArgv = daemon(str(content.torrent), "--download-dir", str(content.folder))
        seederArgv = [each for each in seederArgv if each != "--no-dht"] + ["--dht-bootstrap", node]
        with running(seederArgv, folderFor("seeder", here)) as seeder:
            seeder.until("content: seeding")
            magnet = link(content, here)
            got = run([*TOOL, "get", "--no-lsd", "--dht-bootstrap", node, magnet, "-o", "out"], here)
            assert got.status == 0, got
            content.check(here / "out")
            peers = run([*ask, "get-peers", content.infoHash, *bootstrap], here)
            assert peers.status == 0, peers
            assert all(line.startswith(f"{HOST}:") for line in peers.out.splitlines()), peers
            sampled = run([*ask, "sample", node], here)
            assert (sampled.status, sampled.out) == (0, content.infoHash + "\n"), sampled
