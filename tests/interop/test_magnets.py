"""
Magnet links between our engine and the programs of others: the metadata comes from a peer, and then
the content.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from tests.interop.aria2 import Aria2Peer
from tests.interop.conftest import Start
from tests.interop.libtorrent_peer import LibtorrentPeer
from tests.interop.onreactor import onReactor
from tests.interop.ours import OurPeer
from tests.interop.processes import Reactor, until
from tests.interop.swarmfiles import Content, makeContent, oddSizes
from tests.interop.test_dht import HOST, LibtorrentDht
from tests.interop.tracker import OpentrackerProcess
from tests.interop.transmission import TransmissionPeer
from twisted_bt.errors import PeerDisconnected
from twisted_bt.torrent.magnet import Magnet

#: Enough for them to need each other, few enough for a small machine.
DHT_NODES = 8

#: For libtorrent among nodes that are all on one address, which elsewhere would look like an attack.
THEIR_DHT = {
    "enable_dht": True,
    "dht_bootstrap_nodes": "",
    "dht_restrict_routing_ips": False,
    "dht_restrict_search_ips": False,
    "dht_prefer_verified_node_ids": False,
    "dht_enforce_node_id": False,
    "dht_block_ratelimit": 10_000,
}


@pytest.fixture
def content(tmp_path: Path) -> Content:
    """Files with long names, so that the metadata takes several pieces."""
    many = {f"many/{'long name ' * 10}{number}.txt": 3 for number in range(250)}
    return makeContent(tmp_path, oddSizes(1_000_000) | many)


@pytest.fixture
def other(request: pytest.FixtureRequest) -> Start:
    """Starts the program that the test's parameter names."""
    start: Start = request.getfixturevalue(request.param)
    return start


def link(content: Content, *peers: OurPeer, **more: tuple[str, ...]) -> str:
    """A magnet link that names these peers."""
    addresses = tuple((peer.host, peer.port) for peer in peers)
    return Magnet(bytes.fromhex(content.infoHash), peers=addresses, **more).uri()  # type: ignore[arg-type]


@pytest.mark.parametrize("other", ["libtorrent", "transmission", "aria2"], indirect=True)
@onReactor
async def test_oursByMagnet(
    reactor: Reactor, tmp_path: Path, content: Content, ours: Start, other: Start
) -> None:
    """From a link that names one peer (C{x.pe}) and no tracker, metadata and content come to us."""
    seeder = await other()
    await seeder.add(content.torrent, content.folder)
    await seeder.waitComplete(content.infoHash)
    leecher: OurPeer = await ours()
    swarm = await leecher.addMagnet(link(content, seeder), tmp_path / "to").addTimeout(20.0, reactor)
    assert len(swarm.metainfo.infoBytes) > 2 << 14
    await leecher.waitComplete(content.infoHash, 30.0)
    content.check(tmp_path / "to")


@onReactor
async def test_fromOursToLibtorrent(tmp_path: Path, content: Content, ours: Start, libtorrent: Start) -> None:
    """libtorrent gets both from us, whom it dials."""
    seeder: OurPeer = await ours()
    await seeder.add(content.torrent, content.folder, seed=True)
    leecher: LibtorrentPeer = await libtorrent()
    await leecher.addMagnet(link(content), tmp_path / "to")
    await leecher.connectPeer(content.infoHash, seeder.host, seeder.port)
    await leecher.waitComplete(content.infoHash, 30.0)
    content.check(tmp_path / "to", emptyToo=False)


@onReactor
async def test_fromOursToTransmission(
    reactor: Reactor, tmp_path: Path, content: Content, ours: Start, transmission: Start
) -> None:
    """
    Transmission gets both from us, who dial it: twice, since it parts from everybody once it has the
    metadata.
    """
    seeder: OurPeer = await ours()
    await seeder.add(content.torrent, content.folder, seed=True)
    leecher: TransmissionPeer = await transmission()
    await leecher.addMagnet(link(content), tmp_path / "to")
    swarm = seeder.swarm(content.infoHash)

    async def complete() -> bool:
        if not swarm.connectedPeers:
            with suppress(PeerDisconnected):
                await swarm.connectPeer(leecher.host, leecher.port)
        return bool((await leecher.status(content.infoHash))["percentDone"] == 1)

    await until(reactor, complete, "Transmission's download", 40.0, 0.2)
    await leecher.waitComplete(content.infoHash)
    content.check(tmp_path / "to", emptyToo=False)


@onReactor
async def test_fromOursToAria2(
    reactor: Reactor, tmp_path: Path, content: Content, ours: Start, aria2: Start, opentracker: Start
) -> None:
    """aria2 finds us through the tracker that its link names, and gets both."""
    tracker: OpentrackerProcess = await opentracker()
    await tracker.allow(content.infoHash)
    seeder: OurPeer = await ours()
    await seeder.add(content.withTrackers(tracker.httpUrl), content.folder, seed=True)
    await until(reactor, lambda: tracker.seeders(content.infoHash), "our announce")
    leecher: Aria2Peer = await aria2()
    await leecher.addMagnet(link(content, trackers=(tracker.httpUrl,)), tmp_path / "to", content.infoHash)
    await leecher.waitComplete(content.infoHash, 30.0)
    content.check(tmp_path / "to", emptyToo=False)


@onReactor
async def test_nothingButTheLink(
    reactor: Reactor, tmp_path: Path, content: Content, ours: Start, libtorrent: Start
) -> None:
    """
    A link of an info-hash alone is enough: ours and libtorrent find our seeder in the DHT, where it
    announced itself, and get metadata and content.
    """
    dht = LibtorrentDht(reactor, tmp_path / "dht", nodes=DHT_NODES)
    try:
        ports = await dht.ask("ports")
        seeder: OurPeer = await ours(dht=True, dhtRouters=((HOST, ports[0]),))
        await seeder.add(content.torrent, content.folder, seed=True)

        async def found() -> bool:
            peers = await dht.ask("getPeers", node=5, infoHash=content.infoHash, seconds=1.0)
            return bool(peers == [f"{HOST}:{seeder.port}"])

        await until(reactor, found, "our seeder being found by one of theirs", 40.0, 0.2)
        leecher: OurPeer = await ours(dht=True, dhtRouters=((HOST, ports[1]),))
        theirs: LibtorrentPeer = await libtorrent(**THEIR_DHT)
        await theirs.addNode(HOST, ports[2])
        await theirs.addMagnet(link(content), tmp_path / "theirs")
        adding = leecher.addMagnet(link(content), tmp_path / "to")
        await adding.addTimeout(40.0, reactor)
        await leecher.waitComplete(content.infoHash, 30.0)
        content.check(tmp_path / "to")
        await theirs.waitComplete(content.infoHash, 30.0)
        content.check(tmp_path / "theirs", emptyToo=False)
    finally:
        await dht.program.stop()
