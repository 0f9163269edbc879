"""
Peers that a person named: tried until they are reached, and again while they are needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_bt.control.options import HostPort
from twisted_bt.errors import BitTorrentError
from twisted_bt.sessions.client import ClientSession
from twisted_bt.sessions.metadatasession import MetadataSession
from twisted_bt.sessions.observers import SwarmObserver
from twisted_bt.torrent.addresses import PeerAddr

_log = Logger()

#: Seconds until the first further try; each is twice as long as the one before, up to the last.
FIRST_RETRY = 5.0
LAST_RETRY = 60.0


class IOffered(Protocol):
    """What peers are offered to: a swarm, or what fetches the metadata of one."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def complete(self) -> bool:
        """Whether it wants nothing more."""

    @property
    def connectedPeers(self) -> Mapping[PeerAddr, Any]:
        """Every session, by address."""

    def connectPeer(self, host: str, port: int) -> Deferred[Any]:
        """Talk to a peer; fires with the session after the handshake."""


class OfferedPeers:
    """
    Offers peers to a swarm, as trackers would.

    Somebody named them, so they are likely to be wanted, and likely to be started a moment later
    than we are: what cannot be reached is tried again, and so is what was lost while there is still
    something to download.
    """

    def __init__(self, clock: IReactorTime, swarm: IOffered, peers: Sequence[HostPort]) -> None:
        self._offers = [_Offer(clock, swarm, peer) for peer in peers]

    def start(self) -> None:
        """Try each now."""
        for offer in self._offers:
            offer.dial()

    def stop(self) -> None:
        """Try no more.  Sessions that were reached are the swarm's."""
        for offer in self._offers:
            offer.stop()


class MetadataOffers(SwarmObserver):
    """
    Offers peers to what fetches the metadata of one torrent, from when it begins until it L{stop}s.
    """

    def __init__(
        self, clock: IReactorTime, client: ClientSession, infoHash: bytes, peers: Sequence[HostPort]
    ) -> None:
        self._clock = clock
        self._client = client
        self._infoHash = infoHash
        self._peers = peers
        self._offered: OfferedPeers | None = None
        self._unobserve = lambda: None

    def start(self) -> None:
        """Offer now, or as soon as there is somebody to offer to."""
        self._unobserve = self._client.observe(self)
        fetching = self._client.metadataSessions.get(self._infoHash)
        if fetching is not None:
            self.metadataProgressed(fetching, 0, 0)

    def metadataProgressed(self, fetching: MetadataSession, done: int, total: int) -> None:
        if self._offered is None and fetching.infoHash == self._infoHash:
            self._offered = OfferedPeers(self._clock, fetching, self._peers)
            self._offered.start()

    def stop(self) -> None:
        """Try no more."""
        self._unobserve()
        if self._offered is not None:
            self._offered.stop()


class _Offer:
    def __init__(self, clock: IReactorTime, swarm: IOffered, peer: HostPort) -> None:
        self._clock = clock
        self._swarm = swarm
        self._peer = peer
        self._delay = FIRST_RETRY
        self._timer: IDelayedCall | None = None
        self._dialing: Deferred[None] | None = None
        self._session: object = None
        self._failure = ""
        self._stopped = False

    def dial(self) -> None:
        self._timer = None
        if self._session is not None and (
            self._swarm.complete or self._session in self._swarm.connectedPeers.values()
        ):
            self._later()
            return
        self._dialing = self._swarm.connectPeer(self._peer.host, self._peer.port).addCallbacks(
            self._reached, self._refused
        )
        self._dialing.addErrback(lambda failure: _log.failure("offering a peer", failure))

    def stop(self) -> None:
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._dialing is not None:
            self._dialing.cancel()

    def _reached(self, session: object) -> None:
        self._session = session
        self._delay = FIRST_RETRY
        self._failure = ""
        self._later()

    def _refused(self, failure: Failure) -> None:
        if self._stopped:
            return
        failure.trap(BitTorrentError)
        reason = failure.getErrorMessage()
        if reason != self._failure:  # once, not with each try
            self._failure = reason
            _log.info("{name}: peer {peer}: {reason}", name=self._swarm.name, peer=self._peer, reason=reason)
        self._later()

    def _later(self) -> None:
        self._dialing = None
        if not self._stopped:
            self._timer = self._clock.callLater(self._delay, self.dial)
            self._delay = min(self._delay * 2, LAST_RETRY)
