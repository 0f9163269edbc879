"""
Blocks out: what peers ask for is read in large runs and written while the transport takes it.

One Deferred a run, none a block.  A piece nobody has hashed yet is verified before its first byte
leaves (a registered torrent is trusted on demand); one that proves wrong is withdrawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from bitarray import bitarray
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_bt.errors import SessionStopped, StorageError
from twisted_bt.exchange.rate import RateMeter
from twisted_bt.exchange.upload import Asked, Run, UploadQueue
from twisted_bt.interfaces import IStorage, Random
from twisted_bt.peerwire.allowedfast import allowedFastSet
from twisted_bt.peerwire.messages import RejectRequest, encodePieces
from twisted_bt.sessions.guiding import Guiding
from twisted_bt.sessions.peer import PeerSession
from twisted_bt.settings import Extension, Settings
from twisted_bt.torrent.pieces import BLOCK_LENGTH, Block, PieceLayout

#: Bytes handed to the transport at once: what a peer takes in C{AHEAD} seconds, within these.  What waits
#: in the transport delays all that is said to the peer, and cannot be called back.  libtorrent's bounds
#: are half a second, 10 KiB and 500 KiB.
BATCH = 1 << 20
LEAST_BATCH = BLOCK_LENGTH
#: Bytes read at once for a slow peer, where it asks for as many.
LEAST_READ = 128 << 10
AHEAD = 0.5
#: Pieces a choked peer may have (BEP 6); libtorrent gives as many.
ALLOWED_FAST = 5


class IUploadOwner(Protocol):
    """What an uploader needs of its swarm."""

    infoHash: bytes

    @property
    def clientBitfield(self) -> bitarray:
        """The pieces we say we have."""

    @property
    def complete(self) -> bool:
        """Whether all that is wanted is here."""

    def establishedPeers(self) -> Iterable[PeerSession]:
        """All peers past their handshake."""

    @property
    def storage(self) -> IStorage:
        """Where pieces are; may raise C{StorageError}."""

    def uploaded(self, length: int) -> None:
        """C{length} bytes of content were sent."""

    def pieceLost(self, index: int) -> None:
        """Piece C{index} was taken to be here, and is not."""

    def storageFailed(self, reason: StorageError) -> None:
        """The disk said no."""


class PeerUpload:
    """What one peer asked of us, and the run that was read for it."""

    __slots__ = ("_uploader", "allowedFast", "batch", "data", "queue", "reading", "run", "session")

    def __init__(self, uploader: Uploader, session: PeerSession, limit: int) -> None:
        self._uploader = uploader
        self.session = session
        self.queue = UploadQueue(limit)
        self.allowedFast: frozenset[int] = frozenset()
        self.batch = 0
        self.run: Run | None = None
        self.data = memoryview(b"")
        self.reading = False

    def offerFast(self) -> frozenset[int]:
        """Which pieces the peer may have while choked; from now on it may."""
        self.allowedFast = self._uploader.fastPieces(self.session)
        return self.allowedFast

    def requested(self, run: Iterable[Asked]) -> None:
        """The peer wants the blocks of C{run}, and may have them."""
        queue = self.queue
        index, here = -1, False
        for asked in run:
            if asked[0] != index:
                index = asked[0]
                here = self._uploader.has(index)
            if not here or not queue.add(asked):
                self.reject(Block(*asked))
        if queue and not self.reading:
            self._uploader.serveLater(self)

    def cancelled(self, block: Block) -> None:
        """The peer does not want C{block} any more (with BEP 6 it hears so)."""
        if self.queue.cancel(block):
            self.reject(block)

    def unchoked(self, now: float) -> None:
        """We serve the peer from now on."""
        self._uploader.guiding.tick(now)

    def choked(self) -> None:
        """We choke the peer: what it asked for is dropped, but for what is allowed fast."""
        self._uploader.guiding.leave(self.session)
        for block in self.queue.choke(self.allowedFast):
            self.reject(block)

    def judgeBatch(self, now: float) -> None:
        """How many bytes to hand to the transport at a time."""
        wanted = int(self.session.uploadRate.rate(now) * AHEAD)
        # Powers of two, so that it is seldom another one.
        batch = min(BATCH, max(LEAST_BATCH, 1 << wanted.bit_length() >> 1))
        if batch != self.batch:
            self.batch = batch
            self.session.limitUnsent(batch if batch < BATCH else None)

    def reject(self, block: Block) -> None:
        """Say that C{block} will not come, where that can be said (BEP 6)."""
        if self.session.wire.fast:
            self.session.send(RejectRequest(block.index, block.begin, block.length))


class Uploader:
    """
    @ivar rate: what we send all peers of the swarm.
    """

    _log = Logger()

    def __init__(
        self,
        owner: IUploadOwner,
        layout: PieceLayout,
        verified: bitarray,
        settings: Settings,
        now: Callable[[], float],
        random: Random,
    ) -> None:
        """
        @param verified: the pieces known to match their hash; kept up to date by the owner, and
            here when a piece is hashed on demand.
        """
        self.rate = RateMeter()
        self._owner = owner
        self._layout = layout
        self._verified = verified
        self._settings = settings
        self._now = now
        self._verifying: dict[int, list[Deferred[bool]]] = {}
        self._turn: list[PeerUpload] = []
        self.guiding = Guiding(owner, layout, random)

    def addPeer(self, session: PeerSession) -> PeerUpload:
        """C{session} begins."""
        return PeerUpload(self, session, self._settings.requestQueueLimit)

    def removePeer(self, session: PeerSession) -> None:
        """C{session} ended."""
        self.guiding.leave(session)
        session.upload.queue.choke()
        session.upload.run = None
        session.upload.data = memoryview(b"")

    def has(self, index: int) -> bool:
        """Whether we say that we have piece C{index}."""
        return bool(self._owner.clientBitfield[index])

    def fastPieces(self, session: PeerSession) -> frozenset[int]:
        """
        What a choked peer may have (BEP 6); nothing for IPv6, where no set is defined.

        Nor anything of a seeder: it has something for everybody, so with many newcomers it would send the
        same few pieces to each of them, all at a time, instead of different ones to those it serves.
        """
        addr = session.connectedPeerAddr
        if Extension.FAST not in session.enabledExtensions or addr.isIPv6 or self._owner.complete:
            return frozenset()
        offered = allowedFastSet(self._owner.infoHash, addr.host, self._layout.pieceCount, ALLOWED_FAST)
        return frozenset(index for index in offered if self.has(index))

    def serveLater(self, upload: PeerUpload) -> None:
        """Serve once all messages of this turn were read, so that a run covers what they ask for."""
        if upload not in self._turn:
            self._turn.append(upload)

    def endTurn(self) -> None:
        """All messages of a read were handled."""
        while self._turn:
            self.serve(self._turn.pop().session)

    def serve(self, session: PeerSession) -> None:
        """Send what was read, then read what is asked for, until the transport or the queue says stop."""
        upload = session.upload
        while session.established and not (session.sendingBlocked or session.closing):
            if upload.run is not None and self._send(upload, upload.run):
                continue
            if upload.reading or not upload.queue:
                return
            ahead = min(self._settings.readAhead, max(LEAST_READ, upload.batch))
            run = upload.queue.nextRun(ahead, self._layout)
            if run is None:
                return
            upload.run, upload.data, upload.reading = None, memoryview(b""), True
            self._read(run).addCallbacks(
                self._arrived, self._failed, callbackArgs=(upload, run), errbackArgs=(upload, run)
            )

    def _send(self, upload: PeerUpload, run: Run) -> int:
        now = self._now()
        upload.judgeBatch(now)
        taken = upload.queue.take(run, upload.batch)
        if not taken:
            return 0
        data, start = upload.data, run.begin
        parts = encodePieces(
            [(index, begin, data[begin - start : begin - start + size]) for index, begin, size in taken]
        )
        length = sum([size for _, _, size in taken])
        self.rate.add(length, now)
        self._owner.uploaded(length)
        self.guiding.sent(run.index, length)
        upload.session.sendBlocks(parts, length)
        return length

    def _read(self, run: Run) -> Deferred[bytes]:
        if self._verified[run.index]:
            return self._owner.storage.read(run.index, run.begin, run.length)
        return self._verify(run.index).addCallback(
            lambda good: self._owner.storage.read(run.index, run.begin, run.length) if good else succeed(b"")
        )

    def _verify(self, index: int) -> Deferred[bool]:
        """Hash piece C{index} once, however many peers wait for it."""
        waiter: Deferred[bool] = Deferred()
        waiters = self._verifying.setdefault(index, [])
        waiters.append(waiter)
        if len(waiters) == 1:
            self._owner.storage.verifyPiece(index).addBoth(self._looked, index)
        return waiter

    def _looked(self, outcome: bool | Failure, index: int) -> None:
        if outcome is True:
            self._verified[index] = True
        elif outcome is False:
            self._owner.pieceLost(index)
        for waiter in self._verifying.pop(index):
            waiter.callback(outcome)  # a Failure goes down the errback side

    def _arrived(self, data: bytes, upload: PeerUpload, run: Run) -> None:
        upload.reading = False
        if len(data) == run.length:
            upload.run, upload.data = run, memoryview(data)
        else:  # not here after all: nobody gets any of that piece
            for block in upload.queue.choke(_AllBut(run.index)):
                upload.reject(block)
        self.serve(upload.session)

    def _failed(self, reason: Failure, upload: PeerUpload, run: Run) -> None:
        upload.reading = False
        if reason.check(SessionStopped):
            return
        if not reason.check(StorageError):
            self._log.failure("reading piece {index}", reason, index=run.index)
        self._owner.storageFailed(StorageError(reason.getErrorMessage()))


class _AllBut:
    """Every piece but one."""

    def __init__(self, index: int) -> None:
        self._index = index

    def __contains__(self, index: object) -> bool:
        return index != self._index
