"""
What the tests of crashes and of disk faults share: torrents of awkward shape, a seeder, and a client that is
watched.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha1
from pathlib import Path
from random import Random
from typing import Any, cast

from bitarray import bitarray
from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, LogLevel, globalLogPublisher
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.sim.known import Known
from twisted_bt.errors import BitTorrentError
from twisted_bt.interfaces import IStorage, IStorageFactory
from twisted_bt.sessions.client import ClientSession
from twisted_bt.sessions.swarm import SwarmSession
from twisted_bt.settings import Settings
from twisted_bt.storage.resume import ResumeState
from twisted_bt.testing.disk import Disk
from twisted_bt.testing.host import Host
from twisted_bt.testing.invariants import endFaults, slotFaults
from twisted_bt.testing.link import Link
from twisted_bt.testing.network import Network
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.bencoding import encode
from twisted_bt.torrent.metainfo import Metainfo

DATA = Path("/data")
STATE = Path("/state")
PORT = 6881
#: Seconds between saves.
FLUSH = 1.0
#: Seconds that a save may take on the slowest of our disks.
SLACK = 8.0


class Content:
    """
    A torrent and its bytes: several files, some of them empty, borders within pieces, a short last piece,
    sometimes a run of zeros.
    """

    def __init__(self, random: Random, number: int) -> None:
        self.pieceLength = 1 << random.choice((14, 14, 15, 16))
        lengths = [random.choice((0, 1, 700, 4096, random.randrange(1, 60_000), 30_000)) for _ in range(5)]
        lengths += [0, random.randrange(40_000, 200_000)]
        random.shuffle(lengths)
        data = bytearray(random.randbytes(sum(lengths)))
        if random.random() < 0.3:
            begin = random.randrange(len(data))
            end = min(len(data), begin + 3 * self.pieceLength)
            data[begin:end] = bytes(end - begin)
        self.data = bytes(data)
        self.name = f"torrent-{number}"
        files = [
            {b"length": length, b"path": [b"folder", b"%d" % at] if at % 2 else [b"%d" % at]}
            for at, length in enumerate(lengths)
        ]
        starts = range(0, len(data), self.pieceLength)
        info = {
            b"files": files,
            b"name": self.name.encode(),
            b"piece length": self.pieceLength,
            b"pieces": b"".join(sha1(data[at : at + self.pieceLength]).digest() for at in starts),
        }
        self.metainfo = Metainfo.fromInfo(encode(info))
        self.files = {
            str(DATA.joinpath(*each.path)): self.data[each.offset : each.offset + each.length]
            for each in self.metainfo.files
        }

    def put(self, host: Host) -> None:
        """Have it on C{host}."""
        for path, data in self.files.items():
            host.files.put(path, data)

    def damaged(self, host: Host, claimed: bitarray) -> list[int]:
        """Which of the C{claimed} pieces are not on the disk of C{host}, as programs see it."""
        found = bytearray()
        for each in self.metainfo.files:
            path = str(DATA.joinpath(*each.path))
            try:
                data = host.files.content(path)[: each.length]
            except OSError:
                data = b""
            # What is missing must not look like zeros that belong there.
            found += data + bytes(255 - byte for byte in self.data[each.offset :][len(data) : each.length])
        size = self.pieceLength
        return [
            index
            for index in claimed.search(1)
            if found[index * size : (index + 1) * size] != self.data[index * size : (index + 1) * size]
        ]


@implementer(IStorageFactory)
class Hashing:
    """Notes which pieces are hashed."""

    def __init__(self, factory: IStorageFactory, note: Callable[[bytes, int], None]) -> None:
        self._factory = factory
        self._note = note

    def storageFor(self, metainfo: Any, dataDirPath: Path) -> IStorage:
        """See L{IStorageFactory}."""
        storage: Any = self._factory.storageFor(metainfo, dataDirPath)
        verify = storage.verifyPiece

        def verifyPiece(index: int) -> Deferred[bool]:
            self._note(metainfo.wireHash, index)
            done: Deferred[bool] = verify(index)
            return done

        storage.verifyPiece = verifyPiece
        return storage  # type: ignore[no-any-return]


class Violation(AssertionError):
    """Something happened that must never happen."""


class Errors:
    """What is logged as an error meanwhile."""

    def __init__(self, expected: Callable[[str], bool] = lambda text: False) -> None:
        self.seen: list[str] = []
        self._expected = expected

    def __enter__(self) -> Errors:
        globalLogPublisher.addObserver(cast(ILogObserver, self._hear))
        return self

    def __exit__(self, *reason: object) -> None:
        globalLogPublisher.removeObserver(cast(ILogObserver, self._hear))

    def _hear(self, event: Any) -> None:
        if event.get("log_level") in (LogLevel.error, LogLevel.critical):
            failure = event.get("log_failure")
            format_ = event.get("log_format") or ""
            text = f"{format_}: {failure.getTraceback() if failure is not None else event.get('reason', '')}"
            if not self._expected(text):
                self.seen.append(text)


class World:
    """
    A seeder and another leecher, both without trouble, and the host that has it.

    @ivar counts: what happened.
    @ivar seconds: about how long a download takes.
    @ivar run: the life of the client that goes on.
    @ivar violations: what was found in the middle of an event.
    """

    def __init__(self, seed: int | str, torrents: int, random: Random) -> None:
        self.run: Run | None = None
        self.violations: list[str] = []
        self.random = random
        self.network = Network(seed, mode=random.choice(("packets", "flow")))
        self.contents = [Content(random, number) for number in range(torrents)]
        self.byHash = {each.metainfo.wireHash: each for each in self.contents}
        self.counts: Counter[str] = Counter()
        up = random.choice((15e3, 40e3, 200e3))
        self.seconds = sum(len(each.data) for each in self.contents) / (up + 10e3)
        self.seeder = self._helper(Link(up=up), True)
        self.other = self._helper(Link(up=20e3), False)
        latency = random.choice((0.0, 0.002, 0.03))
        self.host = self.network.host(
            link=Link(up=100e3),
            disk=Disk(latency, random.choice((1e9, 1e6)), 1e8, random.choice((0.0, 0.01, 0.3))),
        )
        self.host.files.sparse = random.random() < 0.7

    def _helper(self, link: Link, whole: bool) -> ClientSession:
        host = self.network.host(link=link)
        client = ClientSession(host, Settings(listenPort=PORT), host.plugins(), host.random)
        client.startService()
        for each in self.contents:
            if whole:
                each.put(host)
            swarm = self.network.runUntil(client.addTorrent(each.metainfo, DATA))
            self.network.runUntil(swarm.whenChecked())
        return client

    def address(self, client: ClientSession) -> PeerAddr:
        """Where C{client} is."""
        return PeerAddr(client.reactor.address, PORT)  # type: ignore[attr-defined]

    def introduce(self, infoHash: bytes, swarm: SwarmSession) -> None:
        """C{swarm} hears of the others, and they of it."""
        swarm.peersFound([self.address(self.seeder), self.address(self.other)], "tracker")
        ours = PeerAddr(self.host.address, PORT)
        self.other.swarmSessions[infoHash].peersFound([ours, self.address(self.seeder)], "tracker")

    def abandon(self) -> None:
        """Something went wrong: leave nothing that runs."""
        for host in self.network.hosts:
            host.crash()

    def end(self) -> None:
        """Stop the other clients, and look that nothing is left."""
        for client in (self.seeder, self.other):
            engine = client.engine
            self.network.runUntil(client.stopService())
            host = client.reactor
            left = endFaults(engine) + host.leftovers() + host.files.openFiles  # type: ignore[attr-defined]
            if left:
                raise Violation(f"left of {host}: {left}")
        if self.network.failures:
            raise Violation(f"raised: {self.network.failures[0].getTraceback()}")


class Run:
    """
    One life of the client that has the trouble, from its start to its end.

    @ivar client: itself.
    @ivar added: torrents that were reported to be added.
    @ivar durable: pieces that were reported to be on the disk, of each torrent.
    """

    def __init__(self, world: World, settings: Settings, known: Known, **plugins: Any) -> None:
        self.world = world
        self.known = known
        world.run = self
        host = world.host
        self.settings = replace(settings, listenPort=PORT, stateDir=STATE, flushInterval=FLUSH)
        self.client = ClientSession(host, self.settings, host.plugins(**plugins), host.random)
        self.client.startService()
        self.engine = self.client.engine
        self.engine.storages = Hashing(self.engine.storages, self._hashed)
        self.met: dict[bytes, SwarmSession] = {}
        self._watchSaves()
        self._counts: list[int] = []
        self._samples: deque[tuple[float, dict[bytes, tuple[int, int]]]] = deque()

    def _hashed(self, infoHash: bytes, index: int) -> None:
        self.known.hashed(infoHash, index)

    def _watchSaves(self) -> None:
        resume: Any = self.engine.resume
        saveMany = resume.saveMany

        def watched(states: dict[bytes, ResumeState]) -> Deferred[None]:
            copies = {
                key: (state.verified.copy(), state.uploaded, state.downloaded)
                for key, state in states.items()
            }
            now = self.world.network.now

            def saved(result: Any) -> Any:
                if not isinstance(result, Failure):
                    for key, copy in copies.items():
                        self.known.saved(key, *copy, now)
                return result

            done: Deferred[None] = saveMany(states)
            return done.addBoth(saved)

        resume.saveMany = watched
        load = resume.load

        def loaded(infoHash: bytes) -> Deferred[ResumeState | None]:
            def note(state: ResumeState | None) -> ResumeState | None:
                if state is not None:
                    self.known.read[infoHash] = (state.uploaded, state.downloaded)
                return state

            return load(infoHash).addCallback(note)  # type: ignore[no-any-return]

        resume.load = loaded

    def add(self, content: Content) -> None:
        """Add its torrent."""

        def added(swarm: SwarmSession) -> None:
            self.known.added.setdefault(content.metainfo.wireHash)

        def failed(reason: Failure) -> None:
            reason.trap(BitTorrentError)

        if self.client.running and self.world.run is self:
            self.client.addTorrent(content.metainfo, DATA).addCallbacks(added, failed)

    def look(self) -> None:
        """To be called after every event."""
        client = self.client
        if self.world.violations:
            raise Violation(self.world.violations[0])
        if not client.running:
            return
        swarms = client.swarmSessions
        counts = [self.engine.clientSlots.taken, len(swarms)]
        for swarm in swarms.values():
            counts += (swarm.slots.taken, len(swarm.connectedPeers))
        if counts != self._counts:
            self._counts = counts
            faults = slotFaults(client)
            if faults:
                raise Violation("; ".join(faults))
        self._sample()
        if len(self.met) < len(swarms):
            for infoHash, swarm in swarms.items():
                if infoHash not in self.met:
                    self.met[infoHash] = swarm
                    self._meet(infoHash, swarm)

    def _sample(self) -> None:
        """Totals are saved every flush interval."""
        now = self.world.network.now
        if not self.known.strict or (self._samples and now < self._samples[-1][0] + 0.5):
            return
        totals = {
            key: (swarm.progress.uploaded, swarm.progress.downloaded)
            for key, swarm in self.client.swarmSessions.items()
            if swarm.running
        }
        self._samples.append((now, totals))
        while self._samples[0][0] < now - FLUSH - SLACK:
            _, old = self._samples.popleft()
            for key, (up, down) in old.items():
                saved = self.known.kept(key)
                if key in totals and (saved[0] < up or saved[1] < down):
                    raise Violation(f"{(up, down)} were exchanged long ago, and {saved} are saved")

    def _meet(self, infoHash: bytes, swarm: SwarmSession) -> None:
        def checked(swarm: SwarmSession) -> None:
            self.known.checked(infoHash, swarm)
            self.world.introduce(infoHash, swarm)

        swarm.whenChecked().addCallbacks(checked, lambda reason: reason.trap(BitTorrentError))

    @property
    def complete(self) -> bool:
        """Whether all torrents are here."""
        swarms = self.client.swarmSessions
        return len(swarms) == len(self.world.contents) and all(
            swarm.complete and swarm.running for swarm in swarms.values()
        )
