"""
Where scripts of whole peer sessions are played.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from hashlib import sha1

from tests.fuzz.script import Script
from tests.fuzz.strangers import Stranger
from tests.fuzz.target import require
from twisted_bt.sessions.client import ClientSession
from twisted_bt.sessions.life import SwarmStatus
from twisted_bt.settings import Settings
from twisted_bt.testing.invariants import endFaults
from twisted_bt.testing.swarm import FOLDER, Member, SimulatedStorages, SimulatedSwarm
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.magnet import Magnet

SIZE, PIECE = 150_000, 1 << 15
#: Events of the simulation for each step of a script: many more mean that it turns in a circle.
MAX_EVENTS = 20_000


class Scene(ABC):
    """
    One script: who is there to begin with, what must hold all the time, and the end.

    @ivar said: messages so far.
    @ivar ended: sessions that the client ended.
    """

    _actions: tuple[Callable[[], None], ...]

    def __init__(self, script: Script) -> None:
        self._script = script
        self.said = self.ended = 0
        self._strangers: list[Stranger] = []
        kind = script.below(8)
        self._finishes = script.below(4) == 0
        self._swarm = SimulatedSwarm(SIZE, PIECE, seed="fuzz")
        self._network = self._swarm.network
        self._metainfo = self._swarm.metainfo
        settings = Settings(maxPeersPerTorrent=3) if script.below(4) == 0 else Settings()
        self._member: Member | None = None
        self._fetching: ClientSession | None = None
        if kind == 7:
            self._fetch(settings)
        else:
            count = self._metainfo.layout.pieceCount
            have = {5: range(0, count, 2), 6: range(count), 4: range(count)}.get(kind, range(0))
            self._member = self._swarm.member(list(have), settings)

    def _fetch(self, settings: Settings) -> None:
        host = self._network.host()
        storages = SimulatedStorages()
        client = ClientSession(host, settings, host.plugins(storageFactory=storages), host.random)
        storages.client = client
        client.startService()
        self._fetching = client
        client.addTorrent(Magnet(self._metainfo.wireHash), FOLDER).addErrback(lambda _: None)
        self._network.advance(1)

    @property
    def _client(self) -> ClientSession:
        found = self._member.client if self._member is not None else self._fetching
        assert found is not None
        return found

    @property
    def _address(self) -> PeerAddr:
        if self._member is not None:
            return self._member.address
        return PeerAddr(self._network.hosts[0].address, self._client.listenerPort or 1)

    # -- the play

    @abstractmethod
    def _come(self) -> None:
        """One more stranger comes."""

    def run(self) -> None:
        """Do what the script says, then end it all."""
        self._come()
        while self._script:
            before, now = self._network.events, self._network.now
            self._actions[self._script.below(len(self._actions))]()
            self._network.advance(0.05)
            allowed = MAX_EVENTS + 400 * (self._network.now - now)
            require(
                self._network.events - before < allowed, "a step has an end", self._network.events - before
            )
            self._look()
        for each in self._strangers:
            each.push(1 << 30)
        self._network.advance(1)
        self._look()
        if self._member is not None and self._finishes:
            self._finish(self._member)
        self.ended = sum(each.wasReset for each in self._strangers)
        self._close()

    def _look(self) -> None:
        """What must hold at any time."""
        failures = self._network.failures
        if failures:
            failures[0].raiseException()
        if self._member is None:
            return
        session = self._member.session
        missing = self._metainfo.totalSize - self._metainfo.layout.bytesIn(session.clientBitfield)
        require(
            session.progress.left == missing, "progress is what the bitfield says", session.progress, missing
        )
        require(
            session.status in (SwarmStatus.DOWNLOADING, SwarmStatus.SEEDING), "it goes on", session.status
        )
        stored = self._member.stored.pieces
        for index in session.clientBitfield.search(1):
            require(index in stored, "what is claimed is here", index)

    def _finish(self, member: Member) -> None:
        """However it was treated: an honest peer gives it all."""
        seeder = self._swarm.seeder()
        for each in self._strangers:
            if each.open:
                each.transport.abortConnection()
        self._network.advance(5)
        if not member.session.complete:
            member.meet(seeder)
            self._network.runWhile(lambda: not member.session.complete, 900)
        require(member.content == self._swarm.content, "what is here is what it should be")

    def _close(self) -> None:
        for each in self._strangers:
            each.reactions.clear()
        if self._member is not None:
            for index in self._member.session.clientBitfield.search(1):
                piece = self._member.stored.pieces[index]
                require(
                    sha1(bytes(piece)).digest() == self._metainfo.pieceHash(index), "claimed and right", index
                )
        else:
            engine = self._client.engine
            self._network.runUntil(self._client.stopService())
            require(not endFaults(engine), "nothing is left", endFaults(engine))
            require(
                not self._network.hosts[0].leftovers(), "nothing is left", self._network.hosts[0].leftovers()
            )
        self._swarm.stop()
