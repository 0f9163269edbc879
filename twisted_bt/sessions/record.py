"""
What is here of one torrent, and what will be known of it in the next run.

Joins the storage with the resume store.  The order that makes it safe: before the first write
since a clean state, the store hears that writing goes on; a sync puts data on disk first, then the
claim of it.  So after a crash what is claimed is there, and what is there but not claimed is found
by hashing no more than what was not claimed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bitarray import bitarray
from bitarray.util import zeros
from twisted.internet.defer import CancelledError, Deferred, DeferredLock, FirstError, gatherResults, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_bt.errors import BitTorrentError, SessionStopped, StorageError
from twisted_bt.interfaces import IStorage
from twisted_bt.sessions.engine import Engine
from twisted_bt.storage.resume import ResumeState
from twisted_bt.storage.trust import trust
from twisted_bt.torrent.metainfo import Metainfo
from twisted_bt.torrent.progress import Progress, startProgress

#: Pieces hashed at a time in a check: enough that no disk thread waits for the reactor.
CHECKS_AT_ONCE = 4
#: Seconds that a sync, and clocks, may add to the flush interval when writes are judged after a crash.
CRASH_SLACK = 30.0


class Record:
    """
    @ivar claimed: pieces that are here, verified or presumed.
    @ivar verified: pieces that had their hash; changed in place for as long as the record lives.
    @ivar progress: bytes exchanged in all runs, and missing.
    @ivar opened: L{open} succeeded, and L{close} was not called since.
    """

    _log = Logger()

    def __init__(
        self,
        engine: Engine,
        metainfo: Metainfo,
        dataDirPath: Path,
        busy: Callable[[], bool],
        failed: Callable[[StorageError], None],
    ) -> None:
        """
        @param busy: whether pieces are being written now.
        @param failed: told when the state cannot be saved as it should be from time to time.
        """
        self._busy = busy
        self._failed = failed
        self._engine = engine
        self._metainfo = metainfo
        self._layout = metainfo.layout
        self._infoHash = metainfo.wireHash
        self._dataDirPath = dataDirPath
        self._storage: IStorage | None = None
        self.claimed: bitarray = zeros(metainfo.layout.pieceCount)
        self.verified: bitarray = zeros(metainfo.layout.pieceCount)
        self.progress: Progress = startProgress(metainfo.layout.totalLength)
        self.opened = False
        self._unsaved = False  # something changed since the last save
        self._known = False  # the store knows that pieces are being written
        self._wrote = False  # some were since the last flush began
        self._savedAt = 0.0
        self._toldAt = 0.0
        self._saving = DeferredLock()

    @property
    def storage(self) -> IStorage:
        """Where the pieces are.  @raise StorageError: it is not open."""
        if self._storage is None:
            raise StorageError("the torrent's files are not open")
        return self._storage

    @property
    def dirty(self) -> bool:
        """Whether there is anything to save."""
        return self._unsaved

    # -- opening

    async def open(self, presume: bool, progressed: Callable[[int, int], None]) -> None:
        """
        Find out what is here.

        @param presume: files that are in place are taken to be right (and their pieces verified
            later, on demand), where nothing is known of them.
        @param progressed: told how many pieces were hashed, of how many.
        @raise StorageError: files cannot be read.
        """
        engine = self._engine
        storage = self._storage = engine.storages.storageFor(self._metainfo, self._dataDirPath)
        state = await engine.resume.load(self._infoHash)
        signature = await storage.signature()
        allocated = await storage.allocated()
        count = self._layout.pieceCount
        window = engine.settings.flushInterval + CRASH_SLACK
        known = trust(state, signature, count, window).within(allocated)
        self.verified[:] = known.claim
        if state is not None:
            self.progress = replace(self.progress, uploaded=state.uploaded, downloaded=state.downloaded)
        if presume:
            self.claimed = known.claim | allocated
        else:
            await self._check(known.check, progressed)
            self.claimed = self.verified.copy()
            self._unsaved = self._unsaved or bool(known.check.any())
        missing = self._layout.totalLength - self._layout.bytesIn(self.claimed)
        self.progress = replace(self.progress, left=missing)
        self._savedAt = self._now()
        self.opened = True

    async def _check(self, pieces: bitarray, progressed: Callable[[int, int], None]) -> None:
        """Hash C{pieces}, several at a time; set those in C{verified} that are right."""
        queue = pieces.search(1)
        total = pieces.count()
        done = 0

        async def worker() -> None:
            nonlocal done
            for index in queue:
                if await self.storage.verifyPiece(index):
                    self.verified[index] = True
                done += 1
                progressed(done, total)

        workers = [Deferred.fromCoroutine(worker()) for _ in range(min(CHECKS_AT_ONCE, total))]
        try:
            await gatherResults(workers, consumeErrors=True)
        except Exception as reason:
            for each in workers:
                each.cancel()
            raise _first(reason) from reason

    # -- what happens

    def pieceStored(self, pieces: bitarray) -> None:
        """C{pieces} were verified and written: they are claimed with the next save."""
        self.verified |= pieces
        self.claimed |= pieces
        self.progress = self.progress.downloadedProgress(self._layout.bytesIn(pieces))
        self._unsaved = True

    def pieceLost(self, index: int) -> None:
        """Piece C{index} was claimed, and is not right."""
        self.claimed[index] = self.verified[index] = False
        self.progress = self.progress.enqueuedProgress(self._layout.pieceSize(index))
        self._unsaved = True

    def uploaded(self, length: int) -> None:
        """C{length} bytes went to peers."""
        self.progress = self.progress.uploadedProgress(length)
        self._unsaved = True

    def beforeWriting(self) -> Deferred[None]:
        """Fires once the store knows that pieces are being written, and knew it lately."""
        self._wrote = True
        if self._known and self._now() - self._toldAt < 2 * self._engine.settings.flushInterval:
            return succeed(None)
        self._known = False
        return self._saving.run(lambda: Deferred.fromCoroutine(self._announceWriting()))

    async def _announceWriting(self) -> None:
        if not self._known:
            await self._write(True)

    # -- saving

    def tick(self, now: float) -> None:
        """Once a second: save what changed, every C{flushInterval}."""
        if self._unsaved and self.opened and now - self._savedAt >= self._engine.settings.flushInterval:
            self._savedAt = now
            self.save().addErrback(self._notSaved)

    def _now(self) -> float:
        return self._engine.reactor.seconds()

    def saveSoon(self) -> None:
        """Something is worth saving before its time: the torrent is complete."""
        self._savedAt = float("-inf")

    def save(self) -> Deferred[None]:
        """
        Data to the disk, then the claim of it into the store.  Fires when both survive a loss of power;
        fails with C{StorageError}.
        """
        return self._saving.run(lambda: Deferred.fromCoroutine(self._write(self._busy())))

    async def _write(self, writing: bool) -> None:
        if self._storage is None or not (self.opened and (self._unsaved or writing or self._known)):
            return
        self._unsaved = self._wrote = False
        verified = self.verified.copy()  # before the flush: of later pieces it says nothing
        try:
            await self._storage.flush()
            signature = await self._storage.signature()
            # Also if somebody wrote during the flush, and is done: the signature shows it, and the disk may
            # not have it.  From here on, a piece waits until the store knows.
            self._known = writing or self._wrote or self._busy()
            up, down = self.progress.uploaded, self.progress.downloaded
            state = ResumeState(verified, signature, self._known, self._engine.wallClock(), up, down)
            self._toldAt = self._now()
            await self._engine.resume.save(self._infoHash, state)
        except BitTorrentError:
            self._unsaved = True
            self._known = False
            raise

    def _notSaved(self, reason: Failure) -> None:
        if reason.check(StorageError):
            self._failed(StorageError(str(reason.value)))
        elif not reason.check(SessionStopped, CancelledError):
            self._log.failure("saving the state of a torrent", reason)

    # -- the end

    async def forget(self) -> None:
        """Nothing is known of what is here, and the storage is closed: L{open} looks anew."""
        await self._close(False)
        await self._engine.resume.forget(self._infoHash)
        self.verified.setall(False)
        self.claimed.setall(False)

    async def close(self) -> None:
        """Save what changed, and give back files.  What cannot be saved is found again by hashing."""
        await self._close(True)

    async def _close(self, save: bool) -> None:
        if save and self.opened:
            try:
                await self.save()
            except BitTorrentError as reason:
                self._log.warn(
                    "{name}: the state could not be saved: {reason}",
                    name=self._metainfo.name,
                    reason=str(reason),
                )
        self.opened = False
        await self._saving.acquire()  # another save may be under way; those that wait find nothing to do
        storage, self._storage = self._storage, None
        self._known = False
        self._saving.release()
        if storage is not None:
            try:
                await storage.close()
            except BitTorrentError as reason:
                self._log.warn(
                    "{name}: closing its files: {reason}", name=self._metainfo.name, reason=str(reason)
                )


def _first(reason: BaseException) -> BaseException:
    """What was behind a C{FirstError} of several."""
    if isinstance(reason, FirstError) and reason.subFailure.value is not None:
        return reason.subFailure.value
    return reason
