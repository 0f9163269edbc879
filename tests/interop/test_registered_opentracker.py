"""
Our registered torrents and opentracker: announced over UDP and HTTP without being open, and taken leave of.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.shelf import dataOf, makeShelf, metafileOf
from tests.interop.conftest import Start
from tests.interop.onreactor import onReactor
from tests.interop.ours import OurPeer
from tests.interop.processes import Reactor, until
from twisted_bt import ClientSession
from twisted_bt.sessions.torrentmap import TorrentLoc
from twisted_bt.torrent.metainfo import Metainfo

#: Few enough to be announced within seconds.
COUNT = 8


@pytest.mark.parametrize("scheme", ["udp", "http"])
@onReactor
async def test_announced(scheme: str, reactor: Reactor, opentracker: Start, tmp_path: Path) -> None:
    """It counts us as a seeder of each while no swarm is open; one that is unregistered it forgets."""
    tracker = await opentracker()
    url = tracker.udpUrl if scheme == "udp" else tracker.httpUrl
    makeShelf(tmp_path, COUNT, url, pieces=1)
    paths = [metafileOf(tmp_path, number) for number in range(COUNT)]
    hashes = [Metainfo.fromBytes(path.read_bytes()).wireHash for path in paths]
    await tracker.allow(*(each.hex() for each in hashes))
    client: ClientSession = (await OurPeer.start(reactor, tmp_path / "state")).client
    try:
        outcome = await client.registerTorrents(TorrentLoc(path, dataOf(tmp_path)) for path in paths)
        assert outcome.count == COUNT
        await until(
            reactor, lambda: all(tracker.seeders(each.hex()) == 1 for each in hashes), "announces", 30
        )
        assert client.getSwarmCount() == 0
        assert client.herald.answers >= COUNT  # it may refuse one while it reads its list
        await client.unregisterTorrent(hashes[0])
        await until(reactor, lambda: tracker.seeders(hashes[0].hex()) == 0, "a farewell", 30)
    finally:
        await client.stopService()
    assert all(tracker.seeders(each.hex()) == 0 for each in hashes)
