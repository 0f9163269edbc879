"""
A real client's connections are recorded, and the recording plays in a simulation.
"""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from random import Random

from tests.interop.onreactor import onReactor
from tests.interop.processes import Reactor
from tests.interop.swarmfiles import makeContent
from twisted_bt.exchange.picker import Sequential
from twisted_bt.sessions.client import ClientSession
from twisted_bt.sessions.engine import Plugins
from twisted_bt.settings import Settings
from twisted_bt.testing.network import Network
from twisted_bt.testing.recording import Recorder, Recording
from twisted_bt.testing.replaying import Pace, Replay
from twisted_bt.testing.swarm import FOLDER, SimulatedStorages
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.create import createMetainfo

PLUGINS = Plugins(picker=lambda random: Sequential())


@onReactor
async def test_replayed(reactor: Reactor, tmp_path: Path) -> None:
    """What a real seeder said to a real leecher is enough for a new one to complete, in a simulation."""
    content = makeContent(tmp_path, {"a": 300_000, "b/c": 1})
    metainfo = createMetainfo(content.folder / content.name, pieceLength=1 << 15)
    here = Settings(interfaces=("127.0.0.1",))
    seeder = ClientSession(reactor, here, PLUGINS)
    file = StringIO()
    recorder = Recorder(file.write, reactor.seconds, "real")
    leecher = ClientSession(recorder.on(reactor), here, PLUGINS)
    for each in (seeder, leecher):
        each.startService()
    try:
        await (await seeder.addTorrent(metainfo, content.folder)).whenComplete()
        swarm = await leecher.addTorrent(metainfo, tmp_path / "copy")
        await swarm.connectPeer("127.0.0.1", seeder.listenerPort or 0)
        await swarm.whenComplete()
        content.check(tmp_path / "copy")
    finally:
        await leecher.stopService()
        await seeder.stopService()

    recording = Recording.read(file.getvalue().splitlines())
    assert recording.note == "real"
    (conversation,) = recording.peers()
    assert conversation.dialled
    assert conversation.there == f"127.0.0.1:{conversation.there.rpartition(':')[2]}"
    assert len(conversation.bytesOf(received=True)) > 300_000

    network = Network(1)
    host = network.host()
    storages = SimulatedStorages()
    client = ClientSession(
        host, Settings(), host.plugins(storageFactory=storages, picker=PLUGINS.picker), Random(1)
    )
    storages.client = client
    client.startService()
    session = network.runUntil(client.addTorrent(metainfo, FOLDER))

    class Target:
        def __init__(self) -> None:
            self.session = session

        @property
        def address(self) -> PeerAddr:
            return PeerAddr(host.address, client.listenerPort or 0)

    replay = Replay(recording, network, Pace.ANSWERED)
    replay.against(Target())
    network.runUntil(session.whenComplete(), 600)
    replay.stop()
    network.runUntil(client.stopService())
    assert host.leftovers() == []
    assert network.failures == []
