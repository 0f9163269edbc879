"""
What a swarm does with itself: waiting its turn, looking at the disk, exchanging, resting, ending::

    QUEUED -> CHECKING -> DOWNLOADING -> SEEDING
       ^                      |    ^        |
       |                      |    +--------+  a piece proved wrong
       +-- resume -- PAUSED, FAILED                  any -> STOPPED, for good

What was asked last is what happens; each step begins when the one before it has come to its end.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred, DeferredLock, succeed
from twisted.logger import Logger

from twisted_bt.errors import BitTorrentError, PeerDisconnected, SessionStopped, StorageError

if TYPE_CHECKING:
    from twisted_bt.sessions.swarm import SwarmSession


class SwarmStatus(Enum):
    """What a swarm does."""

    QUEUED = "queued"
    CHECKING = "checking"
    DOWNLOADING = "downloading"
    SEEDING = "seeding"
    PAUSED = "paused"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def running(self) -> bool:
        """Whether peers are talked to."""
        return self in (SwarmStatus.DOWNLOADING, SwarmStatus.SEEDING)

    @property
    def checked(self) -> bool:
        """Whether it is known what is here."""
        return self.running or self is SwarmStatus.PAUSED


class Life:
    """
    @ivar status: what the swarm does.
    @ivar reason: for people: why it failed; else empty.
    """

    _log = Logger()

    def __init__(self, swarm: SwarmSession, presumed: bool) -> None:
        """@param presumed: content is taken to be in place until it proves otherwise."""
        self._swarm = swarm
        self.presumed = presumed
        self.status = SwarmStatus.QUEUED
        self.reason = ""
        self._active = False
        self._opening: Deferred[None] | None = None
        self._step = DeferredLock()
        self._checked: list[Deferred[SwarmSession]] = []
        self._completed: list[Deferred[SwarmSession]] = []

    # -- beginning

    def start(self, paused: bool) -> None:
        """Wait for an active slot, look at the disk, then talk to peers; C{paused}: not before L{resume}."""
        if paused:
            self._become(SwarmStatus.PAUSED)
        else:
            self._become(SwarmStatus.QUEUED)
            self._opening = Deferred.fromCoroutine(self._locked(self._open))
            self._opening.addErrback(lambda reason: reason.trap(CancelledError))

    async def _open(self) -> None:
        swarm = self._swarm
        try:
            await swarm.engine.activeSlots.waitVacancy(swarm.priority)
            self._active = True
            if not swarm.record.opened:
                self._become(SwarmStatus.CHECKING)
                await swarm.possession.look(self.presumed)
        except StorageError as reason:
            await self._quiet("its files cannot be used")
            self.fail(reason)
            return
        except BaseException:
            await self._quiet("it was stopped")
            await swarm.record.close()
            raise
        self._become(SwarmStatus.SEEDING if swarm.complete else SwarmStatus.DOWNLOADING)
        swarm.begin()
        self._fire(self._checked)
        if swarm.complete:
            self._fire(self._completed)

    def completed(self) -> None:
        """The last piece arrived."""
        self._become(SwarmStatus.SEEDING)
        self._fire(self._completed)

    def incomplete(self) -> None:
        """A piece proved wrong."""
        if self.status is SwarmStatus.SEEDING:
            self._become(SwarmStatus.DOWNLOADING)

    # -- resting

    def pause(self) -> Deferred[None]:
        """Talk to nobody; fires once that is so and the state is saved."""
        if self.status is SwarmStatus.STOPPED:
            return succeed(None)
        self._become(SwarmStatus.PAUSED)
        return self._halt("it is paused", self._swarm.record.save)

    def resume(self) -> None:
        """Go on after a pause or a failure."""
        if self.status in (SwarmStatus.PAUSED, SwarmStatus.FAILED):
            self.reason = ""
            self.start(paused=False)

    async def verify(self) -> None:
        """Hash all that is on disk anew."""

        self._become(SwarmStatus.PAUSED)
        await self._halt("its files are checked", self._swarm.possession.forget)
        self.presumed = False
        self.resume()
        await self.whenChecked()

    def fail(self, reason: StorageError) -> None:
        """The disk said no: stop with that reason."""
        if self.status in (SwarmStatus.FAILED, SwarmStatus.STOPPED):
            return
        self.reason = str(reason)
        self._log.error("{name} stops: {reason}", name=self._swarm.name, reason=self.reason)
        self._become(SwarmStatus.FAILED)
        self._halt("the disk failed", self._swarm.record.close).addErrback(
            lambda failure: self._log.failure("stopping after a disk failure", failure)
        )
        self._fire(self._checked, reason)
        self._fire(self._completed, reason)

    # -- the end

    def stop(self) -> Deferred[None]:
        """End for good; fires when nothing is left."""
        if self.status is SwarmStatus.STOPPED:
            return self._step.run(lambda: None)
        self._become(SwarmStatus.STOPPED)
        stopped = SessionStopped(f"{self._swarm.name} was stopped")
        self._fire(self._checked, stopped)
        self._fire(self._completed, stopped)
        return self._halt("it is stopped", self._swarm.end)

    def _halt(self, why: str, then: Callable[[], Awaitable[None]]) -> Deferred[None]:
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.cancel()

        async def halt() -> None:
            await self._quiet(why)
            await then()

        return Deferred.fromCoroutine(self._locked(halt))

    async def _locked(self, step: Callable[[], Awaitable[None]]) -> None:
        await self._step.acquire()
        try:
            await step()
        finally:
            self._step.release()

    async def _quiet(self, why: str) -> None:
        """Talk to nobody: discovery first, then peers, then what is on its way to the disk."""
        swarm = self._swarm
        swarm.seeking.stop()
        told = swarm.announcing.stop()
        await swarm.meeting.stop(PeerDisconnected(f"{swarm.name}: {why}"))
        await swarm.downloader.whenIdle()
        swarm.downloader.rest()
        swarm.possession.telling.stop()
        await told
        if self._active:
            self._active = False
            swarm.engine.activeSlots.leave()

    # -- telling

    def whenChecked(self) -> Deferred[SwarmSession]:
        """Fires once it is known what is here."""
        if self.status.checked:
            return succeed(self._swarm)
        return self._waiter(self._checked)

    def whenComplete(self) -> Deferred[SwarmSession]:
        """Fires once all is here."""
        if self._swarm.complete and self.status.checked:
            return succeed(self._swarm)
        return self._waiter(self._completed)

    def _become(self, status: SwarmStatus) -> None:
        if status is not self.status:
            self.status = status
            self._swarm.observers.tell("statusChanged", self._swarm, status)

    def _waiter(self, waiters: list[Deferred[SwarmSession]]) -> Deferred[SwarmSession]:
        def forget(waiter: Deferred[SwarmSession]) -> None:
            waiters[:] = [each for each in waiters if each is not waiter]

        waiter: Deferred[SwarmSession] = Deferred(forget)
        if self.status is SwarmStatus.STOPPED:
            waiter.errback(SessionStopped(f"{self._swarm.name} was stopped"))
        elif self.status is SwarmStatus.FAILED:
            waiter.errback(StorageError(self.reason))
        else:
            waiters.append(waiter)
        return waiter

    def _fire(self, waiters: list[Deferred[SwarmSession]], failure: BitTorrentError | None = None) -> None:
        fired = list(waiters)
        waiters.clear()
        for waiter in fired:
            if failure is None:
                waiter.callback(self._swarm)
            else:
                waiter.errback(failure)
