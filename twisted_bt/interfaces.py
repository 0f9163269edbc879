"""
Every seam of the engine: what each part promises the others, and what an application may bring.

Implement one of these in a few lines, hand it in, and the engine uses yours.  Whoever implements
C{IStorage}, C{IPiecePicker} or C{IChoker} runs the contract tests of L{twisted_bt.testing} on it.

Unless said otherwise: bytes, seconds, bytes a second; methods are called on the reactor thread;
a method that returns no Deferred neither blocks nor fails.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from bitarray import bitarray
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IReactorFromThreads,
    IReactorPluggableNameResolver,
    IReactorTCP,
    IReactorThreads,
    IReactorTime,
    IReactorUDP,
)
from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from twisted_bt.torrent.addresses import PeerAddr

T = TypeVar("T")

#: Bytes in any of their shapes; what may be written, hashed or parsed without a copy.
Buffer = bytes | bytearray | memoryview


class IClientReactor(
    IReactorTime,
    IReactorTCP,
    IReactorUDP,
    IReactorThreads,
    IReactorFromThreads,
    IReactorPluggableNameResolver,
    Interface,
):
    """What the engine needs of a reactor; every real one has it, and so has a simulated host."""


class Random(Protocol):
    """The random source that is handed in: C{random.Random(seed)} or C{random.SystemRandom()}."""

    def random(self) -> float: ...
    def randrange(self, stop: int, /) -> int: ...
    def randbytes(self, n: int, /) -> bytes: ...
    def shuffle(self, x: list[Any], /) -> None: ...
    def choice(self, seq: Sequence[T], /) -> T: ...
    def uniform(self, a: float, b: float, /) -> float: ...


# ---------------------------------------------------------------- disk


class IDiskQueue(Interface):
    """
    Where slow work goes: bounded in bytes, done in the order given as far as there is one worker.
    """

    congested: bool = Attribute("Whether more bytes wait than the budget; see L{onPressure}.")

    def submit(job: Callable[[], T], cost: int = 0) -> Deferred[T]:
        """
        Run C{job} off the reactor thread; its result, or what it raised, arrives on the reactor thread.

        @param cost: bytes of memory that are held until the job is done.
        Never refused while running; whoever sends too much is told by L{onPressure}.  After L{stop}
        the Deferred fails with L{SessionStopped<twisted_bt.errors.SessionStopped>}.
        """

    def onPressure(listener: Callable[[bool], None]) -> Callable[[], None]:
        """
        Call C{listener(True)} whenever waiting bytes pass the budget, C{listener(False)} once they
        are under half of it.  Returns what ends that.
        """

    def stop() -> Deferred[None]:
        """Finish what was submitted, end the workers, then fire.  A second call gets the same outcome."""


class IStorage(Interface):
    """
    Where the pieces of one torrent live.

    Every failure is L{PieceCorrupt<twisted_bt.errors.PieceCorrupt>} where named, or
    L{StorageError<twisted_bt.errors.StorageError>} whose message is for people.
    """

    def writePiece(index: int, data: Buffer) -> Deferred[None]:
        """
        Store C{data} (the whole piece) if it hashes to piece C{index}; else fail with
        C{PieceCorrupt} and change nothing.  Fires once L{read} would see it; durability waits
        for L{flush}.  C{data} belongs to the storage until then and must not change.
        """

    def read(index: int, begin: int, length: int) -> Deferred[bytes]:
        """
        C{length} bytes from C{begin} in piece C{index}, all within that piece (and often more
        than a block).  What is read was not verified now.
        """

    def verifyPiece(index: int) -> Deferred[bool]:
        """Read piece C{index}: does it have its hash?  C{False} too where data is missing or short."""

    def allocated() -> Deferred[bitarray]:
        """
        The pieces that might be here.  What is not set need not be read to know that it would fail
        L{verifyPiece}: some of it lies beyond a file's end, or all of it in holes and it is not all zeros.
        """

    def signature() -> Deferred[bytes]:
        """
        An opaque value that differs once the stored bytes were changed by anybody (for files: their
        sizes and modification times).  It may say nothing yet of what was written and not flushed.
        """

    def flush() -> Deferred[None]:
        """Fires once all that was written before survives a loss of power."""

    def close() -> Deferred[None]:
        """Give back files and memory, once pending operations are done.  No method is called after."""


class IBatchStorage(IStorage):
    """
    A storage that takes many pieces at less than the price of each: an ability that is used where it is
    there.  With pieces of 16 KiB a fast swarm completes thousands in a second.
    """

    def writePieces(pieces: Sequence[tuple[int, Buffer]]) -> Deferred[list[Exception | None]]:
        """
        Store each of C{pieces}, index and data, as L{writePiece} would.  Fires once all are dealt with:
        for each, in order, C{None} or what L{writePiece} would have failed with.
        """


class IStorageFactory(Interface):
    """Makes the storage of a torrent; an application brings its own to keep data elsewhere."""

    def storageFor(metainfo: Any, dataDirPath: Path) -> IStorage:
        """
        The storage of C{metainfo} (a L{Metainfo<twisted_bt.torrent.metainfo.Metainfo>}) in
        C{dataDirPath}.  Touches no disk.
        """


# ---------------------------------------------------------------- exchange


class IAvailability(Interface):
    """How many connected peers have each piece."""

    def count(index: int) -> int:
        """How many connected peers have piece C{index}."""

    def rarest(candidates: bitarray) -> bitarray:
        """Those of C{candidates} that the fewest peers have (all of an equal, lowest count)."""


class IPiecePicker(Interface):
    """Chooses which piece to begin next."""

    def pick(candidates: bitarray, availability: IAvailability) -> int | None:
        """
        The piece to begin, out of C{candidates}: wanted, not here, not begun, and the peer that
        waits for work has it.  C{None}: begin none now.  Must not change C{candidates}.
        """


@dataclass(frozen=True, slots=True)
class ChokeCandidate:
    """One peer, as a choker sees it.  Rates are averages over about 20 s."""

    key: Hashable
    interested: bool
    unchoked: bool
    snubbed: bool
    downloadRate: float
    uploadRate: float
    unchokedFor: float
    """Seconds since it was last unchoked, while unchoked; else 0."""
    connectedFor: float
    isSeed: bool
    uploaded: int = 0
    """Bytes sent to it in this session."""
    offers: bool = True
    """Whether it has something that we want."""
    downloaded: int = 0
    """Bytes that it sent in this session."""


class IChoker(Interface):
    """Decides who is served."""

    def rechoke(
        peers: Sequence[ChokeCandidate], slots: int, seeding: bool, now: float
    ) -> Collection[Hashable]:
        """
        The keys of those to have unchoked from now on; all others are choked.  Called every
        C{rechokeInterval}, and early when a slot falls free.  A peer that is not interested costs
        no slot: more keys than C{slots} may be returned only for such peers.
        """


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """What is known of a peer when a policy is asked about it."""

    addr: PeerAddr
    incoming: bool
    peerId: bytes | None = None
    """C{None} before its handshake."""
    client: str = ""
    """The software's name by BEP 20 or by C{v} of the extended handshake; C{""} while unknown."""


class IPeerPolicy(Interface):
    """Decides whom to talk to, and with how many."""

    def slots(seeding: bool) -> int:
        """How many peers a swarm may be connected to."""

    def accepts(peer: PeerInfo) -> bool:
        """
        Whether to go on with C{peer}.  Asked before dialing, after the handshake and after the
        extended handshake, with more known each time.
        """

    def victim(peers: Sequence[ChokeCandidate], seeding: bool) -> Hashable | None:
        """
        The swarm's slots are taken and somebody knocks: the key of the session to close instead,
        or C{None} to turn the newcomer away.
        """


# ---------------------------------------------------------------- peers and extensions


class IPeerSink(Interface):
    """Whoever wants to hear of peers: a swarm."""

    def peersFound(addresses: Sequence[PeerAddr], source: str) -> None:
        """
        Peers heard of, for example from C{"tracker"}; possibly known, dead, or ourselves.
        """


class IExtension(Interface):
    """
    A protocol of your own beside the peer wire (BEP 10).  One object serves one swarm.
    """

    name: bytes = Attribute("The name in C{m} of the extended handshake, for example C{b'ut_comment'}.")

    def started(peer: Any) -> None:
        """C{peer} (a L{PeerSession<twisted_bt.sessions.peer.PeerSession>}) speaks this extension too."""

    def received(peer: Any, payload: bytes) -> None:
        """A message.  Raise L{ProtocolError<twisted_bt.errors.ProtocolError>} to end the session."""

    def stopped(peer: Any) -> None:
        """The session with C{peer} ended."""


class ISwarmObserver(Interface):
    """
    Hears what happens in a swarm.  Subclass L{SwarmObserver<twisted_bt.sessions.observers.SwarmObserver>}
    and override what you need.  What an observer raises is logged and changes nothing.
    """

    def statusChanged(swarm: Any, status: Any) -> None:
        """Downloading, seeding, checking, paused, stopped by an error (C{swarm.reason}) ..."""

    def metadataProgressed(fetching: Any, done: int, total: int) -> None:
        """
        A magnet link's metadata is being fetched by C{fetching}, a
        L{MetadataSession<twisted_bt.sessions.metadatasession.MetadataSession>}: C{done} of C{total}
        bytes are here, both 0 while no peer offers it.
        """

    def pieceVerified(swarm: Any, index: int) -> None:
        """Piece C{index} was downloaded, matched its hash and was stored."""

    def checkProgressed(swarm: Any, done: int, total: int) -> None:
        """C{done} of C{total} pieces were looked at while checking files."""

    def completed(swarm: Any) -> None:
        """The last wanted piece arrived (once per run, and not for what was complete already)."""

    def peerConnected(swarm: Any, peer: Any) -> None:
        """A session with C{peer} began."""

    def peerDisconnected(swarm: Any, peer: Any, reason: BaseException) -> None:
        """It ended, because of C{reason} (a C{SessionException})."""

    def trackerAnswered(swarm: Any, url: str, peers: int, warning: str) -> None:
        """An announce brought C{peers} addresses; C{warning} is C{""} or what the tracker says to people."""

    def trackerFailed(swarm: Any, url: str, reason: str) -> None:
        """An announce failed; the next tracker or the next try follows by itself."""


# ---------------------------------------------------------------- trackers


class ITrackerClient(Interface):
    """Speaks one kind of tracker protocol (HTTP, UDP) to any number of trackers."""

    def announce(url: str, request: Any) -> Deferred[Any]:
        """
        An L{AnnounceResponse<twisted_bt.tracker.announce.AnnounceResponse>} to an
        L{AnnounceRequest<twisted_bt.tracker.announce.AnnounceRequest>}.  Fails with
        L{TrackerError<twisted_bt.errors.TrackerError>}; can be cancelled; has a time limit.
        """

    def scrape(url: str, infoHashes: Sequence[bytes]) -> Deferred[Any]:
        """
        A dict of info-hash to L{ScrapeEntry<twisted_bt.tracker.announce.ScrapeEntry>} (BEP 48, BEP 15);
        those the tracker does not know are absent.  It may be a
        L{ScrapeAnswer<twisted_bt.tracker.announce.ScrapeAnswer>}, which says when the tracker wants to be
        asked again.  Any number of info-hashes may be asked about.  Fails with C{TrackerError}.
        """

    def close() -> Deferred[None]:
        """End what is under way and give back sockets."""
