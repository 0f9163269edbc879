"""
Peer exchange (BEP 11) between our engine and libtorrent: a third peer is learnt through it and nothing
else.
"""

from __future__ import annotations

from pathlib import Path

from tests.interop.conftest import Start
from tests.interop.libtorrent_peer import LibtorrentPeer
from tests.interop.onreactor import onReactor
from tests.interop.ours import OurPeer
from tests.interop.processes import Reactor, until
from tests.interop.swarmfiles import makeContent
from twisted_bt.torrent.addresses import PeerAddr


@onReactor
async def test_bothWays(reactor: Reactor, tmp_path: Path, ours: Start, libtorrent: Start) -> None:
    """
    Nobody has any content, and there is no tracker.  In one swarm ours and another are connected to
    libtorrent, in the other libtorrent and another to ours.  The two get to know each other, in either.
    """
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    first = makeContent(tmp_path / "first", 100_000)
    second = makeContent(tmp_path / "second", 100_000, seed=2)
    us: OurPeer = await ours()
    them: LibtorrentPeer = await libtorrent()
    for content in (first, second):
        await us.add(content.torrent, tmp_path / "ours")
        await them.add(content.torrent, tmp_path / "theirs")
    third: OurPeer = await ours()
    await third.add(first.torrent, tmp_path / "third")
    fourth: LibtorrentPeer = await libtorrent()
    await fourth.add(second.torrent, tmp_path / "fourth")
    await us.connectPeer(first.infoHash, them.host, them.port)
    await third.connectPeer(first.infoHash, them.host, them.port)
    await them.connectPeer(second.infoHash, us.host, us.port)
    await fourth.connectPeer(second.infoHash, us.host, us.port)

    def weLearnt() -> bool:
        sources = [
            swarm.meeting.known.get(PeerAddr(other.host, other.port))
            for swarm, other in ((us.swarm(first.infoHash), third), (third.swarm(first.infoHash), us))
        ]
        return any(known is not None and known.wasConnected and "pex" in known.sources for known in sources)

    async def theyLearnt() -> bool:
        found = [*await them.peers(second.infoHash), *await fourth.peers(second.infoHash)]
        return any("pex" in peer["sources"] for peer in found)

    await until(reactor, theyLearnt, "libtorrent learning of another from ours", 90.0, 0.2)
    await until(reactor, weLearnt, "ours learning of another from libtorrent", 90.0, 0.2)
