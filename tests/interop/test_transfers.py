"""
Our engine and the programs of others exchange content, in both directions; all files are compared.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.interop.conftest import Start
from tests.interop.namespace import Namespace
from tests.interop.onreactor import onReactor
from tests.interop.ours import OurPeer
from tests.interop.processes import Reactor, until
from tests.interop.swarmfiles import makeContent, oddSizes
from tests.interop.tracker import OpentrackerProcess
from tests.interop.transmission import TransmissionPeer
from twisted_bt import Registered, TorrentLoc

OTHERS = ("libtorrent", "transmission", "aria2")


@pytest.fixture
def other(request: pytest.FixtureRequest) -> Start:
    """Starts the program that the test's parameter names."""
    start: Start = request.getfixturevalue(request.param)
    return start


@pytest.mark.parametrize("other", OTHERS, indirect=True)
@pytest.mark.parametrize("kind", ["httpUrl", "udpUrl"])
@onReactor
async def test_oursDownloads(
    tmp_path: Path, ours: Start, other: Start, opentracker: Start, kind: str
) -> None:
    """Found through a real tracker, over HTTP and over UDP, another's seeder gives us odd files."""
    tracker = await opentracker()
    content = makeContent(tmp_path, oddSizes(2_000_000), trackers=[getattr(tracker, kind)])
    await tracker.allow(content.infoHash)
    seeder = await other()
    await seeder.add(content.torrent, content.folder)
    await seeder.waitComplete(content.infoHash)
    if isinstance(seeder, TransmissionPeer):
        await seeder.waitAnnounced(content.infoHash)
    await until(seeder._reactor, lambda: tracker.seeders(content.infoHash), "the seeder's announce")
    leecher = await ours()
    await leecher.add(content.torrent, tmp_path / "to")
    await leecher.waitComplete(content.infoHash, 30.0)
    content.check(tmp_path / "to")
    progress = leecher.swarm(content.infoHash).progress
    assert (progress.downloaded, progress.left) == (content.size, 0)


@pytest.mark.parametrize("other", ["libtorrent", "aria2"], indirect=True)
@pytest.mark.parametrize("kind", ["httpUrl", "udpUrl"])
@onReactor
async def test_oursSeeds(tmp_path: Path, ours: Start, other: Start, opentracker: Start, kind: str) -> None:
    """Another's leecher finds our seeder through a real tracker and gets all of it."""
    await _weSeed(tmp_path, await opentracker(), await ours(), await other(), kind)


@pytest.mark.parametrize("kind", ["httpUrl", "udpUrl"])
@onReactor
async def test_oursSeedsToTransmission(
    tmp_path: Path, ours: Start, transmission: Start, opentracker: Start, namespace: Namespace, kind: str
) -> None:
    """So does Transmission's, in a network of its own, since it dials nobody on loopback."""
    tracker = await opentracker(host=namespace.outside)
    seeder = await ours(host=namespace.outside)
    leecher = await transmission(host=namespace.inside, within=namespace.command())
    await _weSeed(tmp_path, tracker, seeder, leecher, kind)


async def _weSeed(
    tmp_path: Path, tracker: OpentrackerProcess, seeder: OurPeer, leecher: Any, kind: str
) -> None:
    content = makeContent(tmp_path, oddSizes(2_000_000), trackers=[getattr(tracker, kind)])
    await tracker.allow(content.infoHash)
    await seeder.add(content.torrent, content.folder, seed=True)
    await until(seeder._reactor, lambda: tracker.seeders(content.infoHash), "our announce")
    await leecher.add(content.torrent, tmp_path / "to")
    await leecher.waitComplete(content.infoHash, 30.0)
    content.check(tmp_path / "to", emptyToo=False)
    assert seeder.swarm(content.infoHash).progress.uploaded >= content.size


@onReactor
async def test_fourFromOneSeeder(
    reactor: Reactor,
    tmp_path: Path,
    ours: Start,
    libtorrent: Start,
    transmission: Start,
    aria2: Start,
    opentracker: Start,
) -> None:
    """Ours, libtorrent, Transmission and aria2 download from one seeder, and one another, and finish."""
    tracker = await opentracker()
    content = makeContent(tmp_path, oddSizes(4_000_000), trackers=[tracker.httpUrl, tracker.udpUrl])
    await tracker.allow(content.infoHash)
    peers = [await transmission(), await libtorrent(), await aria2(), await ours()]
    folders = [tmp_path / f"by {type(peer).__name__}" for peer in peers]
    for peer, folder in zip(peers, folders, strict=True):
        folder.mkdir()
        await peer.add(content.torrent, folder)
        if isinstance(peer, TransmissionPeer):
            await peer.waitAnnounced(content.infoHash)
    seeder = await libtorrent()
    await seeder.add(content.torrent, content.folder, seed=True)
    for peer, folder in zip(peers, folders, strict=True):
        await peer.waitComplete(content.infoHash, 45.0)
        content.check(folder, emptyToo=isinstance(peer, OurPeer))


@onReactor
async def test_registeredIsOpenedByAPeer(tmp_path: Path, ours: Start, libtorrent: Start) -> None:
    """A torrent that is only registered opens when libtorrent asks for it, and is seeded verified."""
    content = makeContent(tmp_path, oddSizes(1_000_000))
    seeder: OurPeer = await ours()
    infoHash = await seeder.client.registerTorrent(TorrentLoc(content.torrent, content.folder))
    assert isinstance(seeder.client.torrentPresence(infoHash), Registered)
    leecher = await libtorrent()
    await leecher.add(content.torrent, tmp_path / "to")
    await leecher.connectPeer(content.infoHash, "127.0.0.1", seeder.port)
    await leecher.waitComplete(content.infoHash, 30.0)
    content.check(tmp_path / "to", emptyToo=False)
    assert seeder.client.getSwarmCount() == 1
