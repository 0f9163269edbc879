"""
A BitTorrent engine on the Twisted reactor.

Start with L{ClientSession}, an C{IService}: give it a reactor, L{Settings} and a parent.
"""

from twisted_bt.errors import (
    BencodeError,
    BitTorrentError,
    MagnetError,
    MetainfoError,
    PeerDisconnected,
    PieceCorrupt,
    ProtocolError,
    SessionException,
    SessionStopped,
    SettingsError,
    StorageError,
    TrackerError,
    UnknownTorrent,
)
from twisted_bt.sessions.client import ClientSession
from twisted_bt.sessions.engine import Plugins
from twisted_bt.sessions.life import SwarmStatus
from twisted_bt.sessions.observers import SwarmObserver
from twisted_bt.sessions.peer import PeerSession
from twisted_bt.sessions.service import ClientService, withRunning
from twisted_bt.sessions.swarm import SwarmSession
from twisted_bt.sessions.torrentmap import (
    Active,
    Registered,
    TorrentLoc,
    TorrentMap,
    TorrentPresence,
    Unknown,
)
from twisted_bt.sessions.trackercounts import TrackerCounts
from twisted_bt.settings import Extension, Settings
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.magnet import Magnet
from twisted_bt.torrent.metainfo import Metainfo
from twisted_bt.torrent.progress import Progress, startProgress
from twisted_bt.tracker.announce import ScrapeEntry

__all__ = [
    "Active",
    "BencodeError",
    "BitTorrentError",
    "ClientService",
    "ClientSession",
    "Extension",
    "Magnet",
    "MagnetError",
    "Metainfo",
    "MetainfoError",
    "PeerAddr",
    "PeerDisconnected",
    "PeerSession",
    "PieceCorrupt",
    "Plugins",
    "Progress",
    "ProtocolError",
    "Registered",
    "ScrapeEntry",
    "SessionException",
    "SessionStopped",
    "Settings",
    "SettingsError",
    "StorageError",
    "SwarmObserver",
    "SwarmSession",
    "SwarmStatus",
    "TorrentLoc",
    "TorrentMap",
    "TorrentPresence",
    "TrackerCounts",
    "TrackerError",
    "Unknown",
    "UnknownTorrent",
    "startProgress",
    "withRunning",
]
