"""
The examples in C{docs/examples} run, and do what they say.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from tests.interop.onreactor import asyncYieldFixture, onReactor
from tests.interop.processes import Program, Reactor
from tests.interop.swarmfiles import makeContent, oddSizes
from twisted_bt import ClientSession, Settings

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"

Run = Callable[..., Program]


@asyncYieldFixture
async def run(reactor: Reactor, tmp_path: Path) -> AsyncIterator[Run]:
    """C{run("share", ...)} starts an example with those arguments; all are ended after the test."""
    started: list[Program] = []

    def begin(name: str, *arguments: Any) -> Program:
        argv = [sys.executable, "-u", str(EXAMPLES / f"{name}.py"), *map(str, arguments)]
        program = Program.start(reactor, argv, tmp_path / "cwd", {"PYTHONPATH": str(ROOT)})
        started.append(program)
        return program

    yield begin
    for program in started:
        await program.stop()


@onReactor
async def test_shareAndDownload(tmp_path: Path, run: Run) -> None:
    """What one example shares another downloads, found through the tracker of the first."""
    content = makeContent(tmp_path, oddSizes())
    torrent = tmp_path / "shared.torrent"
    sharing = run("share", content.folder / content.name, torrent)
    await sharing.untilLine(lambda line: line.startswith("sharing "), 20.0)
    downloading = run("download", torrent, tmp_path / "to")
    await downloading.untilLine(lambda line: line.startswith("content is in"), 30.0)
    await downloading.wait(10.0)
    content.check(tmp_path / "to")


@onReactor
async def test_downloadFromPeer(reactor: Reactor, tmp_path: Path, run: Run) -> None:
    """A peer that was named is enough, where a torrent has no tracker."""
    content = makeContent(tmp_path, 100_001)
    client = ClientSession(reactor, Settings(interfaces=("127.0.0.1",)))
    client.startService()
    try:
        await client.addTorrent(content.torrent, content.folder)
        downloading = run("download", content.torrent, tmp_path / "to", f"127.0.0.1:{client.listenerPort}")
        await downloading.untilLine(lambda line: line.startswith("content is in"), 30.0)
        content.check(tmp_path / "to")
    finally:
        await client.stopService()


@onReactor
async def test_plugins(reactor: Reactor, tmp_path: Path) -> None:
    """Two clients with all plug-ins of the examples exchange a torrent, and greet one another."""
    from tests.test_examples import example
    from twisted_bt import Plugins

    heard: list[Any] = []

    def plugins() -> Plugins:
        greeting = example("extension")["Greeting"](f"hello {len(heard)}")
        heard.append(greeting)
        return Plugins(
            picker=example("picker")["endsFirst"],
            choker=example("choker")["NewcomersToo"],
            peerPolicy=example("policy")["HouseRules"],
            storageFactory=example("storage")["InMemory"]() if len(heard) > 1 else None,
            extensions=lambda metainfo: [greeting],
        )

    content = makeContent(tmp_path, oddSizes())
    settings = Settings(interfaces=("127.0.0.1",))
    seeder, leecher = ClientSession(reactor, settings, plugins()), ClientSession(reactor, settings, plugins())
    greetings: list[str] = []
    for each in heard:
        each.received = lambda peer, payload: greetings.append(payload.decode())
    try:
        for client in (seeder, leecher):
            client.startService()
        assert seeder.listenerPort is not None
        await (await seeder.addTorrent(content.torrent, content.folder)).whenComplete()
        swarm = await leecher.addTorrent(content.torrent, tmp_path / "nowhere")
        await swarm.connectPeer("127.0.0.1", seeder.listenerPort)
        await swarm.whenComplete()
        assert sorted(greetings) == ["hello 0", "hello 1"]
        assert not (tmp_path / "nowhere").exists()
    finally:
        for client in (leecher, seeder):
            await client.stopService()
