"""
A swarm in a test: a torrent of random bytes, and clients that exchange it on a simulated network.

    >>> swarm = SimulatedSwarm(size=1_000_000, seed=1)
    >>> seeder, leecher = swarm.seeder(), swarm.leecher()
    >>> leecher.connect(seeder)
    >>> swarm.run(leecher.session.whenComplete())
    >>> assert leecher.content == swarm.content
    >>> swarm.stop()

Content is kept in memory, disks are as quick as their host says, and everything is decided by the seed.
After every event the slots of the clients that it concerned are looked at, and C{stop} fails where
anything is left.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from hashlib import sha1
from pathlib import Path
from typing import Any, Literal, TypeVar

from twisted.internet.defer import Deferred, gatherResults

from twisted_bt.interfaces import IStorage, Random
from twisted_bt.sessions.client import ClientSession
from twisted_bt.sessions.observers import SwarmObserver
from twisted_bt.sessions.peer import PeerSession
from twisted_bt.sessions.swarm import SwarmSession
from twisted_bt.settings import Settings
from twisted_bt.storage.memory import MemoryContent, MemoryStorageFactory
from twisted_bt.testing.crashing import Crashing
from twisted_bt.testing.faults import FaultyStorageFactory
from twisted_bt.testing.host import Host
from twisted_bt.testing.invariants import endFaults, slotFaults
from twisted_bt.testing.network import Network
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.bencoding import encode
from twisted_bt.torrent.metainfo import Metainfo

T = TypeVar("T")

#: Where simulated clients think that their content is.
FOLDER = Path("/simulated")


def makeTorrent(
    content: bytes,
    pieceLength: int = 1 << 15,
    name: str = "content",
    trackers: Sequence[str | Sequence[str]] = (),
) -> Metainfo:
    """
    A torrent of one file.

    @param pieceLength: bytes; a power of two.
    @param trackers: tiers; a string is a tier of its own.
    """
    starts = range(0, len(content), pieceLength)
    info = {
        b"length": len(content),
        b"name": name,
        b"piece length": pieceLength,
        b"pieces": b"".join(sha1(content[at : at + pieceLength]).digest() for at in starts),
    }
    return Metainfo.fromInfo(encode(info), trackers)


class SimulatedStorages(MemoryStorageFactory):
    """
    Content in memory that takes as long to read and write as the host's disk says.

    @ivar client: whose disk queue does the work; outlived by what is stored.
    """

    client: ClientSession

    def storageFor(self, metainfo: Any, dataDirPath: Path) -> IStorage:
        """See L{IStorageFactory<twisted_bt.interfaces.IStorageFactory>}."""
        self._disk = self.client.engine.disk
        return super().storageFor(metainfo, dataDirPath)


class Member(Crashing, SwarmObserver):
    """
    One client of a L{SimulatedSwarm}.

    @ivar host: where it runs.
    @ivar client: the client session; running.
    @ivar session: its session of the swarm; open.
    """

    def __init__(self, host: Host, client: ClientSession, metainfo: Metainfo) -> None:
        self.host = host
        self.client = client
        self.metainfo = metainfo
        self.session: SwarmSession
        self.seen: list[int] = []
        self._met = 0
        client.observe(self)

    def peerConnected(self, swarm: SwarmSession, peer: PeerSession) -> None:
        """See L{ISwarmObserver<twisted_bt.interfaces.ISwarmObserver>}."""
        self._met += 1

    def counts(self) -> list[int]:
        """Numbers of which one differs whenever slots or sessions changed."""
        if not self.client.running:
            return []
        counts = [self._met, self.client.engine.clientSlots.taken]
        for swarm in self.client.swarmSessions.values():
            counts += (swarm.slots.taken, swarm.slots.limit, len(swarm.connectedPeers))
        return counts

    @property
    def address(self) -> PeerAddr:
        """Where others reach it."""
        port = self.client.listenerPort
        assert port is not None, "the client does not run"
        return PeerAddr(self.host.address, port)

    @property
    def stored(self) -> MemoryContent:
        """What its disk holds of the torrent; outlives the client."""
        storages = self.client.engine.storages
        if isinstance(storages, FaultyStorageFactory):
            storages = storages.factory
        assert isinstance(storages, MemoryStorageFactory), "the content is not kept in memory"
        return storages.contents.setdefault((self.metainfo.wireHash, FOLDER), MemoryContent())

    @property
    def content(self) -> bytes:
        """All the pieces on its disk, one after the other."""
        pieces = self.stored.pieces
        return b"".join(pieces[index] for index in sorted(pieces))

    def connect(self, other: Member) -> Deferred[PeerSession]:
        """Dial C{other}; see L{SwarmSession.connectPeer}."""
        return self.session.connectPeer(*other.address)

    def meet(self, *others: Member) -> None:
        """Hear of C{others}, as from a tracker."""
        self.session.peersFound([each.address for each in others], "tracker")


class SimulatedSwarm:
    """
    @ivar network: where everybody is.
    @ivar content: the bytes of the torrent.
    @ivar metainfo: the torrent.
    @ivar members: all, in the order they came.
    """

    def __init__(
        self,
        size: int = 300_000,
        pieceLength: int = 1 << 15,
        seed: int | str = 0,
        network: Network | None = None,
        trackers: Sequence[str | Sequence[str]] = (),
        mode: Literal["packets", "flow"] = "packets",
    ) -> None:
        """
        @param size: bytes of the content.
        @param network: left out: a new one, of this seed and this C{mode}.
        """
        self.network = network or Network(seed, mode=mode)
        self.content = self.network.random.randbytes(size)
        self.metainfo = makeTorrent(self.content, pieceLength, trackers=trackers)
        self.members: list[Member] = []
        self._at: dict[Host, list[Member]] = {}
        self.network.afterEvent.append(self._look)

    # -- members

    def seeder(self, settings: Settings | None = None, host: Host | None = None, **plugins: Any) -> Member:
        """A client that has all; its content is checked, and it runs."""
        return self.member(range(self.metainfo.layout.pieceCount), settings, host, **plugins)

    def leecher(self, settings: Settings | None = None, host: Host | None = None, **plugins: Any) -> Member:
        """A client that has nothing, and runs."""
        return self.member((), settings, host, **plugins)

    def member(
        self,
        pieces: Sequence[int],
        settings: Settings | None = None,
        host: Host | None = None,
        random: Random | None = None,
        **plugins: Any,
    ) -> Member:
        """
        A client that has C{pieces}; when this returns they are checked, and it runs.

        @param settings: the port may be left at 0.
        @param host: left out: a new one.
        @param random: left out: the host's.
        @param plugins: fields of L{Plugins<twisted_bt.sessions.engine.Plugins>}.
        """
        host = host or self.network.host()
        storages = plugins.setdefault("storageFactory", SimulatedStorages())
        client = ClientSession(host, settings or Settings(), host.plugins(**plugins), random or host.random)
        if isinstance(storages, SimulatedStorages):
            storages.client = client
        client.startService()
        member = Member(host, client, self.metainfo)
        member.began(client.settings, plugins, client.random, FOLDER)
        layout = self.metainfo.layout
        for index in pieces:
            begin = layout.pieceOffset(index)
            member.stored.change(index, self.content[begin : begin + layout.pieceSize(index)])
        self.members.append(member)
        self._at.setdefault(host, []).append(member)
        member.session = self.run(client.addTorrent(self.metainfo, FOLDER))
        self.run(member.session.whenChecked())
        return member

    # -- time

    def run(self, waited: Deferred[T] | Coroutine[Deferred[Any], Any, T], timeout: float = 3600.0) -> T:
        """Run until C{waited} fires; see L{Network.runUntil}."""
        return self.network.runUntil(waited, timeout)

    def advance(self, seconds: float) -> None:
        """Let C{seconds} pass."""
        self.network.advance(seconds)

    def finish(self, timeout: float = 3600.0) -> None:
        """Run until everybody has everything."""
        self.run(gatherResults([each.session.whenComplete() for each in self.members]), timeout)

    def stop(self) -> None:
        """
        Stop all clients, and look that nothing is left of them.

        @raise AssertionError: something is.
        """
        engines = [each.client.engine for each in self.members if each.client.running]
        self.run(gatherResults([each.client.stopService() for each in self.members]))
        faults = [fault for engine in engines for fault in endFaults(engine)]
        hosts = dict.fromkeys(each.host for each in self.members)
        faults += [f"{host}: {each}" for host in hosts for each in host.leftovers()]
        faults += [f"raised: {each.getErrorMessage()}" for each in self.network.failures]
        if faults:
            raise AssertionError("after the end: " + "; ".join(faults))

    def _look(self) -> None:
        # An event concerns one host, and most change nothing there: so look only at what changed.
        host = self.network.current
        for each in self.members if host is None else self._at.get(host, ()):
            counts = each.counts()
            if counts != each.seen:
                each.seen = counts
                faults = slotFaults(each.client)
                if faults:
                    raise AssertionError(f"{each.host}: " + "; ".join(faults))
