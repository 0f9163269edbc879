"""
Every failure of the engine by name.

An exception that leaves one of our parts is one of these; what a library or the operating
system raised is converted at the edge and kept as C{__cause__}.  C{str()} of each is a sentence
for people.
"""

from __future__ import annotations


class BitTorrentError(Exception):
    """The base of all of them."""


class SessionException(BitTorrentError):
    """Ends one peer session and touches nothing else."""


class PeerDisconnected(SessionException):
    """The connection is gone: closed by the peer, by us, refused, lost or timed out."""


class ProtocolError(SessionException):
    """The peer broke a rule of the protocol; C{reason} says which."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class PeerFloods(ProtocolError):
    """The peer says so much that it keeps us from work."""


class UnknownTorrent(SessionException):
    """Nobody here knows this info-hash."""

    def __init__(self, infoHash: bytes) -> None:
        super().__init__(f"unknown torrent {infoHash.hex()}")
        self.infoHash = infoHash


class BencodeError(BitTorrentError):
    """Bytes that are not the bencoding they should be, or are over a limit."""


class MetainfoError(BitTorrentError):
    """A torrent file that cannot be used; the message says why, for people."""


class MagnetError(BitTorrentError):
    """A magnet link that cannot be used."""


class PieceCorrupt(BitTorrentError):
    """Data offered as (or found as) piece C{index} does not have that piece's hash."""

    def __init__(self, index: int) -> None:
        super().__init__(f"piece {index} does not match its hash")
        self.index = index


class StorageError(BitTorrentError):
    """The disk said no: full, read-only, folder gone, permission denied.  The message is for people."""


class TrackerError(BitTorrentError):
    """
    A tracker did not give an answer that can be used.

    @ivar retryIn: BEP 31: seconds after which to ask again; C{None}: not said; C{float("inf")}: never.
    """

    def __init__(self, reason: str, retryIn: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retryIn = retryIn


class KrpcError(BitTorrentError):
    """
    A message of the DHT that breaks BEP 5, or a node's refusal of what it was asked.

    @ivar code: BEP 5: 201 generic, 202 server, 203 protocol, 204 method unknown.
    @ivar transaction: of the query that is to be answered with this error; C{None}: none is.
    """

    def __init__(self, reason: str, code: int = 203, transaction: bytes | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.transaction = transaction


class KrpcSilence(KrpcError):
    """A node of the DHT did not answer in time, or could not be asked."""


class SettingsError(BitTorrentError):
    """A setting has a value that makes no sense; the message names it."""


class SessionStopped(BitTorrentError):
    """The service, swarm or session was stopped while (or before) the request could be served."""
