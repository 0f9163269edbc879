"""
Our trackers and their clients over real sockets, and libtorrent as a client of our tracker.
"""

from __future__ import annotations

import datetime
import ipaddress
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet.defer import Deferred
from twisted.internet.ssl import PrivateCertificate, trustRootFromCertificates
from twisted.internet.task import deferLater
from twisted.web.client import BrowserLikePolicyForHTTPS

from tests.interop.conftest import Start
from tests.interop.onreactor import asyncYieldFixture, onReactor
from tests.interop.processes import Reactor
from tests.interop.swarmfiles import makeContent
from tests.tracker.web import raw
from twisted_bt.errors import TrackerError
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.tracker.agent import DirectEndpoints
from twisted_bt.tracker.announce import AnnounceRequest, Event, ScrapeEntry
from twisted_bt.tracker.http import HttpTrackerClient
from twisted_bt.tracker.peerstore import PeerStore
from twisted_bt.tracker.resource import TrackerResource, TrackerSite
from twisted_bt.tracker.server import TrackerService
from twisted_bt.tracker.udp import UdpTrackerClient

HASH = bytes(range(20))


def announcing(port: int, left: int = 1) -> AnnounceRequest:
    """What the peer at C{port} says."""
    return AnnounceRequest(HASH, b"-XX0001-%012d" % port, port, 0, 0, left, Event.STARTED)


@pytest.fixture
def nothingLeft(reactor: Reactor) -> Any:
    """Checks that what a test opened is gone: sockets and delayed calls."""
    before = _open(reactor)

    async def check() -> None:
        await deferLater(reactor, 0)
        assert _open(reactor) <= before

    return check


def _open(reactor: Reactor) -> set[Any]:
    return {*reactor.getReaders(), *reactor.getWriters(), *reactor.getDelayedCalls()}


@asyncYieldFixture
async def clients(reactor: Reactor) -> AsyncIterator[tuple[HttpTrackerClient, UdpTrackerClient]]:
    """Ours, closed after the test."""
    made = (HttpTrackerClient(reactor, timeout=10), UdpTrackerClient(reactor, Random(1), timeout=10))
    yield made
    for each in made:
        await each.close()


@pytest.mark.parametrize("interface", ["127.0.0.1", "::1"])
@onReactor
async def test_ourTracker(
    reactor: Reactor,
    clients: tuple[HttpTrackerClient, UdpTrackerClient],
    interface: str,
    nothingLeft: Any,
) -> None:
    """Peers that come by HTTP and by UDP, over IPv4 or IPv6, are told of each other; then all is closed."""
    service = TrackerService(reactor, Random(1), interface=interface)
    service.startService()
    byHttp, byUdp = clients
    httpUrl, udpUrl = service.announceURLs
    assert (await byHttp.announce(httpUrl, announcing(1, left=0))).peers == ()
    assert (await byUdp.announce(udpUrl, announcing(2))).peers == (PeerAddr(interface, 1),)
    last = await byHttp.announce(httpUrl, announcing(1, left=0))
    assert last.peers == (PeerAddr(interface, 2),)
    assert last.externalIp == interface
    for client, url in ((byHttp, httpUrl), (byUdp, udpUrl)):
        assert await client.scrape(url, [HASH]) == {HASH: ScrapeEntry(1, 1, 0)}
    await service.stopService()
    await byHttp.close()
    await byUdp.close()
    await nothingLeft()


@onReactor
async def test_dualStack(reactor: Reactor, clients: tuple[HttpTrackerClient, UdpTrackerClient]) -> None:
    """A tracker on all addresses serves both families by one port."""
    service = TrackerService(reactor, Random(1), interface="::")
    service.startService()
    byHttp, byUdp = clients
    try:
        await byHttp.announce(f"http://127.0.0.1:{service.httpPort}/announce", announcing(1))
        four = await byUdp.announce(f"udp://127.0.0.1:{service.udpPort}", announcing(2))
        assert four.peers == (PeerAddr("127.0.0.1", 1),)
        six = await byHttp.announce(f"http://[::1]:{service.httpPort}/announce", announcing(3))
        assert set(six.peers) == {PeerAddr("127.0.0.1", 1), PeerAddr("127.0.0.1", 2)}
    finally:
        await service.stopService()


@onReactor
async def test_hungServer(reactor: Reactor, nothingLeft: Any) -> None:
    """A server that accepts and says nothing: closing ends what is under way, and leaves nothing."""
    server = reactor.listenTCP(0, raw(b"", closes=False), interface="127.0.0.1")
    client = HttpTrackerClient(reactor, timeout=600)
    asked: Deferred[Any] = client.announce(
        f"http://127.0.0.1:{server.getHost().port}/announce", announcing(1)
    )
    await deferLater(reactor, 0.1)
    assert not asked.called
    await client.close()
    with pytest.raises(TrackerError):
        await asked
    await server.stopListening()
    await deferLater(reactor, 0.1)  # the other end of the connection is the test's own
    await nothingLeft()


@onReactor
async def test_silentUdp(reactor: Reactor) -> None:
    """A port that nobody answers at has the time limit."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        client = UdpTrackerClient(reactor, Random(1), timeout=0.3, retransmit=0.1)
        with pytest.raises(TrackerError):
            await client.announce(f"udp://127.0.0.1:{silent.getsockname()[1]}", announcing(1))
        silent.setblocking(False)
        sent = [silent.recv(100) for _ in range(2)]
        assert sent[0][:12] == sent[1][:12] != b""
        await client.close()


def _certificate(host: str) -> PrivateCertificate:
    """A certificate of C{host}'s own making."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tracker")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    loaded: PrivateCertificate = PrivateCertificate.loadPEM(
        pem + made.public_bytes(serialization.Encoding.PEM)
    )
    return loaded


@onReactor
async def test_https(reactor: Reactor, nothingLeft: Any) -> None:
    """A tracker over TLS is asked where its certificate is trusted, and is not where it is not."""
    certificate = _certificate("127.0.0.1")
    store = PeerStore(reactor.seconds, Random(1))
    site = TrackerSite(TrackerResource(store), timeout=None, reactor=reactor)
    server = reactor.listenSSL(0, site, certificate.options(), interface="127.0.0.1")
    url = f"https://127.0.0.1:{server.getHost().port}/announce"
    policy = BrowserLikePolicyForHTTPS(trustRootFromCertificates([certificate]))
    trusting = HttpTrackerClient(reactor, timeout=10, endpoints=DirectEndpoints(reactor, policy))
    await trusting.announce(url, announcing(1))
    assert (await trusting.announce(url, announcing(2))).peers == (PeerAddr("127.0.0.1", 1),)
    careful = HttpTrackerClient(reactor, timeout=10)
    with pytest.raises(TrackerError) as caught:
        await careful.announce(url, announcing(3))
    assert "certificate" in str(caught.value)
    await trusting.close()
    await careful.close()
    await server.stopListening()
    await deferLater(reactor, 0.1)
    await nothingLeft()


@pytest.mark.parametrize("position", [0, 1], ids=["http", "udp"])
@onReactor
async def test_libtorrent(reactor: Reactor, libtorrent: Start, tmp_path: Path, position: int) -> None:
    """Two libtorrent sessions find each other by our tracker and by nothing else."""
    service = TrackerService(reactor, Random(1), interface="127.0.0.1", interval=60)
    service.startService()
    try:
        url = service.announceURLs[position]
        content = makeContent(tmp_path / "content", {"a": 300_000}, trackers=[url])
        alone: dict[str, Any] = {"enable_dht": False, "enable_lsd": False}
        seeder, leecher = await libtorrent(**alone), await libtorrent(**alone)
        infoHash = await seeder.add(content.torrent, content.folder, seed=True)
        while service.store.counts(bytes.fromhex(infoHash)) is None:
            await deferLater(reactor, 0.05)
        (tmp_path / "got").mkdir()
        await leecher.add(content.torrent, tmp_path / "got")
        await leecher.waitComplete(infoHash)
        content.check(tmp_path / "got")
        counts = service.store.counts(bytes.fromhex(infoHash))
        assert counts is not None
        assert counts.complete + counts.incomplete == 2
    finally:
        await service.stopService()
