"""
Local discovery over real multicast: among ourselves, and with libtorrent on a network of two.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import SystemRandom
from typing import Any

from twisted.internet.protocol import Protocol, ServerFactory

from tests.interop.conftest import Start
from tests.interop.namespace import Namespace
from tests.interop.onreactor import asyncYieldFixture, onReactor
from tests.interop.processes import Reactor, until
from tests.interop.swarmfiles import makeContent
from twisted_bt.discovery.localservice import LocalDiscovery
from twisted_bt.torrent.addresses import PeerAddr

HASH = bytes(range(20))


class Neighbour:
    """
    Our service.

    @ivar found: each info-hash with a peer.
    """

    def __init__(self, reactor: Reactor, port: int, interfaces: tuple[str, ...]) -> None:
        self.found: set[tuple[bytes, PeerAddr]] = set()
        self.service = LocalDiscovery(reactor, SystemRandom(), lambda: port, self._found, interfaces)
        self.service.startService()

    def _found(self, infoHash: bytes, addr: PeerAddr) -> None:
        self.found.add((infoHash, addr))


@asyncYieldFixture
async def neighbour(reactor: Reactor) -> AsyncIterator[Callable[..., Neighbour]]:
    """Starts a L{Neighbour}."""
    started: list[Neighbour] = []

    def start(port: int, *interfaces: str) -> Neighbour:
        started.append(Neighbour(reactor, port, interfaces))
        return started[-1]

    yield start
    for each in started:
        await each.service.stopService()


class _Counting(ServerFactory):
    """Accepts connections and remembers where they came from."""

    protocol = Protocol

    def __init__(self) -> None:
        self.seen: list[str] = []

    def buildProtocol(self, addr: Any) -> Protocol | None:
        self.seen.append(addr.host)
        return None


@onReactor
async def test_onLoopback(reactor: Reactor, neighbour: Callable[..., Neighbour]) -> None:
    """Two of ours on one host, on the same port, hear of each other; a third, in no swarm, of nobody."""
    a, b, c = (neighbour(port, "127.0.0.1") for port in (6881, 6882, 6883))
    a.service.register(HASH)
    b.service.register(HASH)
    await until(reactor, lambda: a.found and b.found, "both to hear of each other")
    assert a.found == {(HASH, PeerAddr("127.0.0.1", 6882))}
    assert b.found == {(HASH, PeerAddr("127.0.0.1", 6881))}
    assert not c.found


@onReactor
async def test_ipv6(reactor: Reactor, neighbour: Callable[..., Neighbour], namespace: Namespace) -> None:
    """Over IPv6 too, on the interface that we say and with its address."""
    address = "fd74:6274::1"
    number = namespace.addOutsideIPv6(address)
    a, b = (neighbour(port, f"{address}%{number}") for port in (6881, 6882))
    a.service.register(HASH)
    b.service.register(HASH)
    await until(reactor, lambda: a.found and b.found, "both to hear of each other")
    assert a.found == {(HASH, PeerAddr(address, 6882))}
    assert b.found == {(HASH, PeerAddr(address, 6881))}


@onReactor
async def test_libtorrent(
    tmp_path: Path,
    reactor: Reactor,
    neighbour: Callable[..., Neighbour],
    libtorrent: Start,
    namespace: Namespace,
) -> None:
    """libtorrent hears of us and dials us, and we hear of it, on a network where nothing else is."""
    content = makeContent(tmp_path, 100_000)
    infoHash = bytes.fromhex(content.infoHash)
    counting = _Counting()
    listening = reactor.listenTCP(0, counting, interface=namespace.outside)
    try:
        ours = neighbour(listening.getHost().port, namespace.outside)
        peer = await libtorrent(host=namespace.inside, within=namespace.command(), enable_lsd=True)
        await peer.add(content.torrent, tmp_path / "to", trackers=False)
        ours.service.register(infoHash)
        await until(reactor, lambda: ours.found, "libtorrent's announcement", 20.0)
        assert ours.found == {(infoHash, PeerAddr(namespace.inside, peer.port))}
        await until(reactor, lambda: counting.seen, "libtorrent to dial us", 20.0)
        assert set(counting.seen) == {namespace.inside}
    finally:
        await listening.stopListening()
