"""
Our tracker clients ask opentracker, over HTTP and over UDP.
"""

from __future__ import annotations

from random import Random

import pytest

from tests.interop.conftest import Start
from tests.interop.onreactor import onReactor
from tests.interop.processes import Reactor
from tests.interop.tracker import OpentrackerProcess
from twisted_bt.errors import TrackerError
from twisted_bt.interfaces import ITrackerClient
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.tracker.announce import AnnounceRequest, Event, ScrapeEntry
from twisted_bt.tracker.http import HttpTrackerClient
from twisted_bt.tracker.udp import UdpTrackerClient

# Bytes that mean something in a URL, and some that are no text.
HASH = b"\x00&=+%? /#\xff\xfe~.-_aZ09\n"
SCHEMES = pytest.mark.parametrize("scheme", ["http", "udp"])


def client(scheme: str, reactor: Reactor) -> ITrackerClient:
    """One of ours."""
    if scheme == "http":
        return HttpTrackerClient(reactor, timeout=10)
    return UdpTrackerClient(reactor, Random(1), timeout=10, retransmit=2)


def url(scheme: str, tracker: OpentrackerProcess) -> str:
    """Where that client finds the tracker."""
    return tracker.httpUrl if scheme == "http" else tracker.udpUrl


def announcing(port: int, left: int, event: Event = Event.NONE) -> AnnounceRequest:
    """What the peer at C{port} says."""
    return AnnounceRequest(HASH, b"-XX0001-%012d" % port, port, 0, 0, left, event, key=port)


@SCHEMES
@onReactor
async def test_toldOfEachOther(scheme: str, reactor: Reactor, opentracker: Start) -> None:
    """Two peers announce: each is told of the other, scrape counts them, and who stops is gone."""
    tracker = await opentracker()
    await tracker.allow(HASH.hex())
    ours, there = client(scheme, reactor), url(scheme, tracker)
    await ours.announce(there, announcing(7001, 0, Event.STARTED))
    second = await ours.announce(there, announcing(7002, 5, Event.STARTED))
    first = await ours.announce(there, announcing(7001, 0))
    # opentracker tells a peer of itself too; that is for the swarm to notice
    assert PeerAddr("127.0.0.1", 7001) in second.peers
    assert PeerAddr("127.0.0.1", 7002) in first.peers
    assert (first.complete, first.incomplete) == (1, 1)
    assert 60 <= first.interval <= 7200

    assert await ours.scrape(there, [HASH]) == {HASH: ScrapeEntry(1, 1, 0)}
    await ours.announce(there, announcing(7002, 0, Event.COMPLETED))
    assert await ours.scrape(there, [HASH]) == {HASH: ScrapeEntry(2, 0, 1)}

    await ours.announce(there, announcing(7001, 0, Event.STOPPED))
    last = await ours.announce(there, announcing(7002, 0))
    assert PeerAddr("127.0.0.1", 7001) not in last.peers
    assert last.complete == 1
    await ours.close()


@onReactor
async def test_refusal(reactor: Reactor, opentracker: Start) -> None:
    """A torrent that it does not serve: its reason is shown."""
    tracker = await opentracker()
    ours = HttpTrackerClient(reactor, timeout=10)
    with pytest.raises(TrackerError) as caught:
        await ours.announce(tracker.httpUrl, announcing(7001, 0, Event.STARTED))
    assert "not authorized" in caught.value.reason
    await ours.close()


@onReactor
async def test_bothProtocols(reactor: Reactor, opentracker: Start) -> None:
    """Whoever came by HTTP is told to who comes by UDP, and the other way round."""
    tracker = await opentracker()
    await tracker.allow(HASH.hex())
    byHttp, byUdp = client("http", reactor), client("udp", reactor)
    await byHttp.announce(tracker.httpUrl, announcing(7001, 0, Event.STARTED))
    told = await byUdp.announce(tracker.udpUrl, announcing(7002, 1, Event.STARTED))
    assert PeerAddr("127.0.0.1", 7001) in told.peers
    told = await byHttp.announce(tracker.httpUrl, announcing(7001, 0))
    assert PeerAddr("127.0.0.1", 7002) in told.peers
    await byHttp.close()
    await byUdp.close()
