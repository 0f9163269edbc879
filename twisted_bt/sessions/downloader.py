"""
Blocks in: joins the pure L{Download<twisted_bt.exchange.download.Download>} with peers and disk.

Completed pieces are handed to the storage at the end of the turn in which their last blocks came, after
the next requests went out, so that the peer works while the disk does.  Small ones go many at a time:
one Deferred, one job and one wake-up for all.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Protocol

from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_bt.errors import PieceCorrupt, ProtocolError, StorageError
from twisted_bt.exchange.buffers import PieceBuffers
from twisted_bt.exchange.download import Download
from twisted_bt.exchange.peerdownload import PeerDownload
from twisted_bt.exchange.rate import RateMeter
from twisted_bt.interfaces import Buffer, IBatchStorage, IDiskQueue, IStorage
from twisted_bt.peerwire.framing import PieceRun
from twisted_bt.peerwire.messages import Cancel
from twisted_bt.sessions.peer import PeerSession
from twisted_bt.torrent.pieces import Block

#: Bytes of completed pieces that wait at most while the disk is busy with others.
BATCH = 1 << 20
#: Bytes a peer may send that were never asked for, before it is taken for a flood.
MAX_UNASKED = 2 << 20


class IDownloadOwner(Protocol):
    """What a downloader needs of its swarm."""

    @property
    def storage(self) -> IStorage:
        """Where pieces go; may raise C{StorageError}."""

    def available(self, indices: Sequence[int]) -> None:
        """These pieces were verified and stored."""

    def storageFailed(self, reason: StorageError) -> None:
        """The disk said no."""

    def punish(self, liars: Iterable[Hashable], index: int) -> None:
        """These contributors sent wrong data for piece C{index}."""

    def beforeWriting(self) -> Deferred[None]:
        """Fires once pieces may be written (what is on record says that writing goes on)."""


class Downloader:
    """
    @ivar download: the decisions.
    @ivar rate: what all peers of the swarm send us.
    """

    _log = Logger()

    def __init__(
        self,
        owner: IDownloadOwner,
        download: Download,
        clock: IReactorTime,
        disk: IDiskQueue,
        buffers: PieceBuffers,
        batch: int = BATCH,
    ) -> None:
        """@param batch: so many bytes of completed pieces wait while the disk is busy with others."""
        self.download = download
        self.rate = RateMeter()
        self._owner = owner
        self._clock = clock
        self._disk = disk
        self._batch = batch
        self._peers: dict[PeerDownload, PeerSession] = {}
        self._completed: list[int] = []
        self._writing = 0
        self._idle: list[Deferred[None]] = []
        self._refilling = False
        self._wasted: dict[PeerSession, int] = {}
        self._forget = [disk.onPressure(self._pressure), buffers.onRoom(self.refillLater)]

    def addPeer(self, session: PeerSession) -> None:
        """C{session} began; its C{download} was made."""
        self._peers[session.download] = session
        if self._disk.congested:
            session.pauseReading(True)

    def removePeer(self, session: PeerSession) -> None:
        """C{session} ended: what it owed is asked of others."""
        if self._peers.pop(session.download, None) is not None:
            self._wasted.pop(session, None)
            self.download.removePeer(session.download)
            self._sendCancels()
            self.refillLater()

    def received(self, session: PeerSession, run: PieceRun) -> None:
        """
        Blocks came.

        @raise ProtocolError: too much came unasked.
        """
        now = session.now
        arrival = self.download.received(session.download, run, now)
        self._completed += arrival.completed
        self.rate.add(arrival.size, now)
        if arrival.unasked:
            wasted = self._wasted.get(session, 0) + arrival.unasked
            if wasted > MAX_UNASKED:
                raise ProtocolError(f"{wasted} bytes of blocks that nobody asked for")
            self._wasted[session] = wasted

    def endTurn(self, session: PeerSession) -> None:
        """All messages of a read were handled: say what became needless."""
        self._sendCancels()

    def requests(self, session: PeerSession) -> list[Block]:
        """What to ask of the peer now."""
        if session.sendingBlocked or session.wire.amInterested is False:
            return []
        return self.download.nextRequests(session.download, session.now)

    def storeCompleted(self) -> None:
        """
        Give the completed pieces to the storage: at once, or, while it has others, as soon as they are
        many or it is done with those.
        """
        waiting = len(self._completed) * self.download.layout.pieceLength
        if waiting and (not self._writing or waiting >= self._batch):
            self._storeAll()

    def _storeAll(self) -> None:
        """Give them to the storage now."""
        batch, self._completed = self._completed, []
        self._writing += 1
        storing = self._owner.beforeWriting().addCallback(self._store, batch)
        # Not one after the other: what goes wrong with a piece that is stored is not the disk's fault.
        storing.addCallbacks(self._dealtWith, self._failed, callbackArgs=(batch,), errbackArgs=(batch,))
        storing.addErrback(self._puzzled, batch)

    def _store(self, _: None, batch: list[int]) -> Deferred[list[Exception | None]]:
        storage = self._owner.storage
        pieces = [(index, self.download.takePiece(index)) for index in batch]
        if IBatchStorage.providedBy(storage):
            return storage.writePieces(pieces)
        return writeEach(storage, pieces)

    def _dealtWith(self, outcomes: list[Exception | None], batch: list[int]) -> None:
        """For each piece of C{batch}: it is stored, or what is wrong."""
        download = self.download
        good: list[int] = []
        lied: list[tuple[int, frozenset[Hashable]]] = []
        trouble: Exception | None = None
        for index, outcome in zip(batch, outcomes, strict=True):
            if outcome is None:
                good.append(index)
                liars = download.pieceVerified(index)
                if liars:
                    lied.append((index, liars))
            elif isinstance(outcome, PieceCorrupt):
                lied.append((index, download.pieceFailed(index)))
                self.refillLater()
            else:
                download.pieceReturned(index)
                trouble = outcome
        self._finished()
        if good:
            self._owner.available(good)
        for index, liars in lied:
            self._owner.punish(liars, index)
        if trouble is not None:
            self._storageFailed(Failure(trouble))

    def _failed(self, reason: Failure, batch: list[int]) -> None:
        for index in batch:
            self.download.pieceReturned(index)
        self._finished()
        self._storageFailed(reason)

    def _storageFailed(self, reason: Failure) -> None:
        if not reason.check(StorageError):
            self._log.failure("storing pieces", reason)
        self._owner.storageFailed(StorageError(reason.getErrorMessage()))

    def _puzzled(self, reason: Failure, batch: list[int]) -> None:
        self._log.failure("after storing pieces {batch}", reason, batch=batch)

    def _finished(self) -> None:
        self._writing -= 1
        if self._completed:
            self._storeAll()
        if not self._writing:
            idle, self._idle = self._idle, []
            for each in idle:
                each.callback(None)

    @property
    def writing(self) -> bool:
        """Whether pieces are on their way to the disk."""
        return self._writing > 0

    def whenIdle(self) -> Deferred[None]:
        """Fires once no piece is on its way to the disk."""
        if not self._writing:
            return succeed(None)
        waiter: Deferred[None] = Deferred()
        self._idle.append(waiter)
        return waiter

    def rest(self) -> None:
        """Nobody is talked to: leave the memory of unfinished pieces to other swarms."""
        self.download.dropPartial()

    def tick(self, now: float) -> None:
        """Once a second: who owes us for too long, whom to ask instead."""
        if self._disk.congested:
            return  # nobody can answer while we do not read
        for peer in self.download.tick(now):
            session = self._peers.get(peer)
            if session is not None:
                session.now = now
                session.flush(self.requests(session))
        self._sendCancels()

    def refillLater(self) -> None:
        """Ask all idle peers for more, in the next turn of the reactor."""
        if not self._refilling and self._peers:
            self._refilling = True
            self._clock.callLater(0, self._refill)

    def _refill(self) -> None:
        self._refilling = False
        now = self._clock.seconds()
        for session in list(self._peers.values()):
            session.now = now
            session.judgeInterest()
            session.flush(self.requests(session))

    def _sendCancels(self) -> None:
        for peer, block in self.download.cancels():
            session = self._peers.get(peer)
            if session is not None:
                session.send(Cancel(block.index, block.begin, block.length))

    def _pressure(self, congested: bool) -> None:
        if not congested:
            self.download.excuse(self._clock.seconds())
        for peer, session in self._peers.items():
            if not congested or peer.outstanding:
                session.pauseReading(congested)

    def close(self) -> None:
        """Hear no more of memory and disk."""
        for each in self._forget:
            each()


def writeEach(storage: IStorage, pieces: Sequence[tuple[int, Buffer]]) -> Deferred[list[Exception | None]]:
    """What L{IBatchStorage.writePieces} does, with a storage that takes one piece at a time."""

    def failure(reason: Failure) -> Exception:
        if not isinstance(reason.value, Exception):
            reason.raiseException()
        return reason.value

    return gatherResults([storage.writePiece(*piece).addErrback(failure) for piece in pieces])
