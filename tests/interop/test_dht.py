"""
Our DHT node among twenty of libtorrent's, on 127.0.0.1.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from random import SystemRandom
from typing import Any
from unittest import SkipTest

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError

from tests.interop.onreactor import asyncYieldFixture, onReactor
from tests.interop.processes import Program, Reactor, until
from tests.interop.programs import requireModule
from twisted_bt.dht.service import DhtNode
from twisted_bt.dht.settings import DhtSettings
from twisted_bt.torrent.addresses import PeerAddr

_WORKER = Path(__file__).with_name("dht_worker.py")
HOST = "127.0.0.1"
NODES = 20


class LibtorrentDht:
    """
    A private DHT.

    @ivar ports: of its nodes.
    """

    def __init__(self, reactor: Reactor, folder: Path, bootstrap: str = "", nodes: int = NODES) -> None:
        requireModule("libtorrent")
        options = json.dumps({"nodes": nodes, "bootstrap": bootstrap})
        self.program = Program.start(reactor, [sys.executable, "-u", str(_WORKER), options], folder)
        self.ports: list[int] = []
        self._number = 0

    def ask(self, do: str, **arguments: Any) -> Deferred[Any]:
        """The answer to one of the worker's C{do_} methods."""
        self._number += 1
        number = self._number

        def isAnswer(line: str) -> bool:
            return line.startswith(f'{{"id": {number},')

        answered = self.program.untilLine(isAnswer, 30.0)
        self.program.send(json.dumps({"id": number, "do": do, **arguments}))
        return answered.addCallback(lambda line: json.loads(line)["result"])


def ourNode(reactor: Reactor, bootstrap: int, state: bytes = b"", **settings: Any) -> DhtNode:
    """One of ours, that knows of one port to begin with (0: of none)."""
    chosen = DhtSettings(routers=((HOST, bootstrap),) if bootstrap else (), floodRate=1000.0, **settings)
    return DhtNode(reactor, SystemRandom(), 0, (HOST,), state, chosen)


@asyncYieldFixture
async def theirs(reactor: Reactor, tmp_path: Path) -> AsyncIterator[LibtorrentDht]:
    """Twenty nodes of libtorrent's, each of which knows a few others."""
    dht = LibtorrentDht(reactor, tmp_path / "dht")
    dht.ports = await dht.ask("ports")
    yield dht
    await dht.program.stop()


@asyncYieldFixture
async def ours(reactor: Reactor, theirs: LibtorrentDht) -> AsyncIterator[DhtNode]:
    """A node of ours that joined them from the address of one."""
    node = ourNode(reactor, theirs.ports[0])
    node.startService()
    await node.whenJoined()
    await until(reactor, lambda: node.nodeCount >= 10, "ours knowing many of theirs", 40.0)
    yield node
    await node.stopService()


@onReactor
async def test_joins(reactor: Reactor, ours: DhtNode, theirs: LibtorrentDht) -> None:
    """From one address ours comes to know most of the others, and others come to know ours."""
    await until(reactor, lambda: ours.nodeCount >= 11, "ours knowing most of theirs", 40.0)

    async def known() -> bool:
        count: int = await theirs.ask("knowing", port=ours.port, nodeId=ours.nodeId.hex())
        return count >= 5

    await until(reactor, known, "ours being known by theirs", 90.0, 0.5)


@onReactor
async def test_announces(ours: DhtNode, theirs: LibtorrentDht) -> None:
    """What ours announced libtorrent finds."""
    infoHash = SystemRandom().randbytes(20)
    assert await ours.announce(infoHash, 4321) >= 4
    peers = await theirs.ask("getPeers", node=13, infoHash=infoHash.hex())
    assert peers == [f"{HOST}:4321"]


@onReactor
async def test_finds(reactor: Reactor, ours: DhtNode, theirs: LibtorrentDht) -> None:
    """What libtorrent announced ours finds, and hands on before the search is over."""
    infoHash = SystemRandom().randbytes(20)
    await theirs.ask("announce", node=7, infoHash=infoHash.hex(), port=5432)
    early: list[PeerAddr] = []

    async def found() -> list[PeerAddr]:
        early.clear()
        return await ours.getPeers(infoHash, early.extend)

    peers = await until(reactor, found, "the announced peer", 20.0, 0.5)
    assert peers == [PeerAddr(HOST, 5432)] == early


@onReactor
async def test_isAsked(reactor: Reactor, tmp_path: Path) -> None:
    """Twenty nodes of libtorrent's that know nobody but ours form a DHT through it."""
    ours = ourNode(reactor, 0)
    ours.startService()
    dht = LibtorrentDht(reactor, tmp_path / "dht", f"{HOST}:{ours.port}")
    try:
        dht.ports = await dht.ask("ports")
        infoHash = SystemRandom().randbytes(20).hex()

        async def found() -> bool:
            await dht.ask("announce", node=3, infoHash=infoHash, port=6543)
            peers = await dht.ask("getPeers", node=17, infoHash=infoHash, seconds=1.0)
            return bool(peers == [f"{HOST}:6543"])

        await until(reactor, found, "one of theirs finding another through ours", 60.0, 0.5)
        assert ours.nodeCount >= 8
    finally:
        await dht.program.stop()
        await ours.stopService()


@onReactor
async def test_scrapesAndSamples(reactor: Reactor, ours: DhtNode, theirs: LibtorrentDht) -> None:
    """libtorrent's nodes tell how many peers a torrent has, and what they store (BEP 33, 51)."""
    infoHash = SystemRandom().randbytes(20)
    assert await ours.announce(infoHash, 4321, seed=True) >= 4
    scraped = await ours.scrape(infoHash)
    assert scraped is not None
    assert (scraped.seeds, scraped.leechers) == (1, 0)
    near = await ours.findNode(infoHash)
    samples = await ours.sample(near[0].addr, infoHash)
    assert infoHash in samples.infoHashes
    assert samples.nodes


@onReactor
async def test_remembers(reactor: Reactor, ours: DhtNode, theirs: LibtorrentDht) -> None:
    """With its state and nothing else a node joins again, under the same id."""
    state, nodeId = ours.state(), ours.nodeId
    await ours.stopService()
    again = ourNode(reactor, 0, state)
    again.startService()
    try:
        await again.whenJoined()
        assert again.nodeId == nodeId
        assert again.nodeCount >= 8
    finally:
        await again.stopService()


@onReactor
async def test_bothFamilies(reactor: Reactor) -> None:
    """On real sockets one node of ours is there for IPv4 and for IPv6, on one port, under two ids."""
    both = DhtNode(reactor, SystemRandom(), 0, ("",), settings=DhtSettings(routers=(), floodRate=1000.0))
    both.startService()
    others = []
    try:
        ids = set()
        for host in (HOST, "::1"):
            settings = DhtSettings(routers=((host, both.port),))
            other = DhtNode(reactor, SystemRandom(), 0, (host,), settings=settings)
            try:
                other.startService()
            except CannotListenError as reason:
                raise SkipTest(f"no {host} here: {reason}") from reason
            others.append(other)
            ids.add(await other.ping(PeerAddr(host, both.port)))
        assert len(ids) == 2
        await until(reactor, lambda: both.nodeCount == 2, "being known by both")
    finally:
        for each in (both, *others):
            await each.stopService()
