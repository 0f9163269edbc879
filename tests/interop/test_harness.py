"""
The harness itself, without our engine: programs of others exchange content among themselves.

When these fail, what the other interop tests say means nothing.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.conftest import Start
from tests.interop.libtorrent_peer import LibtorrentPeer
from tests.interop.namespace import Namespace
from tests.interop.onreactor import onReactor
from tests.interop.processes import Program, ProgramEnded, Reactor, TookTooLong, until
from tests.interop.swarmfiles import makeContent, oddSizes
from tests.interop.transmission import TransmissionPeer


def test_contentIsRepeatable(tmp_path: Path) -> None:
    """The same seed makes the same bytes, names and info-hash; another seed makes others."""
    first = makeContent(tmp_path / "a", oddSizes(), seed=5)
    again = makeContent(tmp_path / "b", oddSizes(), seed=5)
    other = makeContent(tmp_path / "c", oddSizes(), seed=6)
    assert (first.digests, first.infoHash) == (again.digests, again.infoHash)
    assert first.infoHash != other.infoHash


def test_oddSizes(tmp_path: Path) -> None:
    """Odd content has an empty file, one of a byte, and a last piece of a byte."""
    sizes = oddSizes(least=3_000_000, pieceLength=65_536)
    assert {0, 1} <= set(sizes.values())
    assert sum(sizes.values()) % 65_536 == 1
    assert 3_000_000 <= sum(sizes.values()) <= 3_000_000 + 65_536


def test_checkSeesADifference(tmp_path: Path) -> None:
    """A changed byte, a missing file and one too many are each named."""
    content = makeContent(tmp_path, {"a": 10, "b": 20, "c": 30})
    content.check(content.folder)
    folder = content.folder / content.name
    (folder / "a").write_bytes(bytes(10))
    (folder / "b").unlink()
    (folder / "d").touch()
    with pytest.raises(AssertionError) as caught:
        content.check(content.folder)
    for words in ("'a': 'differs'", "'b': 'absent'", "'d': 'not in the torrent'"):
        assert words in str(caught.value)


@onReactor
async def test_programsEndWhenTold(reactor: Reactor, tmp_path: Path) -> None:
    """A program that does not heed SIGTERM is killed, and who waits for it hears of its end."""
    program = Program.start(reactor, ["/bin/sh", "-c", "trap '' TERM; echo up; exec sleep 60"], tmp_path)
    await program.untilLine(lambda line: line == "up")
    waiting = program.untilLine(lambda line: False, 30.0)
    await program.stop(grace=0.2)
    assert not program.running
    with pytest.raises(ProgramEnded, match="up"):
        await waiting


@onReactor
async def test_untilGivesUp(reactor: Reactor) -> None:
    """What does not come true is reported by name."""
    with pytest.raises(TookTooLong, match="the moon: not within"):
        await until(reactor, lambda: False, "the moon", 0.1)


@onReactor
async def test_fourInOneSwarm(
    tmp_path: Path, libtorrent: Start, transmission: Start, aria2: Start, opentracker: Start
) -> None:
    """
    Transmission, aria2 and libtorrent download odd files from one seeder; half of them ask the
    tracker over HTTP and half over UDP.
    """
    tracker = await opentracker()
    content = makeContent(tmp_path, oddSizes(2_000_000), trackers=[tracker.httpUrl])
    overUdp = content.withTrackers(tracker.udpUrl)
    await tracker.allow(content.infoHash)
    # On loopback Transmission dials nobody, so it is there first and the others find it.
    peers = [await transmission(), await libtorrent(), await aria2()]
    folders = [tmp_path / f"by {type(peer).__name__}" for peer in peers]
    for peer, folder, torrent in zip(
        peers, folders, (content.torrent, content.torrent, overUdp), strict=True
    ):
        folder.mkdir()
        assert await peer.add(torrent, folder) == content.infoHash
        if isinstance(peer, TransmissionPeer):
            await peer.waitAnnounced(content.infoHash)
    seeder = await libtorrent()
    await seeder.add(overUdp, content.folder, seed=True)
    for peer, folder in zip(peers, folders, strict=True):
        await peer.waitComplete(content.infoHash, 30.0)
        content.check(folder, emptyToo=isinstance(peer, LibtorrentPeer))
    status = await seeder.status(content.infoHash)
    assert status["uploaded"] >= content.size


@onReactor
async def test_dialedByTransmission(
    reactor: Reactor,
    tmp_path: Path,
    libtorrent: Start,
    transmission: Start,
    opentracker: Start,
    namespace: Namespace,
) -> None:
    """Seen from a network of its own, Transmission dials who seeds, and gets it all."""
    tracker = await opentracker(host=namespace.outside)
    seeder = await libtorrent(host=namespace.outside, seeding_outgoing_connections=False)
    leecher = await transmission(host=namespace.inside, within=namespace.command())
    content = makeContent(tmp_path, 300_001, trackers=[tracker.httpUrl])
    await tracker.allow(content.infoHash)
    await seeder.add(content.torrent, content.folder, seed=True)
    await until(reactor, lambda: tracker.seeders(content.infoHash), "the seeder's announce")
    await leecher.add(content.torrent, tmp_path / "to")
    await leecher.waitComplete(content.infoHash, 30.0)
    content.check(tmp_path / "to")
