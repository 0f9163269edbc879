"""Swarms that do nothing, for tests of what looks at swarms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from twisted_bt.interfaces import ISwarmObserver
from twisted_bt.sessions.life import SwarmStatus
from twisted_bt.torrent.progress import Progress


@dataclass
class FakePeer:
    """A peer past its handshake, or not."""

    established: bool = True


@dataclass
class FakeMetainfo:
    """Of a torrent of so many bytes."""

    totalSize: int


@dataclass
class Dialled:
    """Whatever can be told of peers."""

    dials: list[tuple[str, int, Deferred[Any]]] = field(default_factory=list, kw_only=True)
    cancelled: int = field(default=0, kw_only=True)

    def connectPeer(self, host: str, port: int) -> Deferred[Any]:
        """Remembered in C{dials}; what comes of it is the test's choice."""

        def cancel(_: object) -> None:
            self.cancelled += 1

        dialing: Deferred[Any] = Deferred(cancel)
        self.dials.append((host, port, dialing))
        return dialing


@dataclass
class FakeFetching(Dialled):
    """What fetches metadata from so many peers."""

    infoHash: bytes = b"h" * 20
    name: str = "name"
    sources: int = 0
    complete: bool = False
    opening: Deferred[Any] = field(default_factory=Deferred)
    connectedPeers: dict[object, Any] = field(default_factory=dict)

    def whenOpen(self) -> Deferred[Any]:
        """C{opening}."""
        return self.opening


@dataclass
class FakeSwarm(Dialled):
    """Whatever a test says it is."""

    name: str = "name"
    status: SwarmStatus = SwarmStatus.DOWNLOADING
    size: int = 1000
    left: int = 1000
    downloadRate: float = 0.0
    uploadRate: float = 0.0
    peers: int = 0
    complete: bool = False
    reason: str = ""
    infoHash: bytes = b"h" * 20
    dataDirPath: Path = Path("/data")
    observers: list[ISwarmObserver] = field(default_factory=list)
    completion: Deferred[Any] = field(default_factory=Deferred)

    def __post_init__(self) -> None:
        self.connectedPeers: dict[object, Any] = {number: FakePeer() for number in range(self.peers)}

    @property
    def metainfo(self) -> FakeMetainfo:
        """Of the size that was said."""
        return FakeMetainfo(self.size)

    @property
    def progress(self) -> Progress:
        """As far as it was said to have come."""
        return Progress(0, self.size - self.left, self.left)

    def observe(self, observer: ISwarmObserver) -> Callable[[], None]:
        """Remembered in C{observers}."""
        self.observers.append(observer)
        return lambda: self.observers.remove(observer)

    def whenComplete(self) -> Deferred[Any]:
        """C{completion}."""
        return self.completion
