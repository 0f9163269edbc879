"""
Every target by name.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.fuzz.datagrams import DhtStates, Krpc, LocalAnnounces
from tests.fuzz.kept import Configuration, ResumeStates
from tests.fuzz.node import Nodes
from tests.fuzz.recordings import Recordings
from tests.fuzz.session import Sessions
from tests.fuzz.talk import ExtendedHandshakes, Handshakes, MetadataMessages, PexMessages, Wire
from tests.fuzz.target import Target
from tests.fuzz.trackers import HttpAnswers, HttpBodies, UdpReplies
from tests.fuzz.trackerserver import AnnounceQueries, HttpRequests, UdpServer
from tests.fuzz.values import Bencoding, Magnets, Torrents, TrackerUrls

_MAKERS: tuple[Callable[[], Target], ...] = (
    Bencoding,
    Torrents,
    Magnets,
    TrackerUrls,
    Handshakes,
    Wire,
    ExtendedHandshakes,
    MetadataMessages,
    PexMessages,
    LocalAnnounces,
    Krpc,
    DhtStates,
    HttpBodies,
    HttpAnswers,
    UdpReplies,
    UdpServer,
    AnnounceQueries,
    HttpRequests,
    Configuration,
    ResumeStates,
    Recordings,
    Sessions,
    Nodes,
)

#: Makes the target of that name.
TARGETS: dict[str, Callable[[], Target]] = {each.name: each for each in _MAKERS}  # type: ignore[attr-defined]
