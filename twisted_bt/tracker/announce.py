"""
What is said to a tracker and what it says back, whichever protocol carries it.

BEP 3 names the fields; BEP 15 has the same ones in binary.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from twisted_bt.torrent.addresses import PeerAddr

DEFAULT_INTERVAL = 1800
"""Seconds between announces where a tracker does not say; what most of them say."""

_TEXT_LIMIT = 300


class Event(Enum):
    """Why we announce; the value is its name in HTTP (BEP 3), with C{""} for a regular announce."""

    NONE = ""
    STARTED = "started"
    STOPPED = "stopped"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class AnnounceRequest:
    """
    One announce of one torrent.

    @raise ValueError: a field cannot be sent: a hash or id that is not 20 bytes, a port beyond
        0 to 65535, a count of bytes below 0.
    """

    infoHash: bytes
    peerId: bytes
    port: int
    uploaded: int
    """Bytes, since the event C{STARTED}."""
    downloaded: int
    left: int
    event: Event = Event.NONE
    key: int = 0
    """32 bits that tell a tracker that we are we although our address changed."""
    numwant: int = -1
    """Addresses wanted; -1: as many as the tracker likes to give."""
    ip: str | None = None
    """The address to give to others, where it is not the one the tracker sees."""
    trackerId: bytes | None = None
    """What this tracker called itself in its last answer (C{tracker id} of BEP 3)."""

    def __post_init__(self) -> None:
        if len(self.infoHash) != 20 or len(self.peerId) != 20:
            raise ValueError("an info-hash and a peer id are 20 bytes")
        if not 0 <= self.port <= 65535:
            raise ValueError(f"no port {self.port}")
        if not all(0 <= each < 1 << 64 for each in (self.uploaded, self.downloaded, self.left)):
            raise ValueError("a count of bytes is negative, or has more than 64 bits")
        if not -1 <= self.numwant < 1 << 31:
            raise ValueError(f"cannot want {self.numwant} addresses")


@dataclass(frozen=True, slots=True)
class AnnounceResponse:
    """What a tracker answered to an announce."""

    interval: int = DEFAULT_INTERVAL
    """Seconds until the next regular announce, as the tracker says; L{regularDelay} bounds it."""
    minInterval: int = 0
    """Seconds under which it does not want to hear from us; 0: not said."""
    peers: tuple[PeerAddr, ...] = ()
    complete: int | None = None
    """Seeders; C{None}: not said."""
    incomplete: int | None = None
    """Leechers; C{None}: not said."""
    warning: str = ""
    """For people; C{""}: none."""
    externalIp: str | None = None
    """The address that the tracker sees us at (BEP 24)."""
    trackerId: bytes | None = None
    names: tuple[tuple[str, int], ...] = ()
    """Host names (BEP 3 allows them in place of addresses) and ports of further peers, not resolved yet."""


@dataclass(frozen=True, slots=True)
class ScrapeEntry:
    """What a tracker knows of one torrent (BEP 48, BEP 15)."""

    complete: int
    """Seeders."""
    incomplete: int
    """Leechers."""
    downloaded: int
    """How often C{COMPLETED} was announced."""
    name: str | None = None


class ScrapeAnswer(dict[bytes, ScrapeEntry]):
    """
    What a tracker answered to a scrape, by info-hash.

    @ivar minInterval: seconds under which it does not want to be scraped again; 0: not said.
    """

    minInterval: int = 0


def printable(raw: bytes) -> str:
    """What a tracker says to people: one line, at most 300 characters, nothing that moves a cursor."""
    text = raw[: 4 * _TEXT_LIMIT].decode("utf-8", "replace")
    words = "".join(each if each.isprintable() else " " for each in text).split()
    return " ".join(words)[:_TEXT_LIMIT]
