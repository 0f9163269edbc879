"""
What all swarms of one client share, made once by the client session and handed to each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random as SeededRandom
from typing import TYPE_CHECKING, Protocol

from twisted_bt.exchange.buffers import PieceBuffers
from twisted_bt.exchange.choker import StandardChoker
from twisted_bt.exchange.picker import RandomFirst
from twisted_bt.interfaces import (
    IChoker,
    IClientReactor,
    IDiskQueue,
    IExtension,
    IPeerPolicy,
    IPiecePicker,
    IStorageFactory,
    ITrackerClient,
    Random,
)
from twisted_bt.sessions.bans import Bans
from twisted_bt.sessions.dialing import Dialer
from twisted_bt.sessions.policy import StandardPolicy
from twisted_bt.sessions.vacancy import Vacancy
from twisted_bt.settings import Extension, Settings
from twisted_bt.storage.diskqueue import DiskThreads
from twisted_bt.storage.fileio import FileCalls
from twisted_bt.storage.resume import ResumeStore
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.metainfo import Metainfo
from twisted_bt.transport.plainsocket import SharedReader

if TYPE_CHECKING:
    from twisted_bt.dht.service import DhtNode
    from twisted_bt.discovery.localservice import LocalDiscovery

#: Searches in the DHT at a time; torrents take turns, so that its budget is not spent in a burst.
MAX_SEARCHES = 5
#: Own addresses remembered; a host has few.
MAX_OWN = 100


def _noExtensions(metainfo: Metainfo) -> Sequence[IExtension]:
    return ()


class ITicking(Protocol):
    """Whatever has something to do once a second, for a while."""

    def tick(self, now: float) -> bool:
        """Do it; C{False}: there is nothing more to do, until C{busy} is called again."""


@dataclass(frozen=True)
class Plugins:
    """
    What an application brings of its own; what is left out is the engine's.  Those with arguments
    are called once for every swarm.
    """

    picker: Callable[[Random], IPiecePicker] = RandomFirst
    choker: Callable[[Random], IChoker] = StandardChoker
    peerPolicy: Callable[[Settings], IPeerPolicy] = StandardPolicy
    extensions: Callable[[Metainfo], Sequence[IExtension]] = _noExtensions
    storageFactory: IStorageFactory | None = None
    diskQueue: Callable[[IClientReactor, int, int], IDiskQueue] = DiskThreads
    """Made with the reactor, how many workers, and a budget in bytes; also stopped by the session."""
    trackerClients: Mapping[str, ITrackerClient] | None = None
    """By URL scheme; also closed by the client session."""
    files: FileCalls = field(default_factory=FileCalls)
    """Where the engine's own storage, its state and its copies of torrent files are; the system's."""
    wallClock: Callable[[], float] | None = None
    """Seconds since 1970, for what is kept between runs; left out: the system's."""


@dataclass
class Engine:
    """The shared parts.  Whoever holds it may use them, not replace them."""

    reactor: IClientReactor
    settings: Settings
    plugins: Plugins
    random: Random
    peerId: bytes
    allowedExtensions: frozenset[Extension]
    buffers: PieceBuffers
    disk: IDiskQueue
    storages: IStorageFactory
    resume: ResumeStore
    trackers: Mapping[str, ITrackerClient]
    reader: SharedReader
    dialer: Dialer
    listenerPort: Callable[[], int | None]
    dht: Callable[[], DhtNode | None]
    """The DHT node, while there is one."""
    local: Callable[[], LocalDiscovery | None]
    """Who finds peers on the local network, while wanted."""
    busy: Callable[[ITicking], None]
    """Have its C{tick} called once a second, until it says that it has nothing to do."""
    rememberPaused: Callable[[bytes, bool], None]
    """Keep in mind that this torrent is paused, or no longer."""
    wallClock: Callable[[], float]
    """Seconds since 1970, for what is kept between runs."""
    announceKey: int
    """Tells trackers that we are we although our address changed (BEP 7, BEP 15)."""
    dice: Random = field(init=False)
    """For choices made by the thousand; begun by C{random}, as the system's source is a call each."""
    clientSlots: Vacancy = field(init=False)
    activeSlots: Vacancy = field(init=False)
    dialSlots: Vacancy = field(init=False)
    dhtSlots: Vacancy = field(init=False)
    bans: Bans = field(default_factory=Bans)
    ownAddresses: dict[PeerAddr, None] = field(default_factory=dict)
    """Addresses found to be our own; never dialled again."""

    def __post_init__(self) -> None:
        self.dice = SeededRandom(self.random.randrange(1 << 64))
        self.clientSlots = Vacancy(self.settings.maxPeers)
        self.activeSlots = Vacancy(self.settings.maxActive)
        self.dialSlots = Vacancy(self.settings.maxDialing)
        self.dhtSlots = Vacancy(MAX_SEARCHES)

    @property
    def dhtPort(self) -> int | None:
        """UDP port of the DHT node, while there is one."""
        node = self.dht()
        return node.port if node is not None else None

    def hearNode(self, host: str, port: int) -> None:
        """There may be a DHT node at C{host}, a name or an address."""
        node = self.dht()
        if node is not None and port:
            node.addNode(host, port)

    def rememberOwn(self, addr: PeerAddr) -> None:
        """C{addr} is ourselves."""
        self.ownAddresses[addr] = None
        while len(self.ownAddresses) > MAX_OWN:
            del self.ownAddresses[next(iter(self.ownAddresses))]
