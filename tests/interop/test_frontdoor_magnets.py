"""
Magnet links and the DHT at both front doors: whole processes, as in C{test_frontdoor}.
"""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.interop.frontdoor import ALONE, GET, TOOL, daemon, run, running
from tests.interop.swarmfiles import Content, makeContent
from twisted_bt.torrent.magnet import Magnet

HOST = "127.0.0.1"
PORT = r"DHT node on port (\d+)"


@pytest.fixture
def content(tmp_path: Path) -> Content:
    """A folder with files, and its torrent."""
    return makeContent(tmp_path / "content", {"a": 300_000, "b/c": 1, "empty": 0})


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


def test_get(here: Path, content: Content) -> None:
    """
    C{get} downloads what a link names from the one peer that the link names; C{show} shows what C{magnet}
    said, and with C{--fetch} the torrent behind it, and downloads nothing.
    """
    with seeding(here, content) as port:
        magnet = link(content, here, "--peer", f"{HOST}:{port}")
        shown = run([*TOOL, "show", "--json", magnet, str(content.torrent)], here)
        fetched = run([*TOOL, "show", "--fetch", "--json", *ALONE, magnet], here)
        assert fetched.status == 0, fetched
        assert os.listdir(here) == []
        outcome = run([*GET, magnet, "-o", "out"], here)
    assert outcome.status == 0, outcome
    assert "content: complete and verified" in outcome.err
    content.check(here / "out")
    saysLink, saysFile = map(json.loads, shown.out.splitlines())
    assert saysLink["infoHash"] == saysFile["infoHash"] == content.infoHash
    assert (saysLink["length"], saysLink["peers"]) == (content.size, [[HOST, port]])
    fetchedFile = json.loads(fetched.out)
    assert fetchedFile["file"] == magnet
    for key in ("name", "infoHash", "files", "pieceCount"):
        assert fetchedFile[key] == saysFile[key]


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
    """Metadata that nobody gives in time is one line and status 1."""
    fetch = [*TOOL, "show", "--fetch", *ALONE, "--timeout", "0.2"]
    run([*fetch, "magnet:?xt=urn:btih:" + "07" * 20], here).refusedWith("twisted-bt: ", "no metadata within")


def test_dht(here: Path, content: Content) -> None:
    """
    The DHT is enough: C{get} finds a seeder through a third node.  C{dht} says who that is, what peers and
    torrents it knows.
    """
    alone = ("--no-lsd", "--dht-bootstrap", f"{HOST}:{freePort()}")
    argv = [each for each in daemon(*alone) if each != "--no-dht"]
    with running(argv, folderFor("third", here)) as third:
        node = f"{HOST}:{third.until(PORT)[1]}"
        ask = [*TOOL, "dht"]
        pinged = run([*ask, "ping", node], here)
        assert (pinged.status, pinged.out.split()[0]) == (0, node), pinged
        seederArgv = daemon(str(content.torrent), "--download-dir", str(content.folder))
        seederArgv = [each for each in seederArgv if each != "--no-dht"] + ["--dht-bootstrap", node]
        with running(seederArgv, folderFor("seeder", here)) as seeder:
            port = seeder.until(r"listening for peers on port (\d+)")[1]
            seeder.until("content: seeding")
            magnet = Magnet(bytes.fromhex(content.infoHash)).uri()
            got = run([*TOOL, "get", "--no-lsd", "--dht-bootstrap", node, magnet, "-o", "out"], here)
            assert got.status == 0, got
            content.check(here / "out")
            sampled = run([*ask, "sample", node], here)
            assert (sampled.status, sampled.out) == (0, content.infoHash + "\n"), sampled
            # What C{get} ran is in tables still and no more there: the search ends with the time.
            search = ["--bootstrap", node, "--timeout", "2"]
            peers = run([*ask, "get-peers", content.infoHash, *search], here)
            assert peers.status == 0, peers
            assert f"{HOST}:{port}" in peers.out.splitlines(), peers


def test_slowNames(here: Path) -> None:
    """SIGTERM ends C{get} and the daemon promptly although a name server does not answer."""
    for argv in (GET, daemon()):
        slow = (
            "import socket, time; look = socket.getaddrinfo; socket.getaddrinfo = "
            "lambda host, *more: time.sleep(60) if host == 'slow.invalid' else look(host, *more); "
        )
        argv = [argv[0], "-c", slow + argv[2], *argv[3:]]
        link = "magnet:?xt=urn:btih:" + "07" * 20 + "&dn=x&x.pe=slow.invalid:1&tr=udp://slow.invalid:1/"
        with running([*argv, link], here) as process:
            process.until("x: fetching metadata from 0 peers")
            assert process.stop() in (128 + signal.SIGTERM, -signal.SIGTERM)
