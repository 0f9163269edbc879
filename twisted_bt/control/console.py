"""
What a daemon tells the person who looks at its log.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from twisted_bt.control.units import formatRate, formatSize, percentage, plural, remaining
from twisted_bt.sessions.life import SwarmStatus
from twisted_bt.sessions.metadatasession import MetadataSession
from twisted_bt.sessions.observers import SwarmObserver
from twisted_bt.sessions.swarm import SwarmSession

if TYPE_CHECKING:
    from twisted_bt.sessions.client import ClientSession

_log = Logger()

#: Seconds between two progress lines while something is downloaded or checked ...
BUSY_INTERVAL = 5.0
#: ... and while there is only uploading.
UPLOADING_INTERVAL = 60.0


class LogObserver(SwarmObserver):
    """
    Writes the events of swarms to the log, each thing once: a tracker that gives the same answer
    again is not mentioned again.
    """

    def __init__(self) -> None:
        self._trackers: dict[tuple[bytes, str], str] = {}
        self._fetching: dict[bytes, bool] = {}

    def metadataProgressed(self, fetching: MetadataSession, done: int, total: int) -> None:
        found = fetching.sources > 0
        if self._fetching.get(fetching.infoHash) is not found:
            self._fetching[fetching.infoHash] = found
            _log.info("{name}: {line}", name=fetching.name, line=fetchingLine([fetching]))

    def statusChanged(self, swarm: SwarmSession, status: SwarmStatus) -> None:
        self._fetching.pop(swarm.infoHash, None)
        if status is SwarmStatus.STOPPED:
            self._forget(swarm)
        elif status is not SwarmStatus.FAILED:  # of which the swarm itself says why
            _log.info("{name}: {status}", name=swarm.name, status=status.value)

    def completed(self, swarm: SwarmSession) -> None:
        _log.info(
            "{name}: complete, {size} in {folder}",
            name=swarm.name,
            size=formatSize(swarm.metainfo.totalSize),
            folder=swarm.dataDirPath,
        )

    def trackerAnswered(self, swarm: SwarmSession, url: str, peers: int, warning: str) -> None:
        if self._isNews(swarm, url, f"warning {warning}" if warning else "answered"):
            said = f"; it warns: {warning}" if warning else ""
            _log.info(
                "{name}: tracker {url} knows {peers}{said}",
                name=swarm.name,
                url=url,
                peers=plural(peers, "peer"),
                said=said,
            )

    def trackerFailed(self, swarm: SwarmSession, url: str, reason: str) -> None:
        if self._isNews(swarm, url, reason):
            _log.warn("{name}: tracker {url} failed: {reason}", name=swarm.name, url=url, reason=reason)

    def _isNews(self, swarm: SwarmSession, url: str, what: str) -> bool:
        key = (swarm.infoHash, url)
        if self._trackers.get(key) == what or swarm.status is SwarmStatus.STOPPED:
            return False
        self._trackers[key] = what
        return True

    def _forget(self, swarm: SwarmSession) -> None:
        for key in [key for key in self._trackers if key[0] == swarm.infoHash]:
            del self._trackers[key]


def fetchingLine(fetching: Collection[MetadataSession]) -> str:
    """From how many peers metadata is being fetched; what of is for the caller to say."""
    peers = plural(sum(each.sources for each in fetching), "peer")
    return f"fetching metadata from {peers}"


def progressLine(swarms: Iterable[SwarmSession], fetching: Collection[MetadataSession] = ()) -> str | None:
    """
    How far the swarms that do something have come, in one line; C{None} if none does.

    @param fetching: those of which the metadata is not here yet.
    """
    swarms = list(swarms)
    checking = [each for each in swarms if each.status is SwarmStatus.CHECKING]
    downloading = [each for each in swarms if each.status is SwarmStatus.DOWNLOADING]
    seeding = [each for each in swarms if each.status is SwarmStatus.SEEDING]
    down = sum(each.downloadRate for each in swarms)
    up = sum(each.uploadRate for each in swarms)
    parts = []
    if checking:
        parts.append(f"checking {_names(checking)}")
    if downloading:
        total = sum(each.metainfo.totalSize for each in downloading)
        left = sum(each.progress.left for each in downloading)
        parts.append(
            f"downloading {_names(downloading)}: {percentage(total - left, total)} of {formatSize(total)}, "
            f"{formatRate(down)}, ETA {remaining(left, down)}"
        )
    elif seeding and up >= 1:
        parts.append(f"seeding {_names(seeding)}")
    if up >= 1 and parts:
        parts.append(f"{formatRate(up)} up")
    if parts:
        parts.append(plural(sum(map(peerCount, swarms)), "peer"))
    if fetching:
        parts.insert(0, f"{_names(fetching)}: {fetchingLine(fetching)}")
    return ", ".join(parts) or None


def peerCount(swarm: SwarmSession) -> int:
    """How many peers the swarm talks to, those only being dialled left out."""
    return sum(peer.established for peer in swarm.connectedPeers.values())


def _names(torrents: Iterable[SwarmSession | MetadataSession]) -> str:
    names = [each.name for each in torrents]
    return names[0] if len(names) == 1 else plural(len(names), "torrent")


class ProgressTicker:
    """Writes L{progressLine} to the log every few seconds while there is progress to speak of."""

    def __init__(self, clock: IReactorTime, client: ClientSession) -> None:
        self._clock = clock
        self._client = client
        self._lastLine = float("-inf")
        self._loop = LoopingCall(self._tick)
        self._loop.clock = clock

    def start(self) -> None:
        """Begin; the first line comes after an interval."""
        self._loop.start(BUSY_INTERVAL, now=False)

    def stop(self) -> None:
        """End; nothing stays behind.  May be called without a start."""
        if self._loop.running:
            self._loop.stop()

    def _tick(self) -> None:
        swarms = self._client.swarmSessions.values()
        fetching = self._client.metadataSessions.values()
        busy = bool(fetching) or any(
            each.status in (SwarmStatus.CHECKING, SwarmStatus.DOWNLOADING) for each in swarms
        )
        if not busy and self._clock.seconds() - self._lastLine < UPLOADING_INTERVAL:
            return
        line = progressLine(swarms, fetching)
        if line is not None:
            self._lastLine = self._clock.seconds()
            _log.info("{line}", line=line)
