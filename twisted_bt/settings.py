"""
Every number and choice of a client session, in one frozen value.

Times are seconds, sizes bytes, rates bytes a second.  Each field has one reader or more, and the
comment behind its default says why it is that.  To change settings, make a new session.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import Enum
from pathlib import Path

from twisted_bt.errors import SettingsError


class Extension(Enum):
    """What may be agreed on in the reserved bits of the handshake; the value is the bit, from the right."""

    DHT = 0  # BEP 5
    FAST = 2  # BEP 6
    EXTENDED = 20  # BEP 10


@dataclass(frozen=True, slots=True)
class Settings:
    """
    What a L{ClientSession<twisted_bt.sessions.client.ClientSession>} is told at birth.

    @raise SettingsError: a value makes no sense; the message names the field.
    """

    # -- who we are, and where
    stateDir: Path | None = None
    """Folder of what is remembered between runs; C{None}: nothing is, all in memory."""
    listenPort: int = 0
    """TCP port for peers; 0: the system picks one."""
    interfaces: tuple[str, ...] = ("",)
    """Addresses to listen on, and to dial from when there is just one; C{""}: IPv4 and IPv6, all of them."""
    allowedExtensions: frozenset[Extension] = frozenset(Extension)
    """What we offer in handshakes; fixed for the life of the session."""
    clientName: str = "twisted_bt"
    """C{v} of the extended handshake (BEP 10) and the HTTP user agent."""

    # -- how many
    maxActive: int = 500
    """Open swarms; further torrents wait their turn (downloads first)."""
    idleTimeout: float = 120.0
    """Seconds without peers: a swarm opened by a knock is closed; who lost his line is back in a minute."""
    maxPeers: int = 1000
    """Client slots: peer sessions of all swarms together.  The vocabulary's default."""
    maxPeersPerTorrent: int | None = None
    """Swarm slots; C{None}: 50 (numwant) while leeching, C{uploadSlots} as a seeder."""
    uploadSlots: int = 4
    """Peers of a swarm unchoked at a time.  What BEP 3 describes."""
    maxDialing: int = 30
    """Connections being set up at a time; libtorrent makes as many a second."""
    maxIncomingHandshakes: int = 100
    """Accepted connections that have not yet said which torrent; further ones are closed at once."""

    # -- when
    connectTimeout: float = 15.0
    """For a connection to be made; libtorrent's."""
    handshakeTimeout: float = 10.0
    """For the peer's handshake once connected; libtorrent's, and rain's."""
    incomingTimeout: float = 120.0
    """Silence after which a session is closed (BEP 3: generally two minutes)."""
    outcomingTimeout: float = 100.0
    """Nothing sent for so long: a keep-alive goes out; under 120, or the other side drops us."""
    stopTimeout: float = 5.0
    """The longest that C{stopService} waits for trackers to hear C{stopped}; libtorrent's."""

    # -- exchange
    pipelineSeconds: float = 3.0
    """How much of a fast peer's measured rate is kept asked for; of a slow one less."""
    maxPipeline: int = 500
    """The most blocks asked of a peer at a time; libtorrent's."""
    requestQueueLimit: int = 2000
    """C{reqq} (BEP 10): how many requests of a peer are kept; more are rejected or dropped."""
    rechokeInterval: float = 10.0
    """BEP 3: choking is judged every ten seconds, so that it does not flutter."""
    snubTimeout: float = 60.0
    """An unchoked peer that owes blocks for so long is snubbing us (BEP 3: over a minute)."""
    maxRequestLength: int = 1 << 17
    """The longest block served; 128 KiB as in the first client, others ask 16 KiB."""
    maxMessageLength: int = 1 << 20
    """The longest message kept, blocks and bitfields excepted; libtorrent's."""
    partialPieceBudget: int = 64 << 20
    """Bytes of pieces that are only partly here, all swarms together; a new one waits for room."""

    # -- disk
    diskThreads: int = 2
    """Threads that read, check and sync, beside the one that writes pieces."""
    writeBudget: int = 32 << 20
    """Bytes waiting for the disk before reading from the peers that feed it is paused."""
    maxOpenFiles: int = 128
    """Files kept open, all swarms together; well under the usual limit of 1024 descriptors."""
    preallocate: bool = False
    """Reserve the room of files when they are made, instead of sparse files."""
    flushInterval: float = 15.0
    """Between two syncs of data and resume state; a crash costs at most a re-hash of what came since."""
    readAhead: int = 1 << 20
    """The most bytes read at once for a peer that asks for blocks in order; slow ones get less."""

    # -- finding peers without trackers (never for private torrents, BEP 27)
    dht: bool = False
    """Run a DHT node (BEP 5), and look for peers there: an application asks for it, the daemon does."""
    dhtRouters: tuple[tuple[str, int], ...] | None = None
    """Host and port of nodes to join at where none are remembered; C{None}: the well-known ones."""
    pex: bool = True
    """Tell peers of one another (BEP 11)."""
    lsd: bool = False
    """Look for peers on the local network (BEP 14): an application asks for it, the daemon does."""

    # -- trackers
    numwant: int = 50
    """Addresses asked of a tracker at a time."""
    trackerTimeout: float = 30.0
    """For one answer; libtorrent's."""
    maxTrackerResponse: int = 1 << 20
    """Longest body accepted of an HTTP tracker; libtorrent's."""
    maxAnnouncing: int = 50
    """Announces of registered torrents under way at a time to one host, each perhaps with a socket."""
    scrapeInterval: float = 6 * 3600.0
    """Between two scrapes of a registered torrent that is not announced, 74 in a datagram; 0: never."""
    dhtAnnouncesPerMinute: float = 10.0
    """Registered torrents announced in the DHT in turn; each is a search of about a hundred datagrams."""
    announceIP: str | None = None
    """Address told to trackers as C{ip}, for a client behind a proxy; C{None}: what they see."""

    # -- when enough is enough
    seedRatio: float | None = None
    """Uploaded to content size at which a complete torrent is paused; C{None}: never."""

    extensionHandshake: dict[bytes, object] = field(default_factory=dict)
    """Further keys for our extended handshake (BEP 10), for experiments."""

    def __post_init__(self) -> None:
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise SettingsError(f"{name} is {value}; it must be from {low} to {high}")
        if self.outcomingTimeout >= 120:
            raise SettingsError("outcomingTimeout must be under 120, or peers drop us as silent")


_MANY = 1 << 20
_LONG = 1e9
_RANGES: tuple[tuple[str, float, float], ...] = (
    ("listenPort", 0, 65535),
    ("maxActive", 1, _MANY),
    ("idleTimeout", 1, _LONG),
    ("maxAnnouncing", 1, _MANY),
    ("scrapeInterval", 0, _LONG),
    ("dhtAnnouncesPerMinute", 0, 6000),
    ("maxPeers", 1, _MANY),
    ("maxPeersPerTorrent", 1, _MANY),
    ("uploadSlots", 1, _MANY),
    ("maxDialing", 1, _MANY),
    ("maxIncomingHandshakes", 1, _MANY),
    ("connectTimeout", 0.001, _LONG),
    ("handshakeTimeout", 0.001, _LONG),
    ("incomingTimeout", 1, _LONG),
    ("outcomingTimeout", 1, _LONG),
    ("stopTimeout", 0, _LONG),
    ("pipelineSeconds", 0.1, 60),
    ("maxPipeline", 1, _MANY),
    ("requestQueueLimit", 1, _MANY),
    ("rechokeInterval", 1, _LONG),
    ("snubTimeout", 1, _LONG),
    ("maxRequestLength", 1 << 14, 1 << 24),
    ("maxMessageLength", 1 << 14, 1 << 28),
    ("partialPieceBudget", 1, 1 << 48),
    ("diskThreads", 1, 64),
    ("writeBudget", 1, 1 << 48),
    ("maxOpenFiles", 1, _MANY),
    ("flushInterval", 0.1, _LONG),
    ("readAhead", 1 << 14, 1 << 30),
    ("numwant", 0, 1000),
    ("trackerTimeout", 0.1, _LONG),
    ("maxTrackerResponse", 1 << 10, 1 << 30),
    ("seedRatio", 0, _LONG),
)


def fieldNames() -> frozenset[str]:
    """The names of all settings, for front doors that read them from a file."""
    return frozenset(each.name for each in fields(Settings))
